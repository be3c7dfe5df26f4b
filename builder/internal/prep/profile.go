package prep

import (
	"context"
	"math"
	"slices"
	"strings"

	"cloister/shared/attack"
	"cloister/shared/frame"
)

// Profile is what there is to know of some data before learning from them.
type Profile struct {
	Schema  string   `json:"schema"`
	Rows    int      `json:"rows"`
	Columns int      `json:"columns"` // fields of the schema that some file has
	Files   []Input  `json:"files"`
	Fields  []Field  `json:"fields"`
	Absent  []string `json:"absent,omitempty"` // fields of the schema that no file has
	Classes []Class  `json:"classes"`
	// Spellings are the labels as written, when some were joined.
	Spellings []Spelling `json:"spellings,omitempty"`
	NoLabel   int        `json:"without_label"`
	Repeats   RowRepeats `json:"repeats"`
	Remarks   []string   `json:"remarks,omitempty"`
}

// Field describes one column.
type Field struct {
	Name     string `json:"name"`
	Kind     string `json:"kind"` // "number" or "text"
	Unit     string `json:"unit,omitempty"`
	Missing  int    `json:"missing"`
	Distinct int    `json:"distinct"` // different values, missing not counted
	Constant bool   `json:"constant,omitempty"`

	// Of numbers; absent if every value is missing.
	Numbers *Numbers `json:"numbers,omitempty"`
	// Of texts: the commonest values.
	Common []Common `json:"common,omitempty"`
}

// Numbers describes the values of a number field that are not missing.
type Numbers struct {
	Zero   int     `json:"zero"`
	Mean   float64 `json:"mean"`
	SD     float64 `json:"sd"` // of the population
	Min    float64 `json:"min"`
	Q1     float64 `json:"q25"` // quartiles as frame.QuantilesOf defines them: values that occurred
	Median float64 `json:"median"`
	Q3     float64 `json:"q75"`
	Max    float64 `json:"max"`
	// Low and High count the values below Q1 - 1.5 (Q3-Q1) and above
	// Q3 + 1.5 (Q3-Q1), Tukey's outliers.
	Low  int `json:"low_outliers"`
	High int `json:"high_outliers"`
	// Edges and the counts of rows between them, benign or without label, and
	// attacks. A value on an edge lies in the bin to its right, the greatest in
	// the last. Widths grow with the values where these span magnitudes.
	Edges  []float64 `json:"edges"`
	Benign []float64 `json:"benign"`
	Attack []float64 `json:"attack"`
}

// Common is a text that occurs often.
type Common struct {
	Text string `json:"text"`
	Rows int    `json:"rows"`
}

// Class is a label and its rows.
type Class struct {
	Name   string `json:"name"`
	Rows   int    `json:"rows"`
	ByFile []int  `json:"by_file"`
	// Vectors is the number of different feature vectors, Repeated how many rows
	// repeat one of an earlier row of any class, Conflicting how many share their
	// vector with another class.
	Vectors     int    `json:"vectors"`
	Repeated    int    `json:"repeated"`
	Conflicting int    `json:"conflicting"`
	Note        string `json:"note,omitempty"` // what is known of the label
}

// RowRepeats counts rows that are alike.
type RowRepeats struct {
	Rows        int `json:"equal_rows"`    // rows equal to an earlier one in every field
	Vectors     int `json:"vectors"`       // different feature vectors
	Repeated    int `json:"repeated"`      // rows whose vector occurred before
	Groups      int `json:"conflicts"`     // vectors that occur with several labels
	Conflicting int `json:"conflict_rows"` // rows of those
}

const (
	histogramBins = 20
	commonTexts   = 10
	// skewed is the ratio of the largest to the median absolute value from which
	// bins grow with the values.
	skewed = 50
)

// Profile describes the data. It costs a sort of every column and a hash of
// every row. The error is the context's.
func (d *Data) Profile(ctx context.Context, progress func(stage string, done float64)) (*Profile, error) {
	p := &Profile{Schema: d.Schema.Name, Rows: d.Len(), Files: d.Files}
	for k, f := range d.Schema.Fields {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if progress != nil {
			progress("describing "+f.Name, 0.5*float64(k)/float64(len(d.Schema.Fields)))
		}
		switch {
		case d.Numbers[k] != nil:
			p.Fields = append(p.Fields, d.number(k))
		case d.Texts[k] != nil:
			p.Fields = append(p.Fields, d.text(k))
		default:
			p.Absent = append(p.Absent, f.Name)
			continue
		}
		p.Columns++
	}
	for c, name := range d.Classes {
		class := Class{Name: name, ByFile: make([]int, len(d.Files))}
		if m, ok := attack.ForLabel(name); ok {
			class.Note = m.Note
		}
		for i, of := range d.Class {
			if of == c {
				class.Rows++
				class.ByFile[d.File[i]]++
			}
		}
		p.Classes = append(p.Classes, class)
	}
	for _, c := range d.Class {
		if c < 0 {
			p.NoLabel++
		}
	}
	if len(d.Spellings) > len(d.Classes) {
		p.Spellings = d.Spellings
	}
	if err := d.repeats(ctx, p, progress); err != nil {
		return nil, err
	}
	p.Remarks = d.remarks(p)
	return p, nil
}

func (d *Data) number(k int) Field {
	f := d.Schema.Fields[k]
	out := Field{Name: f.Name, Kind: "number", Unit: f.Unit}
	var values []float64
	n := &Numbers{}
	for _, v := range d.Numbers[k] {
		if math.IsNaN(v) {
			out.Missing++
			continue
		}
		if v == 0 {
			n.Zero++
		}
		values = append(values, v)
	}
	if len(values) == 0 {
		return out
	}
	for i, v := range values { // Welford: bytes squared overflow the digits
		delta := v - n.Mean
		n.Mean += delta / float64(i+1)
		n.SD += delta * (v - n.Mean)
	}
	n.SD = math.Sqrt(n.SD / float64(len(values)))
	slices.Sort(values)
	for i, v := range values {
		if i == 0 || v != values[i-1] {
			out.Distinct++
		}
	}
	q := frame.QuantilesOf(values, 5)
	n.Min, n.Q1, n.Median, n.Q3, n.Max = q[0], q[1], q[2], q[3], q[4]
	out.Constant = n.Min == n.Max
	reach := 1.5 * (n.Q3 - n.Q1)
	for _, v := range values {
		switch {
		case v < n.Q1-reach:
			n.Low++
		case v > n.Q3+reach:
			n.High++
		}
	}
	n.Edges = edges(n.Min, n.Median, n.Max)
	n.Benign, n.Attack = make([]float64, len(n.Edges)-1), make([]float64, len(n.Edges)-1)
	for i, v := range d.Numbers[k] {
		if math.IsNaN(v) {
			continue
		}
		bin, at := slices.BinarySearch(n.Edges, v)
		if !at {
			bin--
		}
		bin = min(max(bin, 0), len(n.Edges)-2)
		if c := d.Class[i]; c >= 0 && c != d.Benign {
			n.Attack[bin]++
		} else {
			n.Benign[bin]++
		}
	}
	out.Numbers = n
	return out
}

// edges returns the borders of the bins of a histogram: evenly spaced, or, for
// values from 0 up that span magnitudes, 0 and then powers with even exponents.
func edges(lo, median, hi float64) []float64 {
	if lo == hi {
		return []float64{lo, math.Nextafter(hi, math.Inf(1))}
	}
	if lo >= 0 && hi > skewed*max(median, 1) {
		first := max(lo, 1)
		out := []float64{lo}
		if first > lo {
			out = append(out, first)
		}
		base := len(out) - 1
		for k := 1; k <= histogramBins; k++ {
			v := first * math.Pow(hi/first, float64(k)/histogramBins)
			if k == histogramBins {
				v = hi
			}
			if v > out[base+k-1] {
				out = append(out, v)
			}
		}
		return out
	}
	out := make([]float64, histogramBins+1)
	for k := range out {
		out[k] = lo + (hi-lo)*float64(k)/histogramBins
	}
	out[histogramBins] = hi
	return out
}

func (d *Data) text(k int) Field {
	out := Field{Name: d.Schema.Fields[k].Name, Kind: "text"}
	count := map[string]int{}
	for _, s := range d.Texts[k] {
		if s == "" {
			out.Missing++
		} else {
			count[s]++
		}
	}
	out.Distinct, out.Constant = len(count), len(count) == 1
	for s, n := range count {
		out.Common = append(out.Common, Common{s, n})
	}
	slices.SortFunc(out.Common, func(a, b Common) int {
		if a.Rows != b.Rows {
			return b.Rows - a.Rows
		}
		return strings.Compare(a.Text, b.Text)
	})
	out.Common = out.Common[:min(len(out.Common), commonTexts)]
	return out
}

// repeats fills in which rows are alike.
func (d *Data) repeats(ctx context.Context, p *Profile, progress func(string, float64)) error {
	rows := map[Hash]bool{}
	type group struct {
		class int
		mixed bool
	}
	vectors := map[Hash]*group{}
	of := make([]*group, d.Len())
	for i := range of {
		if i%8192 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			if progress != nil {
				progress("comparing rows", 0.5+0.5*float64(i)/float64(d.Len()))
			}
		}
		h := d.RowHash(i)
		if rows[h] {
			p.Repeats.Rows++
		}
		rows[h] = true
		h, c := d.VectorHash(i), d.Class[i]
		g := vectors[h]
		switch {
		case g == nil:
			g = &group{class: c}
			vectors[h] = g
			if c >= 0 {
				p.Classes[c].Vectors++
			}
		default:
			p.Repeats.Repeated++
			if c >= 0 {
				p.Classes[c].Repeated++
			}
			if g.class != c && !g.mixed {
				g.mixed = true
				p.Repeats.Groups++
			}
		}
		of[i] = g
	}
	p.Repeats.Vectors = len(vectors)
	for i, g := range of {
		if g.mixed {
			p.Repeats.Conflicting++
			if c := d.Class[i]; c >= 0 {
				p.Classes[c].Conflicting++
			}
		}
	}
	return nil
}

// remarks says what a reader of the figures should know.
func (d *Data) remarks(p *Profile) []string {
	var out []string
	has := map[string]bool{}
	for _, c := range d.Classes {
		has[attack.Key(c)] = true
	}
	if has["ftpbruteforce"] && has["dosattacksslowhttptest"] {
		out = append(out, "FTP-BruteForce and DoS attacks-SlowHTTPTest of 2018 are the same refused connections to port 21 (Liu et al. 2022): a model cannot keep them apart and should not be asked to.")
	}
	if has["infilteration"] || has["infiltration"] {
		out = append(out, "Infilteration is mostly a port scan from the victim inward (Liu et al. 2022): read it as scanning.")
	}
	for _, f := range p.Fields {
		if f.Constant {
			out = append(out, f.Name+" is constant: it cannot inform.")
		}
	}
	if p.Repeats.Repeated*10 > p.Rows {
		out = append(out, "More than a tenth of the rows repeat the features of another: a random split puts equal rows on both sides; compare with the grouped split.")
	}
	if d.Benign < 0 && len(d.Classes) > 0 && d.Schema == frame.Flow {
		out = append(out, "No class is known as ordinary traffic.")
	}
	return out
}
