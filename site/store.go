package site

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"cloister/shared/job"
	"cloister/site/internal/query"
)

// listLimit is how many rows are kept for the table. Rows beyond it still
// count in the histogram, the flagged count and the counts by class; a row
// of flows costs about 90 bytes, so the table stays under 100 MB.
const listLimit = 1_000_000

// store keeps the verdicts of one run in columns.
type store struct {
	classes []job.Class
	limit   int // rows listed at most

	files    []string // names, by source
	origins  []origin // of the stretches of rows, in order
	starts   []int32  // first row of each
	expected int      // rows to come in all, as far as is known

	row       []int64
	class     []uint16
	prob      []float64
	anomaly   []float64
	abstained []bool
	outside   []bool
	severity  []uint8 // index into job.Severities
	columns   []*column
	named     []query.Field // of a filter, while there is one for each column
	clock     *column       // the time column, nil without one
	label     *column       // what the file itself says of its rows, nil if nothing
	own       []float64     // thresholds by class, NaN where the common one holds; nil for none
	marks     map[int32]mark

	attack  []float64 // of every row, listed or not
	byClass []int64   // of every row, withheld ones included
	held    int64     // withheld verdicts, of every row
	census  census    // of the flagged ones
}

// role is what a display column means to the page.
type role uint8

const (
	plain role = iota
	roleTime
	roleSource
	roleDestination
	rolePort
	roleProtocol
	roleLabel
)

// column is one display column; texts are kept as indices into words.
type column struct {
	name, unit string
	role       role
	numbers    *series // nil for a column of texts
	codes      []uint32
	words      []string
	index      map[string]uint32
	rank       []uint32 // of words in natural order, while len(rank) == len(words)
}

func newStore(classes []job.Class) *store {
	return &store{classes: classes, limit: listLimit, byClass: make([]int64, len(classes)), marks: map[int32]mark{}}
}

// rows returns the number of rows scored; listed how many of them a table can
// show.
func (s *store) rows() int   { return len(s.attack) }
func (s *store) listed() int { return len(s.row) }

// append adds the rows of b, which it may keep. Nothing is added when b does
// not fit the bundle.
func (s *store) append(b *job.Batch, from origin) error {
	n := len(b.Row)
	if b.Outside != nil && len(b.Outside) != n || b.Severity != nil && len(b.Severity) != n || len(b.Class) != n || len(b.Probability) != n || len(b.Attack) != n || len(b.Anomaly) != n || len(b.Abstained) != n {
		return fmt.Errorf("batch of %d rows: columns differ in length", n)
	}
	for i, k := range b.Class {
		if int(k) >= len(s.classes) {
			return fmt.Errorf("row %d: class %d of %d", b.Row[i], k, len(s.classes))
		}
	}
	for _, c := range b.Columns {
		if c.Numbers != nil && len(c.Numbers) != n || c.Numbers == nil && len(c.Texts) != n {
			return fmt.Errorf("batch of %d rows: column %.64q differs in length", n, c.Name)
		}
	}
	for i := range n {
		s.byClass[b.Class[i]]++
		if b.Abstained[i] {
			s.held++
		}
	}
	s.attack = append(s.attack, b.Attack...)
	s.class = append(s.class, b.Class...)
	had := s.listed()
	if k := len(s.origins); k == 0 || s.origins[k-1] != from {
		s.origins, s.starts = append(s.origins, from), append(s.starts, int32(had))
	}
	n = min(n, s.limit-had)
	s.row = append(s.row, b.Row[:n]...)
	s.outside = append(s.outside, padded(b.Outside, len(b.Row))[:n]...)
	if b.Severity == nil { // an older scorer: that of the class
		for _, k := range b.Class[:n] {
			s.severity = append(s.severity, uint8(max(severity(s.classes[k]), 0)))
		}
	} else {
		s.severity = append(s.severity, b.Severity[:n]...)
	}
	s.prob = append(s.prob, b.Probability[:n]...)
	s.anomaly = append(s.anomaly, b.Anomaly[:n]...)
	s.abstained = append(s.abstained, b.Abstained[:n]...)
	if len(s.files) > 1 && n > 0 { // in front: it says what the row numbers count
		s.column(fileColumn, "", false).fill(s.files[from.source], n, had)
	}
	for i := range b.Columns {
		c := &b.Columns[i]
		s.column(c.Name, c.Unit, c.Numbers != nil).take(c, n, had)
	}
	for _, c := range s.columns {
		c.pad(had + n) // a column that this batch lacks
	}
	s.reserve()
	return nil
}

// fileColumn names the column that says which file a row is from.
const fileColumn = "File"

// origin is where a stretch of rows comes from.
type origin struct {
	source int   // index of the file
	part   int   // of the run
	base   int64 // rows of the file before the part
}

// place returns the part of row i and the row's number in it.
func (s *store) place(i int32) (part int, row int64) {
	o := s.origins[s.stretch(i)]
	return o.part, s.row[i] - o.base
}

// stretch is the index of the origin of row i.
func (s *store) stretch(i int32) int {
	k, found := slices.BinarySearch(s.starts, i)
	if !found {
		k--
	}
	for k+1 < len(s.starts) && s.starts[k+1] == i { // a stretch without rows
		k++
	}
	return k
}

// expect says about how many rows will come. Small corrections are ignored:
// each would copy every column.
func (s *store) expect(n int) {
	if n = min(n, s.limit); n > s.expected+s.expected/8 {
		s.expected = n
	}
}

// reserve makes room for the rows that are expected in one column at most:
// columns that all grow by copying at the same batch would stop the page.
func (s *store) reserve() {
	had := s.listed()
	for i := range 5 + len(s.columns) {
		if grown := s.grow(i, s.expected-had); grown {
			return
		}
	}
}

// grow makes room for n more values in a column by its place and reports
// whether that took an allocation.
func (s *store) grow(i, n int) bool {
	switch i {
	case 0:
		return room(&s.row, n)
	case 1:
		return room(&s.class, n)
	case 2:
		return room(&s.prob, n)
	case 3:
		return room(&s.anomaly, n)
	case 4:
		return room(&s.attack, n)
	}
	c := s.columns[i-5]
	return c.numbers == nil && room(&c.codes, n)
}

func room[T any](x *[]T, n int) bool {
	if n <= 0 || cap(*x)-len(*x) >= n {
		return false
	}
	*x = slices.Grow(*x, n)
	return true
}

// column returns the column of that name and kind, which it adds if need be.
func (s *store) column(name, unit string, numbers bool) *column {
	for _, c := range s.columns {
		if c.name == name && (c.numbers != nil) == numbers {
			return c
		}
	}
	c := &column{name: name, unit: unit, role: roleOf(name)}
	if numbers {
		c.numbers = &series{}
	} else {
		c.index = map[string]uint32{}
	}
	s.columns = append(s.columns, c)
	switch {
	case c.role == roleTime && numbers && s.clock == nil:
		s.clock = c
	case c.role == roleLabel && !numbers && s.label == nil:
		s.label = c
	}
	return c
}

func (c *column) take(from *job.Column, n, had int) {
	c.pad(had)
	if c.numbers != nil {
		c.numbers.add(from.Numbers[:n]...)
		return
	}
	for _, t := range from.Texts[:n] {
		c.codes = append(c.codes, c.code(t))
	}
}

// fill appends a word n times.
func (c *column) fill(word string, n, had int) {
	c.pad(had)
	k := c.code(word)
	for range n {
		c.codes = append(c.codes, k)
	}
}

// code returns the index of a word.
func (c *column) code(word string) uint32 {
	k, ok := c.index[word]
	if !ok {
		k = uint32(len(c.words))
		c.words = append(c.words, word)
		c.index[word] = k
	}
	return k
}

// pad fills the column with missing values up to n rows.
func (c *column) pad(n int) {
	if c.numbers != nil {
		for c.numbers.len() < n {
			c.numbers.add(math.NaN())
		}
		return
	}
	if len(c.codes) < n {
		empty := c.code("")
		for len(c.codes) < n {
			c.codes = append(c.codes, empty)
		}
	}
}

// text returns the value of row i as the table shows it.
func (c *column) text(i int) string {
	if c.numbers == nil {
		if w := c.words[c.codes[i]]; w != "" {
			return w
		}
		return noValue
	}
	v := c.numbers.at(i)
	switch c.role {
	case roleTime:
		if v > 1e8 { // otherwise it is relative to the start of the capture
			return moment(v)
		}
	case roleProtocol:
		return protocol(v)
	case rolePort:
		if v == math.Trunc(v) && v >= 0 && v <= 65535 {
			return strings.ReplaceAll(number(v), ",", "")
		}
	}
	return number(v)
}

// titles are the headings of the flow schema's columns; the name stands in
// the tool tip.
var titles = map[string]string{
	"FLOW_START_MILLISECONDS": "Time", "IPV4_SRC_ADDR": "Source", "IPV4_DST_ADDR": "Destination",
	"L4_SRC_PORT": "Src port", "L4_DST_PORT": "Dst port", "PROTOCOL": "Protocol",
	"IN_BYTES": "Bytes out", "OUT_BYTES": "Bytes back", "IN_PKTS": "Pkts out", "OUT_PKTS": "Pkts back",
	"FLOW_DURATION_MILLISECONDS": "Duration, ms",
	"DEVICE":                     "Device", "WINDOW_START": "Start", "SAMPLES": "Samples", "SCENARIO": "Scenarios",
	"TECHNIQUES": "Their techniques", "METRICS": "Furthest metrics", "SIMULATED": "Simulated",
}

// title returns the column's heading. Bytes and packets are named from the
// side of the source: out to the destination, back from it.
func (c *column) title() string {
	if t, ok := titles[c.name]; ok {
		if c.role == roleTime {
			return sayf("Time ({0})", clockName())
		}
		return said(t)
	}
	t := strings.ReplaceAll(c.name, "_", " ")
	if t == "" {
		return "unnamed"
	}
	return strings.ToUpper(t[:1]) + t[1:]
}

// roleOf reads what a column means off its name, in the spellings of the
// schemas that Cloister reads.
func roleOf(name string) role {
	var key strings.Builder
	for _, r := range strings.ToLower(name) {
		if r >= 'a' && r <= 'z' {
			key.WriteRune(r)
		}
	}
	switch key.String() {
	case "time", "start", "timestamp", "ts", "date", "firstseen", "flowstartmilliseconds", "flowendmilliseconds", "stime", "windowstart", "windowend":
		return roleTime
	case "source", "src", "sourceip", "srcip", "sourceaddress", "srcaddr", "ipvsrcaddr", "saddr", "idorigh", "client", "host", "device":
		return roleSource
	case "destination", "dst", "dest", "destinationip", "dstip", "destip", "destinationaddress", "dstaddr", "ipvdstaddr", "daddr", "idresph", "server":
		return roleDestination
	case "port", "sport", "dport", "sourceport", "srcport", "destinationport", "dstport", "destport", "lsrcport", "ldstport", "idorigp", "idrespp":
		return rolePort
	case "protocol", "proto", "ipprotocol":
		return roleProtocol
	case "attack", "label":
		return roleLabel
	}
	return plain
}

// find returns the first column with a role, or nil.
func (s *store) find(r role) *column {
	for _, c := range s.columns {
		if c.role == r {
			return c
		}
	}
	return nil
}

// flags reports whether row i reaches its threshold: that of its class if it
// has one, else the common one.
func (s *store) flags(i int, threshold float64) bool {
	if s.own != nil {
		if t := s.own[s.class[i]]; t == t {
			threshold = t
		}
	}
	return s.attack[i] >= threshold
}

// level is the severity of row i as a place in [job.Severities].
func (s *store) level(i int) int { return int(s.severity[i]) }

// padded returns x, or n times false if it is nil.
func padded(x []bool, n int) []bool {
	if x == nil {
		return make([]bool, n)
	}
	return x
}

// severity returns the place of a class in [job.Severities], -1 if it has
// none.
func severity(c job.Class) int {
	for i, s := range job.Severities {
		if s == c.Severity {
			return i
		}
	}
	return -1
}
