// Package bundle reads and writes bundles: one file that carries everything a
// training run learnt. It hides the file layout (a ZIP of stored entries with
// exactly one encoding per content), the canonical JSON of the manifest, and
// the checks that a hostile file has to pass before anything in it is used.
//
//	b, err := bundle.Decode(file, bundle.Limits{})
//	forest, ok := b.File("model/forest.bin")
//	data, err := bundle.Encode(b.Manifest(), files, bundle.Limits{}) // the same bytes
//
// A signature check goes between the two halves of Decode: [Open] checks the
// container and digests every entry but decodes no content, [Archive.Decode]
// does the rest.
//
// Limits: [Limits], 64 MiB per file by default; no entry is compressed, so
// nothing can inflate. Memory: entries are sub-slices of the input; beyond it
// Open allocates at most 1 KiB per entry and Decode at most 32 bytes per byte
// of manifest.json in all. Compatibility: readers accept every minor version
// up to [Minor] of major version [Major] and refuse all others by number;
// writers write Major.Minor. SPEC.md beside this file is the format,
// testdata/kit its test vectors.
package bundle

import "slices"

// Name, Major and Minor are the format that [Encode] writes.
const (
	Name  = "cloister-bundle"
	Major = 1
	Minor = 1
)

// Names of the entries that other packages ask for. Files that a fitted model
// brings along are named by the patterns in SPEC.md: model/*.bin, pre/*.json,
// attack/*.json, vectors/*.jsonl.
const (
	ManifestName   = "manifest.json"
	BackgroundName = "explain/background.bin"
	LabelsName     = "attack/labels.json"
	CardTextName   = "CARD.md"
	CardName       = "card.json"
	SBOMName       = "sbom.cdx.json"          // since format 1.1
	ProvenanceName = "provenance.intoto.json" // since format 1.1
	LicenseName    = "LICENSE"
	NoticeName     = "NOTICE"
	SignatureName  = "model.sig"
)

// Bundle is a file that passed every check but its signature. It is immutable
// and safe for concurrent use as long as nobody changes the bytes that it was
// decoded from.
type Bundle struct {
	a *Archive
}

// Decode checks b completely: container, manifest, and the size, CRC-32 and
// SHA-256 of every entry. It equals [Open] followed by [Archive.Decode], whose
// errors it returns. It keeps b, which must not change afterwards.
func Decode(b []byte, lim Limits) (*Bundle, error) {
	a, err := Open(b, lim)
	if err != nil {
		return nil, err
	}
	return a.Decode()
}

// Manifest returns a copy of the manifest that the caller may change. It
// parses manifest.json each time: O(its size).
func (b *Bundle) Manifest() Manifest {
	e := b.a.entries[0]
	m, err := parseManifest(e.data, e.at)
	if err != nil {
		panic(err) // unreachable: Archive.Decode parsed the same bytes
	}
	return m
}

// File returns the content of the named entry, or false if there is none. The
// slice is part of the bytes that the bundle was decoded from and must not be
// changed.
func (b *Bundle) File(name string) ([]byte, bool) {
	i := slices.IndexFunc(b.a.entries, func(e entry) bool { return e.name == name })
	if i < 0 {
		return nil, false
	}
	return b.a.entries[i].data, true
}

// Names returns the names of all entries in the order of the file:
// manifest.json, the rest in byte order, model.sig.
func (b *Bundle) Names() []string {
	names := make([]string, len(b.a.entries))
	for i, e := range b.a.entries {
		names[i] = e.name
	}
	return names
}

// SHA256 returns the digest of the whole file, signature included. It is
// computed at each call, O(size): a caller who shows it twice keeps it.
func (b *Bundle) SHA256() [32]byte { return b.a.SHA256() }

// Size returns the size of the whole file in bytes.
func (b *Bundle) Size() int64 { return b.a.Size() }

// Encode returns the bundle of m and files, entry name to content, without
// manifest.json and with an optional model.sig. The same arguments give the
// same bytes on every platform and with every compiler.
//
// It fills what follows from the rest: Format if it is zero, Files,
// Schema.SHA256 and Explain.BackgroundSHA256; whatever the caller put there is
// replaced. A signature does not change the manifest, so a bundle is signed by
// encoding it twice, the second time with model.sig.
//
// A manifest or file name that breaks a rule is a [*FieldError], content over
// lim a [*LimitError], a format that this package does not write an
// [*UnsupportedError]. What Encode returns, Decode accepts under the same
// limits.
func Encode(m Manifest, files map[string][]byte, lim Limits) ([]byte, error) {
	lim, err := lim.withDefaults()
	if err != nil {
		return nil, err
	}
	if m.Format == (Format{}) {
		m.Format = Format{Name, Major, Minor}
	}
	entries, err := sortedEntries(files, lim)
	if err != nil {
		return nil, err
	}
	m.Files = listed(entries)
	m.Schema.SHA256 = m.Schema.digest()
	m.Explain.BackgroundSHA256 = digestOf(m.Files, BackgroundName)
	text, err := m.appendJSON(nil)
	if err != nil {
		return nil, err
	}
	if err := lim.checkEntry(ManifestName, int64(len(text))); err != nil {
		return nil, err
	}
	return assemble(append([]entry{newEntry(ManifestName, text)}, entries...), lim)
}
