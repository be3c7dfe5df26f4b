package edge

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cloister/shared/attack"
	"cloister/shared/channel"
	"cloister/shared/header"
	"cloister/shared/score"
)

// The paths that are not files of the site.
const (
	channelPath = "/channel.json"
	indexPath   = "/bundles/index.json"
	scorePath   = "/score"
)

// route answers the request.
func (t *talk) route() {
	get := t.r.Method == "GET" || t.r.Method == "HEAD"
	switch p := t.r.Path; {
	case t.r.TooLarge:
		t.refuse(413, fmt.Sprintf("the body is larger than %d bytes; split the file", t.e.MaxBody(t.r.Method, p)))
	case p == scorePath:
		t.score()
	case t.r.Method == "PUT" && p == channelPath:
		t.putChannel()
	case t.r.Method == "PUT" && strings.HasPrefix(p, "/bundles/"):
		t.putBundle()
	case !get:
		t.refuse(405, "only GET and HEAD here", header.Header{Name: "Allow", Value: "GET, HEAD"})
	case p == "/healthz":
		t.text(200, "ok\n")
	case p == "/readyz":
		t.ready()
	case p == "/version":
		t.version()
	case p == channelPath:
		t.getChannel()
	case p == indexPath:
		t.index()
	case strings.HasPrefix(p, "/bundles/"):
		t.getBundle()
	default:
		t.asset(p)
	}
}

// respond begins the answer; more headers follow those of the path.
func (t *talk) respond(status int, kind string, length int64, forward bool, more ...header.Header) {
	t.x.Status = status
	list := header.For(t.r.Path)
	if t.r.Path != "/" && !strings.HasPrefix(t.r.Path, "/bundles/") || status >= 400 {
		list = setHeader(list, "Cache-Control", "no-store")
	}
	list = append(list, header.Header{Name: "Strict-Transport-Security", Value: transport})
	if kind != "" {
		list = append(list, header.Header{Name: "Content-Type", Value: kind})
	}
	if length >= 0 {
		list = append(list, header.Header{Name: "Content-Length", Value: strconv.FormatInt(length, 10)})
	}
	for _, h := range more {
		list = setHeader(list, h.Name, h.Value)
	}
	t.do(Op{Kind: OpRespond, Status: status, Headers: list, Forward: forward && t.r.Method != "HEAD"})
}

func setHeader(list []header.Header, name, value string) []header.Header {
	if i := slices.IndexFunc(list, func(h header.Header) bool { return h.Name == name }); i >= 0 {
		list[i].Value = value
		return list
	}
	return append(list, header.Header{Name: name, Value: value})
}

// body answers with a whole body.
func (t *talk) body(status int, kind string, body []byte, more ...header.Header) {
	t.respond(status, kind, int64(len(body)), false, more...)
	if t.r.Method != "HEAD" && len(body) > 0 {
		t.do(Op{Kind: OpChunk, Body: body})
	}
}

func (t *talk) text(status int, text string) {
	t.body(status, "text/plain; charset=utf-8", []byte(text))
}

func (t *talk) json(status int, v any, more ...header.Header) {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic(err) // unreachable: every value is made of strings and numbers
	}
	t.body(status, "application/json", append(b, '\n'), more...)
}

// refusal is the body of every error.
type refusal struct {
	Status int    `json:"status"`
	Error  string `json:"error"`
}

// refuse answers with an error in words.
func (t *talk) refuse(status int, why string, more ...header.Header) {
	if status == 503 || status == 429 {
		more = append(more, header.Header{Name: "Retry-After", Value: "5"})
	}
	t.json(status, refusal{status, why}, more...)
}

// broken answers that the storage failed.
func (t *talk) broken(what string) {
	t.fail(what)
	t.refuse(503, "the storage does not answer; try again in a few seconds")
}

// version says what runs here.
func (t *talk) version() {
	type bundleVersion struct {
		Path   string `json:"path"`
		SHA256 string `json:"sha256"`
	}
	answer := struct {
		Release    string          `json:"release"`
		Deployment string          `json:"deployment"`
		Tag        string          `json:"tag"`
		Scorer     string          `json:"scorer"`
		Kernel     bool            `json:"kernel"` // the scorer's loops are those of the vector module
		Attack     string          `json:"attack"`
		Channel    int64           `json:"channel"`       // its version, 0 without one
		Minor      int             `json:"channel_minor"` // the newest minor version of channels that is read here
		Bundles    []bundleVersion `json:"bundles"`
	}{t.e.c.Release, t.e.c.Deployment, t.e.c.Tag, score.Version, t.e.c.Kernel, attack.Version(), 0, channel.Minor, []bundleVersion{}}
	if c, _, err := t.channel(); err == nil && c != nil {
		answer.Channel = c.Version
		for _, p := range c.Paths() {
			sum := c.Targets[p].SHA256
			answer.Bundles = append(answer.Bundles, bundleVersion{p, hex.EncodeToString(sum[:])})
		}
	}
	t.json(200, answer)
}

// ready says whether storage answers and the channel is in order.
func (t *talk) ready() {
	answer := struct {
		Ready   bool   `json:"ready"`
		Storage string `json:"storage"`
		Channel string `json:"channel"`
		Version int64  `json:"version,omitempty"`
		Expires string `json:"expires,omitempty"`
	}{Storage: "ok", Channel: "ok"}
	c, stored, err := t.channel()
	switch {
	case t.e.c.Problem != "":
		t.fail(t.e.c.Problem)
		answer.Channel = "settings: " + t.e.c.Problem
	case stored.Err != "":
		t.fail(stored.Err)
		answer.Storage, answer.Channel = "does not answer", "unknown"
	case err != nil:
		t.fail(err.Error())
		answer.Channel = err.Error()
	case c == nil:
		answer.Ready, answer.Channel = true, "none: the bundles of the site are served"
	default:
		answer.Ready, answer.Version, answer.Expires = true, c.Version, c.Expires.UTC().Format("2006-01-02T15:04:05Z")
	}
	status := 200
	if !answer.Ready {
		status = 503
	}
	t.json(status, answer)
}

// channel reads and checks the channel. It is nil without error where there is
// none, or nobody whose signature would count.
func (t *talk) channel() (*channel.Channel, Result, error) {
	stored := t.do(Op{Kind: OpGet, Key: channelPath[1:]})
	if stored.Err != "" {
		return nil, stored, fmt.Errorf("storage: %s", stored.Err)
	}
	if !stored.Found || len(t.e.c.Channel) == 0 {
		return nil, stored, nil
	}
	text := t.do(Op{Kind: OpRead, Length: maxChannel})
	if text.Err != "" {
		stored.Err = text.Err
		return nil, stored, fmt.Errorf("storage: %s", text.Err)
	}
	c, err := channel.Open(text.Body, t.e.c.Channel, t.e.c.Now(), t.e.seen)
	if err != nil {
		return nil, stored, err
	}
	t.e.seen = c.Version
	return c, stored, nil
}

// asset answers with a file of the site; addresses of files reach the worker
// only where the platform does not serve them itself.
func (t *talk) asset(p string) {
	name := p
	if p == "/" {
		name = "/index.html"
	}
	status := 200
	found := t.do(Op{Kind: OpAsset, Key: name})
	if found.Err == "" && !found.Found {
		status, name = 404, "/404.html"
		found = t.do(Op{Kind: OpAsset, Key: name})
	}
	switch {
	case found.Err != "":
		t.broken(found.Err)
	case !found.Found:
		t.refuse(404, "there is nothing at this address")
	default:
		t.respond(status, header.ContentType(name), -1, true)
	}
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}
