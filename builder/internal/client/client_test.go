package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cloister/builder/internal/client"
	"cloister/builder/internal/registry"
)

var ctx = context.Background()

// server answers with one handler after the other, the last one for ever, and
// counts.
func server(t *testing.T, handlers ...http.HandlerFunc) (*client.Client, *int) {
	t.Helper()
	calls := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := handlers[min(calls, len(handlers)-1)]
		calls++
		h(w, r)
	}))
	t.Cleanup(s.Close)
	c, err := client.New(s.URL+"/below/", client.Options{Token: "secret", Pause: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return c, &calls
}

func says(status int, text string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		fmt.Fprint(w, text)
	}
}

// cut ends the connection without an answer.
func cut(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func TestNew_addresses(t *testing.T) {
	for address, ok := range map[string]bool{"http://127.0.0.1:8080": true, "https://example.org/registry/": true, "": false, "127.0.0.1:8080": false, "ftp://x": false, "http://": false} {
		if _, err := client.New(address, client.Options{}); (err == nil) != ok {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// What may be asked twice is asked again when the server is busy or gone; what
// may not is not, unless the server said that it did nothing.
func TestClient_retries(t *testing.T) {
	list := says(200, `{"items":[{"name":"flows"}]}`)
	for name, tt := range map[string]struct {
		first http.HandlerFunc
		safe  bool // asked again if it may be
		any   bool // asked again in any case
	}{
		"busy":         {says(429, "", "Retry-After", "0"), true, true},
		"stopping":     {says(503, ""), true, false},
		"cut off":      {cut, true, false},
		"wrong":        {says(422, `{"detail":"no"}`), false, false},
		"not found":    {says(404, "x"), false, false},
		"no such role": {says(403, ""), false, false},
	} {
		c, calls := server(t, tt.first, list)
		got, err := c.Bundles(ctx, "")
		if again := *calls == 2; again != tt.safe || (err == nil) != tt.safe || err == nil && len(got) != 1 {
			t.Errorf("%s: %d calls, %v", name, *calls, err)
		}
		c, calls = server(t, tt.first, says(202, `{"id":"1"}`))
		j, err := c.Submit(ctx, registry.Spec{})
		if again := *calls == 2; again != tt.any || (err == nil) != tt.any || err == nil && j.ID != "1" {
			t.Errorf("%s, submit: %d calls, %v", name, *calls, err)
		}
	}
	c, calls := server(t, says(503, ""))
	if _, err := c.Bundles(ctx, ""); err == nil || *calls != 5 {
		t.Errorf("for ever busy: %d calls, %v", *calls, err)
	}
	ended, stop := context.WithCancel(ctx)
	stop()
	if _, err := c.Bundles(ended, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestClient_errorsSayWhy(t *testing.T) {
	c, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret" || r.URL.Path != "/below/v1/bundles" {
			t.Errorf("%s %v", r.URL.Path, r.Header)
		}
		says(422, `{"title":"x","detail":"not fit","errors":[{"location":"NOTICE","message":"it is missing"},{"message":"more"}]}`)(w, r)
	})
	_, err := c.Publish(ctx, []byte("x"), false)
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Status != 422 || err.Error() != e.Host+": not fit (422)\n  NOTICE: it is missing\n  more" {
		t.Errorf("%v", err)
	}
	c, _ = server(t, says(200, "<html>"))
	if _, err := c.Bundles(ctx, ""); err == nil || !strings.Contains(err.Error(), "does not read") {
		t.Errorf("%v", err)
	}
}

func TestDownload_comparesTheDigest(t *testing.T) {
	const path = "flows/1.0.0/ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad.bundle"
	c, _ := server(t, says(200, "abc"))
	if got, err := c.Download(ctx, path); err != nil || string(got) != "abc" {
		t.Errorf("%q, %v", got, err)
	}
	c, _ = server(t, says(200, "abd"))
	if got, err := c.Download(ctx, path); got != nil || err == nil || !strings.Contains(err.Error(), "it was changed") {
		t.Errorf("%q, %v", got, err)
	}
	c, _ = server(t, func(w http.ResponseWriter, _ *http.Request) {
		chunk := bytes.Repeat([]byte("x"), 1<<20)
		for range 65 {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	if _, err := c.Download(ctx, path); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("%v", err)
	}
}

// A watch goes on after the server stopped and after the line broke.
func TestWatch_connectsAgain(t *testing.T) {
	stream := func(text string) http.HandlerFunc { return says(200, text, "Content-Type", "text/event-stream") }
	c, calls := server(t,
		stream("event: progress\ndata: {\"id\":\"1\",\"progress\":0.1}\n\nevent: shutdown\ndata: {}\n\n"),
		says(503, ""),
		stream("event: progress\ndata: {\"id\":\"1\",\"progress\":0.5}\n\n: still here\n\n"),
		cut,
		stream("event: end\ndata: {\"id\":\"1\",\"state\":\"done\",\"progress\":1}\n\n"))
	var seen []float64
	j, err := c.Watch(ctx, "1", func(j registry.Job) { seen = append(seen, j.Progress) })
	if err != nil || j.State != "done" || *calls != 5 || fmt.Sprint(seen) != "[0.1 0.5 1]" {
		t.Errorf("%+v, %v, %d calls, %v", j, seen, *calls, err)
	}
	c, calls = server(t, cut)
	if _, err := c.Watch(ctx, "1", func(registry.Job) {}); err == nil || *calls != 5 {
		t.Errorf("for ever gone: %d calls, %v", *calls, err)
	}
	c, calls = server(t, says(404, ""))
	if _, err := c.Watch(ctx, "1", func(registry.Job) {}); err == nil || *calls != 1 {
		t.Errorf("no such job: %d calls, %v", *calls, err)
	}
	c, _ = server(t, stream("event: progress\ndata: x\n\n"))
	if _, err := c.Watch(ctx, "1", func(registry.Job) {}); err == nil || !strings.Contains(err.Error(), "does not read") {
		t.Errorf("%v", err)
	}
}
