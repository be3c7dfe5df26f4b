package tune

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// The kinds of dimension.
const (
	// Int draws whole numbers from Low to High, both included, all alike.
	Int = "int"
	// Log draws numbers from Low to High, the logarithm being uniform, and
	// keeps three digits of them so that a report can name them in full.
	Log = "log"
	// Choice draws one of Grid.
	Choice = "choice"
)

// Dimension is one parameter and the values that it may take.
type Dimension struct {
	Name string    `json:"name"`
	Kind string    `json:"kind"`
	Low  float64   `json:"low,omitempty"`  // not for Choice
	High float64   `json:"high,omitempty"` // not for Choice
	Grid []float64 `json:"grid"`           // what a grid search tries, each once
}

// Space is a model with the parameters that vary; all others keep the default
// of package grow. The parameters of a forest are trees, min_leaf,
// features_share (0: the root of their number), max_depth (0: no limit) and
// weight_power; those of boosting rounds, eta, max_depth (0: no limit), lambda,
// subsample, colsample (for each tree), min_child_weight and weight_power.
type Space struct {
	Model      string      `json:"model"`
	Dimensions []Dimension `json:"dimensions"`
}

// MaxCandidates bounds what one search tries.
const MaxCandidates = 10_000

// maxSpaceBytes bounds the text of a space: some hundred times the default's.
const maxSpaceBytes = 1 << 20

// DefaultSpace returns the space that is searched when none is given: 48
// points of the grid for either kind of model, false for another kind.
// Sizes come last, so that cheap and dear candidates take turns and an
// estimate of the time left is soon right.
func DefaultSpace(kind string) (Space, bool) {
	weight := Dimension{Name: "weight_power", Kind: Choice, Grid: []float64{0, 0.5, 1}}
	switch kind {
	case Forest:
		return Space{Forest, []Dimension{
			weight,
			{Name: "min_leaf", Kind: Int, Low: 1, High: 10, Grid: []float64{1, 3}},
			{Name: "features_share", Kind: Log, Low: 0.1, High: 0.8, Grid: []float64{0.15, 0.4}},
			{Name: "max_depth", Kind: Int, Low: 4, High: 32, Grid: []float64{10, 32}},
			{Name: "trees", Kind: Int, Low: 50, High: 300, Grid: []float64{100, 200}},
		}}, true
	case Boosting:
		weight.Grid = weight.Grid[:2]
		return Space{Boosting, []Dimension{
			weight,
			{Name: "eta", Kind: Log, Low: 0.03, High: 0.5, Grid: []float64{0.1, 0.3}},
			{Name: "lambda", Kind: Log, Low: 0.1, High: 10, Grid: []float64{1}},
			{Name: "subsample", Kind: Log, Low: 0.5, High: 1, Grid: []float64{0.8, 1}},
			{Name: "colsample", Kind: Log, Low: 0.4, High: 1, Grid: []float64{1}},
			{Name: "min_child_weight", Kind: Log, Low: 0.1, High: 10, Grid: []float64{1}},
			{Name: "max_depth", Kind: Int, Low: 3, High: 10, Grid: []float64{4, 6, 8}},
			{Name: "rounds", Kind: Int, Low: 50, High: 300, Grid: []float64{100, 200}},
		}}, true
	}
	return Space{}, false
}

// TextSpace returns the space of forests on texts: what counts there is how
// the rare classes are heard, by weights and by leaves that are no single row.
func TextSpace() Space {
	return Space{Forest, []Dimension{
		{Name: "extra", Kind: Choice, Grid: []float64{0, 1}},
		{Name: "deep", Kind: Choice, Grid: []float64{0, 0.5}},
		{Name: "min_leaf", Kind: Choice, Grid: []float64{1, 2, 3}},
		{Name: "weight_power", Kind: Choice, Grid: []float64{0.5, 1}},
		{Name: "trees", Kind: Choice, Grid: []float64{60}},
	}}
}

// ParseSpace reads a space as JSON, as result.json holds it. Unknown fields,
// unknown parameters and values out of range are errors.
func ParseSpace(r io.Reader) (Space, error) {
	var s Space
	text, err := io.ReadAll(io.LimitReader(r, maxSpaceBytes+1))
	if err != nil {
		return s, err
	}
	if len(text) > maxSpaceBytes {
		return s, fmt.Errorf("space: more than %d bytes", maxSpaceBytes)
	}
	if err := decodeStrict(text, &s); err != nil {
		return s, fmt.Errorf("space: %w", err)
	}
	return s, s.check()
}

// decodeStrict decodes one JSON value without unknown fields or anything after it.
func decodeStrict(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("more text after byte %d", d.InputOffset())
	}
	return nil
}

// check finds the first fault of the space.
func (s Space) check() error {
	if parameters[s.Model] == nil {
		return fmt.Errorf("space: model %.64q: want %s or %s", s.Model, Forest, Boosting)
	}
	if len(s.Dimensions) == 0 {
		return fmt.Errorf("space: no dimension to search")
	}
	for i, d := range s.Dimensions {
		p, ok := find(s.Model, d.Name)
		if !ok {
			var names []string
			for _, p := range parameters[s.Model] {
				names = append(names, p.name)
			}
			return fmt.Errorf("space: dimension %d: %.64q is no parameter of a %s: known are %s", i+1, d.Name, s.Model, strings.Join(names, ", "))
		}
		if slices.ContainsFunc(s.Dimensions[:i], func(e Dimension) bool { return e.Name == d.Name }) {
			return fmt.Errorf("space: dimension %d: %s a second time", i+1, d.Name)
		}
		if err := d.check(p); err != nil {
			return fmt.Errorf("space: dimension %d: %w", i+1, err)
		}
	}
	return nil
}

// check finds the first fault of a dimension that varies p.
func (d Dimension) check(p parameter) error {
	switch d.Kind {
	case Int, Log:
		for _, v := range []float64{d.Low, d.High} {
			if err := p.check(v); err != nil {
				return err
			}
		}
		switch {
		case d.Low > d.High:
			return fmt.Errorf("%s: low %g is above high %g", d.Name, d.Low, d.High)
		case d.Kind == Int && (d.Low != math.Trunc(d.Low) || d.High != math.Trunc(d.High)):
			return fmt.Errorf("%s: kind int needs whole bounds", d.Name)
		case d.Kind == Log && (d.Low <= 0 || p.whole):
			return fmt.Errorf("%s: kind log needs a low above 0 and a parameter that takes fractions", d.Name)
		}
	case Choice:
		if d.Low != 0 || d.High != 0 {
			return fmt.Errorf("%s: kind choice draws from grid, not from low to high", d.Name)
		}
	default:
		return fmt.Errorf("%s: kind %.64q: want int, log or choice", d.Name, d.Kind)
	}
	if len(d.Grid) == 0 {
		return fmt.Errorf("%s: no grid value", d.Name)
	}
	for i, v := range d.Grid {
		if err := p.check(v); err != nil {
			return err
		}
		if slices.Contains(d.Grid[:i], v) {
			return fmt.Errorf("%s: grid value %g a second time", d.Name, v)
		}
	}
	return nil
}

// grid returns all combinations of grid values, the last dimension changing
// fastest.
func (s Space) grid() ([][]float64, error) {
	values := make([][]float64, len(s.Dimensions))
	for i, d := range s.Dimensions {
		values[i] = d.Grid
	}
	if size := product(values); size > MaxCandidates {
		return nil, fmt.Errorf("the grid has more than %d candidates: draw some with a random search", MaxCandidates)
	}
	return combine(values), nil
}

// product returns the number of combinations, at most MaxCandidates+1.
func product(values [][]float64) int {
	size := 1
	for _, v := range values {
		if size *= len(v); size > MaxCandidates {
			return MaxCandidates + 1
		}
	}
	return size
}

// combine returns the combinations of one value of each list.
func combine(values [][]float64) [][]float64 {
	out := [][]float64{nil}
	for _, list := range values {
		var next [][]float64
		for _, head := range out {
			for _, v := range list {
				next = append(next, append(slices.Clone(head), v))
			}
		}
		out = next
	}
	return out
}

// patience is the number of draws in a row that may give nothing new before
// the space counts as used up.
const patience = 1000

// draw returns n different points, or all if the space has no more.
func (s Space) draw(n int, rng *rand.Rand) [][]float64 {
	if all := s.all(); all != nil && len(all) <= 4*n {
		// so small that most draws would repeat
		rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		return all[:min(n, len(all))]
	}
	var out [][]float64
	seen := map[string]bool{}
	for missed := 0; len(out) < n && missed < patience; {
		point := make([]float64, len(s.Dimensions))
		for i, d := range s.Dimensions {
			point[i] = d.draw(rng)
		}
		key := fmt.Sprint(point)
		if seen[key] {
			missed++
			continue
		}
		seen[key], missed = true, 0
		out = append(out, point)
	}
	return out
}

// all returns every point of a small space without fractions, else nil.
func (s Space) all() [][]float64 {
	values := make([][]float64, len(s.Dimensions))
	for i, d := range s.Dimensions {
		switch {
		case d.Kind == Choice:
			values[i] = d.Grid
		case d.Kind == Log || d.High-d.Low >= MaxCandidates:
			return nil
		default:
			for v := d.Low; v <= d.High; v++ {
				values[i] = append(values[i], v)
			}
		}
	}
	if product(values) > MaxCandidates {
		return nil
	}
	return combine(values)
}

// draw returns one value.
func (d Dimension) draw(rng *rand.Rand) float64 {
	switch d.Kind {
	case Int:
		return d.Low + float64(rng.IntN(int(d.High-d.Low)+1))
	case Log:
		low, high := math.Log(d.Low), math.Log(d.High)
		v := math.Exp(low + rng.Float64()*(high-low))
		short, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 3, 64), 64)
		if err != nil {
			panic(err) // unreachable: it was formatted here
		}
		return min(max(short, d.Low), d.High)
	}
	return d.Grid[rng.IntN(len(d.Grid))]
}

// params names the values of a point.
func (s Space) params(point []float64) map[string]float64 {
	out := map[string]float64{}
	for i, d := range s.Dimensions {
		out[d.Name] = point[i]
	}
	return out
}

// describe writes parameters for people, in the order of the dimensions.
func (s Space) describe(params map[string]float64) string {
	var b strings.Builder
	for i, d := range s.Dimensions {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%s=%g", d.Name, params[d.Name])
	}
	return b.String()
}
