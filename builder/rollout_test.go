package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloister/shared/channel"
	"cloister/shared/sign"
)

// A rollout says in the channel what each bundle calls itself and reads, also
// of one that is stored already; a deployment that does not say that it reads
// this gets a channel without.
func TestRollout_titles(t *testing.T) {
	dir := t.TempDir()
	do := func(args ...string) {
		t.Helper()
		var out, errs bytes.Buffer
		if status := run(context.Background(), args, streams{in: strings.NewReader(""), out: &out, err: &errs}); status != 0 {
			t.Fatalf("%s: %d\n%s%s", args[0], status, &out, &errs)
		}
	}
	key, token := filepath.Join(dir, "key"), filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	do("keygen", key)
	pem, err := os.ReadFile(key + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := sign.ParseKeys(pem)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ version, title, schema string }{
		{`{"release":"1.3.0","channel_minor":1}`, "Host telemetry", "telemetry"},
		{`{"release":"1.2.0"}`, "", ""},
	} {
		objects := map[string][]byte{"/version": []byte(tt.version)}
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut {
				objects[r.URL.Path], _ = io.ReadAll(r.Body)
			} else if b, ok := objects[r.URL.Path]; ok {
				_, _ = w.Write(b)
			} else {
				http.NotFound(w, r)
			}
		}))
		published := func(version int64) (string, channel.Target) {
			t.Helper()
			c, err := channel.Open(objects["/channel.json"], keys, time.Now(), version)
			if err != nil || len(c.Targets) != 1 {
				t.Fatalf("%+v, %v", c, err)
			}
			return c.Paths()[0], c.Targets[c.Paths()[0]]
		}
		to := []string{"--to", s.URL, "--key", key, "--token-file", token}
		do(append([]string{"rollout", "../models/telemetry/1.bundle"}, to...)...)
		path, first := published(1)
		if first.Title != tt.title || first.Schema != tt.schema {
			t.Errorf("%s: %+v", tt.version, first)
		}
		do(append([]string{"rollout", "--stored", path}, to...)...)
		if again, second := published(2); again != path || second != first {
			t.Errorf("%s: stored: %s %+v, was %+v", tt.version, again, second, first)
		}
		s.Close()
	}
}
