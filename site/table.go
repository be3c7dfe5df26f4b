package site

import (
	"strconv"
	"strings"

	"cloister/shared/job"

	"github.com/vugu/vugu"
)

const (
	rowPitch   = 28         // px; the style sheet's --pitch; WCAG 2.5.8 asks for 24
	overscan   = 8          // rows drawn above and below the visible ones
	headHeight = 32         // px of the heading row, which stays in sight
	maxHeight  = 15_000_000 // px; browsers cut elements at 17 million and more
)

// tableState is where the table stands.
type tableState struct {
	top    float64 // scroll position, px
	height float64 // of the visible part, px; 0 when it is not known
	cursor int     // place in the list, 0 based
}

// window is the part of a list of n rows that is in the document.
type window struct {
	from, to int     // rows [from, to)
	offset   float64 // of row from, px
	total    float64 // height of the whole list, px
}

// newWindow chooses the rows that are visible when a list of n is scrolled to
// top in a view of the given height. Lists taller than maxHeight are squeezed:
// scrolling moves through them in proportion.
func newWindow(n int, top, height float64) window {
	if height <= 0 {
		height = 20 * rowPitch
	}
	total := float64(n) * rowPitch
	w := window{total: min(total, maxHeight)}
	first := top / rowPitch
	if total > maxHeight {
		first = top / (maxHeight - height) * (float64(n) - height/rowPitch)
	}
	first = min(max(first, 0), float64(max(0, n-1)))
	w.from = max(0, int(first)-overscan)
	w.to = min(n, int(first)+int(height/rowPitch)+1+overscan)
	w.offset = float64(w.from) * rowPitch
	if total > maxHeight {
		w.offset = max(0, top-(first-float64(w.from))*rowPitch)
	}
	return w
}

// topOf returns the scroll position that brings row i into a view of the
// given height that stands at top, moving as little as possible.
func topOf(i, n int, top, height float64) float64 {
	height = max(height-headHeight, 2*rowPitch)
	if float64(n)*rowPitch > maxHeight {
		return float64(i) / float64(n) * (maxHeight - height)
	}
	y := float64(i) * rowPitch
	switch {
	case y < top:
		return y
	case y+rowPitch > top+height:
		return y + rowPitch - height
	}
	return top
}

// heading is a column of the table.
type heading struct {
	title, tip, class string
	key               int // of the order
}

// headings returns the table's columns: the verdict first, as it has to be in
// sight on every screen, then what the file says.
func (a *App) headings() []heading {
	h := []heading{
		{say("Row"), say("row of the file"), "c-row num", byRow},
		{say("Verdict"), say("most probable class"), "c-class", byClass},
		{say("Severity"), say("of the class"), "c-sev", bySeverity},
		{say("Probability"), say("of the class"), "c-prob num", byProbability},
		{say("Attack score"), say("1 − probability of benign; the threshold applies to it"), "c-score num", byAttack},
		{say("Anomaly"), say("share of benign training rows that are less strange"), "c-anom num", byAnomaly},
	}
	for i, c := range a.store.columns {
		class := "c-text"
		switch {
		case c.role == roleTime:
			class = "c-time"
		case c.role == roleSource || c.role == roleDestination:
			class = "c-addr"
		case c.role == roleProtocol:
			class = "c-proto"
		case c.role == rolePort:
			class = "c-port num"
		case c.numbers != nil:
			class = "c-num num"
		}
		h = append(h, heading{c.title(), strings.TrimSuffix(c.name+", "+c.unit, ", "), class, i})
	}
	return append(h, heading{say("Technique"), say("what the verdict is evidence for"), "c-tech", byClass})
}

// sorted returns the aria-sort of a heading. Technique follows from the
// verdict and does not sort by itself.
func (a *App) sorted(h heading) string {
	switch {
	case h.title == "Technique" || a.view.order.key != h.key:
		return "none"
	case a.view.order.desc:
		return "descending"
	}
	return "ascending"
}

// sortBy sorts by a column, or turns its direction. Scores start with the
// largest.
func (a *App) sortBy(key int) {
	o := order{key: key, desc: key == byProbability || key == byAttack || key == bySeverity || key == byAnomaly}
	if a.view.order.key == key {
		o.desc = !a.view.order.desc
	}
	a.show(a.view.filter, o)
	a.keepSettings()
	a.rewind()
}

// filterBy changes the filter and goes to the first row.
func (a *App) filterBy(f filter) {
	if f.text != a.view.filter.text {
		a.find, a.findFault = f.text, nil
	}
	a.keepSettings()
	a.show(f, a.view.order)
	a.rewind()
}

func (a *App) rewind() {
	a.table.cursor, a.table.top = 0, 0
	a.host.ScrollTo("grid", 0)
}

// listed is called when a new list is complete.
func (a *App) listed() {
	a.table.cursor = max(0, min(a.table.cursor, len(a.view.index)-1))
}

// tableRow is a row in the document.
type tableRow struct {
	at    int // place in the list
	store int32
	id    string
	class string
	cells []cell
}

// cell is one value of a row; mark is a sign that says it without words.
type cell struct {
	class, text, mark string
}

// visible returns the rows of a window.
func (a *App) visible(w window, h []heading) []tableRow {
	rows := make([]tableRow, 0, w.to-w.from)
	for at := w.from; at < w.to; at++ {
		i := a.view.index[at]
		r := tableRow{at: at, store: i, id: rowID(i), class: "row", cells: make([]cell, 0, len(h))}
		if a.store.flags(int(i), a.threshold) {
			r.class += " flagged"
		}
		if at == a.table.cursor {
			r.class += " cursor"
		}
		if a.drawer.open && a.drawer.at == i {
			r.class += " opened"
		}
		a.fill(&r, int(i), h)
		rows = append(rows, r)
	}
	return rows
}

func rowID(i int32) string { return "r" + strconv.Itoa(int(i)) }

// fill makes the cells of row i.
func (a *App) fill(r *tableRow, i int, h []heading) {
	s := a.store
	class := s.classes[s.class[i]]
	for k := range h {
		c := cell{class: h[k].class}
		switch {
		case k == 0:
			c.text, c.mark = count(s.row[i]), s.marks[int32(i)].sign()
		case h[k].key >= 0:
			c.text = s.columns[h[k].key].text(i)
		case h[k].title == "Technique":
			c.text = techniqueList(class)
		case h[k].key == byClass:
			c.text = class.Name
			if s.outside[i] {
				c.text, c.mark = sayf("outside ({0}?)", class.Name), "∅"
			} else if s.abstained[i] {
				c.text, c.mark = sayf("withheld ({0}?)", class.Name), "?"
			} else if s.flags(i, a.threshold) {
				c.mark = "⚑"
			}
		case h[k].key == byProbability:
			c.text = percent(s.prob[i])
		case h[k].key == byAttack:
			c.text = decimal(s.attack[i], 3)
		case h[k].key == bySeverity:
			c.text, c.mark = said(job.Severities[s.level(i)]), marksOfSeverity[s.level(i)]
			c.class += " sev" + strconv.Itoa(s.level(i))
		case h[k].key == byAnomaly:
			c.text = percent(s.anomaly[i])
		}
		r.cells = append(r.cells, c)
	}
}

// marksOfSeverity are discs that fill up, from least to most severe.
var marksOfSeverity = []string{"○", "◔", "◑", "◕", "●"}

// severityMark is a disc that fills up with severity.
func severityMark(c job.Class) string {
	if k := severity(c); k >= 0 && k < len(marksOfSeverity) {
		return marksOfSeverity[k]
	}
	return ""
}

func severityClass(c job.Class) string { return "sev" + strconv.Itoa(severity(c)) }

// techniqueList names the techniques of a class in one line.
func techniqueList(c job.Class) string {
	if len(c.Attack) == 0 {
		return noValue
	}
	t := c.Attack[0].ID
	if n := techniqueName(t); n != "" {
		t += " " + n
	}
	if len(c.Attack) > 1 {
		t += " +" + strconv.Itoa(len(c.Attack)-1)
	}
	return t
}

// move puts the cursor on a row, in sight; an open record follows it.
func (a *App) move(to int) {
	n := len(a.view.index)
	if n == 0 {
		return
	}
	a.table.cursor = max(0, min(to, n-1))
	if top := topOf(a.table.cursor, n, a.table.top, a.gridHeight()); top != a.table.top {
		a.table.top = top
		a.host.ScrollTo("grid", top)
	}
	if a.drawer.open {
		a.inspect(a.view.index[a.table.cursor])
	}
}

func (a *App) gridHeight() float64 {
	if a.table.height <= 0 {
		a.measure()
	}
	return a.table.height
}

// measure asks the window for the sizes that the drawing depends on.
func (a *App) measure() {
	_, a.table.height = a.host.Size("grid")
	if width, _ := a.host.Size("record-body"); width > 0 {
		a.recordWidth = width
	}
}

// gridKey handles a key in the table and reports whether it was one of its
// own.
func (a *App) gridKey(key string) bool {
	page := max(1, int(a.gridHeight()/rowPitch)-2)
	switch key {
	case "ArrowDown", "j":
		a.move(a.table.cursor + 1)
	case "ArrowUp", "k":
		a.move(a.table.cursor - 1)
	case "PageDown":
		a.move(a.table.cursor + page)
	case "PageUp":
		a.move(a.table.cursor - page)
	case "Home":
		a.move(0)
	case "End":
		a.move(len(a.view.index) - 1)
	case "x":
		a.nextMark()
	case "u":
		a.undo()
	case "c":
		if a.table.cursor < len(a.view.index) {
			a.compare(a.view.index[a.table.cursor])
		}
	case "Enter", " ":
		if a.table.cursor < len(a.view.index) {
			a.inspect(a.view.index[a.table.cursor])
			a.host.Focus("record-title")
		}
	default:
		return false
	}
	return true
}

// modified reports whether a key comes with a modifier that belongs to the
// browser.
func modified(e vugu.DOMEvent) bool {
	return e.PropBool("ctrlKey") || e.PropBool("metaKey") || e.PropBool("altKey")
}
