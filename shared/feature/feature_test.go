package feature_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"cloister/shared/feature"
	"cloister/shared/frame"
)

var steps = []feature.Step{
	{Name: "bytes", Op: feature.OpNumber, From: frame.InBytes, Unit: "bytes", Help: "h"},
	{Name: "service", Op: feature.OpService, From: frame.DstPort, Help: "h"},
	{Name: "mean", Op: feature.OpRatio, From: frame.InBytes, Over: frame.InPackets, Help: "h"},
	{Name: "sum", Op: feature.OpSum, From: frame.InBytes, Over: frame.OutBytes, Help: "h"},
	{Name: "syn", Op: feature.OpFlag, From: frame.TCPFlags, Bit: 1, Help: "h"},
}

// row returns a frame of one row; a field left out is absent.
func row(fields map[string]float64) *frame.Frame {
	f := frame.New(frame.Flow, 1, make([]bool, len(frame.Flow.Fields)))
	f.Row, f.Offset = []int64{1}, []int64{0}
	for name, v := range fields {
		i, ok := frame.Flow.Index(name)
		if !ok {
			panic(name)
		}
		f.Numbers[i] = []float64{v}
	}
	return f
}

func pipeline(t *testing.T) *feature.Pipeline {
	t.Helper()
	p, err := feature.New(frame.Flow, steps)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPipeline_matrix(t *testing.T) {
	nan := math.NaN()
	tests := []struct {
		name                     string
		in, pk, out, port, flags float64
		want                     string
	}{
		{"plain", 100, 4, 50, 443, 2, "[100 6 25 150 1]"},
		{"other flags only", 100, 4, 50, 22, 0xfd, "[100 2 25 150 0]"},
		{"no packets", 100, 0, 50, 80, 3, "[100 5 0 150 1]"},
		{"missing bytes", nan, 0, 50, 1023, 0, "[NaN 17 NaN NaN 0]"},
		{"missing packets", 100, nan, 50, 1024, nan, "[100 18 NaN 150 NaN]"},
		{"dynamic port", 0, 1, 0, 49152, 0, "[0 19 0 0 0]"},
		{"last port", 0, 1, 0, 65535, 0, "[0 19 0 0 0]"},
		{"no port", 0, 1, 0, 65536, 0, "[0 NaN 0 0 0]"},
		{"fraction of a port", 0, 1, 0, 80.5, 0, "[0 NaN 0 0 0]"},
		{"huge flags", 0, 1, 0, 0, 1e300, "[0 0 0 0 0]"},
	}
	p := pipeline(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := row(map[string]float64{frame.InBytes: tt.in, frame.InPackets: tt.pk, frame.OutBytes: tt.out, frame.DstPort: tt.port, frame.TCPFlags: tt.flags})
			if got := fmt.Sprint(p.Matrix(nil, f)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestPipeline_lacking(t *testing.T) {
	p := pipeline(t)
	f := row(map[string]float64{frame.InBytes: 1, frame.OutBytes: 2})
	if got := fmt.Sprint(p.Lacking(f)); got != "[service mean syn]" {
		t.Errorf("got %s", got)
	}
	if got := fmt.Sprint(p.Matrix(nil, f)); got != "[1 NaN NaN 3 NaN]" {
		t.Errorf("got %s", got)
	}
	if got := strings.Join(p.Fields(), " "); got != "IN_BYTES IN_PKTS L4_DST_PORT OUT_BYTES TCP_FLAGS" {
		t.Errorf("fields: %s", got)
	}
}

func TestPipeline_fit(t *testing.T) {
	var x []float64
	for i := range 201 {
		x = append(x, float64(i), math.NaN(), 1, -float64(i), 0)
	}
	p := pipeline(t).Fit(x)
	tests := []struct {
		j       int
		v, want float64
	}{{0, 0, 0}, {0, 100, .5}, {0, 101, .505}, {0, 200, 1}, {0, 1e9, 1}, {3, -200, 0}, {2, 1, 1}, {1, 5, math.NaN()}, {0, math.NaN(), math.NaN()}}
	for _, tt := range tests {
		if got := p.Percentile(tt.j, tt.v); math.Abs(got-tt.want) > 1e-12 || math.IsNaN(got) != math.IsNaN(tt.want) {
			t.Errorf("feature %d, value %v: got %v, want %v", tt.j, tt.v, got, tt.want)
		}
	}
}

func TestPipeline_format(t *testing.T) {
	p := pipeline(t)
	tests := []struct {
		j    int
		v    float64
		want string
	}{{0, 1234567, "1.23457e+06"}, {0, math.NaN(), "missing"}, {1, 2, "SSH"}, {1, 99, "99"}, {4, 1, "set"}, {4, 0, "not set"}}
	for _, tt := range tests {
		if got := p.Format(tt.j, tt.v); got != tt.want {
			t.Errorf("feature %d, value %v: got %q, want %q", tt.j, tt.v, got, tt.want)
		}
	}
}

func TestNew_refuses(t *testing.T) {
	change := func(f func(*feature.Step)) []feature.Step {
		s := []feature.Step{{Name: "a", Op: feature.OpNumber, From: frame.InBytes}}
		f(&s[0])
		return s
	}
	tests := map[string][]feature.Step{
		"no steps":           {},
		"no name":            change(func(s *feature.Step) { s.Name = "" }),
		"repeated name":      {{Name: "a", Op: feature.OpNumber, From: frame.InBytes}, {Name: "a", Op: feature.OpNumber, From: frame.OutBytes}},
		"unknown operation":  change(func(s *feature.Step) { s.Op = "exec" }),
		"unknown field":      change(func(s *feature.Step) { s.From = "X" }),
		"text field":         change(func(s *feature.Step) { s.From = frame.SrcAddr }),
		"needless field":     change(func(s *feature.Step) { s.Over = frame.OutBytes }),
		"lacking field":      change(func(s *feature.Step) { s.Op = feature.OpRatio }),
		"bit out of range":   change(func(s *feature.Step) { s.Op, s.Bit = feature.OpFlag, 8 }),
		"bit without flag":   change(func(s *feature.Step) { s.Bit = 1 }),
		"too few quantiles":  change(func(s *feature.Step) { s.Quantiles = frame.Quantiles{1, 2} }),
		"unsorted quantiles": change(func(s *feature.Step) { s.Quantiles = make(frame.Quantiles, 101); s.Quantiles[0] = 1 }),
	}
	if len(tests) == 0 {
		t.Fatal("no cases")
	}
	for name, s := range tests {
		_, err := feature.New(frame.Flow, s)
		var se *feature.StepError
		if !errors.As(err, &se) {
			t.Errorf("%s: got %v, want a StepError", name, err)
		}
	}
}

func encoded(t *testing.T) []byte {
	t.Helper()
	b, err := pipeline(t).Fit([]float64{1, 2, 3, 4, 0, 5, 6, 7, 8, 1}).AppendJSON(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDecode_roundTrip(t *testing.T) {
	b := encoded(t)
	p, err := feature.Decode(b, frame.Flow)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := p.AppendJSON(nil); err != nil || !bytes.Equal(again, b) {
		t.Errorf("encoding differs, %v", err)
	}
	for i := range b {
		if _, err := feature.Decode(b[:i], frame.Flow); err == nil {
			t.Fatalf("accepted the first %d of %d bytes", i, len(b))
		}
	}
	for name, other := range map[string][]byte{
		"trailing byte":  append(bytes.Clone(b), '\n'),
		"unknown field":  bytes.Replace(b, []byte(`"op"`), []byte(`"exec": 1, "op"`), 1),
		"other schema":   bytes.Replace(b, []byte(`"flow"`), []byte(`"text"`), 1),
		"other spacing":  bytes.Replace(b, []byte(`: `), []byte(`:  `), 1),
		"repeated field": bytes.Replace(b, []byte(`"op"`), []byte(`"op": "sum", "op"`), 1),
	} {
		if _, err := feature.Decode(other, frame.Flow); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// FuzzDecode checks that whatever is accepted encodes to the same bytes and
// makes features without panicking.
func FuzzDecode(f *testing.F) {
	p, err := feature.New(frame.Flow, steps)
	if err != nil {
		f.Fatal(err)
	}
	b, err := p.AppendJSON(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := feature.Decode(b, frame.Flow)
		if err != nil {
			return
		}
		if again, err := p.AppendJSON(nil); err != nil || !bytes.Equal(again, b) {
			t.Error("encoding differs")
		}
		p.Matrix(nil, row(map[string]float64{frame.InBytes: 1e300, frame.DstPort: -5, frame.TCPFlags: math.MaxFloat64}))
	})
}
