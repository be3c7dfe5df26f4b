package slim

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// magic starts the table of functions: the number of its layout since Go 1.20,
// two zeros, the size of an instruction and that of a pointer in js/wasm
// (internal/abi, Go120PCLnTabMagic; runtime, type pcHeader).
const magic = "\xf1\xff\xff\xff\x00\x00\x01\x08"

// Where things stand in a function's record (runtime, type _func).
const (
	recordSize = 44
	atName     = 4
	atStack    = 16 // stack depths by place in the code: needed to walk a stack
	atFiles    = 20 // files by place
	atLines    = 24 // lines by place
	atTables   = 28 // number of further tables, which stand behind the record
	atUnit     = 32 // where the unit's files stand
	atFirst    = 36 // line where the function starts
	atMore     = 43 // number of references behind the further tables, one byte
)

// Further tables and references that nothing reads in wasm but stack traces:
// where a function may be stopped from outside, which no wasm program is, which
// inlined function a place belongs to, and how arguments are printed
// (internal/abi, PCDATA and FUNCDATA). A table is taken away by 0, a reference by
// all ones.
var (
	traceTables     = [...]int{0, 2, 3}
	traceReferences = [...]int{3, 5, 6}
)

var le = binary.LittleEndian

// dropPlaces zeroes the tables in memory by which the runtime tells file, line
// and inlined function of a place in the code, and every reference to them: for
// a reference of 0 it says "?:0". Tables that serve another purpose as well
// stay, and of the names of functions those that start with one of keep.
func dropPlaces(memory []byte, keep []string) error {
	head, err := header(memory)
	if err != nil {
		return err
	}
	field := func(i int) int { return int(min(le.Uint64(memory[head+8*(1+i):]), maxMemory)) }
	functions := field(0)
	units, files, tables, records := head+field(4), head+field(5), head+field(6), head+field(7)
	if head+field(3) > units || units > files || files > tables || tables > records || records > len(memory) || functions > (len(memory)-records)/8 {
		return errors.New("slim: the table of functions is of no known layout")
	}
	clear(memory[units:tables]) // the names of files
	names := memory[head+field(3) : units]
	named := make([]bool, len(names))
	values := memory[tables:records]
	var places []uint32
	needed := make([]bool, len(values))
	for i := range functions {
		at := records + int(le.Uint32(memory[records+8*i+4:]))
		if at > len(memory)-recordSize {
			return fmt.Errorf("slim: function %d of %d stands outside of memory", i, functions)
		}
		record := memory[at:]
		if from := int(le.Uint32(record[atName:])); from > 0 {
			length := bytes.IndexByte(names[min(from, len(names)):], 0)
			if length < 0 {
				return fmt.Errorf("slim: function %d of %d has no name", i, functions)
			}
			if name := string(names[from : from+length]); slices.ContainsFunc(keep, func(start string) bool { return strings.HasPrefix(name, start) }) {
				name, _, _ = strings.Cut(name, "[") // types of generic functions are long
				for j := range len(name) {
					named[from+j] = true
				}
			} else {
				clear(record[atName : atName+4]) // for a reference of 0 the runtime says "", and traces leave it out
			}
		}
		further := int(le.Uint32(record[atTables:]))
		more := int(record[atMore])
		if further+more > (len(record)-recordSize)/4 {
			return fmt.Errorf("slim: function %d of %d has %d tables", i, functions, further)
		}
		behind := record[recordSize : recordSize+4*(further+more)]
		for _, k := range traceTables {
			if k < further {
				places = append(places, le.Uint32(behind[4*k:]))
				clear(behind[4*k : 4*k+4])
			}
		}
		for _, k := range traceReferences {
			if k < more {
				le.PutUint32(behind[4*(further+k):], ^uint32(0))
			}
		}
		stay := []uint32{le.Uint32(record[atStack:])}
		for k := range further {
			stay = append(stay, le.Uint32(behind[4*k:]))
		}
		for _, from := range stay {
			end, err := tableEnd(values, from)
			if err != nil {
				return fmt.Errorf("slim: function %d of %d: %w", i, functions, err)
			}
			for j := int(from); from > 0 && j < end; j++ {
				needed[j] = true
			}
		}
		places = append(places, le.Uint32(record[atFiles:]), le.Uint32(record[atLines:]))
		clear(record[atFiles : atLines+4])
		clear(record[atUnit : atFirst+4])
	}
	for j := range names {
		if !named[j] {
			names[j] = 0
		}
	}
	for _, from := range places {
		end, err := tableEnd(values, from)
		if err != nil {
			return fmt.Errorf("slim: a table of places: %w", err)
		}
		for j := int(from); from > 0 && j < end; j++ {
			if !needed[j] {
				values[j] = 0
			}
		}
	}
	return coarsen(memory, head)
}

// header returns the address of the table of functions.
func header(memory []byte) (int, error) {
	at := bytes.Index(memory, []byte(magic))
	if at < 0 {
		return 0, errors.New("slim: no table of functions: want a program of Go 1.20 or later")
	}
	if bytes.Contains(memory[at+1:], []byte(magic)) || len(memory)-at < 72 {
		return 0, errors.New("slim: two things look like the table of functions")
	}
	return at, nil
}

// tableEnd returns where the table that starts at from ends: pairs of a
// value's change and a distance, closed by a change of 0 (which the first may
// be). From 0 there is no table.
func tableEnd(values []byte, from uint32) (int, error) {
	if from == 0 {
		return 0, nil
	}
	if int(from) >= len(values) {
		return 0, fmt.Errorf("table at %d of %d", from, len(values))
	}
	for at := int(from); ; {
		change, n := binary.Uvarint(values[at:])
		if n <= 0 {
			return 0, fmt.Errorf("table at %d never ends", from)
		}
		if change == 0 && at > int(from) {
			return at + n, nil
		}
		at += n
		_, n = binary.Uvarint(values[at:])
		if n <= 0 {
			return 0, fmt.Errorf("table at %d never ends", from)
		}
		at += n
	}
}
