package model_test

import (
	"errors"
	"testing"

	"cloister/shared/model"
)

func TestRows(t *testing.T) {
	for _, c := range []struct{ dst, x, d, k, rows int }{
		{0, 0, 3, 2, 0}, {2, 3, 3, 2, 1}, {8, 12, 3, 2, 4}, {5, 5, 1, 1, 5},
		{1, 3, 3, 2, -1}, {2, 4, 3, 2, -1}, {2, 2, 3, 2, -1}, {2, 0, 3, 2, -1}, {0, 3, 3, 2, -1}, {4, 3, 3, 2, -1},
	} {
		n, err := model.Rows(make([]float64, c.dst), make([]float64, c.x), c.d, c.k)
		if c.rows >= 0 {
			if n != c.rows || err != nil {
				t.Errorf("%+v: got %d, %v", c, n, err)
			}
			continue
		}
		e, ok := errors.AsType[*model.ShapeError](err)
		if !ok || e.Error() == "" {
			t.Errorf("%+v: got %v, want a ShapeError", c, err)
			continue
		}
		if want := map[string]int{"x": c.x, "dst": c.dst}[e.What]; e.Got != want {
			t.Errorf("%+v: %q says %d, want %d", c, e.What, e.Got, want)
		}
	}
}
