package site

// arrange sorts x by compare; equal elements stay in order. Package slices
// makes a sort of its own for each type, 15 kB of WebAssembly apiece.
func arrange[T any](x []T, compare func(a, b T) int) {
	y := make([]T, len(x))
	for at, i := range permutation(len(x), func(i, j int) int { return compare(x[i], x[j]) }) {
		y[at] = x[i]
	}
	copy(x, y)
}

// permutation returns the numbers below n in the order of compare, by merging
// ever longer runs.
func permutation(n int, compare func(i, j int) int) []int {
	a, b := make([]int, n), make([]int, n)
	for i := range a {
		a[i] = i
	}
	for run := 1; run < n; run *= 2 {
		for from := 0; from < n; from += 2 * run {
			middle, end := min(from+run, n), min(from+2*run, n)
			i, j := from, middle
			for at := from; at < end; at++ {
				if i < middle && (j == end || compare(a[i], a[j]) <= 0) {
					b[at] = a[i]
					i++
				} else {
					b[at] = a[j]
					j++
				}
			}
		}
		a, b = b, a
	}
	return a
}
