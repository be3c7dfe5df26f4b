package ingest

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"cloister/shared/frame"
)

// Proposal is a guess of what the columns of a file mean, for a person to
// confirm or change. Nothing is scored by it until it is a [Profile].
type Proposal struct {
	Format  string        // "CSV, 24 columns"
	Schema  *frame.Schema // of the fields
	Rows    int           // that were looked at, up to 200
	Fields  []Proposed    // parallel to Schema.Fields
	Columns []ColumnSeen  // all columns, in the order of the file
}

// Proposed is the guess for one field.
type Proposed struct {
	Field      string
	Column     string // "" when no column fits
	Confidence float64
	Factor     float64  // number in the column x Factor = number in the field's unit; 1 for texts
	Why        []string // the evidence, a phrase each
}

// ColumnSeen is one column with values from the first rows.
type ColumnSeen struct {
	Column  string
	Field   string   // that it is proposed for, "" for none
	Samples []string // up to 3 different values, cut to 64 bytes
}

// proposeRows is how many rows are looked at.
const proposeRows = 200

// minConfidence is below which nothing is proposed.
const minConfidence = 0.5

// Propose looks at the header and the first rows of a CSV, JSON or Parquet
// file and proposes a column for each field of Options.Want, flows when nil.
// Names count by the words they are made of, values by their type and range,
// units by words in the name and by relations between columns. It returns the
// errors of [OpenWith] but for unknown headers. The confidence is an order of
// preference from 0 to 1 and no probability; from 0.5 on a column is proposed.
// Every column is proposed at most once. It costs O(columns x fields).
func Propose(r io.ReaderAt, size int64, o Options) (*Proposal, error) {
	schema := o.Want
	if schema == nil {
		schema = frame.Flow
	}
	s := &Source{file: r, size: size, lim: o.Limits.withDefaults(), zstd: o.Zstd}
	if size == 0 {
		return nil, ErrEmpty
	}
	src, header, err := s.columns(o)
	if err != nil {
		return nil, err
	}
	p := &Proposal{Format: fmt.Sprintf("%s, %d columns", strings.ToUpper(src.name()), len(header)), Schema: schema}
	seen, rows, err := look(src, header)
	if err != nil {
		return nil, err
	}
	p.Rows = rows
	p.assign(header, seen)
	p.units(seen)
	for i, h := range header {
		c := ColumnSeen{Column: h, Samples: seen[i].samples}
		for _, f := range p.Fields {
			if f.Column == h {
				c.Field = f.Field
			}
		}
		p.Columns = append(p.Columns, c)
	}
	return p, nil
}

// columns opens the records of a file whatever their names are.
func (s *Source) columns(o Options) (source, []string, error) {
	rec, head, err := s.begin()
	if err != nil {
		return nil, nil, err
	}
	c, err := s.newCells(head, o)
	if err != nil {
		return nil, nil, err
	}
	gap := jsonGap(head)
	switch {
	case c != nil:
		return c, c.header, nil
	case otherFormat(head) != "":
		return nil, nil, &UnsupportedError{otherFormat(head)}
	case strings.IndexByte(string(head), 0) >= 0:
		return nil, nil, &UnknownError{[]string{"csv: not text"}}
	case gap < len(head) && head[gap] == '{':
		j, err := newJSONRows(rec, s.content, s.lim)
		if err != nil {
			return nil, nil, err
		}
		return j, j.header, nil
	case isZeekHead(head):
		z, err := newZeekRows(rec, s.content, s.lim)
		if err != nil {
			return nil, nil, err
		}
		return z, z.header, nil
	}
	d, err := newDelimited(rec, s.content, s.lim)
	if err != nil {
		return nil, nil, err
	}
	return d, d.header, nil
}

// values is what a column's cells look like.
type values struct {
	name      string
	words     []string // of the name, see namer
	ip        bool     // the name speaks of IP bytes
	unit      float64  // that the name says, relative to s or bytes; 0 for none
	n         int      // cells that are not empty
	numbers   int
	whole     int // numbers without fraction
	bytes     int // whole numbers up to 255
	ports     int // whole numbers up to 65535
	negative  int
	addresses int
	protocols int // words for a protocol
	flags     int // letters of TCP flags
	times     int // points in time in words
	distinct  map[string]bool
	list      []float64 // per row, NaN for what is no number
	stamps    []float64 // per row, milliseconds of what is a time in words
	samples   []string
}

// look reads the first rows.
func look(src source, header []string) ([]*values, int, error) {
	n := newNamer()
	all := make([]int, len(header))
	seen := make([]*values, len(header))
	for i, h := range header {
		all[i] = i
		words, unit := n.read(h)
		seen[i] = &values{name: h, words: words, unit: unit, distinct: map[string]bool{}}
		if k := slices.Index(words, "addr"); k >= 0 && slices.Contains(words, "bytes") {
			seen[i].words, seen[i].ip = slices.Delete(words, k, k+1), true
		}
	}
	src.bind(all)
	cells := make([][]byte, len(header))
	rows := 0
	for tries := 0; rows < proposeRows && tries < 4*proposeRows; tries++ {
		rec, err := src.next(cells)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			if rows > 0 {
				break // what was read is enough to guess by
			}
			return nil, 0, err
		}
		if rec.reason != "" || rec.apart != "" {
			continue
		}
		rows++
		for i, v := range seen {
			v.add(cells[i])
		}
	}
	if rows == 0 {
		return nil, 0, ErrEmpty
	}
	return seen, rows, nil
}

// add takes one cell into account.
func (v *values) add(cell []byte) {
	text := strings.TrimSpace(string(cell[:min(len(cell), longestWord)]))
	number, stamp := math.NaN(), math.NaN()
	if text != "" && text != "-" {
		v.n++
		if !v.distinct[text] && len(v.distinct) < proposeRows {
			v.distinct[text] = true
			if len(v.samples) < 3 {
				v.samples = append(v.samples, clip(text))
			}
		}
		x, ok := parseNumber([]byte(text))
		_, known := protocols[strings.ToLower(text)]
		switch {
		case ok && !math.IsNaN(x) && !math.IsInf(x, 0):
			number = x
			v.numbers++
			if x < 0 {
				v.negative++
			}
			if x == math.Floor(x) && x >= 0 {
				v.whole++
				if x <= 255 {
					v.bytes++
				}
				if x <= 65535 {
					v.ports++
				}
			}
		case isAddress(text):
			v.addresses++
		case known:
			v.protocols++
		default:
			if _, ok := parseFlagLetters([]byte(text)); ok {
				v.flags++
			}
			if t, ok := parseTime([]byte(text)); ok {
				stamp = t
				v.times++
			}
		}
	}
	v.list = append(v.list, number)
	v.stamps = append(v.stamps, stamp)
}

func (v *values) share(n int) float64 { return float64(n) / float64(max(v.n, 1)) }

// median of the numbers, NaN without any.
func (v *values) median() float64 {
	var list []float64
	for _, x := range v.list {
		if !math.IsNaN(x) {
			list = append(list, x)
		}
	}
	if len(list) == 0 {
		return math.NaN()
	}
	slices.Sort(list)
	return list[len(list)/2]
}

// epoch returns the factor from the column's numbers to milliseconds since
// 1970, 0 if they are no points in time from 2000 to 2100.
func (v *values) epoch() float64 {
	m := v.median()
	for _, factor := range []float64{1000, 1, 1e-3, 1e-6} {
		if ms := m * factor; ms > 946684800000 && ms < 4102444800000 {
			return factor
		}
	}
	return 0
}

// pair is a column that may be a field.
type pair struct {
	field, column int
	confidence    float64
	why           []string
}

// assign proposes columns greedily, surest first, each once.
func (p *Proposal) assign(header []string, seen []*values) {
	known := newPlan(p.Schema, header, openDialect)
	var pairs []pair
	for k, field := range p.Schema.Fields {
		p.Fields = append(p.Fields, Proposed{Field: field.Name, Factor: 1})
		for i := range header {
			if c := fit(field, known.mapping[k], header[i], seen[i]); c.confidence >= minConfidence {
				c.field, c.column = k, i
				pairs = append(pairs, c)
			}
		}
	}
	slices.SortStableFunc(pairs, func(a, b pair) int {
		switch {
		case a.confidence > b.confidence:
			return -1
		case a.confidence < b.confidence:
			return 1
		}
		return 0
	})
	used := make([]bool, len(header))
	for _, c := range pairs {
		f := &p.Fields[c.field]
		if f.Column != "" || used[c.column] {
			continue
		}
		used[c.column] = true
		f.Column, f.Confidence, f.Why = header[c.column], c.confidence, c.why
		if c.why[0] == knownName {
			f.known(known, c.field)
		}
	}
}

// knownName is the evidence of a name that openRules lists.
const knownName = "known name"

// known sets the factor that goes with a known name.
func (f *Proposed) known(p *plan, field int) {
	for i := range p.outputs {
		o := &p.outputs[i]
		if o.field != field || len(o.from) == 0 {
			continue
		}
		factor := o.mul / o.div
		if p.inputs[o.from[0]].read == readSeconds {
			factor = 1000
		}
		if factor != 1 {
			f.factor(factor, "of the known name")
		}
	}
}

// fit says how well a column suits a field.
func fit(field frame.Field, known Mapped, name string, v *values) pair {
	var c pair
	if known.How == Column && known.From == name {
		c.confidence = 0.99
		c.why = append(c.why, knownName)
	} else {
		c.confidence = similar(fieldWords[field.Name], v.words)
		if c.confidence < minConfidence {
			return pair{}
		}
		if field.Unit == "bytes" && !v.ip {
			c.confidence *= 0.95 // a column of IP bytes comes first
		}
		c.why = append(c.why, "name: "+strings.Join(v.words, " "))
	}
	share, what := plausible(field, v)
	switch {
	case v.n == 0:
		c.confidence *= 0.8
		what = "no values to judge by"
	case share < 0.9:
		return pair{}
	}
	if what != "" {
		c.why = append(c.why, "values: "+what)
	}
	return c
}

// plausible returns which share of the values a field could hold, and what
// they look like.
func plausible(field frame.Field, v *values) (share float64, what string) {
	switch class(field) {
	case "address":
		return v.share(v.addresses), "addresses"
	case "port":
		return v.share(v.ports), "whole numbers up to 65535"
	case "protocol":
		return v.share(v.protocols + v.bytes), "protocol numbers or names"
	case "time":
		if v.epoch() > 0 {
			return v.share(v.numbers), "numbers since 1970"
		}
		return v.share(v.times), "points in time"
	case "flags":
		return v.share(v.flags + v.bytes), "TCP flags"
	case "octet":
		return v.share(v.bytes), "whole numbers up to 255"
	case "count":
		return v.share(v.whole), "whole numbers"
	case "label":
		return 1 - v.share(v.numbers), "names"
	case "text":
		if v.share(v.addresses) > 0.5 {
			return 0, ""
		}
		return 1, "texts"
	}
	return v.share(v.numbers - v.negative), "numbers"
}

// class is what kind of values a field holds.
func class(field frame.Field) string {
	switch name := field.Name; {
	case name == frame.SrcAddr || name == frame.DstAddr:
		return "address"
	case name == frame.Label:
		return "label" // 0 and 1 name no attack
	case field.Kind == frame.Text:
		return "text"
	case name == frame.SrcPort || name == frame.DstPort:
		return "port"
	case name == frame.Protocol:
		return "protocol"
	case name == frame.FlowStart || name == flowEnd || name == frame.AlertTime:
		return "time"
	case strings.HasSuffix(name, "TCP_FLAGS"):
		return "flags"
	case name == minTTL || name == maxTTL:
		return "octet"
	case field.Unit == "bytes" || field.Unit == "packets" || field.Unit == "" && !strings.HasPrefix(name, "L7"):
		return "count"
	}
	return "number"
}

// units sets the factors: of times by their magnitude, of durations by words
// in the name or by the distance from start to end, of bytes by words.
func (p *Proposal) units(seen []*values) {
	at := map[string]*values{}
	for i := range p.Fields {
		f := &p.Fields[i]
		for _, v := range seen {
			if f.Column != "" && v.name == f.Column && at[f.Field] == nil {
				at[f.Field] = v
			}
		}
	}
	for i, field := range p.Schema.Fields {
		f := &p.Fields[i]
		v := at[field.Name]
		if v == nil || field.Kind == frame.Text {
			continue
		}
		switch {
		case class(field) == "time":
			if e := v.epoch(); e > 0 {
				f.factor(e, "values give years from 2000 to 2100")
			}
		case f.Why[0] == knownName:
			// its unit is known, too
		case field.Unit == "ms":
			p.duration(f, v, at)
		case field.Unit == "bit/s" && v.unit > 0:
			f.factor(v.unit*8, "unit in the name")
		case field.Unit == "bit/s" && slices.Contains(v.words, "bytes"):
			f.factor(8, "bytes in the name")
		case field.Unit == "bytes" && v.unit > 0:
			f.factor(v.unit, "unit in the name")
		}
	}
	p.checkBytes(at, frame.InBytes, frame.InPackets)
	p.checkBytes(at, frame.OutBytes, frame.OutPackets)
}

func (f *Proposed) factor(factor float64, why string) {
	f.Factor = factor
	f.Why = append(f.Why, fmt.Sprintf("unit: x %g, %s", factor, why))
}

// duration decides the unit of a duration.
func (p *Proposal) duration(f *Proposed, v *values, at map[string]*values) {
	if v.unit > 0 {
		f.factor(v.unit*1000, "unit in the name")
		return
	}
	if start, end := at[frame.FlowStart], at[flowEnd]; start != nil && end != nil && f.Field == frame.Duration {
		for _, factor := range []float64{1, 1000, 1e-3, 1e-6} {
			if agree(start, end, v, factor) >= 0.8 {
				f.factor(factor, "end - start")
				return
			}
		}
	}
	f.Confidence *= 0.8
	switch {
	case v.share(v.whole) < 0.5 && v.median() < 1e4:
		f.factor(1000, "fractions look like seconds; please check")
	case v.share(v.whole) > 0.9 && v.median() > 1e5:
		f.factor(1e-3, "large whole numbers look like microseconds; please check")
	default:
		f.Why = append(f.Why, "unit: taken as milliseconds; please check")
	}
}

// agree returns in which share of the rows end - start equals the duration, to
// a tenth and two milliseconds.
func agree(start, end, v *values, factor float64) float64 {
	n, ok := 0, 0
	for i, d := range v.list {
		a, b := start.moment(i), end.moment(i)
		if math.IsNaN(a) || math.IsNaN(b) || !(d > 0) {
			continue
		}
		n++
		if d *= factor; math.Abs(b-a-d) <= 0.1*d+2 && b > a {
			ok++
		}
	}
	if n < 3 {
		return 0
	}
	return float64(ok) / float64(n)
}

// moment is the point in time of row i in milliseconds.
func (v *values) moment(i int) float64 {
	if !math.IsNaN(v.stamps[i]) {
		return v.stamps[i]
	}
	return v.list[i] * v.epoch()
}

// checkBytes doubts bytes that are less than an IP header a packet.
func (p *Proposal) checkBytes(at map[string]*values, bytes, packets string) {
	b, n := at[bytes], at[packets]
	k, ok := p.Schema.Index(bytes)
	if b == nil || n == nil || !ok {
		return
	}
	f := &p.Fields[k]
	rows, few := 0, 0
	for i := range b.list {
		if n.list[i] > 0 && !math.IsNaN(b.list[i]) {
			rows++
			if b.list[i]*f.Factor < ipHeader*n.list[i] {
				few++
			}
		}
	}
	switch {
	case rows == 0:
	case few*20 > rows:
		f.Confidence *= 0.7
		f.Why = append(f.Why, "fewer than 20 bytes a packet: payload rather than IP bytes?")
	default:
		f.Why = append(f.Why, "at least 20 bytes a packet")
	}
}

// Profile returns the profile of the proposed columns of at least the given
// confidence, for an analyst to change.
func (p *Proposal) Profile(name string, confidence float64) *Profile {
	out := &Profile{Name: name, Schema: p.Schema}
	for _, f := range p.Fields {
		if f.Column != "" && f.Confidence >= confidence {
			pf := ProfileField{Field: f.Field, Column: f.Column}
			if f.Factor != 1 {
				pf.Factor = f.Factor
			}
			out.Fields = append(out.Fields, pf)
		}
	}
	return out
}
