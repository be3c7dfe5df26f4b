package bundle_test

import (
	"encoding/binary"
	"hash/crc32"
)

// rawEntry is an entry of a ZIP that need not be a bundle: a field that is not
// nil stands in for what the content says.
type rawEntry struct {
	name    string
	content string
	dirName *string // in the central directory
	flags   uint16
	method  uint16
	crc     *uint32
	size    *uint32
	packed  *uint32 // compressed size
	time    uint16
	extra   string // in the local header
	gap     string // between local header's content and the next entry
	offset  *uint32
	dirTime uint16 // in the central directory
	attr    uint32
	comment string
}

// rawEnd is what stands around the entries of a ZIP.
type rawEnd struct {
	before  string // bytes before the first local header
	comment string
	disk    uint16
	count   *uint16
	between string // bytes between central directory and end record
}

// rawZip writes a ZIP after APPNOTE.TXT without a line of the product's code,
// so that it also says what the bytes of Encode ought to be.
func rawZip(end rawEnd, entries ...rawEntry) []byte {
	le := binary.LittleEndian
	or := func(p *uint32, v uint32) uint32 {
		if p != nil {
			return *p
		}
		return v
	}
	b := []byte(end.before)
	var dir []byte
	for _, e := range entries {
		n := uint32(len(e.content))
		sum := or(e.crc, crc32.ChecksumIEEE([]byte(e.content)))
		at := uint32(len(b))

		b = append(b, "PK\x03\x04"...)
		for _, v := range []uint16{20, e.flags, e.method, e.time, 0x0021} {
			b = le.AppendUint16(b, v)
		}
		b = le.AppendUint32(b, sum)
		b = le.AppendUint32(b, or(e.packed, or(e.size, n)))
		b = le.AppendUint32(b, or(e.size, n))
		b = le.AppendUint16(b, uint16(len(e.name)))
		b = le.AppendUint16(b, uint16(len(e.extra)))
		b = append(b, e.name+e.extra+e.content+e.gap...)

		name := e.name
		if e.dirName != nil {
			name = *e.dirName
		}
		dir = append(dir, "PK\x01\x02"...)
		for _, v := range []uint16{20, 20, e.flags, e.method, e.dirTime, 0x0021} {
			dir = le.AppendUint16(dir, v)
		}
		dir = le.AppendUint32(dir, sum)
		dir = le.AppendUint32(dir, or(e.packed, or(e.size, n)))
		dir = le.AppendUint32(dir, or(e.size, n))
		for _, v := range []uint16{uint16(len(name)), 0, uint16(len(e.comment)), 0, 0} {
			dir = le.AppendUint16(dir, v)
		}
		dir = le.AppendUint32(dir, e.attr)
		dir = le.AppendUint32(dir, or(e.offset, at))
		dir = append(dir, name+e.comment...)
	}
	at := uint32(len(b))
	b = append(b, dir...)
	b = append(b, end.between...)
	b = append(b, "PK\x05\x06"...)
	count := uint16(len(entries))
	if end.count != nil {
		count = *end.count
	}
	for _, v := range []uint16{end.disk, 0, count, count} {
		b = le.AppendUint16(b, v)
	}
	b = le.AppendUint32(b, uint32(len(dir)))
	b = le.AppendUint32(b, at)
	b = le.AppendUint16(b, uint16(len(end.comment)))
	return append(b, end.comment...)
}
