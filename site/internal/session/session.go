// Package session is the file in which an analyst keeps what was decided about
// verdicts: marks, notes and the settings of the page, never the verdicts or
// the capture itself. It hides the file's layout.
//
//	data := session.Append(nil, s)
//	s, err := session.Decode(data)
//
// The file is JSON of version 1 in one canonical form: what Decode accepts,
// Append writes back to the same bytes. Later versions are refused by number.
// A file is hostile: it is bounded before it is read, fields that are not
// known and contradictions are errors, and every number is checked.
package session

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// Version is the version that this package writes and reads.
const Version = 1

// Limits of a session file.
const (
	MaxBytes = 32 << 20
	MaxNote  = 2000 // bytes of a note
	maxFiles = 1000
	maxName  = 1000
	maxRow   = 1 << 53
)

// Session is what is kept.
type Session struct {
	Format   string            `json:"format"` // "cloister-session"
	Version  int               `json:"version"`
	Bundle   string            `json:"bundle"` // hex SHA-256
	Files    []File            `json:"files"`
	Settings map[string]string `json:"settings"`
	Marks    []Mark            `json:"marks"` // by file and row
}

// File identifies one of the scored files.
type File struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
}

// Mark is what was decided about one row.
type Mark struct {
	File int    `json:"file"` // index into Files
	Row  int64  `json:"row"`
	Mark string `json:"mark"` // one of Marks, or ""
	Note string `json:"note"`
}

// Marks are the decisions, in the order in which they are offered.
var Marks = []string{"confirmed", "refuted", "open"}

const format = "cloister-session"

// Append appends the file of a session. Format and Version are filled in.
func Append(dst []byte, s Session) []byte {
	s.Format, s.Version = format, Version
	if s.Files == nil {
		s.Files = []File{}
	}
	if s.Settings == nil {
		s.Settings = map[string]string{}
	}
	if s.Marks == nil {
		s.Marks = []Mark{}
	}
	b, err := json.Marshal(s)
	if err != nil { // unreachable: strings and whole numbers always encode
		return dst
	}
	return append(append(dst, b...), '\n')
}

// Decode reads a file. Marks come in ascending order, each row once.
func Decode(data []byte) (Session, error) {
	var s Session
	if len(data) > MaxBytes {
		return s, fmt.Errorf("session: %d bytes, at most %d", len(data), MaxBytes)
	}
	var head struct {
		Format  string `json:"format"`
		Version int    `json:"version"`
	}
	if err := json.Unmarshal(data, &head); err != nil || head.Format != format {
		return s, fmt.Errorf("session: this is no session file")
	}
	if head.Version != Version {
		return s, fmt.Errorf("session: version %d, this program reads version %d", head.Version, Version)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return Session{}, fmt.Errorf("session: byte %d: %w", d.InputOffset(), err)
	}
	if err := s.check(); err != nil {
		return Session{}, err
	}
	if !bytes.Equal(Append(nil, s), data) {
		return Session{}, fmt.Errorf("session: not in the form that this program writes: changed by hand, or cut")
	}
	return s, nil
}

func (s *Session) check() error {
	if len(s.Files) == 0 || len(s.Files) > maxFiles {
		return fmt.Errorf("session: %d files", len(s.Files))
	}
	for i, f := range s.Files {
		if len(f.Name) > maxName || f.Size < 0 || f.Size > maxRow {
			return fmt.Errorf("session: file %d: name of %d bytes, size %d", i, len(f.Name), f.Size)
		}
	}
	if len(s.Settings) > 64 {
		return fmt.Errorf("session: %d settings", len(s.Settings))
	}
	var last Mark
	for i, m := range s.Marks {
		known := m.Mark == ""
		for _, k := range Marks {
			known = known || m.Mark == k
		}
		switch {
		case m.File < 0 || m.File >= len(s.Files):
			return fmt.Errorf("session: mark %d: file %d of %d", i, m.File, len(s.Files))
		case m.Row < 1 || m.Row > maxRow:
			return fmt.Errorf("session: mark %d: row %d", i, m.Row)
		case !known || m.Mark == "" && m.Note == "":
			return fmt.Errorf("session: mark %d: unknown mark %.64q", i, m.Mark)
		case len(m.Note) > MaxNote || !utf8.ValidString(m.Note):
			return fmt.Errorf("session: mark %d: a note of %d bytes", i, len(m.Note))
		case i > 0 && (m.File < last.File || m.File == last.File && m.Row <= last.Row):
			return fmt.Errorf("session: mark %d: out of order", i)
		}
		last = m
	}
	return nil
}
