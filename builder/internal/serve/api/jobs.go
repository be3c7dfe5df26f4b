package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"

	"cloister/builder/internal/registry"
)

// newToken asks for a token.
type newToken struct {
	Name    string        `json:"name" minLength:"1" maxLength:"128"`
	Role    registry.Role `json:"role" enum:"read,publish,admin"`
	Seconds int64         `json:"lifetime_seconds,omitempty" minimum:"0" maximum:"315360000" doc:"0 or absent: it does not expire"`
}

func (n newToken) lifetime() time.Duration { return time.Duration(n.Seconds) * time.Second }

// createdToken is a token with its secret.
type createdToken struct {
	registry.Token
	Secret string `json:"secret"`
}

// uploadInput reads its body while it comes.
type uploadInput struct {
	Name string `path:"name" maxLength:"128"`
	body io.Reader
}

var _ huma.Resolver = (*uploadInput)(nil)

// Resolve implements huma.Resolver.
func (u *uploadInput) Resolve(ctx huma.Context) []error {
	u.body = &steady{ctx.BodyReader(), http.NewResponseController(humaecho.Unwrap(ctx).Response()), time.Time{}}
	return nil
}

// steady is a body that gives each part its own time to come in.
type steady struct {
	io.Reader
	control *http.ResponseController
	set     time.Time
}

// Read implements io.Reader.
func (s *steady) Read(b []byte) (int, error) {
	if now := time.Now(); now.Sub(s.set) > time.Second {
		s.set = now
		_ = s.control.SetReadDeadline(now.Add(readTime)) // a server without deadlines needs none
		_ = s.control.SetWriteDeadline(now.Add(readTime + writeTime))
	}
	return s.Reader.Read(b)
}

type byID struct {
	ID string `path:"id" maxLength:"64"`
}

func (a *API) jobs() {
	handle(a, operation(http.MethodGet, "/v1/data", "list-data", "Uploaded training data", registry.Publish),
		func(ctx context.Context, _ *struct{}) (*list[registry.Data], error) {
			return listOf(a.r.ListData(ctx))
		})
	op := withErrors(operation(http.MethodPut, "/v1/data/{name}", "upload-data", "Upload training data; a name never changes its content", registry.Publish),
		http.StatusConflict, http.StatusInsufficientStorage)
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/octet-stream": {Schema: &huma.Schema{Type: "string", Format: "binary"}}}}
	op.DefaultStatus = http.StatusCreated
	handle(a, op, func(ctx context.Context, in *uploadInput) (*single[registry.Data], error) {
		d, err := a.r.Upload(ctx, actor(ctx), in.Name, in.body)
		a.metrics.received.Add(float64(d.Size))
		return one(d, err)
	})

	op = operation(http.MethodPost, "/v1/jobs", "submit-job", "Queue a job: prep, features, train, tune or evaluate", registry.Publish)
	op.DefaultStatus = http.StatusAccepted
	op = withErrors(op, http.StatusInsufficientStorage)
	handle(a, op, func(ctx context.Context, in *struct{ Body registry.Spec }) (*single[registry.Job], error) {
		return one(a.r.Submit(ctx, actor(ctx), in.Body))
	})
	handle(a, operation(http.MethodGet, "/v1/jobs", "list-jobs", "Jobs, newest first", registry.Publish),
		func(ctx context.Context, in *struct {
			State string `query:"state" enum:",queued,running,done,failed,cancelled"`
			Limit int    `query:"limit" default:"100" minimum:"1" maximum:"1000"`
		}) (*list[registry.Job], error) {
			return listOf(a.r.Jobs(ctx, in.State, in.Limit))
		})
	handle(a, withErrors(operation(http.MethodGet, "/v1/jobs/{id}", "get-job", "One job", registry.Publish), http.StatusNotFound),
		func(ctx context.Context, in *byID) (*single[registry.Job], error) {
			return one(a.r.Job(ctx, in.ID))
		})
	handle(a, withErrors(operation(http.MethodPost, "/v1/jobs/{id}/cancel", "cancel-job", "End a job", registry.Publish), http.StatusNotFound, http.StatusConflict),
		func(ctx context.Context, in *byID) (*single[registry.Job], error) {
			return one(a.r.Cancel(ctx, actor(ctx), in.ID))
		})
	op = withErrors(operation(http.MethodGet, "/v1/jobs/{id}/bundle", "download-result", "The bundle that a job made, unsigned", registry.Publish), http.StatusNotFound, http.StatusConflict)
	op.Responses = binary("application/zip", "The bundle")
	handle(a, op, func(ctx context.Context, in *byID) (*huma.StreamResponse, error) {
		o, err := a.r.OpenResult(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		return a.stream(o, "private, no-cache"), nil
	})
	op = withErrors(operation(http.MethodGet, "/v1/jobs/{id}/files", "download-files", "ZIP archive of what a job other than train wrote: the files of the command", registry.Publish), http.StatusNotFound, http.StatusConflict)
	op.Responses = binary("application/zip", "The archive")
	handle(a, op, func(ctx context.Context, in *byID) (*huma.StreamResponse, error) {
		o, err := a.r.OpenFiles(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		return a.stream(o, "private, no-cache"), nil
	})
	op = withErrors(operation(http.MethodGet, "/v1/jobs/{id}/events", "watch-job",
		"Server-sent events: progress with the job at each change, end with it when it has ended, shutdown when the server stops", registry.Publish), http.StatusNotFound)
	op.Responses = binary("text/event-stream", "Events")
	handle(a, op, func(ctx context.Context, in *byID) (*huma.StreamResponse, error) {
		j, err := a.r.Job(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		return &huma.StreamResponse{Body: func(ctx huma.Context) { a.watch(ctx, j) }}, nil
	})
}

// How often a job is looked at, and how long a stream is silent at most.
const (
	look    = 200 * time.Millisecond
	silence = 15 * time.Second
)

// watch sends the states of j until it ends, the client goes or the server
// stops.
func (a *API) watch(hctx huma.Context, j registry.Job) {
	c := humaecho.Unwrap(hctx)
	w, ctx := c.Response(), hctx.Context()
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{}) // the client says nothing more
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	last, spoke := "", time.Now()
	send := func(event string, v any) bool {
		data, err := json.Marshal(v)
		if err != nil {
			return false // unreachable: jobs are JSON
		}
		_ = control.SetWriteDeadline(time.Now().Add(writeTime)) // a server without deadlines needs none
		if event != "progress" || string(data) != last {
			if _, err := fmt.Fprintf(w, "event: %s\ndata: %s\n\n", event, data); err != nil {
				return false
			}
			last, spoke = string(data), time.Now()
		} else if time.Since(spoke) > silence {
			if _, err := io.WriteString(w, ": still here\n\n"); err != nil {
				return false
			}
			spoke = time.Now()
		}
		return control.Flush() == nil
	}
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		if j.Ended() {
			send("end", j)
			return
		}
		if !send("progress", j) {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		case <-a.closing:
			send("shutdown", struct{}{})
			return
		}
		var err error
		if j, err = a.r.Job(ctx, j.ID); err != nil {
			a.log.Error("watch", "job", j.ID, "error", err.Error())
			return
		}
	}
}
