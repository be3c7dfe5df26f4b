package explain

import "cloister/shared/model/tree"

// Tabled returns how many trees, from the first on, have tables for class.
func (x *Explainer) Tabled(class int) int { return x.tabled(class) }

// Groups returns the groups of the tables of class and their values.
func (x *Explainer) Groups(class int) (groups, values int) {
	t := x.table(class)
	return len(t.groups), len(t.values)
}

// Lanes returns the lanes and the columns of the ensemble.
func (x *Explainer) Lanes() (lanes, columns int) { return x.laned().count(), x.e.Columns() }

// WithoutTables returns an explainer of the same ensemble that walks.
func (x *Explainer) WithoutTables() *Explainer {
	y, _ := New(x.e)
	y.tables = nil
	return y
}

// WithoutTables returns an explainer of the same ensemble and background that
// walks.
func (x *Interventional) WithoutTables(e *tree.Ensemble, background []float64) *Interventional {
	y, _ := NewInterventional(e, background)
	y.tables = nil
	return y
}

// TableBytes bounds the tables of an explainer; TableRows and WalkRows are the
// rows of a block.
const (
	TableBytes = tableBytes
	TableRows  = tableRows
	WalkRows   = walkRows
)
