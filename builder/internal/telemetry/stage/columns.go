package stage

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"cloister/builder/internal/telemetry/table"
)

// head are the columns before the values of a window.
var head = []string{"window_id", "device_id", "window_start", "window_end", "sample_count", "gap_before", "simulated"}

// Columns returns t as columns for CSV and Parquet: window_id counts the rows
// from 1, times are milliseconds since 1970 UTC; label is there when the input
// had labels.
func (t *Table) Columns() []table.Column {
	n := len(t.Rows)
	whole := func(name string, of func(i int, r *Row) int64) table.Column {
		v := make([]float64, n)
		for i := range t.Rows {
			v[i] = float64(of(i, &t.Rows[i]))
		}
		return table.Column{Name: name, Numbers: v, Whole: true}
	}
	flag := func(b bool) int64 {
		if b {
			return 1
		}
		return 0
	}
	device := make([]string, n)
	for i := range t.Rows {
		device[i] = t.Rows[i].Device
	}
	out := []table.Column{
		whole(head[0], func(i int, _ *Row) int64 { return int64(i + 1) }),
		{Name: head[1], Texts: device},
		whole(head[2], func(_ int, r *Row) int64 { return r.Start }),
		whole(head[3], func(_ int, r *Row) int64 { return r.End }),
		whole(head[4], func(_ int, r *Row) int64 { return int64(r.Samples) }),
		whole(head[5], func(_ int, r *Row) int64 { return int64(r.Gap) }),
		whole(head[6], func(_ int, r *Row) int64 { return flag(r.Simulated) }),
	}
	if t.Labelled {
		out = append(out, whole("label", func(_ int, r *Row) int64 { return flag(r.Label) }))
	}
	for j, name := range t.Names {
		v := make([]float64, n)
		for i := range t.Rows {
			v[i] = t.Rows[i].Values[j]
		}
		out = append(out, table.Column{Name: name, Numbers: v})
	}
	return out
}

// ReadTable reads what WriteCSV wrote of [Table.Columns].
func ReadTable(r io.Reader) (*Table, error) {
	in := csv.NewReader(bufio.NewReaderSize(r, 1<<16))
	header, err := in.Read()
	if err != nil {
		return nil, err
	}
	if len(header) < len(head) || !slices.Equal(header[:len(head)], head) {
		return nil, fmt.Errorf("not a table of windows: its first columns are not %v", head)
	}
	t := &Table{}
	values := len(head)
	if len(header) > values && header[values] == "label" {
		t.Labelled = true
		values++
	}
	t.Names = slices.Clone(header[values:])
	for line := 2; ; line++ {
		rec, err := in.Read()
		if errors.Is(err, io.EOF) {
			return t, t.some()
		}
		if err != nil {
			return nil, err
		}
		numbers := make([]float64, len(rec))
		for i, cell := range rec {
			switch {
			case i == 1:
			case cell == "":
				numbers[i] = math.NaN()
			default:
				if numbers[i], err = strconv.ParseFloat(cell, 64); err != nil {
					return nil, fmt.Errorf("line %d: column %s: %.64q is no number", line, header[i], cell)
				}
			}
		}
		t.Rows = append(t.Rows, Row{
			Device: rec[1], Start: int64(numbers[2]), End: int64(numbers[3]), Samples: int(numbers[4]), Gap: int(numbers[5]), Simulated: numbers[6] == 1,
			Label: t.Labelled && numbers[len(head)] == 1, Values: numbers[values:],
		})
	}
}
