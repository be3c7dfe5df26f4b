//go:build !js

package wasm_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// canary stands for the visitor's data: what must never be seen outside. It is
// a valid host name, so that it can be looked up too.
const canary = "canary7f3a9c51d2"

// witness is everything the world outside the page can notice.
type witness struct {
	mu       sync.Mutex
	own      []string // requests to the page's own server: method, address, body
	foreign  []string // requests to the foreign server
	accepted int      // connections to the foreign server, or to the bare listener
	packets  int      // to a foreign UDP listener
}

// seen is what a witness noticed since an earlier moment.
type seen struct {
	own, foreign []string
	accepted     int
	packets      int
}

func (w *witness) now() seen {
	w.mu.Lock()
	defer w.mu.Unlock()
	return seen{slices.Clone(w.own), slices.Clone(w.foreign), w.accepted, w.packets}
}

func (s seen) since(old seen) seen {
	return seen{s.own[len(old.own):], s.foreign[len(old.foreign):], s.accepted - old.accepted, s.packets - old.packets}
}

// detectors names those that fired, the most telling first, or "".
func (s seen) detectors() string {
	var list []string
	if len(s.own) > 0 {
		list = append(list, "own")
	}
	if len(s.foreign) > 0 {
		list = append(list, "foreign")
	}
	if s.accepted > 0 {
		list = append(list, "tcp")
	}
	if s.packets > 0 {
		list = append(list, "udp")
	}
	return strings.Join(list, " ")
}

type countingListener struct {
	net.Listener
	count func()
}

func (l countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.count()
	}
	return c, err
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// foreigners opens servers that no earlier attempt can have a connection to, and
// returns the origin of one that speaks HTTP, that of a bare listener, and the
// port of a UDP one.
func (w *witness) foreigners(t *testing.T) (sink, pre, stun string, stop func()) {
	t.Helper()
	count := func() { w.mu.Lock(); w.accepted++; w.mu.Unlock() }
	ln, bare := listen(t), listen(t)
	server := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<16))
		w.mu.Lock()
		w.foreign = append(w.foreign, r.Method+" "+r.URL.String()+" "+string(body))
		w.mu.Unlock()
		rw.Header().Set("Access-Control-Allow-Origin", "*")
		rw.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
	})}
	go server.Serve(countingListener{ln, count}) //nolint:errcheck // ends with stop
	go func() {
		for {
			c, err := bare.Accept()
			if err != nil {
				return
			}
			count()
			c.Close()
		}
	}()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, stun, _ = net.SplitHostPort(udp.LocalAddr().String())
	go func() {
		b := make([]byte, 2048)
		for {
			if _, _, err := udp.ReadFrom(b); err != nil {
				return
			}
			w.mu.Lock()
			w.packets++
			w.mu.Unlock()
		}
	}()
	return "http://" + ln.Addr().String(), "http://" + bare.Addr().String(), stun, func() { server.Close(); bare.Close(); udp.Close() }
}

// serveBuilt starts bin/cloister on the built site and puts a recording proxy
// before it, whose address it returns. edit, unless nil, may change what passes;
// it gets bodies uncompressed.
func serveBuilt(t testing.TB, w *witness, edit func(*http.Response)) string {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(root, "bin", "cloister")
	for _, f := range []string{program, filepath.Join(root, "build/site/page.wasm"), filepath.Join(root, "build/site/worker.wasm"), filepath.Join(root, "build/site/bundles/index.json")} {
		if _, err := os.Stat(f); err != nil {
			t.Fatalf("%s is missing: run `make build` first", f)
		}
	}
	cmd := exec.Command(program, "serve", "--addr", "127.0.0.1:0")
	cmd.Dir = root
	out, in := io.Pipe()
	cmd.Stdout, cmd.Stderr = in, in
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait(); in.Close() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("cloister serve, stopped by SIGTERM: %v", err)
			}
		case <-time.After(15 * time.Second):
			_ = cmd.Process.Kill()
			t.Error("cloister serve did not stop on SIGTERM")
		}
	})
	found := make(chan string, 1)
	go func() {
		var said []string
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if _, rest, ok := strings.Cut(lines.Text(), "http://127.0.0.1:"); ok && found != nil {
				port := rest
				if i := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
					port = rest[:i]
				}
				found <- "http://127.0.0.1:" + port
				found = nil
			}
			said = append(said, lines.Text())
		}
		if found != nil {
			found <- "error: " + strings.Join(said, "\n")
		}
	}()
	var origin string
	select {
	case origin = <-found:
	case <-time.After(20 * time.Second):
		origin = "error: no address after 20 s"
	}
	target, err := url.Parse(origin)
	if err != nil || target.Scheme != "http" {
		t.Fatalf("cloister serve: %s", origin)
	}
	return record(t, w, &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			if edit != nil {
				r.Out.Header.Set("Accept-Encoding", "identity")
			}
		},
		ModifyResponse: func(r *http.Response) error {
			if edit != nil {
				edit(r)
			}
			return nil
		},
	})
}

// record serves h and notes every request as the own server's.
func record(t testing.TB, w *witness, h http.Handler) string {
	ln := listen(t)
	server := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<16))
		r.Body = io.NopCloser(bytes.NewReader(body))
		w.mu.Lock()
		w.own = append(w.own, strings.TrimSpace(r.Method+" "+r.URL.String()+" "+string(body)))
		w.mu.Unlock()
		h.ServeHTTP(rw, r)
	})}
	go server.Serve(ln) //nolint:errcheck // ends with the test
	t.Cleanup(func() { server.Close() })
	return "http://" + ln.Addr().String()
}

// unprotected has the built page's shape, a frame in a shell, and no protection
// whatever.
func unprotected(t *testing.T, w *witness) string {
	return record(t, w, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Cache-Control", "no-store")
		switch path := r.URL.Path; {
		case path == "/sw.js":
			rw.Header().Set("Content-Type", "text/javascript")
			fmt.Fprint(rw, `onmessage = (e) => fetch('/?d=' + e.data); oninstall = () => skipWaiting()`)
		case path == "/":
			rw.Header().Set("Content-Type", "text/html")
			fmt.Fprint(rw, `<!doctype html><head></head><body><iframe id=frame src=app.html></iframe>`)
		case path == "/app.html" || path == "/404.html":
			rw.Header().Set("Content-Type", "text/html")
			fmt.Fprint(rw, `<!doctype html><html data-state=running><head></head><body><p>open</p>`)
		case strings.HasSuffix(path, ".js"):
			rw.Header().Set("Content-Type", "text/javascript")
		case strings.HasSuffix(path, ".css"):
			rw.Header().Set("Content-Type", "text/css")
		case strings.HasSuffix(path, ".svg"):
			rw.Header().Set("Content-Type", "image/svg+xml")
		}
	}))
}

// readIndex reads the built site's bundles/index.json.
func readIndex(t *testing.T, into any) {
	t.Helper()
	b, err := os.ReadFile("../build/site/bundles/index.json")
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	if err != nil {
		t.Fatalf("%v: run `make build` first", err)
	}
}

// canaryCSV is a flow table whose every row holds the canary in a column of
// text.
func canaryCSV(t *testing.T) []byte {
	t.Helper()
	sample, err := os.ReadFile("../models/sample/flows.csv")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(sample)), "\n")
	for i := range lines {
		lines[i] += "," + canary
	}
	return []byte(strings.Join(lines, "\n") + "\n")
}

// spellings returns the ways in which s can appear in a text that holds bytes
// as they are or in base64.
func spellings(s string) []string {
	list := []string{s}
	for shift := range 3 {
		b := base64.StdEncoding.EncodeToString([]byte(strings.Repeat(" ", shift) + s))
		// the first and last characters depend on the neighbours
		list = append(list, b[(shift*8+5)/6:len(b)-4])
	}
	return list
}
