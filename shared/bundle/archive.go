package bundle

import (
	"crypto/sha256"
	"slices"
	"strings"
)

// Archive is a container that passed every check that needs no trust in its
// content: it is the canonical ZIP of its entries, their CRC-32 match, and its
// format version is supported. Nothing else of manifest.json has been read.
// It is immutable and safe for concurrent use under the same condition as
// [Bundle].
type Archive struct {
	raw     []byte
	entries []entry
	digests []Digest // SHA-256 of entries[i].data
}

// Open checks the container b and digests its entries. It keeps b, which must
// not change afterwards. It reads b twice, O(len(b)), and allocates at most
// 1 KiB per entry that it has read, whatever b says.
//
// The format version is looked at before anything else, limits included, at a
// fixed place that all versions share: another one is an [*UnsupportedError].
// Then a [*LimitError] says that lim is exceeded, a [*HashError] that a CRC-32
// does not match, [io.ErrUnexpectedEOF] that b is the start of a container,
// and a [*FormatError] everything else.
func Open(b []byte, lim Limits) (*Archive, error) {
	lim, err := lim.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := checkHeader(b); err != nil {
		return nil, err
	}
	if int64(len(b)) > lim.File {
		return nil, &LimitError{"file", lim.File, int64(len(b))}
	}
	entries, off, err := readEntries(b, lim)
	if err != nil {
		return nil, err
	}
	directory := directoryOf(entries)
	if err := expect(b, off, directory, directoryField); err != nil {
		return nil, err
	}
	if end := off + len(directory); len(b) > end {
		return nil, malformed(end, "%d bytes follow the end record", len(b)-end)
	}
	a := &Archive{raw: b, entries: entries, digests: make([]Digest, len(entries))}
	for i, e := range entries {
		a.digests[i] = sha256.Sum256(e.data)
	}
	return a, nil
}

// Digests returns name, SHA-256 and size of every entry but model.sig, sorted
// by name: the resources that an OpenSSF Model Signing statement covers, in
// its order.
func (a *Archive) Digests() []File {
	var files []File
	for i, e := range a.entries {
		if e.name != SignatureName {
			files = append(files, File{e.name, a.digests[i], int64(len(e.data))})
		}
	}
	slices.SortFunc(files, func(x, y File) int { return strings.Compare(x.Name, y.Name) })
	return files
}

// Signature returns the content of model.sig as it is, or false if the bundle
// has none. The slice is part of the input and must not be changed.
func (a *Archive) Signature() ([]byte, bool) {
	if e := a.entries[len(a.entries)-1]; e.name == SignatureName {
		return e.data, true
	}
	return nil, false
}

// SHA256 returns the digest of the whole file, O(size).
func (a *Archive) SHA256() [32]byte { return sha256.Sum256(a.raw) }

// Size returns the size of the whole file in bytes.
func (a *Archive) Size() int64 { return int64(len(a.raw)) }

// Decode reads the manifest and compares its list of files with the entries. A
// manifest that is not canonical, holds a wrong value or lists other files is
// a [*FormatError]; a SHA-256 that differs is a [*HashError].
func (a *Archive) Decode() (*Bundle, error) {
	first := a.entries[0]
	m, err := parseManifest(first.data, first.at)
	if err != nil {
		return nil, err
	}
	files := make([]File, 0, len(a.entries))
	for i, e := range a.entries {
		if rank(e.name) == 1 {
			files = append(files, File{e.name, a.digests[i], int64(len(e.data))})
		}
	}
	if err := m.matches(files); err != nil {
		if e, ok := err.(*FieldError); ok {
			return nil, &FormatError{int64(first.at), e.text(), e}
		}
		return nil, err
	}
	return &Bundle{a}, nil
}
