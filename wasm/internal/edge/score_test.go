package edge_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"cloister/shared/job"
	"cloister/shared/report"
	"cloister/shared/score"
	"cloister/wasm/internal/edge"
)

type memory struct{ *bytes.Reader }

func (memory) Name() string { return "x" }

// lines is what the command line writes for the same rows.
func lines(t *testing.T, b, file []byte, explain int, csv bool) string {
	t.Helper()
	s := score.New()
	info, err := s.Load(b)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	w := report.NewNDJSON(&out)
	if csv {
		w = report.NewCSV(&out)
	}
	_, err = s.Score(memory{bytes.NewReader(file)}, job.Options{}, func(_ job.Progress, b *job.Batch) bool {
		return report.Batch(w, info, b, func(l *report.Line) error {
			if explain > 0 && l.Error == "" {
				explain--
				rec, err := s.Explain(l.Row)
				if err != nil {
					return err
				}
				l.Explain(rec, info)
			}
			return nil
		}) == nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func sample(t *testing.T) []byte {
	t.Helper()
	b, err := os.ReadFile("../../../models/sample/flows.csv")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestEdge_scoresLikeTheCommandLine(t *testing.T) {
	b := newBench(t)
	file := sample(t)
	for _, published := range []bool{false, true} {
		if published {
			b.publish(1)
		}
		for query, want := range map[string]string{
			"": lines(t, b.bundle, file, 0, false), "?explain=3": lines(t, b.bundle, file, 3, false), "?format=csv": lines(t, b.bundle, file, 0, true),
		} {
			a := b.ask(b.e, "POST", "/score"+query, file, reader)
			if a.status != 200 || a.body != want {
				t.Errorf("published %v, %q: %d, %d bytes, want %d", published, query, a.status, len(a.body), len(want))
			}
			if a.chunks < 2 {
				t.Errorf("%q: %d chunks: the answer does not stream", query, a.chunks)
			}
			if !strings.HasPrefix(a.header.Get("Cloister-Bundle"), "flows/1.0.0/") {
				t.Errorf("bundle %q", a.header.Get("Cloister-Bundle"))
			}
		}
	}
	if got := b.ask(b.e, "POST", "/score", file, reader).header.Get("Cloister-Bundle"); got != "flows/1.0.0/"+sum(b.bundle) {
		t.Errorf("scored with %s, the channel says %s", got, sum(b.bundle))
	}
}

func TestEdge_scoringIsOptIn(t *testing.T) {
	b := newBench(t)
	file := sample(t)
	tests := []struct {
		name         string
		e            *edge.Edge
		method, path string
		body         []byte
		auth         string
		status       int
	}{
		{"off", edge.New(edge.Config{}), "POST", "/score", file, reader, 404},
		{"no token", b.e, "POST", "/score", file, "", 401},
		{"the token for uploads", b.e, "POST", "/score", file, uploader, 401},
		{"read", b.e, "GET", "/score", nil, reader, 405},
		{"too large", b.e, "POST", "/score", make([]byte, 2<<20), reader, 413},
		{"too much to explain", b.e, "POST", "/score?explain=1001", file, reader, 400},
		{"nothing to explain", b.e, "POST", "/score?explain=x", file, reader, 400},
		{"csv explained", b.e, "POST", "/score?explain=1&format=csv", file, reader, 400},
		{"another format", b.e, "POST", "/score?format=xml", file, reader, 400},
		{"a broken query", b.e, "POST", "/score?%zz", file, reader, 400},
		{"nothing", b.e, "POST", "/score", nil, reader, 422},
		{"no rows", b.e, "POST", "/score", []byte("hello, world"), reader, 422},
		{"zip bomb's cousin", b.e, "POST", "/score", []byte("\x1f\x8b\x08\x00"), reader, 422},
		{"another bundle", edge.New(edge.Config{ScoreTokens: [][32]byte{sumOf("score-token")}, ScoreBundle: "none"}), "POST", "/score", file, reader, 503},
	}
	for _, tt := range tests {
		a := b.ask(tt.e, tt.method, tt.path, tt.body, tt.auth)
		if a.status != tt.status {
			t.Errorf("%s: %d %s, want %d", tt.name, a.status, a.body, tt.status)
		}
		var r struct{ Error string }
		if json.Unmarshal([]byte(a.body), &r); r.Error == "" {
			t.Errorf("%s: no reason: %q", tt.name, a.body)
		}
	}
	b.publish(1)
	b.objects["channel.json"] = []byte("rotten")
	if a := b.ask(b.e, "POST", "/score", file, reader); a.status != 503 || a.failure == "" {
		t.Errorf("nobody vouches for the bundle: %d, log %q", a.status, a.failure)
	}
}

func sumOf(s string) [32]byte { return sha256.Sum256([]byte(s)) }

func TestEdge_badRowsAreLines(t *testing.T) {
	b := newBench(t)
	file := append(sample(t), "1,2,3\n"...)
	a := b.ask(b.e, "POST", "/score", file, reader)
	got := strings.Split(strings.TrimSpace(a.body), "\n")
	if want := strings.Count(string(file), "\n") - 1; a.status != 200 || len(got) != want || !strings.Contains(got[len(got)-1], `"error"`) {
		t.Errorf("%d, %d lines, want %d; last %s", a.status, len(got), want, got[len(got)-1])
	}
}

func TestEdge_exchangesOverlap(t *testing.T) {
	b := newBench(t)
	file := sample(t)
	want := lines(t, b.bundle, file, 5, false)
	open := func() *edge.Exchange {
		return b.e.Serve(edge.Request{Method: "POST", Path: "/score", Query: "explain=5", Body: file, Header: func(n string) string {
			if n == "Authorization" {
				return "Bearer score-token"
			}
			return ""
		}})
	}
	// each exchange has its own view of the platform; one step in turns
	type one struct {
		x    *edge.Exchange
		p    platform
		r    edge.Result
		body string
		code int
		done bool
	}
	var all []*one
	for range 5 {
		all = append(all, &one{x: open(), p: *b.platform})
	}
	for left := len(all); left > 0; {
		for _, o := range all {
			if o.done {
				continue
			}
			op, ok := o.x.Next(o.r)
			if o.r = (edge.Result{}); !ok {
				o.done = true
				left--
				continue
			}
			switch op.Kind {
			case edge.OpRespond:
				o.code = op.Status
			case edge.OpChunk:
				o.body += string(op.Body)
			default:
				o.r = o.p.do(op)
			}
		}
	}
	codes := map[int]int{}
	for _, o := range all {
		codes[o.code]++
		if o.code == 200 && o.body != want {
			t.Errorf("%d bytes, want %d", len(o.body), len(want))
		}
	}
	if codes[200] != 4 || codes[429] != 1 {
		t.Errorf("answers %v, want four scored and one asked to wait", codes)
	}
	gone := open()
	gone.Next(edge.Result{})
	gone.Stop() // the client goes away before the answer
	if a := b.ask(b.e, "POST", "/score", file, reader); a.status != 200 {
		t.Errorf("after one went away: %d", a.status)
	}
}
