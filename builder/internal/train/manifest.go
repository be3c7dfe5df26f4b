package train

import (
	"context"
	"fmt"

	"cloister/builder/internal/prep"
)

// Place says where a row of a table is from.
type Place struct {
	File int   // index into Table.Files
	Row  int64 // number in the file, the first is 1
}

// PartsOf returns the part of each row of t in the split that m records, made
// again from the same files. A manifest of other files or of other rows is an
// error that says what differs. Rows that take no part are [prep.Out].
func (t *Table) PartsOf(ctx context.Context, m *prep.Manifest, files []File, r Recipe) ([]prep.Part, error) {
	var in []prep.File
	for _, f := range files {
		in = append(in, prep.File{Name: f.Name, ReaderAt: f, Size: f.Size})
	}
	d, err := prep.Read(ctx, in, prep.ReadOptions{Want: r.Schema})
	if err != nil {
		return nil, err
	}
	split, err := m.Rebuild(d)
	if err != nil {
		return nil, err
	}
	at := map[Place]prep.Part{}
	for i, p := range split.Parts {
		at[Place{d.File[i], d.Row[i]}] = p
	}
	out := make([]prep.Part, len(t.Place))
	for i, place := range t.Place {
		p, ok := at[place]
		if !ok {
			return nil, fmt.Errorf("split %s: %s: row %d is not in it", m.Scheme, t.Files[place.File].Name, place.Row)
		}
		out[i] = p
	}
	return out, nil
}
