package dom

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

// A program is what one update does to the document, in one buffer:
//
//	words, uint32 little-endian:
//	  number of words, 1 if the receiver forgets all it knew and empties the
//	  mount element (else 0), number of new names, UTF-16 length of each,
//	  operations, opEnd
//	one UTF-8 text: the new names, then the operations' strings in order
//
// A string operand is its length in UTF-16 units; its text is the next that
// many units of the text, so the receiver decodes the text once and slices.
// Names (tags, attributes, event types, properties) are numbered from 0 in the
// order of their first use. Nodes are numbered from 2; 1 is the mount element
// and 0 nothing.
//
//	op      operands
//	End
//	Data    node string            character data of a text or comment node
//	Attr    node name string
//	NoAttr  node name
//	Text    node string            the element's content, as text
//	HTML    node string            the element's content, as markup
//	Prop    node name string       a JavaScript property; the string is JSON
//	Listen  node name flags        flags: 1 capture, 2 passive
//	Deafen  node name flags
//	Insert  parent before n node*  before 0 appends
//	Move    parent before node
//	Remove  n node*                the first from its parent; all of them forgotten before
//	Forget  n node*                their numbers will be used again
//
//	node    kindText number string | kindComment number string |
//	        kindElement number name namespace
//	          n (name string)*     attributes
//	          n (name flags)*      listeners
//	          0 n node* | 1 string | 2 string    children, text, markup
//	          n (name string)*     properties
//
// dom.js is the other half of this table.
const (
	opEnd = iota
	opData
	opAttr
	opNoAttr
	opText
	opHTML
	opProp
	opListen
	opDeafen
	opInsert
	opMove
	opRemove
	opForget
)

// Kinds of node, ways to fill an element, flags of a listener.
const (
	kindText = iota
	kindComment
	kindElement
)

const (
	fillKids = iota
	fillText
	fillHTML
)

const (
	flagCapture = 1
	flagPassive = 2
)

// namespaces maps Vugu's names to the numbers dom.js knows them by.
var namespaces = map[string]uint32{"": 0, "html": 0, "svg": 1, "math": 2}

// program collects one update. Its buffers are used again.
type program struct {
	numbers  map[string]uint32 // of all names the receiver knows
	names    []string          // by number
	lengths  []uint32          // of the new names
	nameText []byte
	ops      []uint32
	text     []byte
	out      []byte
}

// begin forgets the last update.
func (p *program) begin() {
	p.lengths, p.nameText, p.ops, p.text = p.lengths[:0], p.nameText[:0], p.ops[:0], p.text[:0]
	if cap(p.out) > 1<<20 { // a huge text came by: do not hold on to its room
		p.text, p.out = nil, nil
	}
}

// op appends an operation or bare operands.
func (p *program) op(words ...uint32) { p.ops = append(p.ops, words...) }

// name returns the number of a name, new or old.
func (p *program) name(s string) uint32 {
	if n, ok := p.numbers[s]; ok {
		return n
	}
	if p.numbers == nil {
		p.numbers = map[string]uint32{}
	}
	n := uint32(len(p.names))
	p.numbers[s] = n
	p.names = append(p.names, s)
	var length uint32
	p.nameText, length = appendText(p.nameText, s)
	p.lengths = append(p.lengths, length)
	return n
}

// str appends a string operand.
func (p *program) str(s string) {
	var length uint32
	p.text, length = appendText(p.text, s)
	p.ops = append(p.ops, length)
}

// gap appends an operand to be known later, and returns where.
func (p *program) gap() int {
	p.ops = append(p.ops, 0)
	return len(p.ops) - 1
}

// appendText appends s and returns its length in UTF-16 units. Invalid bytes
// become U+FFFD here, lest the receiver's decoder count them differently.
func appendText(dst []byte, s string) ([]byte, uint32) {
	ascii := true
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			ascii = false
			break
		}
	}
	if ascii {
		return append(dst, s...), uint32(len(s))
	}
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	length := uint32(0)
	for _, r := range s {
		length++
		if r >= 0x10000 {
			length++
		}
	}
	return append(dst, s...), length
}

// bytes returns the finished program, valid until the next begin; nil if
// there is nothing to do.
func (p *program) bytes(fresh bool) []byte {
	if len(p.ops) == 0 && !fresh {
		return nil
	}
	words := uint32(3 + len(p.lengths) + len(p.ops) + 1)
	flag := uint32(0)
	if fresh {
		flag = 1
	}
	b := p.out[:0]
	b = binary.LittleEndian.AppendUint32(b, words)
	b = binary.LittleEndian.AppendUint32(b, flag)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(p.lengths)))
	for _, w := range p.lengths {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	for _, w := range p.ops {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	b = binary.LittleEndian.AppendUint32(b, opEnd)
	b = append(b, p.nameText...)
	b = append(b, p.text...)
	p.out = b
	return b
}
