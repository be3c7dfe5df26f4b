package ingest

import (
	"math"

	"cloister/shared/frame"
)

// Check is a relation that rows of flows obey when their columns are what they
// are taken for, and how many rows of those read so far do not.
type Check struct {
	What      string // what is odd about the rows, for people
	Rows, Odd int64  // rows that have the fields, and those that are odd
}

// oddities are the checks: v holds the fields of one row. A check of a row that
// lacks a field counts nothing.
var oddities = []struct {
	what   string
	fields []string
	odd    func(v []float64) bool
}{
	{"fewer than 20 source bytes a packet: are they IP bytes, in bytes?", []string{frame.InBytes, frame.InPackets}, fewBytes},
	{"fewer than 20 destination bytes a packet: are they IP bytes, in bytes?", []string{frame.OutBytes, frame.OutPackets}, fewBytes},
	{"more than 65,535 source bytes a packet: are they bytes?", []string{frame.InBytes, frame.InPackets}, manyBytes},
	{"more than 65,535 destination bytes a packet: are they bytes?", []string{frame.OutBytes, frame.OutPackets}, manyBytes},
	{"end - start is not the duration: is it in milliseconds?", []string{frame.FlowStart, flowEnd, frame.Duration}, func(v []float64) bool {
		return math.Abs(v[1]-v[0]-v[2]) > 0.5*v[2]+2000
	}},
	{"start before 1990 or after 2100: is it in milliseconds since 1970?", []string{frame.FlowStart}, func(v []float64) bool { return v[0] < 631152000000 || v[0] > 4102444800000 }},
	{"longer than a week: is the duration in milliseconds?", []string{frame.Duration}, func(v []float64) bool { return v[0] > 7*86400*1000 }},
	{"port above 65,535", []string{frame.SrcPort}, func(v []float64) bool { return v[0] > 65535 }},
	{"port above 65,535", []string{frame.DstPort}, func(v []float64) bool { return v[0] > 65535 }},
	{"protocol above 255", []string{frame.Protocol}, func(v []float64) bool { return v[0] > 255 }},
}

func fewBytes(v []float64) bool  { return v[1] > 0 && v[0] < ipHeader*v[1] }
func manyBytes(v []float64) bool { return v[1] > 0 && v[0] > 65535*v[1] }

// checks counts oddities.
type checks struct {
	columns [][]int // per oddity, nil when the file lacks a field
	rows    []int64
	odd     []int64
}

func newChecks(p *plan) *checks {
	c := &checks{columns: make([][]int, len(oddities)), rows: make([]int64, len(oddities)), odd: make([]int64, len(oddities))}
	if p.schema != frame.Flow {
		return c
	}
	for i, o := range oddities {
		columns := make([]int, len(o.fields))
		for k, name := range o.fields {
			columns[k], _ = p.schema.Index(name)
			if !p.has[columns[k]] {
				columns = nil
				break
			}
		}
		c.columns[i] = columns
	}
	return c
}

// add counts the rows of a frame.
func (c *checks) add(f *frame.Frame) {
	var v [3]float64
	for i, columns := range c.columns {
		if columns == nil {
			continue
		}
		for row := range f.Len() {
			missing := false
			for k, col := range columns {
				v[k] = f.Numbers[col][row]
				missing = missing || math.IsNaN(v[k])
			}
			if missing {
				continue
			}
			c.rows[i]++
			if oddities[i].odd(v[:len(columns)]) {
				c.odd[i]++
			}
		}
	}
}

// Checks returns what is odd about the rows read so far, in a fixed order. A
// share of some per cent and more means that a column is not what it is taken
// for or has another unit; below that, that the tool errs now and then. Rows of
// captures are not checked: their numbers are made here.
func (s *Source) Checks() []Check {
	t, ok := s.table.(*rowTable)
	if !ok {
		return nil
	}
	var out []Check
	for i, n := range t.checks.odd {
		if n > 0 {
			out = append(out, Check{oddities[i].what, t.checks.rows[i], n})
		}
	}
	return out
}
