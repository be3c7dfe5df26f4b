package job_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"cloister/shared/job"
	"cloister/shared/job/jobtest"
)

type text struct{ *strings.Reader }

func (text) Name() string { return "x.csv" }

// scorer counts bytes of the file as rows, two to a batch.
type scorer struct {
	loaded bool
	during func(batch int) // called after each batch was sent
}

func (s *scorer) Load(b []byte) (job.Bundle, error) {
	if string(b) != "good" {
		return job.Bundle{}, job.Failf("bundle", "get another", "bad bundle of %d bytes", len(b))
	}
	s.loaded = true
	return job.Bundle{Name: "n", Threshold: .5, Metrics: []job.Metric{{Name: "m", Value: .25, Low: job.Number(math.NaN())}}}, nil
}

func (s *scorer) Score(f job.File, o job.Options, emit func(job.Progress, *job.Batch) bool) (job.Summary, error) {
	if !s.loaded {
		return job.Summary{}, errors.New("nothing loaded")
	}
	sum := job.Summary{Format: f.Name() + fmt.Sprint(o.MaxRejectShare)}
	for at := int64(0); at < f.Size(); at += 2 {
		n := min(2, f.Size()-at)
		sum.Scored += n
		ok := emit(job.Progress{Bytes: at + n, Total: f.Size(), Rows: sum.Scored}, batch(at+1, n))
		if s.during != nil {
			s.during(int(at / 2))
		}
		if !ok {
			sum.Cancelled = true
			break
		}
	}
	return sum, nil
}

func (s *scorer) Explain(row int64) (job.Record, error) {
	if row > 100 {
		return job.Record{}, errors.New("no such row")
	}
	return job.Record{Row: row, Attributions: []job.Attribution{{SHAP: .5, Percentile: job.Number(math.NaN())}}}, nil
}

func batch(first, n int64) *job.Batch {
	b := &job.Batch{Columns: []job.Column{{Name: "bytes", Unit: "B", Numbers: []float64{}}, {Name: "host"}}}
	for i := range n {
		b.Row = append(b.Row, first+i)
		b.Class = append(b.Class, uint16(i))
		b.Probability = append(b.Probability, .25)
		b.Attack = append(b.Attack, math.Copysign(0, -1))
		b.Anomaly = append(b.Anomaly, math.NaN())
		b.Abstained = append(b.Abstained, i == 1)
		b.Outside, b.Severity = append(b.Outside, i%3 == 0), append(b.Severity, uint8(i%5))
		b.Columns[0].Numbers = append(b.Columns[0].Numbers, math.Inf(1))
		b.Columns[1].Texts = append(b.Columns[1].Texts, "h<"+fmt.Sprint(i%2))
	}
	b.Rejected = []job.Reject{{Row: first, Offset: 9, Reason: "cut", Detail: "d"}}
	return b
}

// start returns a client whose server runs on s until the test ends.
func start(t *testing.T, s job.Scorer) *job.Client {
	t.Helper()
	near, far := jobtest.Pipe()
	c := job.NewClient(near)
	done := make(chan error, 2)
	go func() { done <- job.Serve(far, s) }()
	go func() { done <- c.Run() }()
	t.Cleanup(func() {
		near.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
		far.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if _, err := c.Explain(1); err == nil {
			t.Error("a closed pipe still answers")
		}
	})
	return c
}

func TestClient_conversation(t *testing.T) {
	c := start(t, &scorer{})
	var f *job.Failure
	if _, err := c.Load([]byte("bad")); !errors.As(err, &f) || f.Kind != "bundle" || f.Help != "get another" {
		t.Errorf("bad bundle: %v", err)
	}
	b, err := c.Load([]byte("good"))
	if err != nil || b.Name != "n" || !math.IsNaN(float64(b.Metrics[0].Low)) || b.Metrics[0].Value != .25 {
		t.Fatalf("%+v, %v", b, err)
	}
	var rows []int64
	var last job.Progress
	sum, err := c.Score(text{strings.NewReader("hello")}, job.Options{MaxRejectShare: .5}, nil, func(p job.Progress, b *job.Batch) {
		last = p
		if b != nil {
			rows = append(rows, b.Row...)
			if want := batch(b.Row[0], int64(len(b.Row))); fmt.Sprintf("%#v", b) != fmt.Sprintf("%#v", want) {
				t.Errorf("batch changed on the way:\n%#v\n%#v", b, want)
			}
		}
	})
	if err != nil || sum.Scored != 5 || sum.Format != "x.csv0.5" || !reflect.DeepEqual(rows, []int64{1, 2, 3, 4, 5}) || last.Bytes != 5 {
		t.Errorf("%+v, %v, rows %v, %+v", sum, err, rows, last)
	}
	r, err := c.Explain(7)
	if err != nil || r.Row != 7 || r.Attributions[0].SHAP != .5 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := c.Explain(101); !errors.As(err, &f) || f.Kind != "input" || f.Text != "no such row" {
		t.Errorf("unknown row: %v", err)
	}
}

func TestServe_cancelKeepsPartialResults(t *testing.T) {
	var run job.Run
	s := &scorer{loaded: true}
	c := start(t, s)
	rows := 0
	s.during = func(batch int) {
		if batch == 1 {
			if err := run.Cancel(); err != nil {
				t.Error(err)
			}
		}
	}
	sum, err := c.Score(text{strings.NewReader(strings.Repeat("x", 1000))}, job.Options{}, func(r job.Run) { run = r }, func(_ job.Progress, b *job.Batch) {
		if b != nil {
			rows += len(b.Row)
		}
	})
	if err != nil || !sum.Cancelled || sum.Scored >= 1000 || int64(rows) != sum.Scored || rows < 4 {
		t.Errorf("%+v, %v, %d rows arrived", sum, err, rows)
	}
}

func TestServe_explainsAndRefusesWhileScoring(t *testing.T) {
	s := &scorer{loaded: true}
	c := start(t, s)
	explained, busy := make(chan error, 1), make(chan error, 1)
	s.during = func(batch int) {
		if batch == 0 {
			asked := make(chan bool)
			go func() { close(asked); _, err := c.Explain(3); explained <- err }()
			go func() { _, err := c.Load([]byte("good")); busy <- err }()
			<-asked
		}
	}
	if _, err := c.Score(text{strings.NewReader(strings.Repeat("x", 20_000))}, job.Options{}, nil, func(job.Progress, *job.Batch) {}); err != nil {
		t.Fatal(err)
	}
	if err := <-explained; err != nil {
		t.Errorf("explain while scoring: %v", err)
	}
	var f *job.Failure
	if err := <-busy; !errors.As(err, &f) || f.Kind != "busy" {
		t.Errorf("load while scoring: %v", err)
	}
}

func TestServe_refusesHostileMessages(t *testing.T) {
	near, far := jobtest.Pipe()
	go func() {
		if err := job.Serve(far, &scorer{loaded: true}); err != nil {
			t.Error(err)
		}
		far.Close()
	}()
	for name, data := range map[string][]byte{
		"nothing":         {},
		"short header":    {1, 2, 0},
		"other version":   {9, 1, 0, 0, 0, 0},
		"unknown kind":    {1, 200, 0, 0, 0, 0},
		"answer":          {1, 9, 0, 0, 0, 0},
		"score, no file":  {1, 2, 0, 0, 0, 0, '{', '}'},
		"score, bad JSON": {1, 2, 0, 0, 0, 0, '['},
		"explain nothing": {1, 3, 0, 0, 0, 0},
	} {
		if err := near.Send(job.Message{Data: data}); err != nil {
			t.Fatal(err)
		}
		m, err := near.Receive()
		if err != nil || len(m.Data) < 7 || m.Data[1] != 10 || !strings.Contains(string(m.Data[6:]), `"protocol"`) {
			t.Errorf("%s: answered %q, %v", name, m.Data, err)
		}
	}
	near.Close()
}

func TestProgress_remaining(t *testing.T) {
	if s, ok := (job.Progress{Bytes: 25, Total: 100}).Remaining(10); !ok || s != 30 {
		t.Errorf("got %v, %v", s, ok)
	}
	if _, ok := (job.Progress{Total: 100}).Remaining(10); ok {
		t.Error("an estimate from nothing")
	}
}

func TestNumber(t *testing.T) {
	b, err := json.Marshal([]job.Number{1.5, job.Number(math.NaN()), job.Number(math.Inf(1))})
	if err != nil || string(b) != "[1.5,null,null]" {
		t.Errorf("%s, %v", b, err)
	}
	var back []job.Number
	if err := json.Unmarshal(b, &back); err != nil || back[0] != 1.5 || !math.IsNaN(float64(back[1])) {
		t.Errorf("%v, %v", back, err)
	}
	if json.Unmarshal([]byte(`["x"]`), &back) == nil {
		t.Error("a text is a number")
	}
}
