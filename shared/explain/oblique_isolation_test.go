package explain_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"cloister/shared/explain"
	"cloister/shared/model"
	"cloister/shared/model/modeltest"
	"cloister/shared/model/tree"
)

// obliqueForest has splits of two of four features, to a depth of 5.
func obliqueForest(t *testing.T, r *rand.Rand) *tree.Ensemble {
	t.Helper()
	s := tree.Source{Kind: tree.Isolation, Features: 4, Outputs: 1, SampleSize: 64, Scale: []float64{1, 0.5, 2, 3}}
	for range 10 {
		o := tree.ObliqueTree{}
		for v := range 63 { // a heap
			o.Start = append(o.Start, int32(len(o.Feature)))
			o.Left, o.Right = append(o.Left, int32(2*v+1)), append(o.Right, int32(2*v+2))
			o.Cover = append(o.Cover, float64(1+r.IntN(4)))
			if v < 31 {
				f := int32(r.IntN(3))
				o.Feature = append(o.Feature, f, f+1)
				o.Weight = append(o.Weight, int8(1+r.IntN(100)), int8(-1-r.IntN(100)))
				o.Point = append(o.Point, r.NormFloat64(), r.NormFloat64())
			}
		}
		o.Start = append(o.Start, int32(len(o.Feature)))
		s.Oblique = append(s.Oblique, o)
	}
	e, err := tree.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestExplainer_obliqueValuesAddUp(t *testing.T) {
	r := rand.New(rand.NewPCG(70, 1))
	e := obliqueForest(t, r)
	x, err := explain.New(e)
	if err != nil {
		t.Fatal(err)
	}
	rows := make([]float64, 100*4)
	for i := range rows {
		if rows[i] = 2 * r.NormFloat64(); r.IntN(9) == 0 {
			rows[i] = math.NaN()
		}
	}
	modeltest.Check(t, e, modeltest.Options{
		X: rows, Unit: true, Decode: func(b []byte) (model.Predictor, error) { return tree.Decode(b) },
		Raw: e.Margin, Attribute: x.Values, Base: x.Base,
	})
	phi, chosen, every := make([]float64, len(rows)), make([]float64, len(rows)), make([]float64, len(rows))
	if err := errors.Join(x.Values(phi, rows, 0), x.Chosen(chosen, rows, make([]int, 100)), x.AllValues(every, rows)); err != nil {
		t.Fatal(err)
	}
	some := false
	for i, v := range phi {
		if v != chosen[i] || v != every[i] {
			t.Fatalf("value %d: %v, of the chosen class %v, of all %v", i, v, chosen[i], every[i])
		}
		some = some || v != 0
	}
	if !some {
		t.Error("all values are 0")
	}
}

func TestExplainer_obliqueRefuses(t *testing.T) {
	e := obliqueForest(t, rand.New(rand.NewPCG(70, 2)))
	x, err := explain.New(e)
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Interactions(make([]float64, 16), make([]float64, 4), 0); !errors.Is(err, explain.ErrOblique) {
		t.Errorf("interactions: got %v", err)
	}
	if _, err := explain.NewInterventional(e, make([]float64, 4)); !errors.Is(err, explain.ErrOblique) {
		t.Errorf("interventional: got %v", err)
	}
	for what, err := range map[string]error{
		"short phi":     x.Values(make([]float64, 3), make([]float64, 4), 0),
		"part of a row": x.Values(make([]float64, 3), make([]float64, 3), 0),
	} {
		if _, ok := errors.AsType[*model.ShapeError](err); !ok {
			t.Errorf("%s: got %v, want a ShapeError", what, err)
		}
	}
}
