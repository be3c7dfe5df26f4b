package prep

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"cloister/builder/internal/packed"
	"cloister/shared/attack"
	"cloister/shared/frame"
	"cloister/shared/ingest"
	"cloister/shared/telemetry"
)

// File is a file to prepare.
type File struct {
	Name string // for reports: no folder
	io.ReaderAt
	Size int64
}

// Input is what a file turned out to be.
type Input struct {
	Name     string           `json:"name"`
	SHA256   string           `json:"sha256"`
	Format   string           `json:"format"`
	Rows     int              `json:"rows"` // that could be read
	NoLabel  int              `json:"without_label"`
	Rejected map[string]int64 `json:"rejected,omitempty"` // rows that could not be read, by reason
	Repairs  map[string]int64 `json:"repairs,omitempty"`  // cells mended or read as missing, by reason
	Unmapped []string         `json:"unmapped,omitempty"` // columns that no field uses
	Columns  []Column         `json:"columns,omitempty"`  // as the file has them; none of captures
}

// Data is the rows of some files in memory, in the order of the files: 8 bytes
// a number cell, a shared string a text cell, 40 bytes a row beside.
type Data struct {
	Schema  *frame.Schema
	Files   []Input
	Numbers [][]float64 // by field of the schema, nil if no file has it; NaN is missing
	Texts   [][]string  // by field, nil if no file has it; "" is missing
	File    []int       // index into Files
	Row     []int64     // number in its file
	Class   []int       // index into Classes, -1 without a label
	// Classes are in the order that training gives them, so that the random
	// split is training's: ordinary traffic first and the rest by name, or
	// severities from mild to grave. A class bears the spelling that sorts first.
	Classes   []string
	Spellings []Spelling
	// Benign is the index of the class of ordinary traffic, -1 if there is
	// none, as attack.ForLabel knows it.
	Benign int
}

// Spelling is a label as files write it, and the class that it was joined to.
type Spelling struct {
	Label string `json:"label"`
	Class string `json:"class"`
	Rows  int    `json:"rows"`
}

// Len returns the number of rows.
func (d *Data) Len() int { return len(d.Row) }

// ReadOptions are the settings of Read. The zero value is the default.
type ReadOptions struct {
	// Want is the schema of the rows; nil takes what the first file holds.
	Want *frame.Schema
	// Progress receives the share of the bytes that has been read, in [0,1].
	Progress func(stage string, done float64)
}

// Read reads all rows of the files, whose schemas must agree. Rows that cannot
// be read are counted by reason; rows without a label are kept with class -1.
// Labels are compared by attack.Key. Errors are those of package ingest with
// the name of the file, and the context's.
func Read(ctx context.Context, files []File, o ReadOptions) (*Data, error) {
	d := &Data{Schema: o.Want}
	var labels []string
	total, before := int64(0), int64(0)
	for _, f := range files {
		total += f.Size
	}
	for _, f := range files {
		var err error
		if labels, err = d.read(ctx, f, labels, func(bytes int64) {
			if o.Progress != nil && total > 0 {
				o.Progress("reading "+f.Name, float64(before+bytes)/float64(total))
			}
		}); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		before += f.Size
	}
	if d.Len() == 0 {
		return nil, ingest.ErrEmpty
	}
	d.classes(labels)
	return d, nil
}

// labelField returns the field that holds the label of a row.
func labelField(s *frame.Schema) int {
	name := frame.Label
	switch s {
	case frame.Alert:
		name = frame.AlertSeverity
	case telemetry.Schema():
		name = telemetry.FieldLabel
	}
	i, _ := s.Index(name)
	return i
}

func (d *Data) read(ctx context.Context, f File, labels []string, progress func(int64)) ([]string, error) {
	src, err := ingest.OpenWith(f, f.Size, packed.Options(ingest.Options{Want: d.Schema}))
	if err != nil {
		return nil, err
	}
	if d.Schema == nil {
		d.Schema = src.Schema()
	}
	if d.Numbers == nil {
		d.Numbers, d.Texts = make([][]float64, len(d.Schema.Fields)), make([][]string, len(d.Schema.Fields))
	}
	in := Input{Name: f.Name, Unmapped: src.Unmapped(), Rejected: map[string]int64{}}
	src.Watch(func(names []string, cells [][]byte) { in.Columns = tally(in.Columns, names, cells) })
	label := labelField(d.Schema)
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		fr, err := src.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		for _, r := range fr.Rejects {
			in.Rejected[r.Reason]++
		}
		d.append(fr)
		for i := range fr.Len() {
			name := ""
			if fr.Texts[label] != nil {
				name = fr.Texts[label][i]
			}
			if name == "" {
				in.NoLabel++
			}
			labels = append(labels, name)
		}
		in.Rows += fr.Len()
		progress(src.Consumed())
	}
	in.Format, in.Repairs = src.Format(), src.Repairs()
	hash := sha256.New()
	if _, err := io.Copy(hash, io.NewSectionReader(f, 0, f.Size)); err != nil {
		return nil, err
	}
	in.SHA256 = hex.EncodeToString(hash.Sum(nil))
	d.Files = append(d.Files, in)
	return labels, nil
}

// append appends the rows of a frame. A column that appears late is missing in
// the rows before.
func (d *Data) append(fr *frame.Frame) {
	n, m := d.Len(), fr.Len()
	for i := range d.Schema.Fields {
		switch {
		case fr.Numbers[i] != nil:
			for len(d.Numbers[i]) < n {
				d.Numbers[i] = append(d.Numbers[i], math.NaN())
			}
			d.Numbers[i] = append(d.Numbers[i], fr.Numbers[i]...)
		case fr.Texts[i] != nil:
			for len(d.Texts[i]) < n {
				d.Texts[i] = append(d.Texts[i], "")
			}
			for _, s := range fr.Texts[i] {
				d.Texts[i] = append(d.Texts[i], strings.Clone(s))
			}
		case d.Numbers[i] != nil:
			for len(d.Numbers[i]) < n+m {
				d.Numbers[i] = append(d.Numbers[i], math.NaN())
			}
		case d.Texts[i] != nil:
			for len(d.Texts[i]) < n+m {
				d.Texts[i] = append(d.Texts[i], "")
			}
		}
	}
	for _, row := range fr.Row {
		d.File, d.Row = append(d.File, len(d.Files)), append(d.Row, row)
	}
}

// classes numbers the labels and counts their spellings.
func (d *Data) classes(labels []string) {
	count := map[string]int{}
	first := map[string]string{}
	for _, l := range labels {
		if l == "" {
			continue
		}
		count[l]++
		key := attack.Key(l)
		if s, ok := first[key]; !ok || l < s {
			first[key] = l
		}
	}
	for _, s := range first {
		d.Classes = append(d.Classes, s)
	}
	slices.SortFunc(d.Classes, func(a, b string) int {
		return cmp.Or(cmp.Compare(d.rank(a), d.rank(b)), strings.Compare(a, b))
	})
	index := map[string]int{}
	d.Benign = -1
	for i, s := range d.Classes {
		index[attack.Key(s)] = i
		if isBenign(s) && d.Schema != frame.Alert && d.Benign < 0 {
			d.Benign = i
		}
	}
	for _, l := range labels {
		class := -1
		if l != "" {
			class = index[attack.Key(l)]
		}
		d.Class = append(d.Class, class)
	}
	for l, n := range count {
		d.Spellings = append(d.Spellings, Spelling{l, first[attack.Key(l)], n})
	}
	slices.SortFunc(d.Spellings, func(a, b Spelling) int { return strings.Compare(a.Label, b.Label) })
}

// severities are the labels of alerts from mild to grave.
var severities = []string{"informational", "low", "medium", "high", "critical"}

// rank orders classes before their names do.
func (d *Data) rank(class string) int {
	if d.Schema == frame.Alert {
		if i := slices.Index(severities, attack.Key(class)); i >= 0 {
			return i
		}
		return len(severities)
	}
	if isBenign(class) {
		return 0
	}
	return 1
}

func isBenign(class string) bool {
	m, ok := attack.ForLabel(class)
	return ok && m.Benign
}

// identity are fields that name a host, a moment or a transaction; a vector of
// features has none of them, nor the label.
var identity = []string{
	frame.SrcAddr, frame.DstAddr, frame.SrcPort, frame.FlowStart, "FLOW_END_MILLISECONDS", "DNS_QUERY_ID", frame.Label,
	frame.AlertTime, frame.AlertSeverity, frame.AlertTechniques,
	telemetry.FieldDevice, telemetry.FieldStart, telemetry.FieldEnd, telemetry.FieldScenario, telemetry.FieldTechniques, telemetry.FieldMetrics,
	telemetry.FieldLevel, telemetry.FieldChange, telemetry.FieldVolatility, telemetry.FieldSimulated, telemetry.FieldLabel,
}

// Hash is the first half of a SHA-256.
type Hash [16]byte

// String returns 32 hex digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// RowHash returns the hash of row i: of every field of the schema in order,
// with its label. It depends on what the row says, not on how the file writes
// it nor on where it stands.
func (d *Data) RowHash(i int) Hash { return d.hash(i, func(string) bool { return true }) }

// VectorHash returns the hash of the row's features: all fields but addresses,
// source port, times, DNS id and label. Rows with equal hashes are one row to
// a model.
func (d *Data) VectorHash(i int) Hash {
	return d.hash(i, func(name string) bool { return !slices.Contains(identity, name) })
}

func (d *Data) hash(i int, takes func(string) bool) Hash {
	h := sha256.New()
	var b [8]byte
	for k, f := range d.Schema.Fields {
		if !takes(f.Name) {
			continue
		}
		if f.Kind == frame.Text {
			text := ""
			if d.Texts[k] != nil {
				text = d.Texts[k][i]
			}
			binary.LittleEndian.PutUint64(b[:], uint64(len(text)))
			h.Write(b[:])
			io.WriteString(h, text)
			continue
		}
		v := math.NaN()
		if d.Numbers[k] != nil {
			v = d.Numbers[k][i]
		}
		bits := math.Float64bits(v)
		if math.IsNaN(v) {
			bits = math.Float64bits(math.NaN()) // one pattern
		}
		binary.LittleEndian.PutUint64(b[:], bits)
		h.Write(b[:])
	}
	return Hash(h.Sum(nil)[:16])
}
