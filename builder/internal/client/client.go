// Package client talks to a registry or an edge deployment over HTTP. It hides
// requests, retries, the event stream, and the checks of what comes back: bytes
// are compared with the digest that their address holds before they are handed
// out.
//
//	c, err := client.New("https://registry.example", client.Options{Token: token})
//	b, err := c.Publish(ctx, file, false)
//	err = c.Watch(ctx, job.ID, func(j registry.Job) { ... })
//
// A request that changes nothing, or that may safely be made twice, is made
// again when the server is busy or does not answer; others are not.
package client

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"cloister/builder/internal/publish"
	"cloister/builder/internal/registry"
	"cloister/shared/sign"
)

// Options are the settings of a client. A zero value is the documented default.
type Options struct {
	Token string
	HTTP  *http.Client // default: no proxy but the environment's, no overall time limit
	// Retries is how often a request is made again; default 4, negative: never.
	Retries int
	// Pause is the first pause before that, doubled each time; default 200 ms.
	Pause time.Duration
}

// Client is a connection to one registry. It is safe for concurrent use.
type Client struct {
	base *url.URL
	o    Options
}

// Error is an answer that says no.
type Error struct {
	Host    string
	Status  int
	Text    string
	Details []string // one per finding
}

// Error returns the text with its details.
func (e *Error) Error() string {
	s := fmt.Sprintf("%s: %s (%d)", e.Host, e.Text, e.Status)
	for _, d := range e.Details {
		s += "\n  " + d
	}
	return s
}

// New returns a client of the registry at base, http or https.
func New(base string, o Options) (*Client, error) {
	u, err := url.Parse(strings.TrimSuffix(base, "/"))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("want an address such as http://127.0.0.1:8080, got %.64q", base)
	}
	if o.HTTP == nil {
		o.HTTP = &http.Client{}
	}
	if o.Retries == 0 {
		o.Retries = 4
	}
	if o.Pause == 0 {
		o.Pause = 200 * time.Millisecond
	}
	return &Client{u, o}, nil
}

// maxAnswer bounds an answer in JSON, maxBundle a bundle.
const (
	maxAnswer = 16 << 20
	maxBundle = 64 << 20
)

// body makes the body of a request, anew for each try.
type body struct {
	kind string
	open func() (io.Reader, error)
	size int64
}

func jsonBody(v any) (*body, error) {
	b, err := json.Marshal(v)
	return bytesBody("application/json", b), err
}

func bytesBody(kind string, b []byte) *body {
	return &body{kind, func() (io.Reader, error) { return bytes.NewReader(b), nil }, int64(len(b))}
}

// do makes a request, again if safe says that it may be, and returns an
// answer of status 2xx whose body the caller closes.
func (c *Client) do(ctx context.Context, method, path string, query url.Values, b *body, safe bool) (*http.Response, error) {
	pause := c.o.Pause
	for try := 0; ; try++ {
		res, wait, err := c.once(ctx, method, path, query, b)
		if err == nil {
			return res, nil
		}
		var no *Error
		again := !errors.As(err, &no) || no.Status == http.StatusTooManyRequests || no.Status == http.StatusServiceUnavailable || no.Status == http.StatusBadGateway
		busy := no != nil && no.Status == http.StatusTooManyRequests // nothing was done
		if !again || !safe && !busy || try >= c.o.Retries || ctx.Err() != nil {
			return nil, err
		}
		select {
		case <-time.After(min(max(wait, pause), 30*time.Second)):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		pause *= 2
	}
}

func (c *Client) once(ctx context.Context, method, path string, query url.Values, b *body) (_ *http.Response, wait time.Duration, err error) {
	u := c.base.JoinPath(path)
	u.RawQuery = query.Encode()
	var r io.Reader
	if b != nil {
		if r, err = b.open(); err != nil {
			return nil, 0, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), r)
	if err != nil {
		return nil, 0, err
	}
	if b != nil {
		req.Header.Set("Content-Type", b.kind)
		req.ContentLength = b.size
	}
	req.Header.Set("Accept", "application/json, */*")
	if c.o.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.o.Token)
	}
	res, err := c.o.HTTP.Do(req)
	if err != nil {
		return nil, 0, err
	}
	if res.StatusCode/100 == 2 {
		return res, 0, nil
	}
	defer res.Body.Close() // an error is told already
	no := &Error{Host: c.base.Host, Status: res.StatusCode, Text: strings.ToLower(http.StatusText(res.StatusCode))}
	var problem struct {
		Detail, Error string
		Errors        []struct{ Location, Message string }
	}
	if text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer)); err == nil && json.Unmarshal(text, &problem) == nil {
		no.Text = cmp.Or(problem.Detail, problem.Error, no.Text)
		for _, e := range problem.Errors {
			no.Details = append(no.Details, strings.TrimPrefix(e.Location+": "+e.Message, ": "))
		}
	}
	if n, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && n >= 0 {
		wait = time.Duration(min(n, 3600)) * time.Second
	}
	return nil, wait, no
}

// answer makes a request and decodes its answer.
func answer[T any](ctx context.Context, c *Client, method, path string, query url.Values, b *body, safe bool) (v T, err error) {
	res, err := c.do(ctx, method, path, query, b, safe)
	if err != nil {
		return v, err
	}
	defer res.Body.Close() // only read
	d := json.NewDecoder(io.LimitReader(res.Body, maxAnswer))
	if err := d.Decode(&v); err != nil {
		return v, fmt.Errorf("%s: the answer does not read: %w", c.base.Host, err)
	}
	return v, nil
}

type items[T any] struct {
	Items []T `json:"items"`
}

func escape(parts ...string) string {
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}

// Bundles lists the published bundles of a name, or all for "".
func (c *Client) Bundles(ctx context.Context, name string) ([]registry.Bundle, error) {
	l, err := answer[items[registry.Bundle]](ctx, c, http.MethodGet, "v1/bundles", url.Values{"name": {name}}, nil, true)
	return l.Items, err
}

// Bundle returns what is known of a published bundle.
func (c *Client) Bundle(ctx context.Context, name, version string) (registry.Bundle, error) {
	return answer[registry.Bundle](ctx, c, http.MethodGet, "v1/bundles/"+escape(name, version), nil, nil, true)
}

// Publish publishes a bundle, or only has it checked. It may be called twice:
// the same content changes nothing.
func (c *Client) Publish(ctx context.Context, file []byte, dryRun bool) (registry.Bundle, error) {
	q := url.Values{}
	if dryRun {
		q.Set("dry_run", "true")
	}
	return answer[registry.Bundle](ctx, c, http.MethodPost, "v1/bundles", q, bytesBody("application/zip", file), true)
}

// Download returns the bundle at a path, name/version/sha256.bundle, whose
// bytes have that digest.
func (c *Client) Download(ctx context.Context, path string) ([]byte, error) {
	return c.bundleAt(ctx, "v1/bundles/", path)
}

// bundleAt fetches the bundle at a path that ends in its digest.
func (c *Client) bundleAt(ctx context.Context, below, path string) ([]byte, error) {
	parts := strings.Split(path, "/")
	digest := strings.TrimSuffix(parts[len(parts)-1], ".bundle")
	return c.bundle(ctx, below+escape(parts...), digest)
}

// bundle fetches a file that has a digest.
func (c *Client) bundle(ctx context.Context, path, digest string) ([]byte, error) {
	file, err := c.bytes(ctx, path, maxBundle)
	if err != nil {
		return nil, err
	}
	if got := fmt.Sprintf("%x", sha256.Sum256(file)); got != digest {
		return nil, fmt.Errorf("%s: %s came with the digest %.12s, want %.12q: it was changed there or on the way", c.base.Host, path, got, digest)
	}
	return file, nil
}

// bytes fetches at most that many bytes.
func (c *Client) bytes(ctx context.Context, path string, most int64) ([]byte, error) {
	res, err := c.do(ctx, http.MethodGet, path, nil, nil, true)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close() // only read
	b, err := io.ReadAll(io.LimitReader(res.Body, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("%s: the answer has more than %d bytes", c.base.Host, most)
	}
	return b, err
}

// Yank says that nobody should take a bundle any more, and why.
func (c *Client) Yank(ctx context.Context, name, version, reason string) (registry.Bundle, error) {
	b, err := jsonBody(map[string]string{"reason": reason})
	if err != nil {
		return registry.Bundle{}, err
	}
	return answer[registry.Bundle](ctx, c, http.MethodPost, "v1/bundles/"+escape(name, version)+"/yank", nil, b, true)
}

// Diff says what changed between two versions.
func (c *Client) Diff(ctx context.Context, name, from, to string) (*publish.Difference, error) {
	return answer[*publish.Difference](ctx, c, http.MethodGet, "v1/diff", url.Values{"name": {name}, "from": {from}, "to": {to}}, nil, true)
}

// Channel returns the signed document of a channel; nobody has checked it.
func (c *Client) Channel(ctx context.Context, name string) ([]byte, error) {
	return c.bytes(ctx, "v1/channels/"+escape(name), sign.MaxSize)
}

// Promote makes a signed document the current state of a channel.
func (c *Client) Promote(ctx context.Context, name string, document []byte) (registry.Channel, error) {
	return answer[registry.Channel](ctx, c, http.MethodPut, "v1/channels/"+escape(name), nil, bytesBody("application/json", document), false)
}

// Upload uploads training data. r is read once per try.
func (c *Client) Upload(ctx context.Context, name string, r io.ReaderAt, size int64) (registry.Data, error) {
	b := &body{"application/octet-stream", func() (io.Reader, error) { return io.NewSectionReader(r, 0, size), nil }, size}
	return answer[registry.Data](ctx, c, http.MethodPut, "v1/data/"+escape(name), nil, b, true)
}

// Submit queues a job.
func (c *Client) Submit(ctx context.Context, s registry.Spec) (registry.Job, error) {
	b, err := jsonBody(s)
	if err != nil {
		return registry.Job{}, err
	}
	return answer[registry.Job](ctx, c, http.MethodPost, "v1/jobs", nil, b, false)
}

// Job returns a job.
func (c *Client) Job(ctx context.Context, id string) (registry.Job, error) {
	return answer[registry.Job](ctx, c, http.MethodGet, "v1/jobs/"+escape(id), nil, nil, true)
}

// Jobs lists jobs of a state, or of all for "", newest first.
func (c *Client) Jobs(ctx context.Context, state string) ([]registry.Job, error) {
	l, err := answer[items[registry.Job]](ctx, c, http.MethodGet, "v1/jobs", url.Values{"state": {state}}, nil, true)
	return l.Items, err
}

// Cancel ends a job.
func (c *Client) Cancel(ctx context.Context, id string) (registry.Job, error) {
	return answer[registry.Job](ctx, c, http.MethodPost, "v1/jobs/"+escape(id)+"/cancel", nil, nil, false)
}

// Result returns the bundle that a job made, or the ZIP archive of the files of
// a job of another kind, and compares its digest.
func (c *Client) Result(ctx context.Context, j registry.Job) ([]byte, error) {
	if j.Files != "" {
		return c.bundle(ctx, "v1/jobs/"+escape(j.ID)+"/files", j.Files)
	}
	return c.bundle(ctx, "v1/jobs/"+escape(j.ID)+"/bundle", j.Bundle)
}

// Watch calls each with the states of a job until it has ended. When the
// server stops or the line breaks it connects again, as often as Options say
// without a new state between.
func (c *Client) Watch(ctx context.Context, id string, each func(registry.Job)) (last registry.Job, err error) {
	pause, failed := c.o.Pause, 0
	for {
		heard := false
		ended := false
		err := c.events(ctx, id, func(event string, j registry.Job) {
			heard = true
			if event == "end" {
				ended = true
			}
			last = j
			each(j)
		})
		if ended {
			return last, nil
		}
		if no, ok := errors.AsType[*Error](err); ok && no.Status != http.StatusServiceUnavailable && no.Status != http.StatusBadGateway && no.Status != http.StatusTooManyRequests {
			return last, err
		}
		if ctx.Err() != nil {
			return last, ctx.Err()
		}
		if heard {
			pause, failed = c.o.Pause, 0
		}
		if failed++; failed > max(c.o.Retries, 0) {
			return last, fmt.Errorf("registry: the events of job %s broke off: %w", id, errors.Join(err, io.ErrUnexpectedEOF))
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		pause *= 2
	}
}

// events reads one stream.
func (c *Client) events(ctx context.Context, id string, each func(string, registry.Job)) error {
	res, _, err := c.once(ctx, http.MethodGet, "v1/jobs/"+escape(id)+"/events", nil, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close() // only read
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	event := ""
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "event":
			event = value
		case "data":
			if event == "shutdown" {
				return nil
			}
			var j registry.Job
			if err := json.Unmarshal([]byte(value), &j); err != nil {
				return fmt.Errorf("registry: an event does not read: %w", err)
			}
			each(event, j)
		}
	}
	return lines.Err()
}
