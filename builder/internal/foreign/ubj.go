package foreign

import (
	"encoding/binary"
	"math"
)

// ubjReader reads UBJSON (draft 12) as XGBoost writes it: big-endian numbers
// behind a marker, containers with or without type and count.
type ubjReader struct {
	b  []byte
	at int
}

func parseUBJ(data []byte) (*value, error) {
	r := &ubjReader{b: data}
	m, err := r.marker()
	if err != nil {
		return nil, err
	}
	v, err := r.value(m, 0)
	if err != nil {
		return nil, err
	}
	if r.at != len(data) {
		return nil, r.fail("more after the end of the value")
	}
	return &v, nil
}

func (r *ubjReader) fail(what string, args ...any) error {
	return malformed("ubj", r.at, what, args...)
}

// marker returns the next byte that is no padding.
func (r *ubjReader) marker() (byte, error) {
	for r.at < len(r.b) {
		c := r.b[r.at]
		r.at++
		if c != 'N' {
			return c, nil
		}
	}
	return 0, r.fail("it ends in the middle of a value")
}

// ubjSize is how many bytes a number of each type takes.
var ubjSize = map[byte]int{'i': 1, 'U': 1, 'I': 2, 'l': 4, 'L': 8, 'd': 4, 'D': 8}

// number reads a number of type m.
func (r *ubjReader) number(m byte) (float64, error) {
	size, ok := ubjSize[m]
	if !ok {
		return 0, r.fail("type %q is no number", m)
	}
	if len(r.b)-r.at < size {
		return 0, r.fail("it ends in the middle of a number")
	}
	b := r.b[r.at : r.at+size]
	r.at += size
	switch m {
	case 'i':
		return float64(int8(b[0])), nil
	case 'U':
		return float64(b[0]), nil
	case 'I':
		return float64(int16(binary.BigEndian.Uint16(b))), nil
	case 'l':
		return float64(int32(binary.BigEndian.Uint32(b))), nil
	case 'L':
		return float64(int64(binary.BigEndian.Uint64(b))), nil
	case 'd':
		return float64(math.Float32frombits(binary.BigEndian.Uint32(b))), nil
	}
	return math.Float64frombits(binary.BigEndian.Uint64(b)), nil
}

// count reads a length with its type. size is what an element takes at least.
func (r *ubjReader) count(size int) (int, error) {
	m, err := r.marker()
	if err != nil {
		return 0, err
	}
	if m == 'd' || m == 'D' {
		return 0, r.fail("a length of type %q", m)
	}
	n, err := r.number(m)
	if err != nil {
		return 0, err
	}
	if n < 0 || n > float64((len(r.b)-r.at)/size) {
		return 0, r.fail("%.0f elements in the %d bytes that are left", n, len(r.b)-r.at)
	}
	return int(n), nil
}

// text reads a length and as many bytes.
func (r *ubjReader) text() (string, error) {
	n, err := r.count(1)
	if err != nil {
		return "", err
	}
	s := string(r.b[r.at : r.at+n])
	r.at += n
	return s, nil
}

// value reads what follows marker m.
func (r *ubjReader) value(m byte, depth int) (value, error) {
	v := value{at: r.at - 1}
	if depth > maxDepth {
		return v, &LimitError{"ubj", "nested values", maxDepth, int64(depth)}
	}
	var err error
	switch m {
	case 'Z':
		v.kind = isNull
	case 'T', 'F':
		v.kind = isBool
		if m == 'T' {
			v.num = 1
		}
	case 'S':
		v.kind = isString
		v.str, err = r.text()
	case 'C':
		v.kind = isString
		if r.at == len(r.b) {
			return v, r.fail("it ends in the middle of a value")
		}
		v.str = string(rune(r.b[r.at]))
		r.at++
	case '[':
		v.kind = isNumbers
		err = r.container(&v, depth, ']')
	case '{':
		v.kind = isObject
		err = r.container(&v, depth, '}')
	default:
		v.kind = isNumber
		v.num, err = r.number(m)
	}
	return v, err
}

// container reads the elements of an array or object up to end.
func (r *ubjReader) container(v *value, depth int, end byte) error {
	kind, count := byte(0), -1
	if r.at < len(r.b) && r.b[r.at] == '$' {
		if r.at++; r.at == len(r.b) {
			return r.fail("it ends in the middle of a value")
		}
		kind = r.b[r.at]
		if r.at++; r.at == len(r.b) || r.b[r.at] != '#' {
			return r.fail("a typed container without count")
		}
		if ubjSize[kind] == 0 && kind != 'S' && kind != '{' && kind != '[' {
			return r.fail("a container of type %q", kind) // null and booleans take no bytes: any count would do
		}
	}
	if r.at < len(r.b) && r.b[r.at] == '#' {
		r.at++
		var err error
		if count, err = r.count(max(ubjSize[kind], 1)); err != nil {
			return err
		}
	}
	for n := 0; count < 0 || n < count; n++ {
		m := kind
		if end == '}' {
			// A key is a length and its bytes, without marker of its own.
			if count < 0 && r.at < len(r.b) && r.b[r.at] == end {
				r.at++
				return nil
			}
			key, err := r.text()
			if err != nil {
				return err
			}
			if m == 0 {
				if m, err = r.marker(); err != nil {
					return err
				}
			}
			e, err := r.value(m, depth+1)
			if err == nil {
				err = v.put("ubj", key, e)
			}
			if err != nil {
				return err
			}
			continue
		}
		if m == 0 {
			var err error
			if m, err = r.marker(); err != nil {
				return err
			}
			if count < 0 && m == end {
				return nil
			}
		}
		e, err := r.value(m, depth+1)
		if err != nil {
			return err
		}
		v.collect(e)
	}
	return nil
}
