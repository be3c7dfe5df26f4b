package site

import (
	"strconv"

	"cloister/site/internal/text"

	"github.com/vugu/vugu"
)

// HelpBox is the sheet of keys, with the choices of language and clock.
type HelpBox struct {
	App *App
}

func (c *HelpBox) outside(e vugu.DOMEvent) { c.App.outside(e) }

func (c *HelpBox) languages() []string { return text.Languages }

func (c *HelpBox) name(code string) string { return text.Name(code) }

func (c *HelpBox) languageID(code string) string { return "language-" + code }

func (c *HelpBox) speaks(code string) string { return strconv.FormatBool(tongue.Code == code) }

func (c *HelpBox) utc() string  { return strconv.FormatBool(local == nil) }
func (c *HelpBox) here() string { return strconv.FormatBool(local != nil) }

// numbers shows how numbers are written.
func (c *HelpBox) numbers() string {
	return sayf("Numbers are written as this browser writes them: {0}.", count(1234567)+", "+decimal(0.5, 1))
}

// keyHelp says what keys do.
type keyHelp struct {
	keys []text.Key
	does text.Key
}

// helpKeys are the keys by place.
var helpKeys = []struct {
	where text.Key
	keys  []keyHelp
}{
	{"Everywhere", []keyHelp{
		{[]text.Key{"?"}, "opens this sheet"},
		{[]text.Key{"Esc"}, "closes what is open"},
		{[]text.Key{"Tab"}, "goes to the next control"},
		{[]text.Key{"1", "…", "9"}, "open the screens, from the first"},
		{[]text.Key{"/"}, "goes to the filter"},
		{[]text.Key{"e"}, "goes to the reports"},
	}},
	{"In the filter", []keyHelp{
		{[]text.Key{"↑", "↓"}, "go through what could stand here"},
		{[]text.Key{"Enter"}, "takes it"},
	}},
	{"In the table", []keyHelp{
		{[]text.Key{"j", "k", "↑", "↓"}, "move by a row"},
		{[]text.Key{"PgUp", "PgDn", "Home", "End"}, "move by a page, or to an end"},
		{[]text.Key{"Enter"}, "opens the record"},
		{[]text.Key{"x"}, "marks the row: confirmed, refuted, open, not marked"},
		{[]text.Key{"u"}, "undoes the last mark or note"},
		{[]text.Key{"c"}, "adds the row to the comparison"},
	}},
	{"In sliders and brushes", []keyHelp{
		{[]text.Key{"←", "→"}, "move the threshold by a step"},
		{[]text.Key{"Tab"}, "goes to the fields that say the same in numbers"},
	}},
	{"In the time line by device", []keyHelp{
		{[]text.Key{"←", "→"}, "move along the windows"},
		{[]text.Key{"↑", "↓"}, "to another device"},
		{[]text.Key{"PgUp", "PgDn"}, "to the next at the limit or in a scenario"},
		{[]text.Key{"Enter"}, "opens the record"},
	}},
}
