package grow

// SetMaxColumns changes how large a sparse table may be to be laid out by
// column, and returns a function that changes it back.
func SetMaxColumns(n int) (restore func()) { return set(&maxColumns, n) }

// SetCached does so for how large a table may be to be laid out by column only.
func SetCached(n int) (restore func()) { return set(&cached, n) }

// SetMemoMost does so for up to how many values a column is counted, not sorted.
func SetMemoMost(n int) (restore func()) { return set(&memoMost, n) }

func set(v *int, n int) (restore func()) {
	old := *v
	*v = n
	return func() { *v = old }
}

// Drawn returns the first numbers of a tree's generator.
func Drawn(seed, tree uint64, n int) []uint64 {
	s := newStream(seed, tree)
	out := make([]uint64, n)
	for i := range out {
		out[i] = s.Uint64()
	}
	return out
}
