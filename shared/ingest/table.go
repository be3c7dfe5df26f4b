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

// rowTable makes frames from records of named cells: it knows which column
// makes which field and what a cell may hold, and leaves how records lie in
// the file to its source.
type rowTable struct {
	src      source
	plan     *plan
	checks   *checks
	lenient  bool // a cell that cannot be read is missing, not the end of its row
	named    func() string
	noted    string
	regs     []float64 // values of the plan's inputs of the current record
	texts    []string
	cells    [][]byte // of the plan's inputs, and behind them what watch sees
	watch    func(names []string, cells [][]byte)
	intern   map[string]string
	repairs  [repairs]int64
	apart    map[string]int64 // records that are no rows of this schema, by kind
	frame    *frame.Frame
	row      int64
	err      error
	args     [10]float64
	textArgs [4]string
}

// source yields the records of a file.
type source interface {
	// next reads one record and fills cells, which is parallel to the names
	// that were bound, with nil for what the record lacks. Cells are valid
	// until the next call.
	next(cells [][]byte) (record, error)
	// at returns a source that yields the single record at offset.
	at(offset int64) (source, error)
	// bind says which columns next is to deliver, as indices of the header.
	bind(columns []int)
	// name is the format, for errors.
	name() string
}

// record is where a record lies and what it is worth.
type record struct {
	offset int64
	reason string // when not "": a reject
	detail string
	apart  string // when not "": no row of this schema, counted under this name
}

// The reasons for which a cell is mended or read as missing.
const (
	repairEmpty = iota
	repairNotFinite
	repairNegative
	repairWrap
	repairUnread
	repairPortName
	repairSinglePacket
	repairFrameBytes
	repairSeverity
	repairType
	repairLong
	repairs
)

var repairNames = [repairs]string{
	repairEmpty:        "empty cell, read as missing",
	repairNotFinite:    "infinite or NaN, read as missing",
	repairNegative:     "negative value, read as missing",
	repairWrap:         "duration wrapped at 2^32 us, unwrapped",
	repairUnread:       "not a number or time, read as missing",
	repairPortName:     "unknown name of a port, read as missing",
	repairSinglePacket: "no duration, but a single packet: 0",
	repairFrameBytes:   "too few bytes for Ethernet frames, read as missing",
	repairSeverity:     "spelling of the severity normalised",
	repairType:         "spelling of the payload type normalised",
	repairLong:         "text over the limit, cut",
}

// frameRows is the number of rows of a full frame.
const frameRows = 4096

// newRowTable returns a table of the plan's fields.
func newRowTable(src source, p *plan) *rowTable {
	columns := make([]int, len(p.inputs))
	for i, in := range p.inputs {
		columns[i] = in.col
	}
	src.bind(columns)
	return &rowTable{
		src: src, plan: p, checks: newChecks(p), lenient: p.schema != frame.Flow, intern: map[string]string{}, apart: map[string]int64{},
		regs: make([]float64, len(p.inputs)), texts: make([]string, len(p.inputs)), cells: make([][]byte, len(p.inputs)),
		frame: frame.New(p.schema, frameRows, p.has),
	}
}

// next implements [Source.Next].
func (t *rowTable) next() (*frame.Frame, error) {
	f := t.frame
	f.Reset()
	if len(t.intern) > 1<<16 {
		clear(t.intern)
	}
	// Records that are no rows count too, so that progress is shown in a file
	// with few rows among much else.
	for n := 0; f.Len()+len(f.Rejects) < frameRows && n < 4*frameRows && t.err == nil; n++ {
		rec, err := t.src.next(t.cells)
		if err != nil {
			t.err = err
			break
		}
		if rec.apart != "" {
			t.count(rec.apart)
			continue
		}
		t.row++
		if rec.reason != "" {
			t.reject(f, rec.offset, rec.reason, rec.detail)
			continue
		}
		if t.watch != nil {
			t.watch(t.plan.header, t.cells[len(t.plan.inputs):])
		}
		t.record(f, rec.offset)
	}
	if f.Len()+len(f.Rejects) > 0 || t.err == nil {
		t.checks.add(f)
		return f, nil
	}
	if t.row == 0 && errors.Is(t.err, io.EOF) {
		return nil, ErrEmpty
	}
	return nil, t.err
}

// count notes a record of another kind. Kinds are named by hostile files, so
// their number is bounded.
func (t *rowTable) count(kind string) {
	if _, ok := t.apart[kind]; !ok && len(t.apart) >= 32 {
		kind = "other record"
	}
	t.apart[kind]++
}

// at implements [Source.At]: one record of the same layout.
func (t *rowTable) at(offset int64) (*frame.Frame, error) {
	src, err := t.src.at(offset)
	if err != nil {
		return nil, err
	}
	one := *t
	one.src, one.intern = src, map[string]string{}
	one.regs, one.texts, one.cells = make([]float64, len(t.regs)), make([]string, len(t.texts)), make([][]byte, len(t.cells))
	rec, err := src.next(one.cells)
	if err != nil {
		return nil, err
	}
	f := frame.New(t.plan.schema, 1, t.plan.has)
	switch {
	case rec.apart != "":
		return nil, &FormatError{Format: t.src.name(), Offset: offset, What: rec.apart}
	case rec.reason != "":
		one.reject(f, offset, rec.reason, rec.detail)
	default:
		one.record(f, offset)
	}
	if f.Len() != 1 {
		return nil, &FormatError{Format: t.src.name(), Offset: offset, What: f.Rejects[0].Reason + ": " + f.Rejects[0].Detail}
	}
	return f, nil
}

func (t *rowTable) reject(f *frame.Frame, offset int64, reason, detail string) {
	f.Rejects = append(f.Rejects, frame.Reject{Row: t.row, Offset: offset, Reason: reason, Detail: detail})
}

// record appends the current cells to f, as a row or as a reject.
func (t *rowTable) record(f *frame.Frame, offset int64) {
	for i, in := range t.plan.inputs {
		cell := t.cells[i]
		if in.read.text != nil {
			t.texts[i] = in.read.text(t, cell)
			continue
		}
		if cell == nil {
			t.regs[i] = math.NaN()
			continue
		}
		v, ok := in.read.number(cell)
		switch {
		case !ok && len(bytes.TrimSpace(cell)) == 0:
			v = math.NaN()
			t.repairs[repairEmpty]++
		case !ok && in.read == readPort:
			v = math.NaN()
			t.repairs[repairPortName]++
		case !ok && (t.lenient || in.read.soft):
			v = math.NaN()
			t.repairs[repairUnread]++
		case !ok:
			t.reject(f, offset, "not a number", fmt.Sprintf("field %q: %.64q", in.name, clip(string(cell))))
			return
		case math.IsNaN(v) || math.IsInf(v, 0):
			v = math.NaN()
			t.repairs[repairNotFinite]++
		case v < 0:
			v = math.NaN()
			t.repairs[repairNegative]++
		}
		t.regs[i] = v
	}
	f.Row = append(f.Row, t.row)
	f.Offset = append(f.Offset, offset)
	for i := range t.plan.outputs {
		o := &t.plan.outputs[i]
		if f.Texts[o.field] != nil {
			f.Texts[o.field] = append(f.Texts[o.field], t.text(o))
		} else {
			f.Numbers[o.field] = append(f.Numbers[o.field], t.number(o))
		}
	}
}

func (t *rowTable) number(o *output) float64 {
	var v float64
	switch {
	case o.constant != nil:
		v = o.constant.number
	case o.parse != nil:
		v = o.parse(t.operands(o))
	case o.make == nil:
		v = t.regs[o.from[0]] * o.mul / o.div
	default:
		for k, r := range o.from {
			t.args[k] = math.NaN()
			if r >= 0 {
				t.args[k] = t.regs[r]
			}
		}
		v = o.make(t.args[:len(o.from)], &t.repairs)
	}
	if v < 0 || math.IsInf(v, 0) { // a difference of two columns, or a factor
		t.repairs[repairNegative]++
		return math.NaN()
	}
	return v
}

func (t *rowTable) text(o *output) string {
	switch {
	case o.constant != nil:
		return o.constant.text
	case o.join == nil:
		return t.texts[o.from[0]]
	}
	return o.join(t.operands(o))
}

// operands returns the texts that o is made from.
func (t *rowTable) operands(o *output) []string {
	for k, r := range o.from {
		t.textArgs[k] = ""
		if r >= 0 {
			t.textArgs[k] = t.texts[r]
		}
	}
	return t.textArgs[:len(o.from)]
}

// longestText is the longest text cell that is kept; longestWord the longest
// that is shared between rows. Long cells are cut: they come from hostile
// files and go to tables.
const (
	longestText = 4096
	longestWord = 256
)

// word returns cell as a string that is shared between equal cells.
func (t *rowTable) word(cell []byte) string {
	cell = bytes.TrimSpace(cell)
	if len(cell) > longestWord {
		return strings.ToValidUTF8(string(cell[:longestWord]), "\ufffd")
	}
	if s, ok := t.intern[string(cell)]; ok {
		return s
	}
	s := strings.ToValidUTF8(string(cell), "\ufffd")
	t.intern[s] = s
	return s
}

// prose returns cell as a string of up to longestText bytes.
func (t *rowTable) prose(cell []byte) string {
	cell = bytes.TrimSpace(cell)
	if len(cell) > longestText {
		t.repairs[repairLong]++
		cell = cell[:longestText]
	}
	return strings.ToValidUTF8(string(cell), "\ufffd")
}

// clip cuts s to 64 bytes for an error text.
func clip(s string) string { return strings.ToValidUTF8(s[:min(len(s), 64)], "") }

func (t *rowTable) schema() *frame.Schema { return t.plan.schema }

func (t *rowTable) fields() []Mapped { return t.plan.mapping }

func (t *rowTable) rest() []string { return t.plan.unmapped }

func (t *rowTable) note() string { return t.noted }

func (t *rowTable) mended() map[string]int64 {
	out := map[string]int64{}
	for i, n := range t.repairs {
		if n > 0 {
			out[repairNames[i]] = n
		}
	}
	for kind, n := range t.apart {
		out[kind] = n
	}
	return out
}

// describe names the dialect and how much of the schema it has.
func (t *rowTable) describe() string { return t.named() }

// A capture holds flows, and what was left out of it is counted.
func (t *captureTable) schema() *frame.Schema { return frame.Flow }

func (t *captureTable) note() string { return "" }
