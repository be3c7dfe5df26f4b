// Package wire reads and writes bounded little-endian binary data. It hides
// how numbers lie in bytes, and the one rule that keeps hostile input from
// sizing an allocation: a count is refused when the bytes that are left
// cannot hold that many elements.
//
//	r := wire.NewReader(b)
//	n := r.Count(8)              // at most the elements that can follow
//	for range n { use(r.F64()) }
//	err := r.Close()             // sticky error, or trailing bytes
//
// The encoding is fixed: little-endian, no padding, varints in their
// shortest form only, so that each value has exactly one encoding.
package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Errors that a Reader ends with. Test them with [errors.Is]; the error that
// carries them adds the offset.
var (
	// ErrShort means that the input ended inside a value.
	ErrShort = errors.New("input ends too early")
	// ErrCount means that a count asks for more than the input can hold.
	ErrCount = errors.New("count exceeds the bytes that are left")
	// ErrVarint means that a varint is too long or not in its shortest form.
	ErrVarint = errors.New("varint is not canonical")
	// ErrTrailing means that bytes follow the last value.
	ErrTrailing = errors.New("bytes follow the last value")
)

// OffsetError is an error at a byte offset of the input.
type OffsetError struct {
	Offset int // in bytes from the start of the input
	Err    error
}

// Error returns the offset and the reason.
func (e *OffsetError) Error() string { return fmt.Sprintf("byte %d: %v", e.Offset, e.Err) }

// Unwrap returns the reason.
func (e *OffsetError) Unwrap() error { return e.Err }

// Reader decodes values from a byte slice. After the first error every
// method returns zero values; read all fields, then check [Reader.Err] or
// [Reader.Close] once. A Reader is not safe for concurrent use.
type Reader struct {
	b   []byte
	off int
	err error
}

// NewReader returns a Reader over b, which it keeps and does not change.
func NewReader(b []byte) *Reader { return &Reader{b: b} }

// Err returns the first error, an [*OffsetError], or nil.
func (r *Reader) Err() error { return r.err }

// Close returns the first error, or an [*OffsetError] with [ErrTrailing] if
// bytes are left over.
func (r *Reader) Close() error {
	if r.err == nil && r.off != len(r.b) {
		r.Fail(ErrTrailing)
	}
	return r.err
}

// Fail records err at the current offset unless an error is recorded already.
func (r *Reader) Fail(err error) {
	if r.err == nil {
		r.err = &OffsetError{r.off, err}
	}
}

// Offset returns how many bytes have been consumed.
func (r *Reader) Offset() int { return r.off }

// Left returns how many bytes are left, 0 after an error.
func (r *Reader) Left() int {
	if r.err != nil {
		return 0
	}
	return len(r.b) - r.off
}

// Bytes returns the next n bytes without copying them.
func (r *Reader) Bytes(n int) []byte {
	if r.err != nil {
		return nil
	}
	if n < 0 || n > len(r.b)-r.off {
		r.Fail(ErrShort)
		return nil
	}
	b := r.b[r.off : r.off+n : r.off+n]
	r.off += n
	return b
}

// U8 reads one byte.
func (r *Reader) U8() uint8 {
	if b := r.Bytes(1); b != nil {
		return b[0]
	}
	return 0
}

// U16 reads two bytes.
func (r *Reader) U16() uint16 {
	if b := r.Bytes(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

// U32 reads four bytes.
func (r *Reader) U32() uint32 {
	if b := r.Bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// U64 reads eight bytes.
func (r *Reader) U64() uint64 {
	if b := r.Bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// F32 reads an IEEE 754 binary32 value.
func (r *Reader) F32() float32 { return math.Float32frombits(r.U32()) }

// F64 reads an IEEE 754 binary64 value.
func (r *Reader) F64() float64 { return math.Float64frombits(r.U64()) }

// Uvarint reads an unsigned varint of at most 64 bits in its shortest form.
func (r *Reader) Uvarint() uint64 {
	if r.err != nil {
		return 0
	}
	v, n := binary.Uvarint(r.b[r.off:])
	switch {
	case n == 0:
		r.Fail(ErrShort)
		return 0
	case n < 0 || n > 1 && r.b[r.off+n-1] == 0:
		r.Fail(ErrVarint)
		return 0
	}
	r.off += n
	return v
}

// Count reads a varint count of elements that take at least size bytes each,
// 1 or more, and fails with [ErrCount] if the bytes that are left cannot hold
// them.
func (r *Reader) Count(size int) int {
	v := r.Uvarint()
	if v > uint64(r.Left()/size) {
		r.Fail(ErrCount)
		return 0
	}
	return int(v)
}

// Blob reads a varint length and that many bytes, not copied.
func (r *Reader) Blob() []byte { return r.Bytes(r.Count(1)) }

// Text reads a varint length and that many bytes as a string.
func (r *Reader) Text() string { return string(r.Blob()) }

// Writer appends values to a byte slice. The zero value is ready to use.
type Writer struct {
	b []byte
}

// Finish returns what has been written. The Writer must not be used after.
func (w *Writer) Finish() []byte { return w.b }

// Len returns how many bytes have been written.
func (w *Writer) Len() int { return len(w.b) }

// U8 appends one byte.
func (w *Writer) U8(v uint8) { w.b = append(w.b, v) }

// U16 appends two bytes.
func (w *Writer) U16(v uint16) { w.b = binary.LittleEndian.AppendUint16(w.b, v) }

// U32 appends four bytes.
func (w *Writer) U32(v uint32) { w.b = binary.LittleEndian.AppendUint32(w.b, v) }

// U64 appends eight bytes.
func (w *Writer) U64(v uint64) { w.b = binary.LittleEndian.AppendUint64(w.b, v) }

// F32 appends an IEEE 754 binary32 value.
func (w *Writer) F32(v float32) { w.U32(math.Float32bits(v)) }

// F64 appends an IEEE 754 binary64 value.
func (w *Writer) F64(v float64) { w.U64(math.Float64bits(v)) }

// Uvarint appends v in the shortest varint form.
func (w *Writer) Uvarint(v uint64) { w.b = binary.AppendUvarint(w.b, v) }

// Count appends a count for [Reader.Count].
func (w *Writer) Count(n int) { w.Uvarint(uint64(n)) }

// Bytes appends b as it is.
func (w *Writer) Bytes(b []byte) { w.b = append(w.b, b...) }

// Blob appends the length of b and b.
func (w *Writer) Blob(b []byte) { w.Count(len(b)); w.Bytes(b) }

// Text appends the length of s and s.
func (w *Writer) Text(s string) { w.Count(len(s)); w.b = append(w.b, s...) }
