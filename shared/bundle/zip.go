package bundle

import (
	"crypto/sha256"
	"encoding/binary"
	"hash/crc32"
	"slices"

	"cloister/shared/wire"
)

// ZIP, PKWARE APPNOTE 6.3.10. Every value that is not a size, a checksum, a
// name, a count or an offset is one of these constants.
const (
	signLocal     = 0x04034b50 // 4.3.7
	signDirectory = 0x02014b50 // 4.3.12
	signEnd       = 0x06054b50 // 4.3.16
	version20     = 20         // 4.4.3.2: folders in names
	date1980      = 1<<5 | 1   // 1980-01-01, the first day that a ZIP can name
	localSize     = 30
	directorySize = 46
	endSize       = 22
)

// entry is one stored file of a container.
type entry struct {
	name string
	crc  uint32
	at   int // offset of data in the file
	data []byte
}

func newEntry(name string, data []byte) entry {
	return entry{name: name, crc: crc32.ChecksumIEEE(data), data: data}
}

// readEntries reads local headers and contents up to the central directory,
// whose offset it returns.
func readEntries(b []byte, lim Limits) (entries []entry, off int, err error) {
	const directory = "PK\x01\x02"
	for {
		rest := b[off:]
		if n := min(len(directory), len(rest)); string(rest[:n]) == directory[:n] {
			return entries, off, nil // cut files too: Open compares what follows
		}
		e, next, err := readEntry(b, off, lim)
		if err != nil {
			return nil, 0, err
		}
		if n := len(entries); n > 0 && !before(entries[n-1].name, e.name) {
			return nil, 0, malformed(off+localSize, "entry %q stands after %q", e.name, entries[n-1].name)
		}
		if len(entries) == lim.Entries {
			return nil, 0, &LimitError{"entries", int64(lim.Entries), int64(lim.Entries) + 1}
		}
		entries, off = append(entries, e), next
	}
}

// readEntry reads the entry whose local header is at off and returns the
// offset after its content. The header must be, byte for byte, the one that
// this package writes for its name length, size and checksum.
func readEntry(b []byte, off int, lim Limits) (e entry, next int, err error) {
	if len(b)-off < localSize {
		// A cut file, unless what is there is wrong already.
		if err := expect(b, off, localHeader(0, 0, 0)[:14], localField); err != nil {
			return e, 0, err
		}
		return e, 0, cut(len(b))
	}
	head := b[off : off+localSize]
	e.crc = binary.LittleEndian.Uint32(head[14:])
	size := binary.LittleEndian.Uint32(head[22:])
	length := int(binary.LittleEndian.Uint16(head[26:]))
	if err := expect(b, off, localHeader(e.crc, size, length), localField); err != nil {
		return e, 0, err
	}
	off += localSize
	if length > longestName {
		return e, 0, malformed(off, "entry name of %d bytes", length)
	}
	if len(b)-off < length {
		return e, 0, cut(len(b))
	}
	e.name = string(b[off : off+length])
	if _, ok := kindOf(e.name); !ok {
		return e, 0, malformed(off, "no bundle holds an entry %s", quote(e.name))
	}
	off += length
	if err := lim.checkEntry(e.name, int64(size)); err != nil {
		return e, 0, err
	}
	if int64(len(b)-off) < int64(size) {
		return e, 0, cut(len(b))
	}
	next = off + int(size)
	e.at, e.data = off, b[off:next:next]
	if crc32.ChecksumIEEE(e.data) != e.crc {
		return e, 0, &HashError{e.name, "CRC-32"}
	}
	return e, next, nil
}

// expect checks that b holds want at off. field names the value at an offset
// of want, for the error.
func expect(b []byte, off int, want []byte, field func(int) string) error {
	have := b[off:min(off+len(want), len(b))]
	for i := range have {
		if have[i] != want[i] {
			return malformed(off+i, "%s: byte 0x%02x, want 0x%02x", field(i), have[i], want[i])
		}
	}
	if len(have) < len(want) {
		return cut(len(b))
	}
	return nil
}

// localField names the field of a local header at offset i.
func localField(i int) string {
	names := []string{"signature", "version", "flags", "compression method", "time", "date",
		"checksum", "compressed size", "size", "name length", "extra length"}
	starts := []int{0, 4, 6, 8, 10, 12, 14, 18, 22, 26, 28}
	n, _ := slices.BinarySearch(starts, i+1)
	return "local header: " + names[n-1]
}

// directoryField names the place of a difference in the central directory.
func directoryField(int) string { return "central directory" }

// localHeader returns a local header without its name, APPNOTE 4.3.7.
func localHeader(crc, size uint32, nameLength int) []byte {
	var w wire.Writer
	w.U32(signLocal)
	w.U16(version20)
	w.U16(0) // flags: no encryption, no data descriptor
	w.U16(0) // method: stored
	w.U16(0) // time
	w.U16(date1980)
	w.U32(crc)
	w.U32(size)
	w.U32(size)
	w.U16(uint16(nameLength))
	w.U16(0) // extra
	return w.Finish()
}

// directoryOf returns the central directory and the end record of a file that
// begins with entries, APPNOTE 4.3.12 and 4.3.16.
func directoryOf(entries []entry) []byte {
	var w wire.Writer
	at := 0
	for _, e := range entries {
		w.U32(signDirectory)
		w.U16(version20) // made by
		w.U16(version20) // needed
		w.U16(0)         // flags
		w.U16(0)         // method
		w.U16(0)         // time
		w.U16(date1980)
		w.U32(e.crc)
		w.U32(uint32(len(e.data)))
		w.U32(uint32(len(e.data)))
		w.U16(uint16(len(e.name)))
		w.U16(0) // extra
		w.U16(0) // comment
		w.U16(0) // disk
		w.U16(0) // internal attributes
		w.U32(0) // external attributes
		w.U32(uint32(at))
		w.Bytes([]byte(e.name))
		at += localSize + len(e.name) + len(e.data)
	}
	size := w.Len()
	w.U32(signEnd)
	w.U16(0) // disk
	w.U16(0) // disk of the directory
	w.U16(uint16(len(entries)))
	w.U16(uint16(len(entries)))
	w.U32(uint32(size))
	w.U32(uint32(at))
	w.U16(0) // comment
	return w.Finish()
}

// sortedEntries returns files as entries in container order.
func sortedEntries(files map[string][]byte, lim Limits) ([]entry, error) {
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if before(a, b) {
			return -1
		}
		return 1 // names of a map differ
	})
	if len(names) >= lim.Entries {
		return nil, &LimitError{"entries", int64(lim.Entries), int64(len(names)) + 1}
	}
	var entries []entry
	for _, name := range names {
		if k, ok := kindOf(name); !ok || k == kindManifest {
			return nil, &FieldError{"files", quote(name), "the name of a bundle entry other than manifest.json"}
		}
		if err := lim.checkEntry(name, int64(len(files[name]))); err != nil {
			return nil, err
		}
		entries = append(entries, newEntry(name, files[name]))
	}
	return entries, nil
}

// assemble returns the file that holds entries, which are in order.
func assemble(entries []entry, lim Limits) ([]byte, error) {
	size := int64(endSize)
	for _, e := range entries {
		size += localSize + directorySize + 2*int64(len(e.name)) + int64(len(e.data))
	}
	if size > lim.File {
		return nil, &LimitError{"file", lim.File, size}
	}
	b := make([]byte, 0, size)
	for _, e := range entries {
		b = append(b, localHeader(e.crc, uint32(len(e.data)), len(e.name))...)
		b = append(b, e.name...)
		b = append(b, e.data...)
	}
	return append(b, directoryOf(entries)...), nil
}

// listed returns the files that a manifest lists: all but itself and model.sig.
func listed(entries []entry) []File {
	var files []File
	for _, e := range entries {
		if rank(e.name) == 1 {
			files = append(files, File{e.name, sha256.Sum256(e.data), int64(len(e.data))})
		}
	}
	return files
}

// checkHeader looks at the part of a file that every version has in common:
// the local header of a stored manifest.json at offset 0, and in it the format
// name and version. The fields that another major version may change are left
// to readEntry.
func checkHeader(b []byte) error {
	for _, f := range []struct {
		at   int
		want string
	}{
		{0, "PK\x03\x04"},
		{8, "\x00\x00"},          // method: stored
		{26, "\x0d\x00\x00\x00"}, // name length, extra length
		{localSize, ManifestName},
	} {
		field := func(i int) string {
			if f.at == localSize {
				return "name of the first entry"
			}
			return localField(f.at + i)
		}
		if err := expect(b, min(f.at, len(b)), []byte(f.want), field); err != nil {
			return err
		}
	}
	const longest = 256 // more than the format object of any version takes
	start := localSize + len(ManifestName)
	c := codec{reading: true, buf: b[start:min(start+longest, len(b))], base: start}
	f := c.formatAhead()
	if c.short && start+len(c.buf) == len(b) {
		return cut(len(b))
	}
	if c.err != nil {
		return c.err
	}
	return f.supported()
}
