package tree

// EncodedFirst is the encoding of e in version 1 or 2, as releases before
// version 3 wrote it.
func EncodedFirst(e *Ensemble) ([]byte, error) {
	was := e.first
	e.first = true
	defer func() { e.first = was }()
	return e.AppendBinary(nil)
}
