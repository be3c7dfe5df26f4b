package table

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"cloister/shared/telemetry"
)

// Limits of a file.
const (
	maxRows  = 50_000_000
	maxCells = 2 << 30 / 8 // 2 GiB of values
	maxLine  = 1 << 20
)

// Read reads the file of size bytes behind r, recognised by its content: CSV
// (comma, semicolon or tab), JSON Lines of flat objects, Parquet; CSV and JSON
// Lines may be gzipped. name is for messages.
func Read(r io.ReaderAt, name string, size int64) (*Raw, error) {
	head := make([]byte, min(size, 4))
	if _, err := r.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if string(head) == "PAR1" {
		return readParquet(r, name, size)
	}
	var in io.Reader = io.NewSectionReader(r, 0, size)
	if len(head) > 1 && head[0] == 0x1f && head[1] == 0x8b {
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		in = io.LimitReader(z, 64<<30)
	}
	b := bufio.NewReaderSize(in, 1<<16)
	first, err := b.Peek(1)
	if err != nil {
		return nil, fmt.Errorf("%s: the file is empty", name)
	}
	t := &Raw{}
	if first[0] == '{' {
		err = t.readLines(b)
	} else {
		err = t.readCSV(b)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := t.usable(name); err != nil {
		return nil, err
	}
	return t, nil
}

// readCSV reads a table with a header.
func (t *Raw) readCSV(b *bufio.Reader) error {
	head, err := b.Peek(4096)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	r := csv.NewReader(b)
	r.ReuseRecord, r.FieldsPerRecord, r.LazyQuotes = true, -1, true
	line, _, _ := bytes.Cut(head, []byte("\n"))
	for _, d := range []byte{';', '\t'} {
		if bytes.Count(line, []byte{d}) > bytes.Count(line, []byte{','}) {
			r.Comma = rune(d)
		}
	}
	header, err := r.Read()
	if err != nil {
		return err
	}
	header = slices.Clone(header)
	header[0] = strings.TrimPrefix(header[0], "\ufeff")
	l, err := telemetry.LayoutOf(header)
	if err != nil {
		return err
	}
	t.Header = l.Names
	if l.Label >= 0 {
		t.Labels = []bool{}
	}
	for {
		rec, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		t.Rows++
		if _, ok := errors.AsType[*csv.ParseError](err); ok {
			t.bad("broken quotes")
			continue
		}
		if err != nil {
			return err
		}
		if len(rec) != len(header) {
			t.bad("another number of columns")
			continue
		}
		t.addRow(l, func(i int) (string, bool) { return rec[i], rec[i] != "" })
		if err := t.within(); err != nil {
			return err
		}
	}
}

// within enforces the limits.
func (t *Raw) within() error {
	if t.Rows > maxRows || len(t.Samples)*len(t.Header) > maxCells {
		return fmt.Errorf("more than %d rows or %d cells: split the file by device", maxRows, maxCells)
	}
	return nil
}

// addRow appends the sample of one row, or counts why there is none.
func (t *Raw) addRow(l telemetry.Layout, cell func(i int) (string, bool)) {
	s := telemetry.Sample{Device: telemetry.DefaultDevice, Values: make([]float64, len(l.Metrics))}
	text, _ := cell(l.Time)
	var ok bool
	if s.Millis, s.OffsetMinutes, ok = telemetry.ParseTime(text); !ok {
		t.bad("no time")
		return
	}
	if l.Device >= 0 {
		if s.Device, ok = cell(l.Device); !ok || strings.TrimSpace(s.Device) == "" {
			t.bad("no device")
			return
		}
		s.Device = strings.TrimSpace(s.Device)
	}
	for k, i := range l.Metrics {
		s.Values[k] = math.NaN()
		text, ok := cell(i)
		if !ok || strings.TrimSpace(text) == "" {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err != nil {
			t.bad("a metric that is no number")
			return
		}
		if !math.IsInf(v, 0) {
			s.Values[k] = v
		}
	}
	if l.Simulated >= 0 {
		text, _ := cell(l.Simulated)
		s.Simulated = telemetry.Truth(text)
	}
	if l.Label >= 0 {
		text, _ := cell(l.Label)
		t.Labels = append(t.Labels, telemetry.Truth(text))
	}
	t.Samples = append(t.Samples, s)
}

// readLines reads JSON Lines. The header is that of the keys in order of first
// appearance; a key that appears later makes earlier samples lack it.
func (t *Raw) readLines(b *bufio.Reader) error {
	var keys []string
	index := map[string]int{}
	var pending []map[string]string
	scan := bufio.NewScanner(b)
	scan.Buffer(make([]byte, 1<<16), maxLine)
	for scan.Scan() {
		line := bytes.TrimSpace(scan.Bytes())
		if len(line) == 0 {
			continue
		}
		t.Rows++
		row, order, err := flat(line)
		if err != nil {
			t.bad("broken JSON")
			continue
		}
		for _, k := range order {
			if _, ok := index[k]; !ok {
				if len(keys) > 2*telemetry.MaxColumns {
					return fmt.Errorf("more than %d keys", 2*telemetry.MaxColumns)
				}
				index[k] = len(keys)
				keys = append(keys, k)
			}
		}
		pending = append(pending, row)
		if len(pending) > maxRows {
			return fmt.Errorf("more than %d rows", maxRows)
		}
	}
	if err := scan.Err(); err != nil {
		return err
	}
	l, err := telemetry.LayoutOf(keys)
	if err != nil {
		return err
	}
	t.Header = l.Names
	if l.Label >= 0 {
		t.Labels = []bool{}
	}
	for _, row := range pending {
		t.addRow(l, func(i int) (string, bool) { v, ok := row[keys[i]]; return v, ok })
		if err := t.within(); err != nil {
			return err
		}
	}
	return nil
}

// flat decodes an object of numbers, texts, booleans and nulls, and gives its
// keys in their order.
func flat(line []byte) (map[string]string, []string, error) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	if tok, err := d.Token(); err != nil || tok != json.Delim('{') {
		return nil, nil, fmt.Errorf("no object: %v", err)
	}
	row := map[string]string{}
	var order []string
	for d.More() {
		k, err := d.Token()
		if err != nil {
			return nil, nil, err
		}
		v, err := d.Token()
		if err != nil {
			return nil, nil, err
		}
		key := k.(string)
		switch v := v.(type) {
		case json.Number:
			row[key] = v.String()
		case string:
			row[key] = v
		case bool:
			row[key] = map[bool]string{true: "1", false: "0"}[v]
		case nil:
			row[key] = ""
		default:
			return nil, nil, errors.New("nested")
		}
		order = append(order, key)
	}
	if _, err := d.Token(); err != nil {
		return nil, nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, nil, errors.New("something follows the object")
	}
	return row, order, nil
}
