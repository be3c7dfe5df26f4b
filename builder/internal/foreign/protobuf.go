package foreign

import (
	"encoding/binary"
	"math"
)

// field is one field of a protobuf message.
type field struct {
	number int
	wire   byte   // 0 varint, 1 fixed64, 2 bytes, 5 fixed32
	bits   uint64 // of the first, second and last
	bytes  []byte
	at     int // byte of the file where its content starts
}

// fields calls use for every field of the message in b, which starts at byte at
// of the file.
func fields(b []byte, at int, use func(f field) error) error {
	for pos := 0; pos < len(b); {
		tag, n := binary.Uvarint(b[pos:])
		if n <= 0 || tag>>3 == 0 || tag>>3 > 1<<29 {
			return malformed("onnx", at+pos, "no field of a message")
		}
		pos += n
		f := field{number: int(tag >> 3), wire: byte(tag & 7), at: at + pos}
		switch f.wire {
		case 0:
			if f.bits, n = binary.Uvarint(b[pos:]); n <= 0 {
				return malformed("onnx", f.at, "a number is cut short")
			}
			pos += n
		case 1:
			if len(b)-pos < 8 {
				return malformed("onnx", f.at, "a number is cut short")
			}
			f.bits = binary.LittleEndian.Uint64(b[pos:])
			pos += 8
		case 5:
			if len(b)-pos < 4 {
				return malformed("onnx", f.at, "a number is cut short")
			}
			f.bits = uint64(binary.LittleEndian.Uint32(b[pos:]))
			pos += 4
		case 2:
			size, n := binary.Uvarint(b[pos:])
			if n <= 0 || size > uint64(len(b)-pos-n) {
				return malformed("onnx", f.at, "a field of %d bytes where %d are left", size, len(b)-pos)
			}
			pos += n
			f.at, f.bytes = at+pos, b[pos:pos+int(size)]
			pos += int(size)
		default:
			return malformed("onnx", f.at, "wire type %d", f.wire)
		}
		if err := use(f); err != nil {
			return err
		}
	}
	return nil
}

// ints appends the numbers of a repeated integer, packed or one.
func (f field) ints(dst []int64) ([]int64, error) {
	if f.wire == 0 {
		return append(dst, int64(f.bits)), nil
	}
	for b := f.bytes; len(b) > 0; {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, malformed("onnx", f.at, "a list of numbers is cut short")
		}
		dst, b = append(dst, int64(v)), b[n:]
	}
	return dst, nil
}

// floats appends the numbers of a repeated float, packed or one.
func (f field) floats(dst []float64) ([]float64, error) {
	if f.wire == 5 {
		return append(dst, float64(math.Float32frombits(uint32(f.bits)))), nil
	}
	if len(f.bytes)%4 != 0 {
		return nil, malformed("onnx", f.at, "a list of numbers is cut short")
	}
	for i := 0; i < len(f.bytes); i += 4 {
		dst = append(dst, float64(math.Float32frombits(binary.LittleEndian.Uint32(f.bytes[i:]))))
	}
	return dst, nil
}

// doubles appends the numbers of a repeated double, packed or one.
func (f field) doubles(dst []float64) ([]float64, error) {
	if f.wire == 1 {
		return append(dst, math.Float64frombits(f.bits)), nil
	}
	if len(f.bytes)%8 != 0 {
		return nil, malformed("onnx", f.at, "a list of numbers is cut short")
	}
	for i := 0; i < len(f.bytes); i += 8 {
		dst = append(dst, math.Float64frombits(binary.LittleEndian.Uint64(f.bytes[i:])))
	}
	return dst, nil
}

// message is a protobuf message being written.
type message []byte

func (m *message) tag(number int, wire byte) {
	*m = binary.AppendUvarint(*m, uint64(number)<<3|uint64(wire))
}

func (m *message) number(number int, v int64) {
	m.tag(number, 0)
	*m = binary.AppendUvarint(*m, uint64(v))
}

func (m *message) bytes(number int, b []byte) {
	m.tag(number, 2)
	*m = append(binary.AppendUvarint(*m, uint64(len(b))), b...)
}

func (m *message) text(number int, s string) { m.bytes(number, []byte(s)) }
