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
	X        []float64 // n×d row-major
	Fields   []float64 // n×f, the raw fields behind the features, FieldNames in order
	Names    []string  // of the fields, length f
	Identity []float64 // n×5: addresses, ports and start, for the identity baseline
	Class    []int     // n, index into Classes
	Classes  []string  // benign first, then by name
	Files    []Input
	Rejected map[string]int64
	Repairs  map[string]int64
	NoLabel  int
	Pipeline *feature.Pipeline // not fitted yet
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
	p, err := feature.New(r.Schema, r.Steps)
	if err != nil {
		return nil, err
	}
	t := &Table{Names: p.Fields(), Rejected: map[string]int64{}, Repairs: map[string]int64{}, Pipeline: p}
	var labels []string
	for _, f := range files {
		before := len(labels)
		if labels, err = t.read(f, labels); err != nil {
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
	t.classes(labels, r.Benign)
	if len(t.Classes) < 2 {
		return nil, fmt.Errorf("all %d rows have the label %.64q: a classifier needs two classes", len(labels), t.Classes[0])
	}
	return t, nil
}

func (t *Table) read(f File, labels []string) ([]string, error) {
	src, err := ingest.Open(f, f.Size, ingest.Limits{})
	if err != nil {
		return nil, err
	}
	schema := src.Schema()
	label, _ := schema.Index(frame.Label)
	fields := make([]int, len(t.Names))
	for i, name := range t.Names {
		fields[i], _ = schema.Index(name) // feature.New checked the names
	}
	var x []float64
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
		x = t.Pipeline.Matrix(x, fr)
		d := t.Pipeline.Len()
		for i := range fr.Len() {
			if fr.Texts[label] == nil || fr.Texts[label][i] == "" {
				t.NoLabel++
				continue
			}
			labels = append(labels, fr.Texts[label][i])
			t.X = append(t.X, x[i*d:(i+1)*d]...)
			for _, k := range fields {
				t.Fields = append(t.Fields, number(fr, k, i))
			}
			t.Identity = appendIdentity(t.Identity, fr, i)
		}
	}
	for why, n := range src.Repairs() {
		t.Repairs[why] += n
	}
	return labels, nil
}

func number(f *frame.Frame, field, row int) float64 {
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
		dst = append(dst, number(f, k, row))
	}
	return dst
}

// classes numbers the labels, joining spellings of one name (data sets write
// both "DoS attacks-Hulk" and "DoS_attacks-Hulk"): the benign one first, the rest by name. A class
// bears the spelling that sorts first.
func (t *Table) classes(labels []string, benign string) {
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
	slices.SortFunc(t.Classes, func(a, b string) int {
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
