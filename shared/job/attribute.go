package job

import (
	"errors"
	"fmt"
	"math"

	"cloister/shared/wire"
)

// MaxAttribute is how many rows one request may ask to explain.
const MaxAttribute = 1024

// Attributions are the explanations of n rows in numbers, each of the row's
// own class; d is the number of [Bundle.Features]. The receiver owns it.
type Attributions struct {
	Row      []int64
	Class    []uint16
	Base     []float64 // of the class
	Margin   []float64
	Features int       // d
	SHAP     []float32 // n×d, row-major
	// Percentile, n×d, is the value's rank among training rows in steps of
	// 1/254; NoPercentile where it is not known.
	Percentile []uint8
	Additivity float64 // the largest |Base + sum of SHAP - Margin|, before SHAP was rounded
}

// NoPercentile stands for a percentile that is not known.
const NoPercentile = 255

// An Attributor is a [Scorer] that explains many rows faster than one by one.
type Attributor interface {
	Scorer
	// Attribute explains rows of the file that Score read last, in order.
	Attribute(rows []int64) (Attributions, error)
}

// attribute explains rows with what s offers.
func attribute(s Scorer, rows []int64) (Attributions, error) {
	if many, ok := s.(Attributor); ok {
		return many.Attribute(rows)
	}
	var a Attributions
	for _, row := range rows {
		r, err := s.Explain(row)
		if err != nil {
			return Attributions{}, err
		}
		if err := a.Add(r); err != nil {
			return Attributions{}, err
		}
	}
	return a, nil
}

// Rank returns a percentile, 0 to 1, as [Attributions] hold it.
func Rank(percentile float64) uint8 {
	if math.IsNaN(percentile) {
		return NoPercentile
	}
	return uint8(math.Round(254 * min(max(percentile, 0), 1)))
}

// Add appends a record. Its attributions may come in any order, but must be of
// as many features as those before.
func (a *Attributions) Add(r Record) error {
	d := len(r.Attributions)
	if len(a.Row) == 0 {
		a.Features = d
	}
	if d != a.Features || r.Class < 0 || r.Class > math.MaxUint16 {
		return fmt.Errorf("row %d: class %d, %d attributions, want %d", r.Row, r.Class, d, a.Features)
	}
	at := len(a.SHAP)
	a.SHAP = append(a.SHAP, make([]float32, d)...)
	a.Percentile = append(a.Percentile, make([]uint8, d)...)
	for i := range d {
		a.Percentile[at+i] = NoPercentile
	}
	for _, x := range r.Attributions {
		if x.Feature < 0 || x.Feature >= d {
			return fmt.Errorf("row %d: feature %d of %d", r.Row, x.Feature, d)
		}
		a.SHAP[at+x.Feature] = float32(x.SHAP)
		a.Percentile[at+x.Feature] = Rank(float64(x.Percentile))
	}
	a.Row, a.Class = append(a.Row, r.Row), append(a.Class, uint16(r.Class))
	a.Base, a.Margin = append(a.Base, r.Base), append(a.Margin, r.Margin)
	a.Additivity = max(a.Additivity, r.Additivity)
	return nil
}

// AppendBinary appends a in wire form.
func (a *Attributions) AppendBinary(dst []byte) []byte {
	var w wire.Writer
	w.Bytes(dst)
	w.Count(len(a.Row))
	w.Uvarint(uint64(a.Features))
	w.F64(a.Additivity)
	for i, row := range a.Row {
		w.Uvarint(uint64(row))
		w.U16(a.Class[i])
		w.F64(a.Base[i])
		w.F64(a.Margin[i])
		for j := i * a.Features; j < (i+1)*a.Features; j++ {
			w.U32(math.Float32bits(a.SHAP[j]))
			w.U8(a.Percentile[j])
		}
	}
	return w.Finish()
}

var errAttributions = errors.New("inconsistent attributions")

// decode reads what AppendBinary wrote; it allocates little more than the
// bytes it reads.
func (a *Attributions) decode(b []byte) error {
	r := wire.NewReader(b)
	n, wide := r.Count(19), r.Uvarint()
	d := int(min(wide, 1<<20))
	out := Attributions{Features: d, Additivity: r.F64()}
	if r.Err() == nil && (n > MaxAttribute || wide > 1<<20 || n > 0 && d > r.Left()/5) {
		r.Fail(errAttributions)
	}
	for range n {
		row, class := r.Uvarint(), r.U16()
		base, margin := r.F64(), r.F64()
		if r.Err() != nil || row > maxPosition || d > r.Left()/5 {
			r.Fail(errAttributions)
			break
		}
		out.Row, out.Class = append(out.Row, int64(row)), append(out.Class, class)
		out.Base, out.Margin = append(out.Base, base), append(out.Margin, margin)
		for range d {
			out.SHAP = append(out.SHAP, math.Float32frombits(r.U32()))
			out.Percentile = append(out.Percentile, r.U8())
		}
	}
	if err := r.Close(); err != nil {
		return Failf("protocol", "", "attributions: %v", err)
	}
	*a = out
	return nil
}
