package kernel_test

import (
	"bytes"
	"testing"

	"cloister/shared/model/kernel"
)

func TestModule_isWhatEmitMakes(t *testing.T) {
	if !bytes.Equal(kernel.Module(), kernel.Emit()) {
		t.Error("kernel.wasm is not current: run `make generate`")
	}
	kernel.Module()[0]++
	if kernel.Module()[0] != 0 {
		t.Error("Module hands out its own bytes")
	}
}

// sections returns the parts of a module by number.
func sections(t *testing.T, b []byte) map[byte][]byte {
	t.Helper()
	list := map[byte][]byte{}
	b, found := bytes.CutPrefix(b, []byte("\x00asm\x01\x00\x00\x00"))
	if !found {
		t.Fatal("no WebAssembly module of version 1")
	}
	for len(b) > 0 {
		id, size, at := b[0], 0, 1
		for shift := 0; ; shift += 7 {
			size |= int(b[at]&0x7f) << shift
			at++
			if b[at-1] < 0x80 {
				break
			}
		}
		list[id] = b[at : at+size]
		b = b[at+size:]
	}
	return list
}

func TestModule_hasNothingOfItsOwn(t *testing.T) {
	list := sections(t, kernel.Module())
	const types, imports, functions, exports, bodies = 1, 2, 3, 7, 10
	for id := range list {
		switch id {
		case types, imports, functions, exports, bodies:
		default:
			t.Errorf("section %d: a memory, table, global, start or data of its own", id)
		}
	}
	if want := "\x01\x03env\x06memory\x02\x00\x01"; string(list[imports]) != want {
		t.Errorf("imports %q, want %q", list[imports], want)
	}
	// Three that rank a row or go through oblivious trees are called by others only.
	if n := list[functions][0]; n < 10 || n != list[exports][0]+3 {
		t.Errorf("%d functions, %d exports", n, list[exports][0])
	}
	if n := len(kernel.Module()); n > 64<<10 {
		t.Errorf("%d bytes", n)
	}
}
