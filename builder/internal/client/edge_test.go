package client_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cloister/builder/internal/client"
)

// edge answers a path of a deployment each and notes what was put there.
func edge(t *testing.T, answers map[string]http.HandlerFunc) (*client.Edge, *[]string) {
	t.Helper()
	puts := []string{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			b, _ := io.ReadAll(r.Body)
			puts = append(puts, fmt.Sprintf("%s %s %s", r.URL.Path, r.Header.Get("Authorization"), b))
		}
		if h := answers[r.URL.Path]; h != nil {
			h(w, r)
			return
		}
		says(404, `{"status":404,"error":"nothing here"}`)(w, r)
	}))
	t.Cleanup(s.Close)
	e, err := client.NewEdge(s.URL, client.Options{Token: "secret", Pause: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return e, &puts
}

func TestNewEdge_keepsTheTokenOffTheWire(t *testing.T) {
	for address, ok := range map[string]bool{
		"https://cloister.example.org": true, "http://127.0.0.1:8787": true, "http://[::1]:8787": true, "http://localhost:1": true,
		"http://example.org": false, "http://localhost.example.org": false, "http://127.0.0.1.example.org": false, "ftp://127.0.0.1": false, "": false,
	} {
		if _, err := client.NewEdge(address, client.Options{}); (err == nil) != ok {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestEdge_storesAndPublishes(t *testing.T) {
	lost := 0
	e, puts := edge(t, map[string]http.HandlerFunc{
		"/bundles/flows/1/x.bundle": func(w http.ResponseWriter, r *http.Request) {
			if lost++; lost == 1 {
				cut(w, r)
			}
		},
		"/channel.json": says(409, `{"status":409,"error":"version 3 is current"}`),
	})
	if err := e.Store(ctx, "flows/1/x.bundle", []byte("abc")); err != nil {
		t.Error(err)
	}
	err := e.Publish(ctx, []byte("{}"))
	if no, ok := errors.AsType[*client.Error](err); !ok || no.Status != 409 || !strings.Contains(err.Error(), "version 3 is current") {
		t.Errorf("a version that is published: %v", err)
	}
	want := []string{"/bundles/flows/1/x.bundle Bearer secret abc", "/bundles/flows/1/x.bundle Bearer secret abc", "/channel.json Bearer secret {}"}
	if fmt.Sprint(*puts) != fmt.Sprint(want) {
		t.Errorf("put %q, want %q", *puts, want)
	}
}

func TestEdge_aLostAnswerPublishesOnce(t *testing.T) {
	e, puts := edge(t, map[string]http.HandlerFunc{"/channel.json": cut})
	if err := e.Publish(ctx, []byte("{}")); err == nil || len(*puts) != 1 {
		t.Errorf("%v after %d puts, want an error after one", err, len(*puts))
	}
}

func TestEdge_reads(t *testing.T) {
	const path = "flows/1/ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad.bundle"
	e, _ := edge(t, nil)
	if text, err := e.Channel(ctx); text != nil || err != nil {
		t.Errorf("a deployment without a channel: %q, %v", text, err)
	}
	e, _ = edge(t, map[string]http.HandlerFunc{"/channel.json": says(200, "{}"), "/bundles/" + path: says(200, "abc")})
	if text, err := e.Channel(ctx); string(text) != "{}" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	if file, err := e.Bundle(ctx, path); string(file) != "abc" || err != nil {
		t.Errorf("%q, %v", file, err)
	}
	e, _ = edge(t, map[string]http.HandlerFunc{"/bundles/" + path: says(200, "abd")})
	if file, err := e.Bundle(ctx, path); file != nil || err == nil {
		t.Errorf("other bytes than the path says: %q, %v", file, err)
	}
}

// What runs there says which channels it reads; a deployment before that field
// reads those without titles.
func TestEdge_ChannelMinor(t *testing.T) {
	for text, want := range map[string]int{`{"release":"1.3.0","channel":7,"channel_minor":1}`: 1, `{"release":"1.2.0","channel":7}`: 0} {
		e, _ := edge(t, map[string]http.HandlerFunc{"/version": says(200, text)})
		if got, err := e.ChannelMinor(ctx); err != nil || got != want {
			t.Errorf("%s: %d, %v", text, got, err)
		}
	}
	e, _ := edge(t, nil)
	if _, err := e.ChannelMinor(ctx); err == nil {
		t.Error("no answer is one")
	}
}
