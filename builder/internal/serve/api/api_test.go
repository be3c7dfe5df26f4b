package api_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"cloister/builder/internal/client"
	"cloister/builder/internal/registry"
	"cloister/builder/internal/registry/registrytest"
	"cloister/builder/internal/registry/trainer"
	"cloister/builder/internal/serve/api"
	"cloister/shared/channel"
	"cloister/shared/sign"
)

var ctx = context.Background()

// service is a registry with its API on loopback.
type service struct {
	t      *testing.T
	r      *registry.Registry
	a      *api.API
	url    string
	tokens map[registry.Role]string
	log    *bytes.Buffer
	record *recorder
}

func start(t *testing.T, ro registry.Options, o api.Options) *service {
	t.Helper()
	_, key := registrytest.Publisher()
	s := &service{t: t, tokens: map[registry.Role]string{}, log: &bytes.Buffer{}}
	log := slog.New(slog.NewJSONHandler(&locked{w: s.log}, nil))
	ro.Dir, ro.Keys, ro.Log, o.Log = t.TempDir(), []sign.Key{key}, log, log
	var err error
	if s.r, err = registry.Open(ctx, ro); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.r.Close() })
	for _, role := range []registry.Role{registry.Read, registry.Publish, registry.Admin} {
		if s.tokens[role], _, err = s.r.CreateToken(ctx, registry.Local, string(role), role, 0); err != nil {
			t.Fatal(err)
		}
	}
	if s.a, err = api.New(s.r, o); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s.a)
	t.Cleanup(server.Close)
	t.Cleanup(s.a.Shutdown)
	s.url = server.URL
	s.record = newRecorder(t, s.a)
	return s
}

func (s *service) client(role registry.Role) *client.Client {
	s.t.Helper()
	c, err := client.New(s.url, client.Options{Token: s.tokens[role], HTTP: &http.Client{Transport: s.record}, Retries: -1})
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// do makes a request by hand.
func (s *service) do(method, path string, role registry.Role, body []byte, header ...string) (*http.Response, []byte) {
	s.t.Helper()
	req, err := http.NewRequest(method, s.url+path, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if role != "" {
		req.Header.Set("Authorization", "Bearer "+s.tokens[role])
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := (&http.Client{Transport: s.record}).Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return res, text
}

// status returns the status of a client's error.
func status(err error) int {
	if e, ok := errors.AsType[*client.Error](err); ok {
		return e.Status
	}
	return 0
}

func TestBundles_publishAndFetch(t *testing.T) {
	s := start(t, registry.Options{}, api.Options{})
	file := registrytest.Signed(t, "1.0.0", 1)
	pub, read := s.client(registry.Publish), s.client(registry.Read)
	checked, err := pub.Publish(ctx, file, true)
	if err != nil || checked.Version != "1.0.0" || checked.Size != int64(len(file)) {
		t.Fatalf("%+v, %v", checked, err)
	}
	if list, err := read.Bundles(ctx, ""); err != nil || len(list) != 0 {
		t.Errorf("a dry run left %d bundles, %v", len(list), err)
	}
	b, err := pub.Publish(ctx, file, false)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := read.Bundle(ctx, "flows", "1.0.0"); err != nil || got != b {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := read.Download(ctx, b.Path); err != nil || !bytes.Equal(got, file) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	_, err = pub.Publish(ctx, registrytest.Unsigned(t, "1.1.0", 1), false)
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Status != 422 || len(e.Details) != 1 || !strings.HasPrefix(e.Details[0], "model.sig: ") {
		t.Errorf("unsigned: %v", err)
	}
	if _, err = pub.Publish(ctx, registrytest.Signed(t, "1.0.0", 2), false); status(err) != 409 {
		t.Errorf("another content: %v", err)
	}
	if _, err := pub.Publish(ctx, registrytest.Signed(t, "1.1.0", 2), false); err != nil {
		t.Fatal(err)
	}
	d, err := read.Diff(ctx, "flows", "1.0.0", "1.1.0")
	if err != nil || len(d.Changes) == 0 || !d.SameRows {
		t.Errorf("%+v, %v", d, err)
	}

	// The file itself, as HTTP has it.
	path := "/v1/bundles/" + b.Path
	etag := fmt.Sprintf(`"sha256-%x"`, sha256.Sum256(file))
	res, body := s.do("GET", path, registry.Read, nil)
	if res.StatusCode != 200 || !bytes.Equal(body, file) || res.Header.Get("ETag") != etag || !strings.Contains(res.Header.Get("Cache-Control"), "immutable") || res.Header.Get("Content-Type") != "application/zip" {
		t.Errorf("%d, %v", res.StatusCode, res.Header)
	}
	if res, body = s.do("GET", path, registry.Read, nil, "If-None-Match", etag); res.StatusCode != 304 || len(body) != 0 {
		t.Errorf("if none match: %d, %d bytes", res.StatusCode, len(body))
	}
	if res, _ = s.do("GET", path, registry.Read, nil, "If-None-Match", `"other"`); res.StatusCode != 200 {
		t.Errorf("if none match another: %d", res.StatusCode)
	}
	if res, body = s.do("GET", path, registry.Read, nil, "Range", "bytes=100-199"); res.StatusCode != 206 || !bytes.Equal(body, file[100:200]) {
		t.Errorf("range: %d, %d bytes", res.StatusCode, len(body))
	}
	if res, _ = s.do("GET", path, registry.Read, nil, "Range", "bytes=999999999-"); res.StatusCode != 416 {
		t.Errorf("range behind the end: %d", res.StatusCode)
	}
	if res, body = s.do("HEAD", path, registry.Read, nil); res.StatusCode != 200 || res.ContentLength != int64(len(file)) || len(body) != 0 {
		t.Errorf("head: %d, %d", res.StatusCode, res.ContentLength)
	}
	for _, p := range []string{path + "x", strings.Replace(path, "1.0.0", "1.1.0", 1), "/v1/bundles/flows/1.0.0/x.bundle", "/v1/bundles/flows/9.9.9", "/v1/bundles/..%2f/1.0.0"} {
		if res, _ = s.do("GET", p, registry.Read, nil); res.StatusCode != 404 && res.StatusCode != 422 {
			t.Errorf("%s: %d", p, res.StatusCode)
		}
	}
}

func TestChannels_promoteAndYank(t *testing.T) {
	s := start(t, registry.Options{}, api.Options{})
	pub, admin := s.client(registry.Publish), s.client(registry.Admin)
	b, err := pub.Publish(ctx, registrytest.Signed(t, "1.0.0", 1), false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pub.Channel(ctx, "stable"); status(err) != 404 {
		t.Errorf("no channel: %v", err)
	}
	soon := time.Now().Add(time.Hour)
	doc := registrytest.Document(t, "stable", 1, soon, b)
	c, err := pub.Promote(ctx, "stable", doc)
	if err != nil || c.Version != 1 || !slices.Equal(c.Targets, []string{b.Path}) {
		t.Fatalf("%+v, %v", c, err)
	}
	got, err := s.client(registry.Read).Channel(ctx, "stable")
	if err != nil || !bytes.Equal(got, doc) {
		t.Errorf("%q, %v", got, err)
	}
	_, key := registrytest.Publisher()
	if _, err := channel.Open(got, []sign.Key{key}, time.Now(), 1); err != nil {
		t.Error(err)
	}
	if _, err := pub.Promote(ctx, "stable", doc); status(err) != 409 {
		t.Errorf("rollback: %v", err)
	}
	if _, err := admin.Yank(ctx, "flows", "1.0.0", "bad"); status(err) != 409 {
		t.Errorf("yank what is handed out: %v", err)
	}
	if _, err := pub.Promote(ctx, "stable", registrytest.Document(t, "stable", 2, soon)); err != nil {
		t.Fatal(err)
	}
	if y, err := admin.Yank(ctx, "flows", "1.0.0", "bad labels"); err != nil || y.YankReason != "bad labels" {
		t.Errorf("%+v, %v", y, err)
	}
	if res, text := s.do("GET", "/v1/channels/stable/history", registry.Read, nil); res.StatusCode != 200 || strings.Count(string(text), `"promoted_at"`) != 2 {
		t.Errorf("%d %s", res.StatusCode, text)
	}
	res, text := s.do("GET", "/v1/audit?limit=2", registry.Admin, nil)
	if res.StatusCode != 200 || !strings.Contains(string(text), `"action":"yank"`) || !strings.Contains(string(text), `"outcome":"bad labels"`) {
		t.Errorf("%d %s", res.StatusCode, text)
	}
}

// Every route asks for the role that it documents, and for nothing less.
func TestRoles_everyRoute(t *testing.T) {
	s := start(t, registry.Options{}, api.Options{Rate: 1e6, Burst: 1e6})
	public := start(t, registry.Options{}, api.Options{PublicRead: true, Rate: 1e6, Burst: 1e6})
	order := []registry.Role{"", registry.Read, registry.Publish, registry.Admin}
	routes, denied := 0, 0
	for path, item := range s.record.doc.Paths {
		for method, op := range item {
			routes++
			want := registry.Role("")
			if role, ok := strings.CutPrefix(op.Description, "Role: "); ok {
				want = registry.Role(strings.TrimSuffix(role, "."))
			}
			if (want != "") != (len(op.Security) > 0) {
				t.Errorf("%s %s: role %q, security %v", method, path, want, op.Security)
			}
			concrete := strings.NewReplacer("{name}", "x", "{version}", "1.0.0", "{file}", "x", "{id}", "x").Replace(path)
			for _, role := range order {
				got, _ := s.do(strings.ToUpper(method), concrete, role, nil)
				low := slices.Index(order, role) < slices.Index(order, want)
				if low {
					denied++
				}
				switch {
				case low && role == "" && got.StatusCode != 401, low && role != "" && got.StatusCode != 403,
					!low && (got.StatusCode == 401 || got.StatusCode == 403):
					t.Errorf("%s %s with %q, want %q: %d", method, path, role, want, got.StatusCode)
				}
			}
			if got, _ := public.do(strings.ToUpper(method), concrete, "", nil); (got.StatusCode == 401) != (want == registry.Publish || want == registry.Admin) {
				t.Errorf("public %s %s: %d", method, path, got.StatusCode)
			}
		}
	}
	if routes < 25 || denied < 40 {
		t.Errorf("%d routes, %d refusals", routes, denied)
	}
	if res, _ := s.do("GET", "/v1/bundles", "", nil, "Authorization", "Bearer clo_"+strings.Repeat("0", 64)); res.StatusCode != 401 || res.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("unknown token: %d", res.StatusCode)
	}
	events, err := s.r.Events(ctx, "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for _, e := range events {
		if e.Outcome == "denied" {
			refused++
		}
	}
	if refused < 20 {
		t.Errorf("%d refusals in the audit log", refused)
	}
}

func TestTokens_createAndRevoke(t *testing.T) {
	s := start(t, registry.Options{}, api.Options{})
	res, text := s.do("POST", "/v1/tokens", registry.Admin, []byte(`{"name":"ci","role":"read","lifetime_seconds":60}`), "Content-Type", "application/json")
	var made struct{ ID, Secret string }
	if err := json.Unmarshal(text, &made); err != nil || res.StatusCode != 201 {
		t.Fatalf("%d %s", res.StatusCode, text)
	}
	s.tokens["new"] = made.Secret
	if res, _ := s.do("GET", "/v1/bundles", "new", nil); res.StatusCode != 200 {
		t.Errorf("the new token: %d", res.StatusCode)
	}
	if res, text = s.do("GET", "/v1/tokens", registry.Admin, nil); res.StatusCode != 200 || strings.Contains(string(text), made.Secret) || strings.Count(string(text), `"role"`) != 4 {
		t.Errorf("%d %s", res.StatusCode, text)
	}
	if res, _ = s.do("DELETE", "/v1/tokens/"+made.ID, registry.Admin, nil); res.StatusCode != 204 {
		t.Errorf("revoke: %d", res.StatusCode)
	}
	if res, _ = s.do("GET", "/v1/bundles", "new", nil); res.StatusCode != 401 {
		t.Errorf("revoked: %d", res.StatusCode)
	}
	for _, bad := range []string{`{"name":"x","role":"root"}`, `{"name":"","role":"read"}`, `{"name":"x","role":"read","more":1}`, `{`, ``} {
		if res, _ := s.do("POST", "/v1/tokens", registry.Admin, []byte(bad), "Content-Type", "application/json"); res.StatusCode != 422 && res.StatusCode != 400 {
			t.Errorf("%s: %d", bad, res.StatusCode)
		}
	}
	if strings.Contains(s.log.String(), "clo_") {
		t.Error("a secret is in the log")
	}
}

func TestLimits_ratesAndSizes(t *testing.T) {
	s := start(t, registry.Options{MaxBundle: 1 << 10, MaxData: 1 << 10}, api.Options{Rate: 1, Burst: 5})
	codes := map[int]int{}
	for range 20 {
		res, _ := s.do("GET", "/v1/bundles", registry.Read, nil)
		codes[res.StatusCode]++
		if res.StatusCode == 429 && res.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
	if codes[200] < 5 || codes[200] > 8 || codes[429] == 0 || codes[200]+codes[429] != 20 {
		t.Errorf("%v", codes)
	}
	if res, _ := s.do("GET", "/v1/bundles", registry.Admin, nil); res.StatusCode != 200 {
		t.Errorf("another token: %d", res.StatusCode)
	}
	s = start(t, registry.Options{MaxBundle: 1 << 10, MaxData: 1 << 10}, api.Options{Rate: 1e6, Burst: 1e6})
	for path, tt := range map[string]struct {
		method, kind string
		size, want   int
	}{
		"/v1/bundles":       {"POST", "application/zip", 1<<10 + 1, 413},
		"/v1/data/a.csv":    {"PUT", "application/octet-stream", 1<<10 + 1, 413},
		"/v1/data/b.csv":    {"PUT", "application/octet-stream", 1 << 10, 201},
		"/v1/jobs":          {"POST", "application/json", 64<<10 + 1, 413},
		"/v1/channels/some": {"PUT", "application/json", sign.MaxSize + 1, 413},
	} {
		if res, text := s.do(tt.method, path, registry.Publish, bytes.Repeat([]byte(" "), tt.size), "Content-Type", tt.kind); res.StatusCode != tt.want {
			t.Errorf("%s: %d, want %d: %s", path, res.StatusCode, tt.want, text)
		}
	}
}

func TestJobs_submitWatchFetch(t *testing.T) {
	s := start(t, registry.Options{}, api.Options{})
	pub := s.client(registry.Publish)
	f, err := os.Open(registrytest.Sample())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	d, err := pub.Upload(ctx, "flows.csv", f, info.Size())
	if err != nil || d.Size != info.Size() {
		t.Fatalf("%+v, %v", d, err)
	}
	if _, err := pub.Submit(ctx, registry.Spec{Recipe: "flows", Data: []string{"none.csv"}}); status(err) != 422 {
		t.Errorf("no such data: %v", err)
	}
	j, err := pub.Submit(ctx, registry.Spec{Recipe: "flows", Data: []string{"flows.csv"}, Seed: 1, Version: "1.0.0"})
	if err != nil || j.State != registry.Queued {
		t.Fatalf("%+v, %v", j, err)
	}
	work, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- s.r.Work(work, trainer.Train) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	states := map[string]int{}
	last, err := pub.Watch(ctx, j.ID, func(j registry.Job) { states[j.State]++ })
	if err != nil || last.State != registry.Done || states[registry.Done] != 1 || len(last.Metrics) == 0 {
		t.Fatalf("%+v, %v, %v", last, states, err)
	}
	file, err := pub.Result(ctx, last)
	if err != nil || !bytes.Equal(file, registrytest.Unsigned(t, "1.0.0", 1)) {
		t.Errorf("%d bytes, %v", len(file), err)
	}
	if list, err := pub.Jobs(ctx, registry.Done); err != nil || len(list) != 1 {
		t.Errorf("%d jobs, %v", len(list), err)
	}
	if _, err := pub.Cancel(ctx, j.ID); status(err) != 409 {
		t.Errorf("cancel what has ended: %v", err)
	}
	if _, err := pub.Watch(ctx, "none", func(registry.Job) {}); status(err) != 404 {
		t.Errorf("watch none: %v", err)
	}
}

// A stream of events ends when the server stops, and says so.
func TestJobs_streamEndsOnShutdown(t *testing.T) {
	s := start(t, registry.Options{}, api.Options{})
	if _, err := s.r.Upload(ctx, registry.Local, "x.csv", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	j, err := s.r.Submit(ctx, registry.Local, registry.Spec{Recipe: "flows", Data: []string{"x.csv"}})
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(100*time.Millisecond, s.a.Shutdown)
	begun := time.Now()
	res, text := s.do("GET", "/v1/jobs/"+j.ID+"/events", registry.Publish, nil)
	if res.Header.Get("Content-Type") != "text/event-stream" || !strings.HasPrefix(string(text), "event: progress\ndata: {") || !strings.HasSuffix(string(text), "event: shutdown\ndata: {}\n\n") {
		t.Errorf("%v %s", res.Header, text)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	if res, _ := s.do("GET", "/readyz", "", nil); res.StatusCode != 503 {
		t.Errorf("ready while stopping: %d", res.StatusCode)
	}
	if res, _ := s.do("GET", "/healthz", "", nil); res.StatusCode != 200 {
		t.Errorf("alive while stopping: %d", res.StatusCode)
	}
}

func TestService_metricsLogsReadiness(t *testing.T) {
	s := start(t, registry.Options{}, api.Options{})
	b, err := s.client(registry.Publish).Publish(ctx, registrytest.Signed(t, "1.0.0", 1), false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.client(registry.Publish).Promote(ctx, "stable", registrytest.Document(t, "stable", 1, time.Now().Add(time.Hour), b)); err != nil {
		t.Fatal(err)
	}
	s.do("GET", "/v1/nothing/here", registry.Read, nil)
	_, text := s.do("GET", "/metrics", registry.Read, nil)
	for _, want := range []string{
		`cloister_bundles 1`, `cloister_jobs{state="queued"} 0`, `cloister_channel_expires_seconds{channel="stable"} 1.`, `process_cpu_seconds_total`,
		`cloister_http_request_seconds_count{method="POST",route="/v1/bundles",status="201"} 1`, `cloister_http_request_seconds_count{method="GET",route="none",status="404"} 1`,
		fmt.Sprintf("cloister_received_bytes_total %d", b.Size),
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the metrics do not say %q", want)
		}
	}
	lines := 0
	for line := range strings.Lines(s.log.String()) {
		var v struct{ Msg, Actor, Method, Path, Request string }
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if v.Msg == "request" && v.Method == "POST" && v.Actor == "publish" && v.Path == "/v1/bundles" && len(v.Request) == 16 {
			lines++
		}
	}
	if lines != 1 {
		t.Errorf("%d lines of the log tell of publishing", lines)
	}
	if res, _ := s.do("GET", "/readyz", "", nil); res.StatusCode != 200 {
		t.Errorf("ready: %d", res.StatusCode)
	}
	if err := s.r.Close(); err != nil {
		t.Fatal(err)
	}
	if res, text := s.do("GET", "/readyz", "", nil); res.StatusCode != 503 || strings.Contains(string(text), "sql") {
		t.Errorf("ready without a database: %d %s", res.StatusCode, text)
	}
	if res, text := s.do("GET", "/v1/bundles", registry.Read, nil); res.StatusCode != 500 || strings.Contains(string(text), "sql") {
		t.Errorf("the cause of a failure goes to clients: %d %s", res.StatusCode, text)
	}
}
