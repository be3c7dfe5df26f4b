package site

import (
	"strconv"
	"strings"

	"cloister/site/internal/query"

	"github.com/vugu/vugu"
)

// preset is a ready-made filter.
type preset struct {
	name, text, group, help string
}

var presets = []preset{
	{"Flagged", "flagged", "", "Rows at or above the threshold"},
	{"Top hosts", "flagged", "source", "Flagged rows, grouped by source"},
	{"Beacons", `tactic = TA0011`, "", "Verdicts of command and control, which bots call home with"},
	{"Strange", "anomaly >= 0.99 and not flagged", "", "Stranger than 99 % of benign training rows, but not flagged"},
	{"Abstained", "withheld or outside", "", "Rows without a verdict: split votes, or unlike every training row"},
	{"Marked", "marked or noted", "", "What you marked or noted"},
}

func (c *VerdictTable) preset(p preset) {
	if c.isOn(p) {
		c.App.groups.by = ""
		c.App.filterBy(everything)
		return
	}
	if p.group != "" {
		c.App.groups.by = p.group
	}
	c.App.setFilter(p.text)
	c.App.work()
}

func (c *VerdictTable) isOn(p preset) bool {
	q, err := query.Parse(p.text, c.App.store.fields())
	return err == nil && c.f().text == q.String() && (p.group == "" && c.App.groups.by == "" || p.group == c.App.groups.by)
}

func (c *VerdictTable) pressed(p preset) string { return strconv.FormatBool(c.isOn(p)) }

// setFilter takes a filter as it was typed. One with a fault is shown as it
// is, and the one before stays in force.
func (a *App) setFilter(text string) {
	a.find = text
	q, err := query.Parse(text, a.store.fields())
	if a.findFault = err; err != nil {
		return
	}
	f := a.view.filter
	if f.text = q.String(); f != a.view.filter {
		a.show(f, a.view.order)
		a.keepSettings()
		a.rewind()
	}
}

func (c *VerdictTable) find(e vugu.DOMEvent) {
	text := e.PropString("target", "value")
	c.App.setFilter(text)
	c.complete(text, int(e.PropFloat64("target", "selectionStart")))
}

// complete makes the list of what could stand at the caret.
func (c *VerdictTable) complete(text string, caret int) {
	c.offers, c.offer = nil, -1
	if text == "" || caret != len([]rune(text)) { // in the middle of a text, nothing is offered
		return
	}
	s := c.App.store
	fields := s.fields()
	c.offers = query.Complete(text, len(text), fields, func(field int, first string) []string { return s.values(field, first) })
	c.inside = true
}

// values returns words of a text field that begin with first, the commonest
// kinds only: a column may have a million.
func (s *store) values(field int, first string) []string {
	var words []string
	switch {
	case field >= len(verdictFields):
		if c := s.columns[field-len(verdictFields)]; c.numbers == nil {
			words = c.words[:min(len(c.words), 10_000)]
		}
	case field == fieldClass:
		for _, k := range s.classes {
			words = append(words, k.Name)
		}
	case field == fieldSeverity:
		words = []string{"Critical", "High", "Medium", "Low", "Informational"}
	case field == fieldTechnique || field == fieldTactic:
		for _, k := range s.classes {
			for _, t := range k.Attack {
				id := t.ID
				if field == fieldTactic {
					id = t.Tactic
				}
				words = append(words, id)
			}
		}
	case field == fieldMark:
		words = []string{"confirmed", "refuted", "open"}
	}
	var out []string
	seen := map[string]bool{}
	for _, w := range words {
		if w != "" && len(w) >= len(first) && strings.EqualFold(w[:len(first)], first) && !seen[w] {
			seen[w] = true
			if out = append(out, w); len(out) == 8 {
				break
			}
		}
	}
	return out
}

// findKey moves through the list and takes from it.
func (c *VerdictTable) findKey(e vugu.DOMEvent) {
	n := len(c.offers)
	switch key := e.PropString("key"); {
	case key == "Escape":
		if n > 0 {
			c.offers = nil
			e.StopPropagation()
		} else {
			c.App.host.Focus("grid")
		}
	case key == "ArrowDown" && n == 0:
		c.complete(c.App.find, len([]rune(c.App.find)))
		if c.App.find == "" {
			c.offers, c.offer = query.Complete("", 0, c.App.store.fields(), nil), -1
		}
		e.PreventDefault()
	case n > 0 && (key == "ArrowDown" || key == "ArrowUp"):
		step := 1
		if key == "ArrowUp" {
			step = n
			if c.offer >= 0 {
				step = n - 1
			}
		}
		c.offer = (max(c.offer, -1) + step) % n
		if c.offer < 0 {
			c.offer = n - 1
		}
		e.PreventDefault()
	case n > 0 && c.offer >= 0 && (key == "Enter" || key == "Tab"):
		c.take(c.offer)
		e.PreventDefault()
	case key == "Enter":
		c.offers = nil
		if c.App.findFault == nil {
			c.App.host.Focus("grid")
		}
	}
}

// take writes a completion.
func (c *VerdictTable) take(i int) {
	if i >= len(c.offers) {
		return
	}
	o := c.offers[i]
	text := c.App.find
	if o.From > len(text) || o.To > len(text) {
		return
	}
	text = text[:o.From] + o.Text + text[o.To:]
	c.App.setFilter(text)
	c.complete(text, len([]rune(text)))
}

func (c *VerdictTable) focus(in bool) {
	if c.inside = in; !in {
		c.offers, c.offer = nil, -1
	}
}

func (c *VerdictTable) expanded() string { return strconv.FormatBool(len(c.offers) > 0) }

func (c *VerdictTable) invalid() string { return strconv.FormatBool(c.App.findFault != nil) }

func (c *VerdictTable) offerID(i int) string { return "offer-" + strconv.Itoa(i) }

func (c *VerdictTable) chosen() string {
	if c.offer >= 0 && c.offer < len(c.offers) {
		return c.offerID(c.offer)
	}
	return ""
}

func (c *VerdictTable) offerOn(i int) string { return strconv.FormatBool(i == c.offer) }

func (c *VerdictTable) offerClass(i int) string {
	if i == c.offer {
		return "offer on"
	}
	return "offer"
}

func (c *VerdictTable) noteClass() string {
	if c.App.findFault != nil {
		return "filter-note small bad"
	}
	return "filter-note small muted"
}

// note says what is wrong with the filter, or where it is kept.
func (c *VerdictTable) note() string {
	a := c.App
	switch {
	case a.findFault != nil:
		return sayf("Not a filter {0}. The list is that of the filter before.", a.findFault.Error())
	case a.view.filter.text != "" && a.store.private(a.view.filter.text):
		return say("This filter names a text that may stem from the file, so it is not put into the page's address. A session file keeps it.")
	case a.view.filter.text != "":
		return say("The page's address keeps this filter; it names nothing of the file.")
	}
	return say("field op value with and, or, not, ( ); a word is looked for everywhere. ↓ lists the fields.")
}
