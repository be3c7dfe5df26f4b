package unpack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

// packedRow writes cells as site/reader does, "-" as null.
func packedRow(dst []byte, cells ...string) []byte {
	for _, c := range cells {
		if c == "-" {
			dst = append(dst, 0)
			continue
		}
		dst = append(binary.AppendUvarint(dst, uint64(len(c))+1), c...)
	}
	return dst
}

func tableOf(n int64) (*cells, *int) {
	asked := 0
	c := &cells{header: []string{"a", "b"}, rows: n}
	c.more = func(from int64) (packed []byte, rows int64, err error) {
		asked++
		for ; rows < 7 && from+rows < n; rows++ {
			packed = packedRow(packed, fmt.Sprint(from+rows), []string{"-", "", strings.Repeat("x", 300)}[(from+rows)%3])
		}
		return packed, rows, nil
	}
	return c, &asked
}

func TestCells_rowsInAnyOrder(t *testing.T) {
	c, asked := tableOf(40)
	order := []int64{}
	for i := range int64(40) {
		order = append(order, i)
	}
	order = append(order, 39, 0, 5, 3, 3, 39)
	for _, i := range order {
		row, err := c.Row(i)
		if err != nil || len(row) != 2 || string(row[0]) != fmt.Sprint(i) {
			t.Fatalf("row %d: %q, %v", i, row, err)
		}
		if want := []int{-1, 0, 300}[i%3]; want < 0 != (row[1] == nil) || want >= 0 && len(row[1]) != want {
			t.Fatalf("row %d: %q", i, row)
		}
	}
	if *asked != 8 {
		t.Errorf("the reader was asked %d times", *asked)
	}
	for _, i := range []int64{-1, 40} {
		if _, err := c.Row(i); err == nil {
			t.Errorf("row %d of 40 is there", i)
		}
	}
}

// An answer that is not what was asked for is an error.
func TestCells_oddAnswers(t *testing.T) {
	whole := packedRow(nil, "1", "two")
	for name, a := range map[string]struct {
		packed []byte
		n      int64
	}{
		"no rows": {whole, 0}, "more rows than bytes": {whole, 99}, "a row less": {whole, 2}, "cut": {whole[:3], 1},
		"a long cell": {binary.AppendUvarint(nil, 1<<62), 1},
		"no end":      {bytes.Repeat([]byte{0xff}, 12), 1},
		"nothing":     {nil, 1},
	} {
		c := &cells{header: []string{"a", "b"}, rows: 5, more: func(int64) ([]byte, int64, error) { return a.packed, a.n, nil }}
		_, err := c.Row(0)
		if err == nil {
			_, err = c.Row(1)
		}
		if err == nil {
			t.Errorf("%s: is accepted", name)
		}
	}
}

func FuzzCutRow(f *testing.F) {
	f.Add(packedRow(nil, "a", "-", "", strings.Repeat("b", 200)), 4)
	f.Fuzz(func(t *testing.T, packed []byte, n int) {
		n &= 15
		row, end, err := cutRow(nil, packed, 0, n)
		if err != nil {
			return
		}
		if len(row) != n || end > len(packed) {
			t.Fatalf("%d cells up to %d of %d", len(row), end, len(packed))
		}
		var again []byte
		for _, c := range row {
			if c == nil {
				again = append(again, 0)
				continue
			}
			again = append(binary.AppendUvarint(again, uint64(len(c))+1), c...)
		}
		if second, _, err := cutRow(nil, again, 0, n); err != nil || !reflect.DeepEqual(second, row) {
			t.Fatalf("%q, then %q, %v", row, second, err)
		}
	})
}

// doubler unpacks by doubling each byte, a few at a time.
type doubler struct {
	in   []byte
	fail error
}

func (d *doubler) ask(packed []byte, last bool) (out []byte, hungry, done bool, err error) {
	d.in = append(d.in, packed...)
	for len(d.in) > 0 && len(out) < 1000 {
		out = append(out, d.in[0], d.in[0])
		d.in = d.in[1:]
	}
	return out, len(d.in) == 0 && !last, len(d.in) == 0 && last, d.fail
}

func TestUnzipped_isAReader(t *testing.T) {
	for _, n := range []int{0, 1, 499, 500, 501, packedBytes, packedBytes + 1, 3 * packedBytes} {
		in := bytes.Repeat([]byte("abc"), n/3+1)[:n]
		var want []byte
		for _, b := range in {
			want = append(want, b, b)
		}
		u := &unzipped{hungry: true, packed: iotest.HalfReader(bytes.NewReader(in)), ask: (&doubler{}).ask}
		if err := iotest.TestReader(u, want); err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestUnzipped_errors(t *testing.T) {
	gone := errors.New("gone")
	for name, u := range map[string]*unzipped{
		"of the file":   {hungry: true, packed: io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(gone)), ask: (&doubler{}).ask},
		"of the reader": {hungry: true, packed: strings.NewReader("abc"), ask: (&doubler{fail: gone}).ask},
	} {
		for range 2 { // it stays
			if _, err := io.ReadAll(u); !errors.Is(err, gone) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	silent := &unzipped{hungry: true, packed: strings.NewReader("abc"), ask: func([]byte, bool) ([]byte, bool, bool, error) { return nil, false, false, nil }}
	if _, err := io.ReadAll(silent); err == nil {
		t.Error("a reader that never says anything is waited for")
	}
}
