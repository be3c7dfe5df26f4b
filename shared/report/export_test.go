package report

// Digest and Address are compared with the standard library's.
var (
	Digest  = digest
	Address = address
)
