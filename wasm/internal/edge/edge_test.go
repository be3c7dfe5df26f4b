package edge_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"cloister/shared/channel"
	"cloister/shared/sign"
	"cloister/wasm/internal/edge"
)

// platform is storage and site in memory.
type platform struct {
	t       *testing.T
	objects map[string][]byte
	site    map[string][]byte
	down    string // operations on storage fail with this
	opened  []byte
	puts    int
	race    func() // runs once, before the next put
}

func tag(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:8])
}

func (p *platform) do(op edge.Op) edge.Result {
	switch op.Kind {
	case edge.OpGet:
		if p.down != "" {
			return edge.Result{Err: p.down}
		}
		b, ok := p.objects[op.Key]
		if !ok {
			return edge.Result{}
		}
		p.opened = b[min(op.Offset, int64(len(b))):]
		if op.Length > 0 {
			p.opened = p.opened[:min(op.Length, int64(len(p.opened)))]
		}
		return edge.Result{Found: true, Modified: op.IfNoneMatch != tag(b), Size: int64(len(b)), ETag: tag(b)}
	case edge.OpAsset:
		b, ok := p.site[op.Key]
		p.opened = b
		return edge.Result{Found: ok, Modified: ok, Size: int64(len(b))}
	case edge.OpRead:
		if op.Length > 0 && int64(len(p.opened)) > op.Length {
			return edge.Result{Err: "too long"}
		}
		return edge.Result{Body: p.opened}
	case edge.OpPut:
		if p.race != nil {
			p.race()
			p.race = nil
		}
		if p.down != "" {
			return edge.Result{Err: p.down}
		}
		if op.SHA256 != sha256.Sum256(op.Body) {
			p.t.Errorf("put %s with a wrong sum", op.Key)
		}
		old, ok := p.objects[op.Key]
		if op.IfMatch == "" && ok || op.IfMatch != "" && (!ok || tag(old) != op.IfMatch) {
			return edge.Result{}
		}
		p.puts++
		p.objects[op.Key] = op.Body
		return edge.Result{OK: true}
	}
	p.t.Fatalf("operation %q", op.Kind)
	return edge.Result{}
}

// answer is a response with what the log says.
type answer struct {
	status  int
	header  http.Header
	body    string
	chunks  int
	failure string
}

func (p *platform) ask(e *edge.Edge, method, target string, body []byte, headers ...string) answer {
	p.t.Helper()
	h := http.Header{}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		h.Set(name, value)
	}
	path, query, _ := strings.Cut(target, "?")
	r := edge.Request{Method: method, Path: path, Query: query, Header: h.Get, Body: body}
	if limit := e.MaxBody(method, path); int64(len(body)) > limit {
		r.Body, r.TooLarge = nil, limit > 0
	}
	x := e.Serve(r)
	a := answer{header: http.Header{}}
	var res edge.Result
	for op, ok := x.Next(res); ok; op, ok = x.Next(res) {
		res = edge.Result{}
		switch op.Kind {
		case edge.OpRespond:
			if a.status != 0 {
				p.t.Fatalf("%s %s: a second answer", method, target)
			}
			a.status = op.Status
			for _, h := range op.Headers {
				if a.header.Get(h.Name) != "" {
					p.t.Errorf("%s %s: %s twice", method, target, h.Name)
				}
				a.header.Set(h.Name, h.Value)
			}
			if op.Forward {
				a.body = string(p.opened)
			}
		case edge.OpChunk:
			a.body += string(op.Body)
			a.chunks++
		default:
			res = p.do(op)
		}
	}
	if x.Status != a.status || a.status == 0 {
		p.t.Errorf("%s %s: answered %d, the log says %d", method, target, a.status, x.Status)
	}
	a.failure = x.Failure
	return a
}

const hour = time.Hour

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// bench is a deployment with keys, tokens and a signed bundle.
type bench struct {
	*platform
	e      *edge.Edge
	key    *ecdsa.PrivateKey
	bundle []byte
	path   string // of the bundle below bundles/
}

const (
	uploader = "Authorization: Bearer upload-token"
	reader   = "Authorization: Bearer score-token"
)

func newBench(t *testing.T) *bench {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	known, err := sign.NewKey("test", &key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile("../../../models/flows/1.bundle")
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{key: key, bundle: signed(t, key, raw)}
	b.platform = &platform{t: t, objects: map[string][]byte{}, site: map[string][]byte{
		"/index.html": []byte("<!doctype html>shell"), "/404.html": []byte("<!doctype html>nothing"),
	}}
	b.path = address("flows", "1", b.bundle)
	plain := address("flows", "1", raw)
	b.site["/bundles/"+plain] = raw
	index, err := json.Marshal(map[string]any{
		"default": "flows", "size": 1000 + len(raw), "sample": map[string]string{"path": "sample/lab.csv"},
		"bundles": []map[string]any{{"name": "flows", "version": "1", "path": plain, "bytes": len(raw), "sha256": sum(raw)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	b.site["/bundles/index.json"] = index
	b.e = edge.New(edge.Config{
		Channel: []sign.Key{known}, Publishers: []sign.Key{known}, Release: "9.9.9", Deployment: "d1", Tag: "tagged",
		ScoreTokens: [][32]byte{sha256.Sum256([]byte("score-token"))}, UploadTokens: [][32]byte{sha256.Sum256([]byte("upload-token"))},
		Now: func() time.Time { return now },
	})
	return b
}

func sum(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:]) }

func address(name, version string, b []byte) string {
	return fmt.Sprintf("%s/%s/%s.bundle", name, version, sum(b))
}

// pointer returns a signed channel at a version that names the bundles.
func (b *bench) pointer(version int64, expires time.Time, paths ...string) []byte {
	b.t.Helper()
	c := channel.Channel{Name: "stable", Version: version, Expires: expires, Targets: map[string]channel.Target{}}
	for _, p := range paths {
		body := b.objects["bundles/"+p]
		name, _, _ := strings.Cut(p, "/")
		c.Targets[p] = channel.Target{Length: int64(len(body)), SHA256: sha256.Sum256(body), Title: "Title of " + name, Schema: "flow"}
	}
	text, err := channel.Sign(b.key, c)
	if err != nil {
		b.t.Fatal(err)
	}
	return text
}

// publish stores the bundle and a channel that names it.
func (b *bench) publish(version int64) {
	b.t.Helper()
	if a := b.ask(b.e, "PUT", "/bundles/"+b.path, b.bundle, uploader); a.status != 201 && a.status != 200 {
		b.t.Fatalf("bundle: %d %s", a.status, a.body)
	}
	if a := b.ask(b.e, "PUT", "/channel.json", b.pointer(version, now.Add(hour), b.path), uploader); a.status != 200 {
		b.t.Fatalf("channel: %d %s", a.status, a.body)
	}
}
