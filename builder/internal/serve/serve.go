// Package serve hides how the built site reaches a browser over HTTP: which
// encoding, which validator, which headers, what is refused, how it stops.
//
//	root, err := os.OpenRoot("build/site")
//	err = serve.Run(ctx, "127.0.0.1:8080", serve.Options{Site: root.FS()}, nil)
//
// The server is static and takes nothing in: no request body, no query, no
// cookie, and it logs neither queries nor addresses. Files are read once, when
// it starts; a path either names one of them exactly or is 404, so there is
// nothing to traverse and nothing to list. A rebuilt site needs a restart.
//
// Limits: 512 MiB of files; dot-files are not served. [Precompress] makes the
// .br and .gz files that are sent to whoever accepts them.
package serve

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/labstack/echo/v4"

	"cloister/shared/header"
)

// maxSite bounds the bytes held in memory.
const maxSite = 512 << 20

// Options says what is served. Site is required; a zero value of the rest is
// the documented default.
type Options struct {
	// Site holds the files, as `make build` leaves them in build/site. Use
	// os.OpenRoot, which keeps symbolic links inside.
	Site fs.FS
	// Models replaces the folder bundles/ of Site; nil keeps it. It holds what
	// [WriteBundles] wrote.
	Models fs.FS
	// API answers the paths that it says it serves; nil: there is none.
	API API
	// Log gets a line for each request and for start and stop; nil means
	// slog.Default.
	Log *slog.Logger
	// Grace is how long requests under way may take to finish when the server
	// stops; 0 means 10 seconds.
	Grace time.Duration
}

// API is a handler of some paths beside the site.
type API interface {
	http.Handler
	// Serves reports whether the path is the API's.
	Serves(path string) bool
	// Shutdown ends what would last longer than a stopping server waits:
	// streams of events.
	Shutdown()
}

// file is one representation of one path.
type file struct {
	body     []byte
	etag     string // strong: the hash of exactly these bytes
	encoding string // "", "br" or "gzip"
}

// resource is what a path names: the identity form and its encoded twins.
type resource struct {
	kind   string
	forms  []file // the identity first
	header []header.Header
}

type site struct {
	resources map[string]*resource
	missing   *resource // 404.html, nil if there is none
	log       *slog.Logger
}

// New reads the site and returns an Echo that serves it to GET and HEAD. It is
// safe for concurrent use. A site without index.html is an error, as is one of
// more than 512 MiB.
func New(o Options) (*echo.Echo, error) {
	s := &site{resources: map[string]*resource{}, log: o.Log}
	if s.log == nil {
		s.log = slog.Default()
	}
	if o.Site == nil {
		return nil, errors.New("serve: Options.Site is nil")
	}
	left := int64(maxSite)
	err := s.read(o.Site, "/", func(p string) bool { return o.Models != nil && strings.HasPrefix(p, "/bundles/") }, &left)
	if err == nil && o.Models != nil {
		err = s.read(o.Models, "/bundles/", func(string) bool { return false }, &left)
	}
	if err != nil {
		return nil, fmt.Errorf("serve: %w", err)
	}
	if s.resources["/index.html"] == nil {
		return nil, errors.New("serve: the site has no index.html: run `make build` first")
	}
	s.resources["/"] = s.resources["/index.html"]
	s.missing = s.resources["/404.html"]
	delete(s.resources, "/404.html")

	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = s.answerError
	e.Use(s.around)
	e.GET("/*", s.answer)
	e.HEAD("/*", s.answer)
	e.Server.ReadHeaderTimeout = 5 * time.Second
	e.Server.ReadTimeout = 10 * time.Second
	e.Server.WriteTimeout = 5 * time.Minute // a whole site over a slow line
	e.Server.IdleTimeout = time.Minute
	e.Server.MaxHeaderBytes = 16 << 10
	return e, nil
}

// read adds the files below root under the URL prefix.
func (s *site) read(root fs.FS, prefix string, skip func(string) bool, left *int64) error {
	encoded := map[string]file{} // by full path, extension included
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name != "." && strings.HasPrefix(d.Name(), ".") {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		p := prefix + name
		if d.IsDir() || skip(p) {
			return nil
		}
		info, err := fs.Stat(root, name)
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return nil
		}
		if *left -= info.Size(); *left < 0 {
			return fmt.Errorf("%q: the site is larger than %d bytes", name, maxSite)
		}
		body, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		f := file{body: body, etag: fmt.Sprintf(`"%x"`, sha256.Sum256(body))}
		switch path.Ext(name) {
		case ".br":
			f.encoding = "br"
			encoded[p] = f
		case ".gz":
			f.encoding = "gzip"
			encoded[p] = f
		default:
			s.resources[p] = &resource{kind: header.ContentType(p), forms: []file{f}, header: header.For(p)}
		}
		return nil
	})
	for p, r := range s.resources {
		for _, ext := range []string{".br", ".gz"} {
			if f, ok := encoded[p+ext]; ok {
				r.forms = append(r.forms, f)
				delete(encoded, p+ext)
			}
		}
	}
	for p, f := range encoded { // a .gz that is no twin is a file like any other
		f.encoding = ""
		s.resources[p] = &resource{kind: header.ContentType(p), forms: []file{f}, header: header.For(p)}
	}
	return err
}

// around logs, recovers and refuses bodies, whatever the route.
func (s *site) around(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		begun, r := time.Now(), c.Request()
		defer func() {
			if v := recover(); v != nil {
				if v == http.ErrAbortHandler {
					panic(v)
				}
				s.log.Error("panic", "value", fmt.Sprint(v))
				err = echo.NewHTTPError(http.StatusInternalServerError)
			}
			if err != nil {
				c.Error(err)
				err = nil
			}
			s.log.Info("request", "method", cut(r.Method), "path", cut(r.URL.Path), "status", c.Response().Status,
				"bytes", c.Response().Size, "took", time.Since(begun).Round(time.Microsecond))
		}()
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			return echo.NewHTTPError(http.StatusMethodNotAllowed)
		}
		if r.ContentLength != 0 {
			return echo.NewHTTPError(http.StatusRequestEntityTooLarge)
		}
		return next(c)
	}
}

// answer serves the file that the path names.
func (s *site) answer(c echo.Context) error {
	r, w := c.Request(), c.Response()
	found := s.resources[r.URL.Path]
	if found == nil {
		return echo.NewHTTPError(http.StatusNotFound)
	}
	setHeaders(w.Header(), r, found.header)
	w.Header().Set("Content-Type", found.kind)
	f := found.forms[0]
	if len(found.forms) > 1 {
		w.Header().Set("Vary", "Accept-Encoding")
		// Parts are parts of the file, not of a compressed form of it.
		if r.Header.Get("Range") == "" {
			f = choose(found.forms, r.Header.Values("Accept-Encoding"))
		}
	}
	w.Header().Set("ETag", f.etag)
	if f.encoding != "" {
		w.Header().Set("Content-Encoding", f.encoding)
		w.Header().Set("Content-Length", strconv.Itoa(len(f.body)))
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.body))
	return nil
}

// answerError writes the page of an error.
func (s *site) answerError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	code := http.StatusInternalServerError
	if he, ok := errors.AsType[*echo.HTTPError](err); ok {
		code = he.Code
	}
	r, h := c.Request(), c.Response().Header()
	setHeaders(h, r, header.For("/404.html"))
	h.Set("Cache-Control", "no-store")
	if code == http.StatusMethodNotAllowed {
		h.Set("Allow", "GET, HEAD")
	}
	if code == http.StatusMethodNotAllowed || code == http.StatusRequestEntityTooLarge {
		h.Set("Connection", "close") // what was sent is not read
	}
	body := []byte(fmt.Sprintf("%d %s\n", code, strings.ToLower(http.StatusText(code))))
	h.Set("Content-Type", "text/plain; charset=utf-8")
	if code == http.StatusNotFound && s.missing != nil {
		body = s.missing.forms[0].body
		h.Set("Content-Type", s.missing.kind)
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	c.Response().WriteHeader(code)
	if r.Method != http.MethodHead {
		_, _ = c.Response().Write(body) // the client is gone: nobody to tell
	}
}

func setHeaders(h http.Header, r *http.Request, list []header.Header) {
	for _, x := range list {
		h.Set(x.Name, x.Value)
	}
	if r.TLS != nil {
		h.Set("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
	}
}

// choose returns the form that the Accept-Encoding lines like best; among equals
// the smallest. The identity is sent to whoever says nothing, and to whoever
// refuses everything (RFC 9110, section 12.5.3, allows that).
func choose(forms []file, lines []string) file {
	weight := map[string]float64{}
	for _, line := range lines {
		for part := range strings.SplitSeq(line, ",") {
			name, params, _ := strings.Cut(part, ";")
			q := 1.0
			for p := range strings.SplitSeq(params, ";") {
				k, v, ok := strings.Cut(strings.TrimSpace(p), "=")
				if ok && strings.EqualFold(strings.TrimSpace(k), "q") {
					f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
					if err != nil || !(f >= 0 && f <= 1) {
						f = 0
					}
					q = f
				}
			}
			weight[strings.ToLower(strings.TrimSpace(name))] = q
		}
	}
	quality := func(encoding string) float64 {
		if encoding == "gzip" {
			if q, ok := weight["x-gzip"]; ok {
				return q
			}
		}
		if encoding == "" {
			encoding = "identity"
		}
		if q, ok := weight[encoding]; ok {
			return q
		}
		if q, ok := weight["*"]; ok {
			return q
		}
		if encoding == "identity" {
			return 1e-9 // acceptable unless refused, and never preferred
		}
		return 0
	}
	best := forms[0]
	for _, f := range forms[1:] {
		q, b := quality(f.encoding), quality(best.encoding)
		if q > b || q == b && q > 0 && len(f.body) < len(best.body) {
			best = f
		}
	}
	return best
}

// cut keeps hostile text from filling the log.
func cut(s string) string {
	if len(s) > 128 {
		return s[:128] + "..."
	}
	return s
}

// Run serves o on addr ("host:port"; port 0 takes a free one) until ctx ends or
// the process gets SIGINT or SIGTERM. It calls ready, unless nil, once with the
// address it listens on. It then refuses new connections, lets requests under
// way finish within o.Grace, and returns nil; an error means that it could not
// start or that requests were cut off.
func Run(ctx context.Context, addr string, o Options, ready func(net.Addr)) error {
	e, err := New(o)
	if err != nil {
		return err
	}
	log := o.Log
	if log == nil {
		log = slog.Default()
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	e.Server.Handler = e
	if o.API != nil {
		e.Server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if o.API.Serves(r.URL.Path) {
				o.API.ServeHTTP(w, r)
				return
			}
			e.ServeHTTP(w, r)
		})
		e.Server.RegisterOnShutdown(o.API.Shutdown)
	}
	e.Server.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelWarn)
	done := make(chan error, 1)
	go func() { done <- e.Server.Serve(ln) }()
	log.Info("serving", "url", "http://"+ln.Addr().String()+"/")
	if ready != nil {
		ready(ln.Addr())
	}
	select {
	case err := <-done:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	stop() // a second signal ends the process at once
	grace := o.Grace
	if grace == 0 {
		grace = 10 * time.Second
	}
	log.Info("stopping", "grace", grace)
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if err := e.Server.Shutdown(end); err != nil {
		_ = e.Server.Close() // the requests that are left had their time
		return fmt.Errorf("serve: stop: %w", err)
	}
	return nil
}
