package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"cloister/shared/frame"
)

// flowTable reads delimited text whose header names flow fields: NetFlow
// exports with the column names of NF-* v1, v2 and v3, and CICFlowMeter's in
// the short (2018), long (2017) and snake-case spellings.
type flowTable struct {
	rec      *records
	reopen   func(offset int64) (io.Reader, error)
	lim      Limits
	delim    byte
	header   []string
	raw      []byte // the header record, to find repeats of it
	inputs   []input
	outputs  []output
	mapping  []Mapped
	unmapped []string
	has      []bool
	columns  int // matched

	regs    []float64 // values of inputs of the current record
	texts   []string
	intern  map[string]string
	repairs [repairs]int64

	frame *frame.Frame
	row   int64
	line  int64
	err   error
}

// input is a column that is read, and how.
type input struct {
	col  int
	name string
	read reader
}

type reader uint8

const (
	readNumber reader = iota
	readTime
	readProtocol
	readText
)

// output makes one schema field from inputs.
type output struct {
	field int
	from  []int                                          // indices into inputs
	per   float64                                        // the value is divided by this
	make  func(v []float64, sum *[repairs]int64) float64 // nil: v[0] / per
}

// The reasons for which a cell is mended or read as missing.
const (
	repairEmpty = iota
	repairNotFinite
	repairNegative
	repairWrap
	repairs
)

var repairNames = [repairs]string{
	"empty cell, read as missing",
	"infinite or NaN, read as missing",
	"negative value, read as missing",
	"duration wrapped at 2^32 us, unwrapped",
}

// frameRows is the number of rows of a full frame.
const frameRows = 4096

// minColumns is how many columns must be known before a file counts as flows.
const minColumns = 4

func newFlowTable(rec *records, reopen func(int64) (io.Reader, error), lim Limits) (*flowTable, error) {
	t := &flowTable{rec: rec, reopen: reopen, lim: lim, line: 1, intern: map[string]string{}}
	raw, _, cut, err := rec.next()
	if err != nil {
		return nil, fmt.Errorf("csv: header: %w", err)
	}
	raw = bytes.TrimPrefix(raw, []byte("\ufeff"))
	t.raw = bytes.Clone(raw)
	t.delim = delimiter(raw)
	fields, err := rec.split(raw, t.delim)
	if err != nil {
		return nil, &LimitError{"columns", int64(lim.Columns), int64(bytes.Count(raw, []byte{t.delim}) + 1)}
	}
	for _, f := range fields {
		t.header = append(t.header, strings.TrimSpace(string(f)))
	}
	t.plan()
	if t.columns < minColumns {
		return nil, &UnknownError{[]string{fmt.Sprintf(
			"csv: only %d of the %d columns of the first line are known flow fields (first: %.64q)", t.columns, len(fields), clip(t.header[0]))}}
	}
	if cut {
		return nil, ErrEmpty
	}
	t.regs = make([]float64, len(t.inputs))
	t.texts = make([]string, len(t.inputs))
	t.frame = frame.New(frame.Flow, frameRows, t.has)
	return t, nil
}

// delimiter returns the most frequent of the usual delimiters.
func delimiter(header []byte) byte {
	best := byte(',')
	for _, d := range []byte(";\t|") {
		if bytes.Count(header, []byte{d}) > bytes.Count(header, []byte{best}) {
			best = d
		}
	}
	return best
}

// plan resolves the header against the aliases.
func (t *flowTable) plan() {
	byName := map[string]int{}
	for i, h := range t.header {
		key := normalise(h)
		if _, ok := byName[key]; !ok { // CICIDS2017 repeats a header: the first counts
			byName[key] = i
		}
	}
	used := map[int]bool{}
	inputOf := map[int]int{}
	add := func(col int, read reader) int {
		if i, ok := inputOf[col]; ok {
			return i
		}
		used[col] = true
		inputOf[col] = len(t.inputs)
		t.inputs = append(t.inputs, input{col, t.header[col], read})
		return len(t.inputs) - 1
	}
	t.has = make([]bool, len(frame.Flow.Fields))
	t.mapping = make([]Mapped, len(frame.Flow.Fields))
	for i, field := range frame.Flow.Fields {
		t.mapping[i].Field = field.Name
		if o, from, how := resolve(field, byName, add); how != Missing {
			o.field = i
			t.outputs = append(t.outputs, o)
			t.has[i] = true
			t.mapping[i] = Mapped{field.Name, from(t.header), how}
		}
	}
	for i, h := range t.header {
		if !used[i] {
			t.unmapped = append(t.unmapped, h)
		}
	}
	t.columns = len(used)
}

// next implements [Source.Next].
func (t *flowTable) next() (*frame.Frame, error) {
	f := t.frame
	f.Reset()
	if len(t.intern) > 1<<16 {
		clear(t.intern)
	}
	for f.Len()+len(f.Rejects) < frameRows && t.err == nil {
		rec, offset, cut, err := t.rec.next()
		t.line++
		var limit *LimitError
		if errors.As(err, &limit) && limit.What == "record in bytes" {
			t.rec.skip()
			t.row++
			t.reject(f, offset, "record too long", err.Error())
			continue
		}
		if err != nil {
			t.err = err
			break
		}
		if len(rec) == 0 {
			continue // a blank line is not a row
		}
		t.row++
		t.record(f, rec, offset, cut)
	}
	if f.Len()+len(f.Rejects) > 0 {
		return f, nil
	}
	if t.row == 0 && errors.Is(t.err, io.EOF) {
		return nil, ErrEmpty
	}
	return nil, t.err
}

// at implements [Source.At]: one record of the same layout.
func (t *flowTable) at(offset int64) (*frame.Frame, error) {
	in, err := t.reopen(offset)
	if err != nil {
		return nil, err
	}
	rec := newRecords(in, t.lim)
	raw, _, cut, err := rec.next()
	if err != nil {
		return nil, err
	}
	one := *t
	one.rec, one.intern = rec, map[string]string{}
	one.regs, one.texts = make([]float64, len(t.inputs)), make([]string, len(t.inputs))
	f := frame.New(frame.Flow, 1, t.has)
	one.record(f, raw, offset, cut)
	if f.Len() != 1 {
		return nil, &FormatError{Format: "csv", Offset: offset, What: f.Rejects[0].Reason + ": " + f.Rejects[0].Detail}
	}
	return f, nil
}

func (t *flowTable) reject(f *frame.Frame, offset int64, reason, detail string) {
	f.Rejects = append(f.Rejects, frame.Reject{Row: t.row, Offset: offset, Reason: reason, Detail: detail})
}

// record appends one record to f, as a row or as a reject.
func (t *flowTable) record(f *frame.Frame, rec []byte, offset int64, cut bool) {
	fields, err := t.rec.split(rec, t.delim)
	switch {
	case err != nil:
		t.reject(f, offset, "too many columns", fmt.Sprintf("more than %d", t.lim.Columns))
		return
	case len(fields) != len(t.header) && cut:
		t.reject(f, offset, "cut short", fmt.Sprintf("the file ends after %d of %d columns", len(fields), len(t.header)))
		return
	case len(fields) != len(t.header):
		t.reject(f, offset, "column count", fmt.Sprintf("%d columns, the header has %d", len(fields), len(t.header)))
		return
	}
	for i, in := range t.inputs {
		cell := fields[in.col]
		ok := true
		switch in.read {
		case readText:
			t.texts[i] = t.word(cell)
			continue
		case readTime:
			t.regs[i], ok = parseTime(cell)
		case readProtocol:
			t.regs[i], ok = parseProtocol(cell)
		default:
			t.regs[i], ok = parseNumber(cell)
		}
		switch {
		case !ok && len(bytes.TrimSpace(cell)) == 0:
			t.regs[i] = math.NaN()
			t.repairs[repairEmpty]++
		case !ok && bytes.Equal(bytes.TrimSpace(rec), bytes.TrimSpace(t.raw)):
			t.reject(f, offset, "repeated header", "")
			return
		case !ok:
			t.reject(f, offset, "not a number", fmt.Sprintf("field %q: %.64q", in.name, clip(string(cell))))
			return
		case math.IsNaN(t.regs[i]) || math.IsInf(t.regs[i], 0):
			t.regs[i] = math.NaN()
			t.repairs[repairNotFinite]++
		case t.regs[i] < 0:
			t.regs[i] = math.NaN()
			t.repairs[repairNegative]++
		}
	}
	f.Row = append(f.Row, t.row)
	f.Offset = append(f.Offset, offset)
	for _, o := range t.outputs {
		if f.Texts[o.field] != nil {
			f.Texts[o.field] = append(f.Texts[o.field], t.texts[o.from[0]])
			continue
		}
		var v float64
		if o.make == nil {
			v = t.regs[o.from[0]] / o.per
		} else {
			var args [10]float64
			for k, r := range o.from {
				args[k] = t.regs[r]
			}
			v = o.make(args[:len(o.from)], &t.repairs)
		}
		f.Numbers[o.field] = append(f.Numbers[o.field], v)
	}
}

// word returns cell as a string that is shared between equal cells. Long
// cells are cut: they come from hostile files and go to tables.
func (t *flowTable) word(cell []byte) string {
	const longest = 256
	cell = bytes.TrimSpace(cell)
	if s, ok := t.intern[string(cell)]; ok {
		return s
	}
	s := strings.ToValidUTF8(string(cell[:min(len(cell), longest)]), "\ufffd")
	if len(cell) <= longest {
		t.intern[s] = s
	}
	return s
}

// clip cuts s to 64 bytes for an error text.
func clip(s string) string { return strings.ToValidUTF8(s[:min(len(s), 64)], "") }

func (t *flowTable) fields() []Mapped { return t.mapping }

func (t *flowTable) rest() []string { return t.unmapped }

func (t *flowTable) mended() map[string]int64 {
	out := map[string]int64{}
	for i, n := range t.repairs {
		if n > 0 {
			out[repairNames[i]] = n
		}
	}
	return out
}

// describe names the dialect and how much of the schema it has.
func (t *flowTable) describe() string {
	name := "NetFlow CSV"
	for _, h := range t.header {
		if normalise(h) == "totfwdpkts" || strings.HasPrefix(normalise(h), "totalfwdpacket") {
			name = "CICFlowMeter CSV"
		}
	}
	have := 0
	for _, has := range t.has {
		if has {
			have++
		}
	}
	return fmt.Sprintf("%s, %d columns, %d of %d flow fields", name, len(t.header), have, len(t.has))
}
