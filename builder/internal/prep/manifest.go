package prep

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
)

// manifestFormat names the layout; another is refused.
const manifestFormat = "cloister split 1"

// maxManifest bounds a manifest that is read: a byte a row and some.
const maxManifest = 1 << 30

// Manifest records a split so that anyone with the files can make it again and
// see that it is the same.
type Manifest struct {
	Format  string            `json:"format"`
	Scheme  string            `json:"scheme"`
	Seed    uint64            `json:"seed"`
	Shares  Shares            `json:"shares"`
	Schema  string            `json:"schema"`
	Files   []ManifestFile    `json:"files"`
	Classes []string          `json:"classes"`
	Counts  map[string][3]int `json:"counts"`  // by class: train, validation, holdout
	Digests map[string]string `json:"digests"` // by part: SHA-256 of the hashes of its rows, in order
	Notes   []string          `json:"notes,omitempty"`
}

// ManifestFile is a file of a split with the part of each of its rows: one
// letter a row that could be read, t, v, h or, for a row that takes no part, a
// dash.
type ManifestFile struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
	Rows   int    `json:"rows"`
	Parts  string `json:"parts"`
}

const partLetters = "tvh-"

// hashOf returns the hash of a text.
func hashOf(text string) Hash {
	sum := sha256.Sum256([]byte(text))
	return Hash(sum[:16])
}

// Manifest returns the record of a split of d.
func (d *Data) Manifest(s *Split) *Manifest {
	m := &Manifest{
		Format: manifestFormat, Scheme: s.Scheme, Seed: s.Seed, Shares: s.Shares, Schema: d.Schema.Name,
		Classes: d.Classes, Counts: map[string][3]int{}, Digests: d.digests(s.Parts), Notes: s.Notes,
	}
	for c, n := range s.Counts(len(d.Classes), d.Class) {
		m.Counts[d.Classes[c]] = n
	}
	parts := make([][]byte, len(d.Files))
	for i, p := range s.Parts {
		parts[d.File[i]] = append(parts[d.File[i]], partLetters[p])
	}
	for k, f := range d.Files {
		m.Files = append(m.Files, ManifestFile{f.Name, f.SHA256, f.Rows, string(parts[k])})
	}
	return m
}

// digests returns for each part the SHA-256 over the hashes of its rows.
func (d *Data) digests(parts []Part) map[string]string {
	out := map[string]string{}
	for _, p := range []Part{Train, Validation, Holdout} {
		h := sha256.New()
		for i, q := range parts {
			if p == q {
				row := d.RowHash(i)
				h.Write(row[:])
			}
		}
		out[p.String()] = hex.EncodeToString(h.Sum(nil))
	}
	return out
}

// WriteTo writes the manifest as JSON. It implements [io.WriterTo].
func (m *Manifest) WriteTo(w io.Writer) (int64, error) {
	b, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return 0, err
	}
	n, err := w.Write(append(b, '\n'))
	return int64(n), err
}

// Load reads a manifest. One of another format, with unknown fields, trailing
// bytes or parts that are no letters of it is an error.
func Load(r io.Reader) (*Manifest, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxManifest+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxManifest {
		return nil, fmt.Errorf("split manifest: more than %d bytes", maxManifest)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var m Manifest
	if err := d.Decode(&m); err != nil {
		return nil, fmt.Errorf("split manifest: byte %d: %w", d.InputOffset(), err)
	}
	if rest := bytes.TrimSpace(b[d.InputOffset():]); len(rest) > 0 {
		return nil, fmt.Errorf("split manifest: byte %d: %d bytes after its end", d.InputOffset(), len(rest))
	}
	if m.Format != manifestFormat {
		return nil, fmt.Errorf("split manifest: format %.64q, want %q", m.Format, manifestFormat)
	}
	for _, f := range m.Files {
		if len(f.Parts) != f.Rows {
			return nil, fmt.Errorf("split manifest: %.64q: parts of %d rows, want %d", f.Name, len(f.Parts), f.Rows)
		}
		for i := range len(f.Parts) {
			if !bytes.Contains([]byte(partLetters), []byte{f.Parts[i]}) {
				return nil, fmt.Errorf("split manifest: %.64q: row %d: part %q", f.Name, i+1, f.Parts[i])
			}
		}
	}
	return &m, nil
}

// Rebuild makes the split again from d and returns it if it is the one that
// the manifest records: the same files, the same part for every row, and the
// same rows by their hashes. Anything else is an error that says what differs.
func (m *Manifest) Rebuild(d *Data) (*Split, error) {
	if len(m.Files) != len(d.Files) || m.Schema != d.Schema.Name {
		return nil, fmt.Errorf("split %s: made from %d files of %ss, given %d of %ss", m.Scheme, len(m.Files), m.Schema, len(d.Files), d.Schema.Name)
	}
	for k, f := range m.Files {
		if g := d.Files[k]; f.SHA256 != g.SHA256 {
			return nil, fmt.Errorf("split %s: file %d is %.64q with SHA-256 %.64s, the manifest has %.64q with %.64s", m.Scheme, k+1, g.Name, g.SHA256, f.Name, f.SHA256)
		}
	}
	s, err := d.Split(m.schemeFor(d), m.Shares, m.Seed)
	if err != nil {
		return nil, err
	}
	at := make([]int, len(d.Files))
	for i, p := range s.Parts {
		f := m.Files[d.File[i]]
		k := at[d.File[i]]
		at[d.File[i]]++
		if k >= len(f.Parts) || f.Parts[k] != partLetters[p] {
			return nil, fmt.Errorf("split %s: %s: row %d belongs elsewhere than the manifest says", m.Scheme, f.Name, d.Row[i])
		}
	}
	for k, f := range m.Files {
		if at[k] != f.Rows {
			return nil, fmt.Errorf("split %s: %s has %d rows, the manifest %d", m.Scheme, f.Name, at[k], f.Rows)
		}
	}
	for part, want := range d.digests(s.Parts) {
		if m.Digests[part] != want {
			return nil, fmt.Errorf("split %s: the rows of the %s part differ from those of the manifest", m.Scheme, part)
		}
	}
	if !slices.Equal(m.Classes, d.Classes) {
		return nil, fmt.Errorf("split %s: classes %q, the manifest has %q", m.Scheme, d.Classes, m.Classes)
	}
	return s, nil
}

// schemeFor returns the scheme, with the name that the file left out has now:
// files are known by their content.
func (m *Manifest) schemeFor(d *Data) string {
	for k, f := range m.Files {
		if m.Scheme == LeaveDatasetOut+":"+f.Name {
			return LeaveDatasetOut + ":" + d.Files[k].Name
		}
	}
	return m.Scheme
}
