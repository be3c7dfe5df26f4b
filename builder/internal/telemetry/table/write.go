package table

import (
	"bufio"
	"encoding/csv"
	"io"
	"math"
	"strconv"
	"time"
)

// WriteCSV writes columns of equal length; missing cells are empty.
func WriteCSV(w io.Writer, columns []Column) error {
	b := bufio.NewWriterSize(w, 1<<16)
	out := csv.NewWriter(b)
	cells := make([]string, len(columns))
	rows := 0
	for j, c := range columns {
		cells[j] = c.Name
		rows = max(len(c.Numbers), len(c.Texts))
	}
	if err := out.Write(cells); err != nil {
		return err
	}
	for i := range rows {
		for j, c := range columns {
			switch {
			case c.Numbers == nil:
				cells[j] = c.Texts[i]
			case math.IsNaN(c.Numbers[i]):
				cells[j] = ""
			case c.Whole:
				cells[j] = strconv.FormatInt(int64(c.Numbers[i]), 10)
			default:
				cells[j] = number(c.Numbers[i])
			}
		}
		if err := out.Write(cells); err != nil {
			return err
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return err
	}
	return b.Flush()
}

// Columns returns the samples as columns: timestamp (RFC 3339 with the offset
// of the sample), device_id, the metrics, simulated, and label if there are
// labels. Reading them back gives the same samples.
func (t *Raw) Columns() []Column {
	n := len(t.Samples)
	stamp, device := make([]string, n), make([]string, n)
	simulated := make([]float64, n)
	for i, s := range t.Samples {
		zone := time.UTC
		if s.OffsetMinutes != 0 {
			zone = time.FixedZone("", s.OffsetMinutes*60)
		}
		stamp[i], device[i] = time.UnixMilli(s.Millis).In(zone).Format("2006-01-02T15:04:05.000Z07:00"), s.Device
		if s.Simulated {
			simulated[i] = 1
		}
	}
	out := []Column{{Name: "timestamp", Texts: stamp}, {Name: "device_id", Texts: device}}
	for j, name := range t.Header {
		v := make([]float64, n)
		for i, s := range t.Samples {
			v[i] = s.Values[j]
		}
		out = append(out, Column{Name: name, Numbers: v})
	}
	out = append(out, Column{Name: "simulated", Numbers: simulated, Whole: true})
	if t.Labels != nil {
		v := make([]float64, n)
		for i, l := range t.Labels {
			if l {
				v[i] = 1
			}
		}
		out = append(out, Column{Name: "label", Numbers: v, Whole: true})
	}
	return out
}
