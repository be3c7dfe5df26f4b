package ingest

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"cloister/shared/ingest/internal/jsontext"
)

// jsonRows is a source of JSON objects: one a line, in one array, or one after
// the other over several lines each.
type jsonRows struct {
	rec    *records
	reopen func(offset int64) (io.Reader, error)
	lim    Limits
	header []string
	names  []string // of the paths that are read
	from   []int    // per cell of the table, which path
	paths  *jsontext.Paths
	cell   [][]byte // per path
	// kinds decides by the cell of path kind which records are rows: those
	// for which it returns "", others are counted under the name returned.
	kind   string
	kinds  func(kind string) string
	kindAt int // of the paths
}

// namesDepth is how deep objects are searched for names: EVE has them on the
// third level.
const namesDepth = 4

// newJSONRows collects the names of the records at the start.
func newJSONRows(rec *records, reopen func(int64) (io.Reader, error), lim Limits) (*jsonRows, error) {
	j := &jsonRows{rec: rec, reopen: reopen, lim: lim}
	head, _ := rec.peek(namesBytes)
	seen := map[string]bool{}
	over := false
	for len(head) > 0 {
		skip := jsonGap(head)
		if head = head[skip:]; len(head) == 0 || head[0] != '{' {
			break
		}
		n, status := jsontext.End(head)
		if status != jsontext.Complete {
			if n == 0 {
				n = bytes.IndexByte(head, '\n') + 1
			}
			if n == 0 {
				break
			}
			head = head[n:]
			continue
		}
		// A record that is malformed further in still gave names that exist.
		_ = jsontext.Names(head[:n], namesDepth, func(path string, _ jsontext.Kind) bool {
			if !seen[path] {
				seen[path] = true
				over = len(j.header) == lim.Columns
				if !over {
					j.header = append(j.header, strings.ToValidUTF8(path[:min(len(path), longestWord)], "\ufffd"))
				}
			}
			return !over
		})
		if over {
			return nil, &LimitError{"columns", int64(lim.Columns), int64(lim.Columns) + 1}
		}
		head = head[n:]
	}
	if len(j.header) == 0 {
		return nil, &UnknownError{[]string{"json: no object in the first " + grouped(namesBytes) + " bytes"}}
	}
	return j, nil
}

// namesBytes is how much of the content is searched for names.
const namesBytes = 256 << 10

// jsonGap returns how many bytes of b stand between records: white space,
// commas, the brackets of one array around all, record separators (RFC 7464)
// and a byte order mark.
func jsonGap(b []byte) int {
	n := 0
	for n < len(b) {
		switch c := b[n]; c {
		case ' ', '\t', '\r', '\n', ',', '[', ']', 0x1e:
			n++
		case 0xef:
			if !bytes.HasPrefix(b[n:], []byte("\ufeff")) {
				return n
			}
			n += 3
		default:
			return n
		}
	}
	return n
}

// know adds names that later records may have.
func (j *jsonRows) know(names []string) {
	have := map[string]bool{}
	for _, h := range j.header {
		have[normalise(h)] = true
	}
	for _, name := range names {
		if !have[normalise(name)] {
			j.header = append(j.header, name)
		}
	}
}

func (j *jsonRows) name() string { return "json" }

// bind implements [source]. Two inputs may read one path in two ways.
func (j *jsonRows) bind(columns []int) {
	at := map[int]int{}
	var names []string
	j.from = make([]int, len(columns))
	for i, c := range columns {
		if _, ok := at[c]; !ok {
			at[c] = len(names)
			names = append(names, j.header[c])
		}
		j.from[i] = at[c]
	}
	j.kindAt = -1
	if j.kinds != nil {
		if j.kindAt = slices.Index(names, j.kind); j.kindAt < 0 {
			j.kindAt = len(names)
			names = append(names, j.kind)
		}
	}
	j.names = names
	j.prepare()
}

func (j *jsonRows) prepare() {
	j.paths = jsontext.NewPaths(j.names)
	j.cell = make([][]byte, len(j.names))
}

// next implements [source].
func (j *jsonRows) next(cells [][]byte) (record, error) {
	r := j.rec
	for {
		rest := r.buf[r.pos:]
		r.pos += jsonGap(rest)
		if r.pos < len(r.buf) {
			break
		}
		if r.err != nil {
			return record{}, r.err
		}
		r.fill()
	}
	offset := r.base + int64(r.pos)
	if first := r.buf[r.pos]; first != '{' {
		r.skip()
		return record{offset: offset, reason: "not a JSON object", detail: fmt.Sprintf("it starts with %q", string(rune(first)))}, nil
	}
	for {
		rest := r.buf[r.pos:]
		n, status := jsontext.End(rest[:min(len(rest), r.limit)])
		switch {
		case status == jsontext.Complete:
			r.pos += n
			return j.cells(rest[:n], offset, cells), nil
		case status == jsontext.TooDeep:
			r.skip()
			return record{offset: offset, reason: "nested too deep", detail: fmt.Sprintf("more than %d levels", jsontext.MaxDepth)}, nil
		case status == jsontext.Broken:
			if n == 0 {
				r.skip()
			}
			r.pos += n
			return record{offset: offset, reason: "not valid JSON", detail: firstLine(rest)}, nil
		case len(rest) >= r.limit:
			r.skip()
			return record{offset: offset, reason: "record too long", detail: fmt.Sprintf("record in bytes: more than the limit of %d", r.limit)}, nil
		case r.err == io.EOF:
			r.pos = len(r.buf)
			return record{offset: offset, reason: "cut short", detail: "the file ends inside the object"}, nil
		case r.err != nil:
			return record{}, r.err
		}
		r.fill()
	}
}

// cells takes one object apart.
func (j *jsonRows) cells(obj []byte, offset int64, cells [][]byte) record {
	if err := j.paths.Extract(obj, j.cell); err != nil {
		return record{offset: offset, reason: "not valid JSON", detail: firstLine(obj)}
	}
	if j.kinds != nil {
		if apart := j.kinds(string(j.cell[j.kindAt])); apart != "" {
			return record{offset: offset, apart: apart}
		}
	}
	for i, from := range j.from {
		cells[i] = j.cell[from]
	}
	return record{offset: offset}
}

// at implements [source].
func (j *jsonRows) at(offset int64) (source, error) {
	in, err := j.reopen(offset)
	if err != nil {
		return nil, err
	}
	one := *j
	one.rec = newRecords(in, j.lim)
	return &one, nil // scratch is shared: a Source is not for concurrent use
}

// firstLine returns the first 64 bytes of b that stand in one line.
func firstLine(b []byte) string {
	line, _, _ := bytes.Cut(b[:min(len(b), 64)], []byte{'\n'})
	return clip(string(line))
}
