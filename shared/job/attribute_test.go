package job

import (
	"bytes"
	"math"
	"reflect"
	"testing"
)

func attributed(t *testing.T) Attributions {
	t.Helper()
	var a Attributions
	for row := range int64(3) {
		r := Record{Row: row + 1, Class: int(row), Base: 0.25, Margin: 0.5, Additivity: 1e-16 * float64(row)}
		for _, f := range []int{2, 0, 1} { // any order
			p := Number(float64(f) / 2)
			if f == 1 {
				p = Number(math.NaN())
			}
			r.Attributions = append(r.Attributions, Attribution{Feature: f, SHAP: float64(f) - 0.5, Percentile: p})
		}
		if err := a.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

func TestAttributions_roundTrip(t *testing.T) {
	a := attributed(t)
	if want := []float32{-0.5, 0.5, 1.5}; !reflect.DeepEqual(a.SHAP[3:6], want) || !bytes.Equal(a.Percentile[:3], []byte{0, NoPercentile, 254}) || a.Additivity != 2e-16 {
		t.Errorf("%+v", a)
	}
	data := a.AppendBinary(nil)
	var got Attributions
	if err := got.decode(data); err != nil || !reflect.DeepEqual(got, a) {
		t.Errorf("%+v, %v", got, err)
	}
	for n := range data {
		if err := new(Attributions).decode(data[:n]); err == nil {
			t.Errorf("the first %d of %d bytes are accepted", n, len(data))
		}
	}
	if err := new(Attributions).decode(append(data, 0)); err == nil {
		t.Error("a trailing byte is accepted")
	}
}

func TestAttributions_refusesWhatDoesNotFit(t *testing.T) {
	a := attributed(t)
	for name, r := range map[string]Record{
		"another width":     {Attributions: make([]Attribution, 2)},
		"a feature of none": {Attributions: []Attribution{{}, {Feature: 3}, {}}},
		"a negative class":  {Class: -1, Attributions: make([]Attribution, 3)},
	} {
		b := a
		if err := b.Add(r); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func FuzzAttributions(f *testing.F) {
	var a Attributions
	_ = a.Add(Record{Row: 1, Attributions: []Attribution{{SHAP: 1}}})
	f.Add(a.AppendBinary(nil))
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		var a Attributions
		if a.decode(data) != nil {
			return
		}
		var b Attributions
		again := a.AppendBinary(nil)
		if err := b.decode(again); err != nil || !bytes.Equal(b.AppendBinary(nil), again) {
			t.Errorf("%v", err)
		}
	})
}
