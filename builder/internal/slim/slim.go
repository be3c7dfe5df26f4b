// Package slim takes out of a WebAssembly program what a browser only
// downloads. It hides how the Go linker lays out such a program: the tables by
// which a stack trace names files, lines, functions and arguments, and the data,
// which the linker cuts into a hundred thousand pieces around every eight zeros.
// Together they are a fifth of a download.
//
//	small, err := slim.Wasm(program, "main.", "example.org/module/")
//
// The program does the same as before. Its stack traces name the functions of
// those packages, but for inlined ones, with "?:0" for the place, and leave out
// all others. Wasm of its own output returns the same bytes.
//
// Limits: programs of the Go releases from 1.20 on, whose table of functions
// starts with the same number; another layout is an error.
package slim

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// maxMemory bounds the memory that a program's data take up.
const maxMemory = 64 << 20

// gap is how many zeros in a row end a piece of data. Of 32, 128 and 4,096 the
// scorer was smallest in brotli with this one.
const gap = 128

var errCut = errors.New("slim: the program is cut short")

// Wasm returns program without the places of its stack traces, with the names of
// those functions alone that start with one of keep, and with its data in few
// pieces. What is not a program of the Go linker is an error.
func Wasm(program []byte, keep ...string) ([]byte, error) {
	if !bytes.HasPrefix(program, []byte("\x00asm\x01\x00\x00\x00")) {
		return nil, errors.New("slim: want WebAssembly 1")
	}
	out := bytes.Clone(program[:8])
	found := false
	for at := 8; at < len(program); {
		r := reader{b: program, at: at + 1}
		size := r.unsigned()
		body := r.take(size)
		if r.bad {
			return nil, errCut
		}
		if program[at] == sectionData {
			data, err := lean(body, keep)
			if err != nil {
				return nil, err
			}
			found = true
			out = append(out, sectionData)
			out = binary.AppendUvarint(out, uint64(len(data)))
			out = append(out, data...)
		} else {
			out = append(out, program[at:r.at]...)
		}
		at = r.at
	}
	if !found {
		return nil, errors.New("slim: the program has no data")
	}
	return out, nil
}

// sectionData is the number of the data section: WebAssembly 1.0, 5.5.14.
const sectionData = 11

// lean returns a data section that fills memory as body does, but for what
// [dropPlaces] leaves out.
func lean(body []byte, keep []string) ([]byte, error) {
	memory, err := load(body)
	if err != nil {
		return nil, err
	}
	if err := dropPlaces(memory, keep); err != nil {
		return nil, err
	}
	type piece struct{ from, to int }
	var pieces []piece
	for at := 0; at < len(memory); {
		if memory[at] == 0 {
			at++
			continue
		}
		end, zeros := at, 0
		for i := at; i < len(memory) && zeros < gap; i++ {
			if zeros++; memory[i] != 0 {
				end, zeros = i+1, 0
			}
		}
		pieces = append(pieces, piece{at, end})
		at = end
	}
	out := binary.AppendUvarint(nil, uint64(len(pieces)))
	for _, p := range pieces {
		out = append(out, 0, opConst)
		out = appendSigned(out, int64(p.from))
		out = append(out, opEnd)
		out = binary.AppendUvarint(out, uint64(p.to-p.from))
		out = append(out, memory[p.from:p.to]...)
	}
	return out, nil
}

// Instructions of the expression that says where a piece goes.
const (
	opConst = 0x41 // i32.const
	opEnd   = 0x0b
)

// load returns the memory that a data section fills, from address 0 on.
func load(body []byte) ([]byte, error) {
	r := reader{b: body}
	var memory []byte
	for n := r.unsigned(); n > 0 && !r.bad; n-- {
		if kind, op := r.byte(), r.byte(); (kind != 0 || op != opConst) && !r.bad {
			return nil, fmt.Errorf("slim: data of kind %d at %#x, want a constant address", kind, op)
		}
		to := r.signed()
		r.byte()
		data := r.take(r.unsigned())
		if r.bad {
			break
		}
		if to < 0 || to > maxMemory-int64(len(data)) {
			return nil, fmt.Errorf("slim: data at %d, want it between 0 and %d", to, maxMemory)
		}
		if more := int(to) + len(data) - len(memory); more > 0 {
			memory = append(memory, make([]byte, more)...)
		}
		copy(memory[to:], data)
	}
	if r.bad || r.at != len(body) {
		return nil, errCut
	}
	return memory, nil
}

// reader reads LEB128 numbers and remembers whether anything was amiss.
type reader struct {
	b   []byte
	at  int
	bad bool
}

func (r *reader) byte() byte {
	if r.at >= len(r.b) {
		r.bad = true
		return 0
	}
	r.at++
	return r.b[r.at-1]
}

// take returns the next n bytes.
func (r *reader) take(n uint64) []byte {
	if r.bad || n > uint64(len(r.b)-r.at) {
		r.bad = true
		return nil
	}
	r.at += int(n)
	return r.b[r.at-int(n) : r.at]
}

func (r *reader) unsigned() uint64 {
	var v uint64
	for shift := 0; shift < 35; shift += 7 {
		b := r.byte()
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return v
		}
	}
	r.bad = true
	return 0
}

func (r *reader) signed() int64 {
	var v int64
	for shift := 0; shift < 35; shift += 7 {
		b := r.byte()
		v |= int64(b&0x7f) << shift
		if b < 0x80 {
			if b&0x40 != 0 {
				v |= -1 << (shift + 7)
			}
			return v
		}
	}
	r.bad = true
	return 0
}

func appendSigned(out []byte, v int64) []byte {
	for {
		b := byte(v & 0x7f)
		v >>= 7
		if v == 0 && b&0x40 == 0 || v == -1 && b&0x40 != 0 {
			return append(out, b)
		}
		out = append(out, b|0x80)
	}
}
