package tune

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"sync"
)

// maxJournalBytes bounds a journal: some 200 bytes for each of a million fits.
const maxJournalBytes = 256 << 20

// InputsError means that a journal belongs to a search of other inputs. It is
// left as it is.
type InputsError struct {
	Path   string
	Differ string // what differs: "data", "space", "settings (theirs, not ours)", or "" if it is no journal
}

// Error says what differs and what to do.
func (e *InputsError) Error() string {
	if e.Differ == "" {
		return fmt.Sprintf("%s is no journal of a search: choose another directory", e.Path)
	}
	return fmt.Sprintf("%s was written by a search with other %s: repeat that command to go on with it, choose another directory, or remove the file to start anew", e.Path, e.Differ)
}

// head is the first line of a journal: what the fits below depend on.
type head struct {
	Journal  int    `json:"journal"` // version of the format
	Inputs   string `json:"inputs"`  // SHA-256 over the three below
	Data     string `json:"data"`    // SHA-256
	Space    string `json:"space"`   // SHA-256
	Settings string `json:"settings"`
}

// journalVersion changes with the lines and with what the trainers make of the
// same inputs.
const journalVersion = 1

func newHead(data Data, space Space, settings string) head {
	h := head{Journal: journalVersion, Data: data.sum(), Space: space.sum(), Settings: settings}
	sum := sha256.Sum256([]byte(h.Data + "\n" + h.Space + "\n" + h.Settings))
	h.Inputs = hex.EncodeToString(sum[:])
	return h
}

// sum returns the SHA-256 of a table: sizes, names, labels and the bits of the values.
func (d Data) sum() string {
	hash := sha256.New()
	buf := make([]byte, 0, 1<<13)
	put := func(v uint64) {
		if buf = binary.LittleEndian.AppendUint64(buf, v); len(buf) == cap(buf) {
			hash.Write(buf) // a hash does not fail
			buf = buf[:0]
		}
	}
	put(uint64(d.Features))
	put(uint64(len(d.Class)))
	put(uint64(len(d.Classes)))
	for _, name := range d.Classes {
		put(uint64(len(name)))
		for _, b := range []byte(name) {
			put(uint64(b))
		}
	}
	for _, c := range d.Class {
		put(uint64(c))
	}
	for _, v := range d.X {
		put(math.Float64bits(v))
	}
	if s := d.Sparse; s != nil {
		for i, v := range s.Value {
			put(uint64(s.Index[i]))
			put(math.Float64bits(v))
		}
		for _, v := range s.Start {
			put(uint64(v))
		}
	}
	hash.Write(buf)
	return hex.EncodeToString(hash.Sum(nil))
}

// sum returns the SHA-256 of the space as JSON.
func (s Space) sum() string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // unreachable: check has seen that the numbers are finite
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// entry is one line of a journal: one finished fit.
type entry struct {
	Rung      int     `json:"rung"`
	Candidate int     `json:"candidate"`
	Fold      int     `json:"fold"`
	MacroF1   float64 `json:"macro_f1"`
	Accuracy  float64 `json:"accuracy"`
	LogLoss   float64 `json:"log_loss"`
	Nodes     int     `json:"nodes"`
	Seconds   float64 `json:"seconds"`
}

func (e entry) place() place { return place{e.Rung, e.Candidate, e.Fold} }

func (e entry) fit() fit { return fit{e.MacroF1, e.Accuracy, e.LogLoss, e.Nodes, e.Seconds} }

// journal is a file of finished fits that only grows. A line that is in it has
// reached the disk. It is safe for concurrent use.
type journal struct {
	mu  sync.Mutex
	f   *os.File
	err error // of the first write that failed: nothing may follow half a line
}

// openJournal opens or begins the journal at path and returns the fits in it.
// What follows the last line end was cut short by a kill and is dropped. A
// journal of other inputs is an [*InputsError].
func openJournal(path string, h head) (*journal, []entry, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, nil, err
	}
	j := &journal{f: f}
	entries, err := j.load(path, h)
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return j, entries, nil
}

// load reads what is there and makes the file end with a whole line.
func (j *journal) load(path string, h head) ([]entry, error) {
	text, err := io.ReadAll(io.LimitReader(j.f, maxJournalBytes+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxJournalBytes {
		return nil, fmt.Errorf("%s: more than %d bytes", path, maxJournalBytes)
	}
	first, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	first = append(first, '\n')
	whole := bytes.LastIndexByte(text, '\n') + 1
	if whole == 0 && !bytes.HasPrefix(first, text) {
		return nil, &InputsError{Path: path}
	}
	lines := bytes.SplitAfter(text[:whole], []byte("\n"))
	lines = lines[:len(lines)-1] // what follows the last line end: nothing
	if len(lines) > 0 && !bytes.Equal(lines[0], first) {
		return nil, otherInputs(path, lines[0], h)
	}
	var entries []entry
	for i, line := range lines[min(1, len(lines)):] {
		var e entry
		if err := decodeStrict(line, &e); err != nil {
			return nil, fmt.Errorf("%s: line %d: %w: remove the file to start anew", path, i+2, err)
		}
		entries = append(entries, e)
	}
	if whole < len(text) {
		if err := j.f.Truncate(int64(whole)); err != nil {
			return nil, err
		}
	}
	if whole == 0 {
		if err := j.write(first); err != nil {
			return nil, err
		}
		return nil, syncDir(filepath.Dir(path))
	}
	return entries, nil
}

// otherInputs says how a first line differs from h.
func otherInputs(path string, line []byte, h head) error {
	var other head
	err := &InputsError{Path: path}
	switch {
	case decodeStrict(line, &other) != nil:
	case other.Journal != h.Journal:
		err.Differ = fmt.Sprintf("program (journal version %d, not %d)", other.Journal, h.Journal)
	case other.Data != h.Data:
		err.Differ = "data"
	case other.Space != h.Space:
		err.Differ = "space"
	case other.Settings != h.Settings:
		err.Differ = fmt.Sprintf("settings (%.200s; not %s)", other.Settings, h.Settings)
	}
	return err
}

// syncDir makes the name of a new file last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// add appends a finished fit and waits until the disk has it.
func (j *journal) add(p place, f fit) error {
	line, err := json.Marshal(entry{p.rung, p.candidate, p.fold, f.macroF1, f.accuracy, f.logLoss, f.nodes, f.seconds})
	if err != nil {
		return err
	}
	return j.write(append(line, '\n'))
}

func (j *journal) write(line []byte) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return j.err
	}
	if _, j.err = j.f.Write(line); j.err == nil {
		j.err = j.f.Sync()
	}
	return j.err
}

func (j *journal) close() error { return j.f.Close() }
