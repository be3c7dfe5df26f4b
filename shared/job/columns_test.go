package job_test

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"cloister/shared/job"
	"cloister/shared/job/jobtest"
)

// able is a scorer with all optional methods.
type able struct {
	scorer
	rows  []int64
	parts int // until the end of an export
	sent  int
	trust bool
}

var (
	_ job.Mapper   = (*able)(nil)
	_ job.Keeper   = (*able)(nil)
	_ job.Exporter = (*able)(nil)
)

func (s *able) Propose(f job.File) (job.Proposal, error) {
	return job.Proposal{Format: f.Name(), Schema: "flow", Fields: []job.ProposedField{{Field: "IN_BYTES", Column: "b", Confidence: .5, Factor: 1000, Why: []string{"w"}}}, Columns: []job.SeenColumn{{Column: "b", Samples: []string{"1"}}}}, nil
}

func (s *able) Profile(p job.Profile) (job.Profile, error) {
	if p.Text == "bad" {
		return p, job.Failf("input", "h", "no profile")
	}
	p.Text += "!"
	return p, nil
}

func (s *able) Keys(pem []byte, trust bool) ([]job.Key, error) {
	s.trust = trust
	return []job.Key{{Name: string(pem), Fingerprint: "ab"}}, nil
}

func (s *able) Export(rows []int64, emit func([]byte, job.Progress) bool) (job.Exported, error) {
	s.rows = rows
	buf := make([]byte, 3)
	for s.sent = 0; s.sent < s.parts; s.sent++ {
		for i := range buf { // valid until emit returns, and no longer
			buf[i] = byte('a' + s.sent)
		}
		if !emit(buf, job.Progress{Bytes: int64(s.sent + 1), Total: int64(s.parts), Rows: int64(s.sent)}) {
			return job.Exported{Format: "pcap", Cancelled: true}, nil
		}
		if s.during != nil {
			s.during(s.sent)
		}
	}
	return job.Exported{Format: "pcap", Flows: int64(len(rows)), Packets: 9}, nil
}

func serve(t *testing.T, s job.Scorer) *job.Client {
	t.Helper()
	a, b := jobtest.Pipe()
	go job.Serve(b, s)
	c := job.NewClient(a)
	go c.Run()
	t.Cleanup(func() { a.Close() })
	return c
}

func TestClient_columnsAndKeys(t *testing.T) {
	s := &able{}
	c := serve(t, s)
	p, err := c.Propose(text{strings.NewReader("b\n1\n")})
	if want, _ := s.Propose(text{strings.NewReader("")}); err != nil || !reflect.DeepEqual(p, want) {
		t.Errorf("%+v, %v", p, err)
	}
	q, err := c.Profile(job.Profile{Text: "t", Name: "n", Fields: []job.ProfileField{{Field: "f", Constant: "c"}}})
	if err != nil || q.Text != "t!" || q.Name != "n" || q.Fields[0].Constant != "c" {
		t.Errorf("%+v, %v", q, err)
	}
	var f *job.Failure
	if _, err := c.Profile(job.Profile{Text: "bad"}); !errors.As(err, &f) || f.Help != "h" {
		t.Errorf("%v", err)
	}
	for _, trust := range []bool{true, false} {
		if keys, err := c.Keys([]byte("pem"), trust); err != nil || len(keys) != 1 || keys[0].Name != "pem" || s.trust != trust {
			t.Errorf("%+v, %v", keys, err)
		}
	}
}

func TestClient_exportInParts(t *testing.T) {
	s := &able{parts: 3}
	c := serve(t, s)
	var got []byte
	var last job.Progress
	done, err := c.Export([]int64{900, 3, 3, 7}, nil, func(part []byte, p job.Progress) { got, last = append(got, part...), p })
	if err != nil || done != (job.Exported{Format: "pcap", Flows: 3, Packets: 9}) || string(got) != "aaabbbccc" || last != (job.Progress{Bytes: 3, Total: 3, Rows: 2}) {
		t.Errorf("%+v %q %+v %v", done, got, last, err)
	}
	if !slices.Equal(s.rows, []int64{3, 7, 900}) {
		t.Errorf("rows %v", s.rows)
	}
	if _, err := c.Export(nil, nil, func([]byte, job.Progress) {}); err != nil || len(s.rows) != 0 {
		t.Errorf("no rows: %v, %v", s.rows, err)
	}
}

func TestClient_exportIsCancelled(t *testing.T) {
	s := &able{parts: 1 << 20}
	c := serve(t, s)
	var run job.Run
	n := 0
	s.during = func(int) {}
	done, err := c.Export([]int64{1}, func(r job.Run) { run = r }, func([]byte, job.Progress) {
		if n++; n == 2 {
			if err := run.Cancel(); err != nil {
				t.Error(err)
			}
		}
	})
	if err != nil || !done.Cancelled || s.sent >= s.parts-1 {
		t.Errorf("%+v after %d parts: %v", done, s.sent, err)
	}
}

// A scorer without the methods says so, and a run is not disturbed.
func TestServe_refusesWhatAScorerCannot(t *testing.T) {
	c := serve(t, &scorer{loaded: true})
	asked := 0
	for name, ask := range map[string]func() error{
		"propose": func() error { _, err := c.Propose(text{strings.NewReader("")}); return err },
		"profile": func() error { _, err := c.Profile(job.Profile{}); return err },
		"keys":    func() error { _, err := c.Keys(nil, false); return err },
		"export":  func() error { _, err := c.Export([]int64{1}, nil, nil); return err },
	} {
		if err := ask(); err == nil || !strings.Contains(err.Error(), "this scorer cannot") {
			t.Errorf("%s: %v", name, err)
		}
		asked++
	}
	if asked != 4 {
		t.Error("not all were asked")
	}
	busy := 0
	s := &able{scorer: scorer{loaded: true}, parts: 1}
	var client *job.Client
	a, b := jobtest.Pipe()
	go job.Serve(b, s)
	client = job.NewClient(a)
	go client.Run()
	answers := make(chan error, 2)
	s.during = func(batch int) {
		if batch == 0 {
			go func() { _, err := client.Propose(text{strings.NewReader("x")}); answers <- err }()
			go func() { _, err := client.Export([]int64{1}, nil, func([]byte, job.Progress) {}); answers <- err }()
		}
	}
	if _, err := client.Score(text{strings.NewReader(strings.Repeat("x", 4000))}, job.Options{}, nil, func(job.Progress, *job.Batch) {}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		var f *job.Failure
		if err := <-answers; errors.As(err, &f) && f.Kind == "busy" {
			busy++
		}
	}
	a.Close()
	if busy == 0 {
		t.Error("no request was refused while a file was scored")
	}
}

func FuzzRows(f *testing.F) {
	f.Add([]byte{0})
	f.Add([]byte{2, 1, 200, 1})
	f.Add([]byte{255, 255, 255, 255, 15, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		rows, err := job.DecodeRows(b)
		if err == nil && !bytes.Equal(job.AppendRows(nil, rows), b) {
			t.Errorf("%v does not encode to %x", rows, b)
		}
	})
}
