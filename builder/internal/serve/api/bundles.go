package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"

	"cloister/builder/internal/publish"
	"cloister/builder/internal/registry"
)

// list is a list of anything.
type list[T any] struct {
	Body struct {
		Items []T `json:"items"`
	}
}

func listOf[T any](items []T, err error) (*list[T], error) {
	if err != nil {
		return nil, err
	}
	l := &list[T]{}
	l.Body.Items = items
	return l, nil
}

// single is one of anything.
type single[T any] struct{ Body T }

func one[T any](v T, err error) (*single[T], error) {
	if err != nil {
		return nil, err
	}
	return &single[T]{v}, nil
}

// ByVersion names a bundle.
type ByVersion struct {
	Name    string `path:"name" maxLength:"64"`
	Version string `path:"version" maxLength:"64"`
}

// handle registers op with the errors of f told as problems.
func handle[I, O any](a *API, op huma.Operation, f func(context.Context, *I) (*O, error)) {
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := f(ctx, in)
		if err != nil {
			if s, ok := err.(huma.StatusError); ok {
				return nil, s
			}
			return nil, a.fail(ctx, err)
		}
		return out, nil
	})
}

func withErrors(op huma.Operation, codes ...int) huma.Operation {
	op.Errors = append(op.Errors, codes...)
	return op
}

func (a *API) bundles() {
	handle(a, operation(http.MethodGet, "/v1/bundles", "list-bundles", "List bundles, the latest first", registry.Read),
		func(ctx context.Context, in *struct {
			Name string `query:"name" maxLength:"64" doc:"only this name"`
		}) (*list[registry.Bundle], error) {
			return listOf(a.r.Bundles(ctx, in.Name))
		})
	handle(a, withErrors(operation(http.MethodGet, "/v1/bundles/{name}/{version}", "get-bundle", "One bundle", registry.Read), http.StatusNotFound),
		func(ctx context.Context, in *ByVersion) (*single[registry.Bundle], error) {
			return one(a.r.Bundle(ctx, in.Name, in.Version))
		})

	op := withErrors(operation(http.MethodPost, "/v1/bundles", "publish-bundle", "Publish a bundle, or only check it", registry.Publish),
		http.StatusConflict, http.StatusInsufficientStorage)
	op.MaxBodyBytes, _ = a.r.Limits()
	op.BodyReadTimeout = 10 * time.Minute
	op.DefaultStatus = http.StatusCreated
	handle(a, op, func(ctx context.Context, in *struct {
		DryRun  bool   `query:"dry_run" doc:"check it and store nothing"`
		RawBody []byte `contentType:"application/zip"`
	}) (*single[registry.Bundle], error) {
		select { // few at a time: each is in memory
		case a.heavy <- struct{}{}:
			defer func() { <-a.heavy }()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		a.deadlines(ctx, 5*time.Minute) // checking a bundle at the limits takes time
		a.metrics.received.Add(float64(len(in.RawBody)))
		if in.DryRun {
			b, signer, err := a.r.Check(ctx, in.RawBody)
			if err != nil {
				return nil, err
			}
			m := b.Manifest()
			return one(registry.Bundle{Name: m.Name, Version: m.Version, SHA256: fmt.Sprintf("%x", b.SHA256()), Size: b.Size(), Signer: signer, Title: m.Title, Description: m.Description}, nil)
		}
		return one(a.r.Publish(ctx, actor(ctx), in.RawBody))
	})

	for _, method := range []string{http.MethodGet, http.MethodHead} {
		op := withErrors(operation(method, "/v1/bundles/{name}/{version}/{file}", "download-bundle", "The file, under a name that holds its SHA-256", registry.Read), http.StatusNotFound)
		op.Responses = binary("application/zip", "The bundle; ETag, Range and 304 as in RFC 9110")
		if method == http.MethodHead {
			op.OperationID, op.Hidden = "head-bundle", true
		}
		handle(a, op, func(ctx context.Context, in *struct {
			ByVersion
			File string `path:"file" maxLength:"71" doc:"SHA-256 in hex, and .bundle"`
		}) (*huma.StreamResponse, error) {
			o, err := a.r.OpenBundle(ctx, in.Name+"/"+in.Version+"/"+in.File)
			if err != nil {
				return nil, err
			}
			return a.stream(o, "public, max-age=31536000, immutable"), nil
		})
	}

	handle(a, withErrors(operation(http.MethodPost, "/v1/bundles/{name}/{version}/yank", "yank-bundle", "Say that nobody should take a bundle any more, and why", registry.Admin), http.StatusNotFound, http.StatusConflict),
		func(ctx context.Context, in *struct {
			ByVersion
			Body struct {
				Reason string `json:"reason" minLength:"1" maxLength:"1024"`
			}
		}) (*single[registry.Bundle], error) {
			return one(a.r.Yank(ctx, actor(ctx), in.Name, in.Version, in.Body.Reason))
		})

	handle(a, withErrors(operation(http.MethodGet, "/v1/diff", "diff-bundles", "What changed between two versions", registry.Read), http.StatusNotFound),
		func(ctx context.Context, in *struct {
			Name string `query:"name" required:"true" maxLength:"64"`
			From string `query:"from" required:"true" maxLength:"64" doc:"version"`
			To   string `query:"to" required:"true" maxLength:"64" doc:"version"`
		}) (*single[publish.Difference], error) {
			from, err := a.r.DecodeBundle(ctx, in.Name, in.From)
			if err != nil {
				return nil, err
			}
			to, err := a.r.DecodeBundle(ctx, in.Name, in.To)
			if err != nil {
				return nil, err
			}
			return one(*publish.Diff(from, to), nil)
		})
}

// stream sends an object and closes it.
func (a *API) stream(o *registry.Object, cache string) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		defer o.Close() // only read
		c := humaecho.Unwrap(ctx)
		h := c.Response().Header()
		h.Set("Content-Type", "application/zip")
		h.Set("Cache-Control", cache)
		h.Set("ETag", `"sha256-`+o.SHA256()+`"`)
		h.Set("Content-Disposition", "attachment")
		http.ServeContent(&patient{ResponseWriter: c.Response(), control: http.NewResponseController(c.Response())}, c.Request(), "", time.Time{}, o)
	}}
}

// patient is a response that gives each part its own time to go out.
type patient struct {
	http.ResponseWriter
	control *http.ResponseController
}

// Write implements io.Writer.
func (p *patient) Write(b []byte) (int, error) {
	_ = p.control.SetWriteDeadline(time.Now().Add(writeTime)) // a server without deadlines needs none
	return p.ResponseWriter.Write(b)
}

// deadlines gives a request more time.
func (a *API) deadlines(ctx context.Context, d time.Duration) {
	if c, ok := ctx.Value(controlKey{}).(*http.ResponseController); ok {
		_ = c.SetReadDeadline(time.Now().Add(d))  // a server without deadlines needs none
		_ = c.SetWriteDeadline(time.Now().Add(d)) // likewise
	}
}

// controlKey is where the context of a request has its deadlines.
type controlKey struct{}
