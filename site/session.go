package site

import (
	"cmp"
	"maps"
	"slices"
	"strconv"

	"cloister/shared/job"
	"cloister/site/internal/query"
	"cloister/site/internal/session"
)

// saveSession saves marks, notes and settings as a file.
func (a *App) saveSession() {
	s := session.Session{Bundle: a.bundle.SHA256, Files: a.run.sources, Settings: map[string]string{}}
	for _, kv := range a.settings() {
		if kv[0] != "q" {
			s.Settings[kv[0]] = kv[1]
		}
	}
	if f := a.view.filter; f.text != "" { // the file stays here: it may name what it names
		s.Settings["filter"] = f.text
	}
	for at, m := range a.store.marks {
		s.Marks = append(s.Marks, session.Mark{File: a.store.source(at), Row: a.store.row[at], Mark: m.mark, Note: m.note})
	}
	arrange(s.Marks, func(x, y session.Mark) int { return cmp.Or(cmp.Compare(x.File, y.File), cmp.Compare(x.Row, y.Row)) })
	name := baseName(a.run.name) + ".session.json"
	a.host.Download(name, "application/json", [][]byte{session.Append(nil, s)})
	a.notice = sayf("Saved {0} with {1}.", name, plural(int64(len(s.Marks)), "mark", "marks"))
}

// openSession reads a session file and applies it to the run on show.
func (a *App) openSession(f job.File) {
	if f.Size() > session.MaxBytes {
		a.fail(say("opening the session"), job.Failf("session", say("Choose a file that this page saved."), "%.60s has %d bytes, a session at most %d", f.Name(), f.Size(), session.MaxBytes))
		return
	}
	a.host.Read(f, func(data []byte, err error) {
		a.update(func() {
			if err != nil {
				a.fail(sayf("reading {0}", short(f.Name(), 60)), err)
				return
			}
			if err := a.resume(data); err != nil {
				a.fail(sayf("opening the session {0}", short(f.Name(), 60)), err)
			}
		})
	})
}

// resume applies a session file. Marks of rows that are not listed are left
// out and counted.
func (a *App) resume(data []byte) error {
	s, err := session.Decode(data)
	if err != nil {
		return job.Failf("session", say("Choose a file that this page saved."), "%v", err)
	}
	if a.phase != finished || a.store.listed() == 0 {
		return job.Failf("session", say("Score the file first, then open the session."), "a session belongs to a file: it was made for %.60s", s.Files[0].Name)
	}
	if !slices.Equal(s.Files, a.run.sources) {
		return job.Failf("session", say("Score the files that it was made for, in the same order."), "this session was made for %.60s of %d bytes and %d more files, not for what is on show", s.Files[0].Name, s.Files[0].Size, len(s.Files)-1)
	}
	a.store.marks, a.changes = map[int32]mark{}, nil
	missing := 0
	for _, m := range s.Marks {
		at, ok := a.store.locate(m.File, m.Row)
		if !ok {
			missing++
			continue
		}
		a.store.marks[at] = mark{m.Mark, m.Note}
	}
	a.marked++
	text := ""
	for k, v := range s.Settings {
		if k == "filter" {
			text = v
		}
	}
	var b []byte
	for _, k := range slices.Sorted(maps.Keys(s.Settings)) {
		b = append(b, escape(k)+"="+escape(s.Settings[k])+"&"...)
	}
	a.applySettings(string(b))
	f := a.view.filter
	if q, err := query.Parse(text, a.store.fields()); err == nil {
		f.text = q.String()
	}
	a.find = f.text
	a.view.set(f, a.view.order, a.threshold)
	a.recut()
	a.notice = sayf("Opened the session: {0}", plural(int64(len(s.Marks)-missing), "mark", "marks"))
	if missing > 0 {
		a.notice += "; " + sayf("{0} are of rows that are not in the table", strconv.Itoa(missing))
	}
	if s.Bundle != a.bundle.SHA256 {
		a.notice += "; " + say("it was made with another bundle")
	}
	a.notice += "."
	return nil
}

// source is the index of the file that row i is from.
func (s *store) source(i int32) int {
	return s.origins[s.stretch(i)].source
}

// locate returns the place of a row of a file. Rows are in ascending order
// within each stretch.
func (s *store) locate(source int, row int64) (int32, bool) {
	for k, o := range s.origins {
		if o.source != source {
			continue
		}
		from, to := int(s.starts[k]), s.listed()
		if k+1 < len(s.starts) {
			to = int(s.starts[k+1])
		}
		if i, ok := slices.BinarySearch(s.row[from:to], row); ok {
			return int32(from + i), true
		}
	}
	return 0, false
}

// fileName is the name of the file that row i is from; name is the run's.
func (s *store) fileName(i int32, name string) string {
	if k := s.source(i); k < len(s.files) {
		return s.files[k]
	}
	return name
}
