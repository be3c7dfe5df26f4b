package ingest

// Watch has f called with every record of a table from now on, before it is
// read: name i is that of cells[i], which is nil if the record lacks it, in the
// order of the file and with the columns that no field uses. Both are valid
// until f returns. Captures and telemetry have no such records.
func (s *Source) Watch(f func(names []string, cells [][]byte)) {
	if t, ok := s.table.(*rowTable); ok {
		t.watched(f)
	}
}

// watched makes f see the cells of all columns.
func (t *rowTable) watched(f func(names []string, cells [][]byte)) {
	var columns []int
	for _, in := range t.plan.inputs {
		columns = append(columns, in.col)
	}
	for i := range t.plan.header {
		columns = append(columns, i)
	}
	t.src.bind(columns)
	t.cells, t.watch = make([][]byte, len(columns)), f
}
