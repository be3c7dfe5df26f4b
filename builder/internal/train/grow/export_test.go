package grow

// SetMaxColumns changes how large a sparse table may be to be laid out by
// column, and returns a function that changes it back.
func SetMaxColumns(n int) (restore func()) {
	old := maxColumns
	maxColumns = n
	return func() { maxColumns = old }
}
