package train

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"slices"
	"strings"

	"cloister/builder/internal/packed"
	"cloister/builder/internal/train/past"
	"cloister/shared/attack"
	"cloister/shared/feature"
	"cloister/shared/frame"
	"cloister/shared/ingest"
)

// File is labelled input.
type File struct {
	Name string // for the card: no folder
	io.ReaderAt
	Size int64
}

// Table is the labelled rows of the files in memory.
type Table struct {
	X        []float64 // n×d row-major; nil for a recipe of texts
	Fields   []float64 // n×f, the raw number fields behind the features, Names in order
	Names    []string  // of the fields, length f
	Other    []float64 // n×columns of Unusual, nil without
	Around   []float64 // n×past.Names: what came before each row in its file; nil for a recipe of texts
	Identity []float64 // n×5: addresses, ports and start, for the identity baseline; nil for a recipe of texts
	// Frame holds the texts of the rows, for a recipe of texts.
	Frame    *frame.Frame
	Place    []Place  // n
	Class    []int    // n, index into Classes
	Classes  []string // in the recipe's order, else benign first, then by name
	Files    []Input
	Rejected map[string]int64
	Repairs  map[string]int64
	NoLabel  int
	Pipeline *feature.Pipeline // not fitted yet; nil for a recipe of texts
	Unusual  *feature.Pipeline // what the anomaly model reads instead, not fitted yet; nil for none
}

// Input records a file that was read.
type Input struct {
	Name   string
	SHA256 string
	Rows   int
}

// identityColumns is the width of [Table.Identity].
const identityColumns = 5

// Read reads the files and makes the recipe's features. Rows that cannot be
// read or have no label are counted, not used.
func Read(files []File, r Recipe) (*Table, error) {
	t := &Table{Rejected: map[string]int64{}, Repairs: map[string]int64{}}
	if err := t.prepare(r); err != nil {
		return nil, err
	}
	var labels []string
	for _, f := range files {
		before := len(labels)
		var err error
		if labels, err = t.read(f, r, labels); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		hash := sha256.New()
		if _, err := io.Copy(hash, io.NewSectionReader(f, 0, f.Size)); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		t.Files = append(t.Files, Input{f.Name, hex.EncodeToString(hash.Sum(nil)), len(labels) - before})
	}
	if len(labels) == 0 {
		return nil, errors.New("no row has a label: training needs a column Attack or Label")
	}
	t.classes(labels, r)
	if len(t.Classes) < 2 {
		return nil, fmt.Errorf("all %d rows have the label %.64q: a classifier needs two classes", len(labels), t.Classes[0])
	}
	return t, nil
}

// prepare makes what the recipe reads.
func (t *Table) prepare(r Recipe) (err error) {
	if r.Texts() {
		has := make([]bool, len(r.Schema.Fields))
		for i, field := range r.Schema.Fields {
			has[i] = field.Kind == frame.Text && r.reads(field.Name)
		}
		t.Frame = frame.New(r.Schema, 0, has)
		return nil
	}
	if t.Pipeline, err = feature.New(r.Schema, r.Steps); err != nil {
		return err
	}
	for _, name := range t.Pipeline.Fields() {
		if k, _ := r.Schema.Index(name); r.Schema.Fields[k].Kind == frame.Number {
			t.Names = append(t.Names, name)
		}
	}
	if r.Unusual == nil {
		return nil
	}
	if t.Unusual, err = feature.New(r.Schema, r.Unusual); err != nil {
		return err
	}
	for _, name := range t.Unusual.Fields() {
		if k, _ := r.Schema.Index(name); r.Schema.Fields[k].Kind == frame.Number && !slices.Contains(t.Names, name) {
			t.Names = append(t.Names, name)
		}
	}
	return nil
}

func (t *Table) read(f File, r Recipe, labels []string) ([]string, error) {
	src, err := ingest.OpenWith(f, f.Size, packed.Options(ingest.Options{Want: r.Schema}))
	var other *ingest.SchemaError
	if errors.As(err, &other) && r.Texts() && other.Have == frame.Flow { // flows become sentences
		src, err = ingest.OpenWith(f, f.Size, packed.Options(ingest.Options{}))
	}
	if err != nil {
		return nil, err
	}
	schema := src.Schema()
	sentences := schema == frame.Flow && r.Texts()
	name := r.Label
	if sentences {
		name = frame.Label
	}
	label, ok := schema.Index(name)
	if schema != r.Schema && !sentences || !ok {
		return nil, fmt.Errorf("the file holds %ss, recipe %s learns from %ss", schema.Name, r.Name, r.Schema.Name)
	}
	var x, unusual, around []float64
	before := past.New()
	for {
		fr, err := src.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		for _, r := range fr.Rejects {
			t.Rejected[r.Reason]++
		}
		rows := fr
		if sentences {
			rows = feature.Sentences(fr)
		}
		if t.Frame == nil {
			x = t.Pipeline.Matrix(x, fr)
			around = before.Append(around[:0], fr)
			if t.Unusual != nil {
				unusual = t.Unusual.Matrix(unusual, fr)
			}
		}
		for i := range fr.Len() {
			name := ""
			if fr.Texts[label] != nil {
				name = fr.Texts[label][i]
			}
			if sentences && name != "" {
				name = FamilyOf(name).Severity
			}
			if name == "" || r.Order != nil && !slices.ContainsFunc(r.Order, func(s string) bool { return attack.Key(s) == attack.Key(name) }) {
				t.NoLabel++
				continue
			}
			labels = append(labels, name)
			t.Place = append(t.Place, Place{len(t.Files), fr.Row[i]})
			if t.Frame != nil {
				t.keep(rows, i)
				continue
			}
			d := t.Pipeline.Len()
			t.X = append(t.X, x[i*d:(i+1)*d]...)
			if t.Unusual != nil {
				d := t.Unusual.Len()
				t.Other = append(t.Other, unusual[i*d:(i+1)*d]...)
			}
			c := len(past.Names())
			t.Around = append(t.Around, around[i*c:(i+1)*c]...)
			for _, name := range t.Names {
				k, _ := schema.Index(name) // feature.New checked the names
				t.Fields = append(t.Fields, cell(fr, k, i))
			}
			t.Identity = appendIdentity(t.Identity, fr, i)
		}
	}
	for why, n := range src.Repairs() {
		t.Repairs[why] += n
	}
	return labels, nil
}

// keep appends the texts of row i of f.
func (t *Table) keep(f *frame.Frame, i int) {
	t.Frame.Row, t.Frame.Offset = append(t.Frame.Row, int64(len(t.Frame.Row)+1)), append(t.Frame.Offset, 0)
	for k := range t.Frame.Texts {
		if t.Frame.Texts[k] == nil {
			continue
		}
		v := ""
		if f.Texts[k] != nil {
			v = f.Texts[k][i]
		}
		t.Frame.Texts[k] = append(t.Frame.Texts[k], v)
	}
}

func cell(f *frame.Frame, field, row int) float64 {
	if f.Numbers[field] == nil {
		return math.NaN()
	}
	return f.Numbers[field][row]
}

// appendIdentity appends what identifies hosts and moments: both addresses as
// numbers, both ports, the start time.
func appendIdentity(dst []float64, f *frame.Frame, row int) []float64 {
	for _, name := range []string{frame.SrcAddr, frame.DstAddr} {
		k, _ := f.Schema.Index(name)
		v := math.NaN()
		if f.Texts[k] != nil {
			if a, err := netip.ParseAddr(f.Texts[k][row]); err == nil {
				v = 0
				for _, b := range a.AsSlice() {
					v = v*256 + float64(b)
				}
			}
		}
		dst = append(dst, v)
	}
	for _, name := range []string{frame.SrcPort, frame.DstPort, frame.FlowStart} {
		k, _ := f.Schema.Index(name)
		dst = append(dst, cell(f, k, row))
	}
	return dst
}

// classes numbers the labels in the order of the recipe if it has one, joining spellings of one name (data sets write
// both "DoS attacks-Hulk" and "DoS_attacks-Hulk"): the benign one first, the rest by name. A class
// bears the spelling that sorts first.
func (t *Table) classes(labels []string, r Recipe) {
	benign := r.Benign
	spelling := map[string]string{}
	for _, l := range labels {
		key := attack.Key(l)
		if s, ok := spelling[key]; !ok || l < s {
			spelling[key] = l
		}
	}
	for _, s := range spelling {
		t.Classes = append(t.Classes, s)
	}
	place := func(label string) int {
		return slices.IndexFunc(r.Order, func(s string) bool { return attack.Key(s) == attack.Key(label) })
	}
	slices.SortFunc(t.Classes, func(a, b string) int {
		if r.Order != nil {
			return place(a) - place(b)
		}
		aBenign, bBenign := attack.Key(a) == attack.Key(benign), attack.Key(b) == attack.Key(benign)
		switch {
		case aBenign != bBenign && aBenign:
			return -1
		case aBenign != bBenign:
			return 1
		}
		return strings.Compare(a, b)
	})
	index := map[string]int{}
	for i, s := range t.Classes {
		index[attack.Key(s)] = i
	}
	for _, l := range labels {
		t.Class = append(t.Class, index[attack.Key(l)])
	}
}
