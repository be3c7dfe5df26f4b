package telemetry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Preparer is stage 4, fitted: features to the matrix that models other than
// trees want. Missing cells become the training median and get a flag column
// if any was missing in training; skewed columns go through [SignedLog]; then
// come centre, scale and clip. It is immutable and safe for concurrent use.
type Preparer struct {
	columns []PreparedColumn
}

// PreparedColumn says what becomes of one feature.
type PreparedColumn struct {
	Name   string  `json:"name"`
	Fill   float64 `json:"fill"`   // of missing cells, before the logarithm; 0 if training had no value
	Flag   bool    `json:"flag"`   // a column <Name>_missing follows: 1 where the cell was missing
	Log    bool    `json:"log"`    // signed logarithm first
	Center float64 `json:"center"` // 0 for threat signals
	Scale  float64 `json:"scale"`  // above 0; 1 for threat signals
	Clip   float64 `json:"clip"`   // bound of the result's size, 0 for none
}

// FitPreparer fits the stage on the n rows of x, n×len(features) row-major,
// leaving out rows that are flagged anomalous: what is unusual must not set
// the scale. If every row is flagged, all are used. Threat signals are
// neither scaled nor clipped. No column is dropped: one without any value in
// training becomes 0 with a flag. It costs O(n log n) a column.
func FitPreparer(c Config, features []Feature, x []float64, flagged []bool) (*Preparer, error) {
	d := len(features)
	if d == 0 || len(x)%d != 0 || len(flagged) != len(x)/d {
		return nil, fmt.Errorf("telemetry: %d values and %d flags do not fit %d features", len(x), len(flagged), d)
	}
	usable := !slices.Contains(flagged, false)
	p := &Preparer{columns: make([]PreparedColumn, d)}
	var values []float64
	for j, f := range features {
		values = values[:0]
		missing := false
		for i := range flagged {
			v := x[i*d+j]
			bad := math.IsNaN(v) || math.IsInf(v, 0)
			missing = missing || bad
			if !bad && (usable || !flagged[i]) {
				values = append(values, v)
			}
		}
		p.columns[j] = fitColumn(c, f, values, missing)
	}
	return p, nil
}

// fitColumn fits one column on its values, which it sorts in place.
func fitColumn(c Config, f Feature, values []float64, missing bool) PreparedColumn {
	out := PreparedColumn{Name: f.Name, Flag: missing, Scale: 1}
	if len(values) == 0 {
		return out
	}
	slices.Sort(values)
	out.Fill = quantile(values, .5)
	if f.Threat {
		if missing {
			out.Fill = 0 // what is not known is no threat
		}
		return out
	}
	out.Clip = c.Clip
	skew, _ := moments(values, mean(values))
	if out.Log = slices.Contains(c.LogColumns, f.Name) && !strings.HasSuffix(f.Name, "_log") || math.Abs(skew) > c.LogSkewness; out.Log {
		for i, v := range values {
			values[i] = SignedLog(v)
		}
	}
	switch m := mean(values); c.Scaler {
	case Standard:
		out.Center, out.Scale = m, deviation(values, m)
	case MinMax:
		out.Center, out.Scale = values[0], values[len(values)-1]-values[0]
	default:
		out.Center, out.Scale = quantile(values, .5), quantile(values, .75)-quantile(values, .25)
		if out.Scale == 0 { // more than half are equal: the deviation, as for a standard scaler
			out.Scale = deviation(values, m)
		}
	}
	if !(out.Scale > 1e-12*math.Abs(out.Center) && out.Scale > 0) {
		out.Scale = 1
	}
	return out
}

// Columns returns what becomes of each feature. The slice is a copy.
func (p *Preparer) Columns() []PreparedColumn { return slices.Clone(p.columns) }

// Names returns the names of the columns that Row appends.
func (p *Preparer) Names() []string {
	var out []string
	for _, c := range p.columns {
		out = append(out, c.Name)
		if c.Flag {
			out = append(out, c.Name+"_missing")
		}
	}
	return out
}

// Row appends the matrix row of the features in x to dst, parallel to Names.
// Every value is finite.
func (p *Preparer) Row(dst, x []float64) []float64 {
	for j, c := range p.columns {
		v := x[j]
		bad := math.IsNaN(v) || math.IsInf(v, 0)
		if bad {
			v = c.Fill
		}
		if c.Log {
			v = SignedLog(v)
		}
		v = (v - c.Center) / c.Scale
		if c.Clip > 0 {
			v = max(-c.Clip, min(c.Clip, v))
		}
		dst = append(dst, v)
		if c.Flag {
			flag := 0.0
			if bad {
				flag = 1
			}
			dst = append(dst, flag)
		}
	}
	return dst
}

// AppendJSON appends the fitted stage, a column a line.
func (p *Preparer) AppendJSON(dst []byte) ([]byte, error) {
	dst = append(dst, '[')
	for i, c := range p.columns {
		b, err := json.Marshal(c)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(dst, '\n'), b...)
	}
	return append(dst, "\n]\n"...), nil
}

// DecodePreparer reads what [Preparer.AppendJSON] wrote; any other spelling is
// an error, as is a number out of range.
func DecodePreparer(b []byte) (*Preparer, error) {
	var p Preparer
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&p.columns); err != nil {
		return nil, fmt.Errorf("telemetry: preparer: byte %d: %w", d.InputOffset(), err)
	}
	for i, c := range p.columns {
		if c.Name == "" || !(c.Scale > 0) || !(c.Clip >= 0) {
			return nil, fmt.Errorf("telemetry: preparer: column %d: name %.64q, scale %v, clip %v", i+1, c.Name, c.Scale, c.Clip)
		}
	}
	if again, err := p.AppendJSON(nil); err != nil || !bytes.Equal(again, b) {
		return nil, errors.New("telemetry: preparer: not in canonical form")
	}
	return &p, nil
}

// Split divides windows by time, device by device: the first share of each
// device's windows is training, the rest validation; at least one of a
// device's windows is training, and at least one is validation when it has
// two. It returns for each window whether it is validation.
func Split(devices []string, starts []int64, share float64) []bool {
	byDevice := map[string][]int{}
	var order []string
	for i, d := range devices {
		if byDevice[d] == nil {
			order = append(order, d)
		}
		byDevice[d] = append(byDevice[d], i)
	}
	out := make([]bool, len(devices))
	for _, d := range order {
		rows := byDevice[d]
		slices.SortStableFunc(rows, func(a, b int) int {
			switch {
			case starts[a] < starts[b]:
				return -1
			case starts[a] > starts[b]:
				return 1
			}
			return 0
		})
		k := max(1, min(int(share*float64(len(rows))), len(rows)-1))
		for _, i := range rows[min(k, len(rows)):] {
			out[i] = true
		}
	}
	return out
}
