package explain

import (
	"fmt"

	"cloister/shared/model"
)

// oblique fills phi, n×d, with the values of rows along their paths.
func (g *engine) oblique(phi, rows []float64) error {
	d, _ := g.e.Shape()
	if len(rows)%d != 0 {
		return &model.ShapeError{What: "x", Got: len(rows), Want: fmt.Sprintf("a multiple of %d", d)}
	}
	clear(phi)
	for r := 0; r < len(rows); r += d {
		if err := g.e.PathValues(phi[r:r+d], rows[r:r+d]); err != nil {
			return err // unreachable: both are d
		}
	}
	for i := range phi {
		phi[i] *= g.scale
	}
	return nil
}
