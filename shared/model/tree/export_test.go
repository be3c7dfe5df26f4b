package tree

// EncodedFirst is the encoding of e in version 1 or 2, as releases before
// version 3 wrote it.
func EncodedFirst(e *Ensemble) ([]byte, error) {
	was := e.first
	e.first = true
	defer func() { e.first = was }()
	return e.AppendBinary(nil)
}

// LimitWords sets how large the form for rows that come alone may be, and returns what
// undoes it.
func LimitWords(n int) (undo func()) {
	was := maxWords
	maxWords = n
	return func() { maxWords = was }
}
