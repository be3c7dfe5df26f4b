// Package api is the HTTP face of the registry and build service. It hides
// routes, tokens, limits and formats of a request; what is done is the
// registry's.
//
//	a, err := api.New(r, api.Options{})
//	err = serve.Run(ctx, addr, serve.Options{Site: site, API: a}, nil)
//
// Every route is under /v1, but for /healthz, /readyz, /metrics and
// /openapi.json, which is generated from the routes. Errors are problem
// documents (RFC 9457). A token goes into Authorization: Bearer.
//
// Handlers are thin, so that another router is a change of this package alone.
package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"
	"github.com/labstack/echo/v4"

	"cloister/builder/internal/registry"
)

// Options says what the API allows. A zero value is the documented default.
type Options struct {
	// PublicRead lets everybody list and fetch bundles and channels and read
	// metrics without a token.
	PublicRead bool
	// Rate is how many requests a second a token may make, and Burst how many
	// at once; default 50 and 100. An address may make ten times as many,
	// whatever its tokens.
	Rate  float64
	Burst int
	Log   *slog.Logger // default slog.Default
}

// API answers requests. It is safe for concurrent use.
type API struct {
	o       Options
	r       *registry.Registry
	log     *slog.Logger
	e       *echo.Echo
	huma    huma.API
	metrics *metrics
	byToken *limiters
	byHost  *limiters
	heavy   chan struct{} // bundles held in memory

	closing chan struct{}
	once    sync.Once
}

var _ http.Handler = (*API)(nil)

// maxHeavy bounds the bundles that are checked at the same time; each takes
// some times its size in memory.
const maxHeavy = 4

// maxJSON bounds a request body in JSON.
const maxJSON = 64 << 10

// New returns the API of r.
func New(r *registry.Registry, o Options) (*API, error) {
	if o.Rate == 0 {
		o.Rate = 50
	}
	if o.Burst == 0 {
		o.Burst = 100
	}
	if o.Rate < 0 || o.Burst < 0 {
		return nil, errors.New("api: a rate is negative")
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	a := &API{
		o: o, r: r, log: o.Log, closing: make(chan struct{}), heavy: make(chan struct{}, maxHeavy),
		byToken: newLimiters(o.Rate, o.Burst), byHost: newLimiters(10*o.Rate, 10*o.Burst),
	}
	a.metrics = newMetrics(r, o.Log)
	a.e = echo.New()
	a.e.HideBanner, a.e.HidePort = true, true
	a.e.HTTPErrorHandler = a.answerError
	a.e.Use(a.around)
	c := huma.DefaultConfig("Cloister registry", "1")
	c.Info.Description = "Bundles, channels, training data and jobs."
	c.OpenAPIPath, c.DocsPath, c.SchemasPath = "/openapi", "", ""
	c.CreateHooks = nil // no links to schemas in answers
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer"}}
	a.huma = humaecho.New(a.e, c)
	a.huma.UseMiddleware(a.authorise)
	a.service()
	a.bundles()
	a.channels()
	a.jobs()
	a.tokens()
	return a, nil
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.e.ServeHTTP(w, r) }

// Shutdown ends the streams of events, which would otherwise last as long as
// their jobs; other requests under way are not touched.
func (a *API) Shutdown() { a.once.Do(func() { close(a.closing) }) }

// OpenAPI returns the description of the routes, OpenAPI 3.1 in JSON.
func (a *API) OpenAPI() ([]byte, error) { return a.huma.OpenAPI().MarshalJSON() }

// Serves reports whether the path belongs to the API, not to the site.
func (a *API) Serves(path string) bool {
	switch path {
	case "/healthz", "/readyz", "/metrics", "/openapi.json", "/openapi.yaml":
		return true
	}
	return strings.HasPrefix(path, "/v1/")
}

// Timeouts of a request. Transfers are bounded by progress, not in all: each
// part has to come within the time.
const (
	readTime  = 30 * time.Second
	writeTime = 30 * time.Second
)

// request is what the log says of a request besides its line.
type request struct {
	id    string
	actor registry.Actor
}

// around numbers, logs, measures and recovers.
func (a *API) around(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		begun, r, w := time.Now(), c.Request(), c.Response()
		var b [8]byte
		rand.Read(b[:]) // never fails
		info := &request{id: hex.EncodeToString(b[:])}
		c.Set("request", info)
		h := w.Header()
		h.Set("X-Request-Id", info.id)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if r.TLS != nil {
			h.Set("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
		}
		control := http.NewResponseController(w)
		// A server that has no deadlines, as in tests, has no need of them.
		_ = control.SetReadDeadline(begun.Add(readTime))
		_ = control.SetWriteDeadline(begun.Add(writeTime))
		c.SetRequest(r.WithContext(context.WithValue(r.Context(), controlKey{}, control)))
		defer func() {
			if v := recover(); v != nil {
				if v == http.ErrAbortHandler {
					panic(v)
				}
				a.log.Error("panic", "request", info.id, "value", fmt.Sprint(v), "stack", string(debug.Stack()))
				err = echo.NewHTTPError(http.StatusInternalServerError)
			}
			if err != nil {
				c.Error(err)
				err = nil
			}
			took := time.Since(begun)
			route := c.Path()
			if route == "" || w.Status == http.StatusNotFound && !strings.Contains(route, ":") {
				route = "none"
			}
			a.metrics.requests.WithLabelValues(route, method(r.Method), fmt.Sprint(w.Status)).Observe(took.Seconds())
			a.log.Info("request", "request", info.id, "actor", info.actor.Name, "method", method(r.Method), "path", fmt.Sprintf("%.128s", r.URL.Path),
				"status", w.Status, "bytes", w.Size, "took", took.Round(time.Microsecond).String())
		}()
		if wait, ok := a.byHost.allow(host(r)); !ok {
			return tooMany(c, wait)
		}
		return next(c)
	}
}

// method keeps what a client makes up out of logs and metrics.
func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodPatch:
		return m
	}
	return "other"
}

// host returns the address that a request comes from: that of the connection,
// since anybody can write a header.
func host(r *http.Request) string {
	h, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return h
}

// answerError writes an error that no route did: no such route or method.
func (a *API) answerError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	code := http.StatusInternalServerError
	if he, ok := errors.AsType[*echo.HTTPError](err); ok {
		code = he.Code
	}
	c.Response().Header().Set("Content-Type", "application/problem+json")
	c.Response().WriteHeader(code)
	fmt.Fprintf(c.Response(), "{\"title\":%q,\"status\":%d}\n", http.StatusText(code), code)
}

// statusOf says how each kind of error is told.
var statusOf = map[registry.Kind]int{
	registry.Internal: http.StatusInternalServerError,
	registry.NotFound: http.StatusNotFound,
	registry.Invalid:  http.StatusUnprocessableEntity,
	registry.Conflict: http.StatusConflict,
	registry.Denied:   http.StatusUnauthorized,
	registry.TooLarge: http.StatusRequestEntityTooLarge,
	registry.Busy:     http.StatusTooManyRequests,
	registry.Full:     http.StatusInsufficientStorage,
	registry.Corrupt:  http.StatusInternalServerError,
}
