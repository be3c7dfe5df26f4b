package frame_test

import (
	"math"
	"testing"

	"cloister/shared/frame"
)

func TestSchema_index(t *testing.T) {
	i, ok := frame.Flow.Index(frame.DstPort)
	if !ok || frame.Flow.Fields[i].Name != frame.DstPort {
		t.Errorf("got %d, %v", i, ok)
	}
	if _, ok := frame.Flow.Index("SRC_TO_DST_SECOND_BYTES"); ok {
		t.Error("a corrupt column is part of the schema")
	}
}

func TestNewSchema_panicsOnRepeats(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	frame.NewSchema("x", []frame.Field{{Name: "a"}, {Name: "a"}})
}

func TestFrame_columns(t *testing.T) {
	s := frame.NewSchema("x", []frame.Field{{Name: "a"}, {Name: "b", Kind: frame.Text}, {Name: "c"}})
	f := frame.New(s, 2, []bool{true, true, false})
	if f.Numbers[0] == nil || f.Texts[1] == nil || f.Numbers[2] != nil || f.Texts[0] != nil {
		t.Fatal("columns do not follow has")
	}
	f.Row, f.Numbers[0], f.Texts[1] = append(f.Row, 7), append(f.Numbers[0], 1), append(f.Texts[1], "x")
	f.Rejects = append(f.Rejects, frame.Reject{Row: 8})
	if f.Len() != 1 {
		t.Errorf("length %d", f.Len())
	}
	f.Reset()
	if f.Len() != 0 || len(f.Numbers[0]) != 0 || len(f.Texts[1]) != 0 || len(f.Rejects) != 0 || f.Numbers[0] == nil {
		t.Error("Reset left something, or dropped a column")
	}
}

func TestQuantiles_share(t *testing.T) {
	q := frame.Quantiles{0, 10, 10, 20, 40}
	tests := []struct{ v, want float64 }{
		{-1, 0}, {0, 0}, {5, .125}, {10, .5}, {15, .625}, {20, .75}, {30, .875}, {40, 1}, {41, 1}, {math.Inf(1), 1}, {math.Inf(-1), 0}, {math.NaN(), math.NaN()},
	}
	for _, tt := range tests {
		if got := q.Share(tt.v); got != tt.want && !(math.IsNaN(got) && math.IsNaN(tt.want)) {
			t.Errorf("share of %v: got %v, want %v", tt.v, got, tt.want)
		}
	}
	if !math.IsNaN(frame.Quantiles(nil).Share(1)) {
		t.Error("share in nothing")
	}
	if got := (frame.Quantiles{3, 3, 3}).Share(3); got != 1 {
		t.Errorf("share of the only value: got %v, want 1", got)
	}
}

func TestQuantilesOf(t *testing.T) {
	values := []float64{5, math.NaN(), 1, math.Inf(1), 3, 2, 4}
	got := frame.QuantilesOf(values, 3)
	if len(got) != 3 || got[0] != 1 || got[1] != 3 || got[2] != 5 {
		t.Errorf("got %v, want 1, 3, 5", got)
	}
	if frame.QuantilesOf([]float64{math.NaN()}, 3) != nil {
		t.Error("quantiles of nothing")
	}
	if !got.Valid(3) || got.Valid(4) || (frame.Quantiles{2, 1}).Valid(2) || (frame.Quantiles{1, math.Inf(1)}).Valid(2) || !frame.Quantiles(nil).Valid(9) {
		t.Error("Valid is wrong")
	}
}
