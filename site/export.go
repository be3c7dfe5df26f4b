package site

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"cloister/shared/job"
)

// exportStep is how many rows are written between two looks at the window's
// events.
const exportStep = 2048

// save exports the rows of the table as CSV or JSON.
func (a *App) save(asJSON bool) {
	if a.exporting {
		return
	}
	a.exporting = true
	w := newWriter(a, asJSON)
	name, mime := baseName(a.run.name)+".verdicts.csv", "text/csv;charset=utf-8"
	if asJSON {
		name, mime = baseName(a.run.name)+".verdicts.json", "application/json"
	}
	go func() {
		var parts [][]byte
		for {
			a.env.RLock()
			part := w.next()
			a.env.RUnlock()
			if part == nil {
				break
			}
			parts = append(parts, part)
			time.Sleep(time.Millisecond)
		}
		a.update(func() {
			a.exporting = false
			a.notice = sayf("Saved {0} with {1}.", name, plural(int64(len(w.rows)), "row", "rows"))
			a.host.Download(name, mime, parts)
		})
	}()
}

// baseName is a file's name without its last extension, cut to 80 bytes.
func baseName(name string) string {
	for i := len(name) - 1; i > 0; i-- {
		if name[i] == '.' {
			name = name[:i]
			break
		}
	}
	return short(name, 80)
}

// writer makes the text of an export in parts of some hundred kilobytes. It
// keeps the store it was made with, so that a new run does not disturb it.
type writer struct {
	s         *store
	about     provenance
	threshold float64
	json      bool
	rows      []int32
	at        int
	buf       []byte
}

// provenance heads a JSON export: what its verdicts rest on.
type provenance struct {
	Tool      string       `json:"tool"`
	File      string       `json:"file"`
	Bundle    string       `json:"bundle"`
	Version   string       `json:"version"`
	SHA256    string       `json:"sha256"`
	Trust     string       `json:"trust"`
	Attack    string       `json:"attackVersion"`
	Threshold float64      `json:"threshold"`
	Summary   *job.Summary `json:"summary,omitempty"`
}

// newWriter exports the rows that the table shows, in its order.
func newWriter(a *App, asJSON bool) *writer {
	b := a.bundle
	return &writer{
		s: a.store, threshold: a.threshold, json: asJSON, rows: slices.Clone(a.view.index),
		about: provenance{"cloister", a.run.name, b.Name, b.Version, b.SHA256, b.Trust, b.AttackVersion, a.threshold, a.summary},
	}
}

// next returns the next part, nil after the last. The part is the caller's.
func (w *writer) next() []byte {
	if w.at > len(w.rows) || w.at == len(w.rows) && w.at > 0 {
		return nil
	}
	w.buf = nil
	if w.at == 0 {
		w.head()
	}
	end := min(w.at+exportStep, len(w.rows))
	for ; w.at < end; w.at++ {
		if w.json {
			w.object(int(w.rows[w.at]))
		} else {
			w.line(int(w.rows[w.at]))
		}
	}
	if w.at == len(w.rows) {
		if w.json {
			w.buf = append(w.buf, "\n]}\n"...)
		}
		if len(w.rows) == 0 {
			w.at = 1
		}
	}
	return w.buf
}

// head writes the heading line, or what the verdicts of a JSON file rest on.
func (w *writer) head() {
	if !w.json {
		w.buf = append(w.buf, "row"...)
		for _, c := range w.s.columns {
			w.buf = append(w.buf, ',')
			w.cell(c.name)
		}
		w.buf = append(w.buf, ",class,probability,severity,flagged,abstained,attack_probability,anomaly,technique\r\n"...)
		return
	}
	b, err := json.Marshal(w.about)
	if err != nil { // unreachable: the threshold is in [0,1] and a summary came as JSON
		b = []byte("{}")
	}
	w.buf = append(w.buf, b[:len(b)-1]...)
	w.buf = append(w.buf, `,"verdicts":[`...)
}

func (w *writer) line(i int) {
	s := w.s
	class := s.classes[s.class[i]]
	w.buf = strconv.AppendInt(w.buf, s.row[i], 10)
	for _, c := range s.columns {
		w.buf = append(w.buf, ',')
		if c.numbers != nil {
			w.number(c.numbers.at(i))
		} else {
			w.cell(c.words[c.codes[i]])
		}
	}
	w.buf = append(w.buf, ',')
	w.cell(class.Name)
	w.buf = append(w.buf, ',')
	w.number(s.prob[i])
	w.buf = append(w.buf, ',')
	w.cell(class.Severity)
	w.buf = append(w.buf, ',')
	w.buf = strconv.AppendBool(w.buf, s.flags(i, w.threshold))
	w.buf = append(w.buf, ',')
	w.buf = strconv.AppendBool(w.buf, s.abstained[i])
	w.buf = append(w.buf, ',')
	w.number(s.attack[i])
	w.buf = append(w.buf, ',')
	w.number(s.anomaly[i])
	w.buf = append(w.buf, ',')
	var ids []string
	for _, t := range class.Attack {
		ids = append(ids, t.ID)
	}
	w.cell(strings.Join(ids, " "))
	w.buf = append(w.buf, "\r\n"...)
}

// cell writes a text: quoted if it has to be, and with a leading apostrophe
// where a spreadsheet would take it for a formula.
func (w *writer) cell(s string) {
	if s != "" && strings.IndexByte("=+-@\t\r", s[0]) >= 0 {
		s = "'" + s
	}
	if !strings.ContainsAny(s, "\",\r\n") {
		w.buf = append(w.buf, s...)
		return
	}
	w.buf = append(w.buf, '"')
	w.buf = append(w.buf, strings.ReplaceAll(s, `"`, `""`)...)
	w.buf = append(w.buf, '"')
}

// number writes the shortest form that reads back to the same bits, nothing
// for a missing value in CSV and null in JSON.
func (w *writer) number(v float64) {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		if w.json {
			w.buf = append(w.buf, "null"...)
		}
	case v == math.Trunc(v) && math.Abs(v) < 1<<53: // no exponent on a time in milliseconds
		w.buf = strconv.AppendInt(w.buf, int64(v), 10)
	default:
		w.buf = strconv.AppendFloat(w.buf, v, 'g', -1, 64)
	}
}

func (w *writer) text(s string) {
	b, err := json.Marshal(s)
	if err != nil { // unreachable: a string always encodes
		b = []byte(`""`)
	}
	w.buf = append(w.buf, b...)
}

// object writes a verdict with the names that cloister score uses.
func (w *writer) object(i int) {
	s := w.s
	class := s.classes[s.class[i]]
	if w.at > 0 {
		w.buf = append(w.buf, ',')
	}
	w.buf = append(w.buf, "\n{\"row\":"...)
	w.buf = strconv.AppendInt(w.buf, s.row[i], 10)
	w.buf = append(w.buf, `,"class":`...)
	w.text(class.Name)
	w.buf = append(w.buf, `,"probability":`...)
	w.number(s.prob[i])
	w.buf = append(w.buf, `,"severity":`...)
	w.text(class.Severity)
	w.buf = append(w.buf, `,"flagged":`...)
	w.buf = strconv.AppendBool(w.buf, s.flags(i, w.threshold))
	w.buf = append(w.buf, `,"abstained":`...)
	w.buf = strconv.AppendBool(w.buf, s.abstained[i])
	w.buf = append(w.buf, `,"attack_probability":`...)
	w.number(s.attack[i])
	w.buf = append(w.buf, `,"anomaly":`...)
	w.number(s.anomaly[i])
	w.buf = append(w.buf, `,"attack":[`...)
	for k, t := range class.Attack {
		if k > 0 {
			w.buf = append(w.buf, ',')
		}
		b, err := json.Marshal(t)
		if err != nil { // unreachable: four strings
			b = []byte("{}")
		}
		w.buf = append(w.buf, b...)
	}
	w.buf = append(w.buf, `],"fields":{`...)
	for k, c := range s.columns {
		if k > 0 {
			w.buf = append(w.buf, ',')
		}
		w.text(c.name)
		w.buf = append(w.buf, ':')
		if c.numbers != nil {
			w.number(c.numbers.at(i))
		} else {
			w.text(c.words[c.codes[i]])
		}
	}
	w.buf = append(w.buf, "}}"...)
}
