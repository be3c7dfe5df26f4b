package bundle

import (
	"fmt"
	"io"
)

// FormatError means that the bytes are not a bundle, or not the one encoding
// that their content has.
type FormatError struct {
	Offset int64  // of the first wrong byte, from the start of the file
	What   string // what is wrong there
	Err    error  // the *FieldError of a manifest value, else nil
}

// Error returns the offset and what is wrong there.
func (e *FormatError) Error() string { return fmt.Sprintf("bundle: byte %d: %s", e.Offset, e.What) }

// Unwrap returns Err.
func (e *FormatError) Unwrap() error { return e.Err }

// FieldError means that a manifest value breaks a rule of SPEC.md. [Decode]
// returns it inside a [*FormatError].
type FieldError struct {
	Field string // path of the value: "labels[3].severity"
	Value string // the value, quoted and cut to 64 bytes; empty if absent
	Want  string // the rule: "a semantic version"
}

// Error returns the path, the rule and the value.
func (e *FieldError) Error() string { return "bundle: " + e.text() }

// text is Error without the package, for a FormatError that wraps it.
func (e *FieldError) text() string {
	s := "manifest: " + e.Field + ": want " + e.Want
	if e.Value != "" {
		s += ": " + e.Value
	}
	return s
}

// LimitError means that the input is larger than a value of [Limits].
type LimitError struct {
	What  string // "file", "entries", or the name of an entry
	Limit int64  // the largest accepted value, bytes or entries
	Got   int64  // the value that the input has or claims
}

// Error returns what was too large and by how much.
func (e *LimitError) Error() string {
	return fmt.Sprintf("bundle: %s: %d is over the limit of %d", e.What, e.Got, e.Limit)
}

// UnsupportedError means that the file is a bundle of a format or version that
// this package does not read.
type UnsupportedError struct {
	What string // `format "cloister-bundle" 2, this program reads 1.0`
}

// Error returns what is not supported.
func (e *UnsupportedError) Error() string { return "bundle: not supported: " + e.What }

// HashError means that the content of an entry is not what was written.
type HashError struct {
	Name string // of the entry
	Sum  string // the check that failed: "CRC-32" or "SHA-256"
}

// Error returns the entry and the check.
func (e *HashError) Error() string {
	return fmt.Sprintf("bundle: %s: %s does not match the content", e.Name, e.Sum)
}

// cut is the error for input that ends before offset off is satisfied.
func cut(off int) error { return fmt.Errorf("bundle: byte %d: %w", off, io.ErrUnexpectedEOF) }

// malformed returns a FormatError at off.
func malformed(off int, format string, args ...any) error {
	return &FormatError{Offset: int64(off), What: fmt.Sprintf(format, args...)}
}
