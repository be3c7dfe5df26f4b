package kernel

import (
	"encoding/binary"
	"math"
	"slices"
)

// An assembler for the part of WebAssembly that the kernel is written in:
// expressions are byte strings that nest as their operands do, so a loop reads
// in Go much as it would in C. Opcodes are those of the WebAssembly core
// specification 2.0, section 5.4, and of its vector instructions, 5.4.8.

// code is encoded instructions.
type code []byte

func cat(parts ...code) code { return slices.Concat(parts...) }

func unsigned(v uint32) code { return binary.AppendUvarint(nil, uint64(v)) }

// signed is LEB128 with sign, of i32.const and i64.const.
func signed(v int64) code {
	var c code
	for {
		b := byte(v & 0x7f)
		v >>= 7
		if v == 0 && b&0x40 == 0 || v == -1 && b&0x40 != 0 {
			return append(c, b)
		}
		c = append(c, b|0x80)
	}
}

// kind is a value type.
type kind byte

const (
	i32  kind = 0x7f
	i64  kind = 0x7e
	f32  kind = 0x7d
	f64  kind = 0x7c
	v128 kind = 0x7b
)

// local is a parameter or a variable of a function.
type local uint32

// function collects what a function consists of.
type function struct {
	name   string
	params int // all i32
	locals []kind
	body   code
}

// newFunction starts a function whose parameters are numbers or addresses.
func newFunction(name string, params int) (*function, []local) {
	f := &function{name: name, params: params}
	list := make([]local, params)
	for i := range list {
		list[i] = local(i)
	}
	return f, list
}

func (f *function) local(k kind) local {
	f.locals = append(f.locals, k)
	return local(f.params + len(f.locals) - 1)
}

func (f *function) add(parts ...code) { f.body = append(f.body, cat(parts...)...) }

func get(l local) code         { return cat(code{0x20}, unsigned(uint32(l))) }
func set(l local, v code) code { return cat(v, code{0x21}, unsigned(uint32(l))) }
func raise(l local, by int) code {
	return set(l, add(get(l), number(by)))
}

func number(v int) code { return cat(code{0x41}, signed(int64(v))) }
func long(v int64) code { return cat(code{0x42}, signed(v)) }

func op(b byte, operands ...code) code { return append(cat(operands...), b) }

func add(a, b code) code { return op(0x6a, a, b) }
func sub(a, b code) code { return op(0x6b, a, b) }
func mul(a, b code) code { return op(0x6c, a, b) }
func and(a, b code) code { return op(0x71, a, b) }
func or(a, b code) code  { return op(0x72, a, b) }
func shl(a, b code) code { return op(0x74, a, b) }
func shr(a, b code) code { return op(0x76, a, b) } // unsigned

func zeros(a code) code { return op(0x68, a) } // bits below the lowest that is set

func equal(a, b code) code      { return op(0x46, a, b) }
func differ(a, b code) code     { return op(0x47, a, b) }
func less(a, b code) code       { return op(0x49, a, b) } // unsigned, as are the next
func greater(a, b code) code    { return op(0x4b, a, b) }
func lessSigned(a, b code) code { return op(0x48, a, b) }

// choose is a if the condition holds, else b; both are computed.
func choose(a, b, condition code) code { return op(0x1b, a, b, condition) }

func shiftSigned(a code, n int) code { return op(0x75, a, number(n)) }
func ones(a code) code               { return op(0x69, a) } // bits that are set

func and64(a, b code) code { return op(0x83, a, b) }
func drop(a code) code     { return op(0x1a, a) }

func or64(a, b code) code          { return op(0x84, a, b) }
func xor64(a, b code) code         { return op(0x85, a, b) }
func shiftSigned64(a, b code) code { return op(0x87, a, b) }
func less64(a, b code) code        { return op(0x54, a, b) } // unsigned

func loadAt(b byte, align uint32, address code, offset int) code {
	return cat(address, code{b}, unsigned(align), unsigned(uint32(offset)))
}

func load8(address code, offset int) code   { return loadAt(0x2d, 0, address, offset) }
func load16(address code, offset int) code  { return loadAt(0x2f, 1, address, offset) }
func load32(address code, offset int) code  { return loadAt(0x28, 2, address, offset) }
func load64(address code, offset int) code  { return loadAt(0x29, 3, address, offset) }
func loadF64(address code, offset int) code { return loadAt(0x2b, 3, address, offset) }

func storeAt(b byte, align uint32, address, v code, offset int) code {
	return cat(address, v, code{b}, unsigned(align), unsigned(uint32(offset)))
}

func store8(address, v code, offset int) code   { return storeAt(0x3a, 0, address, v, offset) }
func store16(address, v code, offset int) code  { return storeAt(0x3b, 1, address, v, offset) }
func store32(address, v code, offset int) code  { return storeAt(0x36, 2, address, v, offset) }
func storeF64(address, v code, offset int) code { return storeAt(0x39, 3, address, v, offset) }

func addF64(a, b code) code   { return op(0xa0, a, b) }
func subF64(a, b code) code   { return op(0xa1, a, b) }
func mulF64(a, b code) code   { return op(0xa2, a, b) }
func divF64(a, b code) code   { return op(0xa3, a, b) }
func maxF64(a, b code) code   { return op(0xa5, a, b) }
func equalF64(a, b code) code { return op(0x61, a, b) }

func float(v float64) code {
	return binary.LittleEndian.AppendUint64(code{0x44}, math.Float64bits(v))
}

// call calls function number index with what is on the stack.
func call(index int) code { return cat(code{0x10}, unsigned(uint32(index))) }

// vector is a vector instruction.
func vector(o uint32, operands ...code) code {
	return cat(cat(operands...), code{0xfd}, unsigned(o))
}

func vectorAt(o uint32, offset int, operands ...code) code {
	// Alignment is a promise that only makes things faster where it is
	// checked, which V8 does not do: 0 promises nothing.
	return cat(vector(o, operands...), unsigned(0), unsigned(uint32(offset)))
}

func loadV(address code, offset int) code      { return vectorAt(0, offset, address) }
func load8Splat(address code, offset int) code { return vectorAt(7, offset, address) }
func load32Splat(address code, offset int) code {
	return vectorAt(9, offset, address)
}
func load64Splat(address code, offset int) code {
	return vectorAt(10, offset, address)
}

func load32Zero(address code, offset int) code { return vectorAt(0x5c, offset, address) }

// load16Lane is v with lane i of eight read from memory.
func load16Lane(address, v code, i int) code {
	return append(vectorAt(0x55, 0, address, v), byte(i))
}

func load64Zero(address code, offset int) code { return vectorAt(0x5d, offset, address) }
func storeV(address, v code, offset int) code  { return vectorAt(11, offset, address, v) }

// load64High is v with its upper half read from memory.
func load64High(address, v code, offset int) code {
	return append(vectorAt(0x57, offset, address, v), 1)
}

// bytes16 is a constant of sixteen equal bytes.
func bytes16(b byte) code {
	c := code{0xfd, 12}
	for range 16 {
		c = append(c, b)
	}
	return c
}

func splat8(a code) code             { return vector(15, a) }
func splat16(a code) code            { return vector(16, a) }
func upTo8(a, b code) code           { return vector(0x2a, a, b) } // unsigned; x86 has no test for above
func swizzle(a, b code) code         { return vector(14, a, b) }   // a by places b, 0 from 16 on
func notV(a code) code               { return vector(0x4d, a) }
func andV(a, b code) code            { return vector(0x4e, a, b) }
func andNotV(a, b code) code         { return vector(0x4f, a, b) } // a where not b
func orV(a, b code) code             { return vector(0x50, a, b) }
func select128(a, b, mask code) code { return vector(0x52, a, b, mask) } // a where mask
func add8V(a, b code) code           { return vector(0x6e, a, b) }
func sub8V(a, b code) code           { return vector(0x71, a, b) }
func add16V(a, b code) code          { return vector(0x8e, a, b) }
func add32V(a, b code) code          { return vector(0xae, a, b) }
func addF64V(a, b code) code         { return vector(0xf0, a, b) }
func low8to16(a code) code           { return vector(0x89, a) } // unsigned
func high8to16(a code) code          { return vector(0x8a, a) }
func shl16V(a code, n int) code      { return vector(0x8b, a, number(n)) }
func low16to32(a code) code          { return vector(0xa7, a) } // signed
func high16to32(a code) code         { return vector(0xa8, a) }

func splatF32(a code) code   { return vector(19, a) }
func splatF64(a code) code   { return vector(20, a) }
func subF64V(a, b code) code { return vector(0xf1, a, b) }
func mulF64V(a, b code) code { return vector(0xf2, a, b) }
func divF64V(a, b code) code { return vector(0xf3, a, b) }

// laneF64 is lane i of two.
func laneF64(a code, i int) code { return append(vector(0x21, a), byte(i)) }

func floorF64V(a code) code     { return vector(0x75, a) }
func maxF64V(a, b code) code    { return vector(0xf7, a, b) } // a if it is not below b
func belowF64V(a, b code) code  { return vector(0x49, a, b) }
func shl64V(a code, n int) code { return vector(0xcb, a, number(n)) }
func differF64V(a, b code) code { return vector(0x48, a, b) }
func demote(a code) code        { return vector(0x5e, a) } // float64 to the lower half
func promote(a code) code       { return vector(0x5f, a) } // the lower half to float64
func aboveF32(a, b code) code   { return vector(0x44, a, b) }
func anyV(a code) code          { return vector(0x53, a) } // whether a bit is set

func sub32V(a, b code) code       { return vector(0xb1, a, b) }
func narrow32to16(a, b code) code { return vector(0x85, a, b) } // signed
func narrow16to8(a, b code) code  { return vector(0x65, a, b) } // signed
func narrow16to8U(a, b code) code { return vector(0x66, a, b) }
func signs8(a code) code          { return vector(0x64, a) } // a bit a byte

func upTo16(a, b code) code { return vector(0x34, a, b) } // unsigned

func splat32(a code) code            { return vector(17, a) }
func mul32V(a, b code) code          { return vector(0xb5, a, b) }
func low16to32Unsigned(a code) code  { return vector(0xa9, a) }
func high16to32Unsigned(a code) code { return vector(0xaa, a) }

// lows and highs are the lower and the upper halves of a and b.
func lows(a, b code) code {
	return cat(a, b, code{0xfd, 13, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23})
}

func highs(a, b code) code {
	return cat(a, b, code{0xfd, 13, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31})
}

// lane16 is lane i of eight, unsigned.
func lane16(a code, i int) code { return append(vector(0x19, a), byte(i)) }

// when runs body if the condition holds.
func when(condition code, body ...code) code {
	return cat(condition, code{0x04, 0x40}, cat(body...), code{0x0b})
}

// either runs one of two.
func either(condition, yes, no code) code {
	return cat(condition, code{0x04, 0x40}, yes, code{0x05}, no, code{0x0b})
}

// repeat runs body once, and again while the condition holds.
func repeat(condition code, body ...code) code {
	return cat(code{0x03, 0x40}, cat(body...), condition, code{0x0d, 0, 0x0b})
}

// count runs body for i = from, from+step, ... below to, which no body changes.
func count(i local, from, to code, step int, body ...code) code {
	return cat(set(i, from), when(less(get(i), to), repeat(less(get(i), to), cat(body...), raise(i, step))))
}

// section is part number id of a module.
func section(id byte, items []code) code {
	body := unsigned(uint32(len(items)))
	for _, it := range items {
		body = append(body, it...)
	}
	return cat(code{id}, unsigned(uint32(len(body))), body)
}

func name(s string) code { return cat(unsigned(uint32(len(s))), code(s)) }

// assemble makes a module of functions over an imported memory env.memory. It
// has no memory, table, global or data of its own.
func assemble(functions []*function) []byte {
	types, indices, exports, bodies := []code{}, []code{}, []code{}, []code{}
	for i, f := range functions {
		params := make(code, f.params)
		for j := range params {
			params[j] = byte(i32)
		}
		types = append(types, cat(code{0x60}, unsigned(uint32(f.params)), params, code{0}))
		indices = append(indices, unsigned(uint32(i)))
		if f.name != "" {
			exports = append(exports, cat(name(f.name), code{0}, unsigned(uint32(i))))
		}
		body := unsigned(uint32(len(f.locals)))
		for _, k := range f.locals {
			body = append(body, 1, byte(k))
		}
		body = cat(body, f.body, code{0x0b})
		bodies = append(bodies, cat(unsigned(uint32(len(body))), body))
	}
	memory := cat(name("env"), name("memory"), code{2, 0, 1})
	return cat(code("\x00asm\x01\x00\x00\x00"),
		section(1, types), section(2, []code{memory}), section(3, indices), section(7, exports), section(10, bodies))
}
