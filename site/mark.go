package site

import (
	"cloister/site/internal/session"
)

// mark is what the analyst has decided about a row.
type mark struct {
	mark string // one of session.Marks, or ""
	note string
}

// sign says a mark in one character.
func (m mark) sign() string {
	switch m.mark {
	case "confirmed":
		return "✓"
	case "refuted":
		return "✗"
	case "open":
		return "◌"
	}
	if m.note != "" {
		return "✎"
	}
	return ""
}

// change is a step that can be undone.
type change struct {
	at  int32
	was mark
}

// maxUndo bounds the steps that can be undone.
const maxUndo = 1000

// setMark marks a row; a row without mark and note is forgotten. Typing in one
// note is one step.
func (a *App) setMark(at int32, m mark) {
	was := a.store.marks[at]
	if was == m {
		return
	}
	typing := was.mark == m.mark && len(a.changes) > 0 && a.changes[len(a.changes)-1].at == at && a.typedNote == at
	if !typing {
		a.changes = append(a.changes, change{at, was})
		if len(a.changes) > maxUndo {
			a.changes = a.changes[1:]
		}
	}
	a.typedNote = -1
	if was.mark == m.mark {
		a.typedNote = at
	}
	a.putMark(at, m)
	if m.mark != was.mark {
		a.notice = sayf("Row {0} is {1}.", count(a.store.row[at]), markText(m.mark))
	}
}

func (a *App) putMark(at int32, m mark) {
	if m == (mark{}) {
		delete(a.store.marks, at)
	} else {
		a.store.marks[at] = m
	}
	a.marked++
}

func markText(m string) string {
	if m == "" {
		return say("not marked")
	}
	return sayf("marked {0}", said(m))
}

// nextMark turns the mark of the row that the cursor is on.
func (a *App) nextMark() {
	if a.table.cursor >= len(a.view.index) {
		return
	}
	at := a.view.index[a.table.cursor]
	m := a.store.marks[at]
	next := session.Marks[0]
	for i, k := range session.Marks {
		if k == m.mark {
			next = ""
			if i+1 < len(session.Marks) {
				next = session.Marks[i+1]
			}
		}
	}
	a.setMark(at, mark{next, m.note})
}

// undo takes back the last mark or note.
func (a *App) undo() {
	n := len(a.changes)
	if n == 0 {
		a.notice = say("There is nothing to undo.")
		return
	}
	c := a.changes[n-1]
	a.changes, a.typedNote = a.changes[:n-1], -1
	a.putMark(c.at, c.was)
	a.notice = sayf("Undone: row {0} is {1}.", count(a.store.row[c.at]), markText(c.was.mark))
}
