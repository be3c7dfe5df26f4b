package past_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"cloister/builder/internal/train/past"
	"cloister/shared/frame"
)

type flow struct {
	at       float64
	from, to string
	port     float64
}

// flowFrame returns the flows as a frame.
func flowFrame(flows []flow) *frame.Frame {
	f := frame.New(frame.Flow, 0, make([]bool, len(frame.Flow.Fields)))
	index := func(name string) int { k, _ := frame.Flow.Index(name); return k }
	f.Numbers[index(frame.FlowStart)], f.Numbers[index(frame.DstPort)] = []float64{}, []float64{}
	f.Texts[index(frame.SrcAddr)], f.Texts[index(frame.DstAddr)] = []string{}, []string{}
	for i, v := range flows {
		f.Row, f.Offset = append(f.Row, int64(i+1)), append(f.Offset, 0)
		f.Numbers[index(frame.FlowStart)] = append(f.Numbers[index(frame.FlowStart)], v.at)
		f.Numbers[index(frame.DstPort)] = append(f.Numbers[index(frame.DstPort)], v.port)
		f.Texts[index(frame.SrcAddr)] = append(f.Texts[index(frame.SrcAddr)], v.from)
		f.Texts[index(frame.DstAddr)] = append(f.Texts[index(frame.DstAddr)], v.to)
	}
	return f
}

// Counts are those of a search through all rows before, for files in order
// and out of order, whole and in pieces.
func TestCounter_asSearched(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for _, jitter := range []float64{0, 4_000, 100_000, 2_000_000} {
		var flows []flow
		now := 1.5e12
		for range 800 {
			now += rng.Float64() * 2000
			flows = append(flows, flow{now - rng.Float64()*jitter, fmt.Sprint("10.0.0.", rng.IntN(4)), fmt.Sprint("10.0.1.", rng.IntN(3)), float64(rng.IntN(30))})
		}
		c := past.New()
		var got []float64
		for lo := 0; lo < len(flows); lo += 97 {
			got = c.Append(got, flowFrame(flows[lo:min(lo+97, len(flows))]))
		}
		names := past.Names()
		checked := 0
		for i, v := range flows {
			for w, span := range past.Windows {
				step := span / 10
				tick := func(at float64) float64 { return math.Floor(at / step) }
				for k, same := range []func(flow) bool{
					func(o flow) bool { return o.from == v.from }, func(o flow) bool { return o.to == v.to }, func(o flow) bool { return o.from == v.from && o.to == v.to },
				} {
					// what a row added is held if its step was when it came, and
					// still is
					newest, want := math.Inf(-1), 0.0
					held := []flow{}
					for _, o := range flows[:i] {
						if !same(o) {
							continue
						}
						newest = max(newest, tick(o.at))
						if tick(o.at) > newest-10 {
							held = append(held, o)
						}
					}
					newest = max(newest, tick(v.at))
					for _, o := range held {
						if tick(o.at) <= tick(v.at) && tick(o.at) > newest-10 {
							want++
						}
					}
					j := k*len(past.Windows) + w
					if g := got[i*len(names)+j]; g != want {
						t.Fatalf("jitter %v: row %d: %s is %v, want %v", jitter, i+1, names[j], g, want)
					}
					checked++
				}
			}
		}
		if checked != 800*9 {
			t.Fatalf("%d checked", checked)
		}
	}
}

func TestCounter_ports(t *testing.T) {
	var flows []flow
	for i := range 50 {
		flows = append(flows, flow{float64(1000 * i), "a", "b", float64(i % 20)})
	}
	flows = append(flows, flow{400_000, "a", "b", 99}, flow{400_001, "z", "b", 1}, flow{400_002, "a", "b", 99}, flow{1000, "a", "b", math.NaN()})
	got := past.New().Append(nil, flowFrame(flows))
	width := len(past.Names())
	for i, want := range map[int]float64{0: 0, 1: 1, 19: 19, 20: 19, 49: 19, 50: 0, 51: 0, 52: 0} {
		if g := got[i*width+width-1]; g != want {
			t.Errorf("row %d: %v ports, want %v", i+1, g, want)
		}
	}
	if !math.IsNaN(got[53*width+width-1]) {
		t.Error("ports of a row without port")
	}
}

// A row without time or address counts nothing and is not counted; what comes
// after a row does not change it.
func TestCounter_missingAndPast(t *testing.T) {
	nan := math.NaN()
	flows := []flow{{1000, "a", "b", 1}, {nan, "a", "b", 1}, {1000, "", "b", 1}, {1000, "a", "", 1}, {math.Inf(1), "a", "b", 1}, {1500, "a", "b", 1}, {1600, "a", "b", 1}}
	got := past.New().Append(nil, flowFrame(flows))
	width := len(past.Names())
	for i, want := range []float64{0, nan, nan, nan, nan, 1, 2} {
		if g := got[i*width]; g != want && !(math.IsNaN(g) && math.IsNaN(want)) {
			t.Errorf("row %d: %v, want %v", i+1, g, want)
		}
	}
	short := past.New().Append(nil, flowFrame(flows[:6]))
	for i, v := range short {
		if v != got[i] && !(math.IsNaN(v) && math.IsNaN(got[i])) {
			t.Errorf("value %d changes from %v to %v when a row follows", i, v, got[i])
		}
	}
	bare := flowFrame(flows[:1])
	clear(bare.Texts)
	if x := past.New().Append(nil, bare); len(x) != width || !math.IsNaN(x[0]) {
		t.Errorf("without columns: %v", x)
	}
}

// More keys than there is room for make it forget, not grow.
func TestCounter_bounded(t *testing.T) {
	c := past.New()
	var got []float64
	for i := range 4 {
		var flows []flow
		for k := range past.MaxKeys / 2 {
			flows = append(flows, flow{float64(i*1000) + float64(k)/100, fmt.Sprint(i, ".", k), fmt.Sprint("x", i, ".", k), 1})
		}
		got = c.Append(got[:0], flowFrame(flows))
	}
	if n := past.Keys(c); n > past.MaxKeys {
		t.Errorf("%d keys", n)
	}
	if got[0] != 0 {
		t.Errorf("a new source has %v flows", got[0])
	}
}
