package prep

import (
	"bytes"
	"math"
	"strconv"

	"cloister/builder/internal/document"
	"cloister/shared/chart"
)

// Column counts the cells of a column of a file as they are written, before
// any is mended, also of columns that no field uses. Rows that were rejected
// for a cell count too, those that are no rows at all, such as a repeated
// header, do not.
type Column struct {
	Name     string `json:"name"`
	Empty    int64  `json:"empty"`    // nothing but space, or absent
	Infinite int64  `json:"infinite"` // Infinity, -inf, or a number too large to be one
	NaN      int64  `json:"nan"`
	Negative int64  `json:"negative"` // finite numbers below 0
	Numbers  int64  `json:"numbers"`  // other finite numbers
	Words    int64  `json:"words"`    // anything else
}

// Kind says what the column holds: "number" if no cell has words, "text" if
// none has a number, "mixed" or "empty".
func (c Column) Kind() string {
	numbers := c.Numbers + c.Negative + c.Infinite + c.NaN
	switch {
	case numbers == 0 && c.Words == 0:
		return "empty"
	case c.Words == 0:
		return "number"
	case numbers == 0:
		return "text"
	}
	return "mixed"
}

// tally adds the cells of a record to the columns.
func tally(to []Column, names []string, cells [][]byte) []Column {
	for len(to) < len(names) {
		to = append(to, Column{Name: names[len(to)]})
	}
	for i, cell := range cells {
		to[i].add(cell)
	}
	return to
}

func (c *Column) add(cell []byte) {
	text := string(bytes.TrimSpace(cell))
	v, err := strconv.ParseFloat(text, 64)
	switch {
	case text == "":
		c.Empty++
	case math.IsInf(v, 0): // also with ErrRange
		c.Infinite++
	case err != nil:
		c.Words++
	case math.IsNaN(v):
		c.NaN++
	case v < 0:
		c.Negative++
	default:
		c.Numbers++
	}
}

// columns writes what the columns of the files hold.
func (p *Profile) columns(d *document.Document) {
	for _, f := range p.Files {
		t := chart.Table{Caption: "Columns of " + f.Name, Head: []string{"column", "holds", "empty", "infinite", "NaN", "negative", "other numbers", "words"}}
		for _, c := range f.Columns {
			row := []string{c.Name, c.Kind()}
			for _, n := range []int64{c.Empty, c.Infinite, c.NaN, c.Negative, c.Numbers, c.Words} {
				row = append(row, strconv.FormatInt(n, 10))
			}
			t.Rows = append(t.Rows, row)
		}
		if len(t.Rows) > 0 {
			d.Text("Cells of %s as they are written, before any is mended, the columns that no field uses among them.", f.Name)
			d.Table(t)
		}
	}
}
