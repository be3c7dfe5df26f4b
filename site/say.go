package site

import (
	"html"
	"strings"
	"time"

	"cloister/site/internal/text"

	"github.com/vugu/vugu"
)

// The language, the form of numbers and the clock are those of the window, one
// at a time: they are set under the lock of the App and read by what draws
// under it, like the templates in node.go.
var (
	tongue   = text.For("en")
	numerals = Locale{Group: ",", Decimal: ".", From: 4}
	local    func(ms int64) (minutes int) // offset of the clock from UTC; nil for UTC
)

// Locale is how numbers are written.
type Locale struct {
	Group   string // between groups of three digits
	Decimal string // before the fraction
	From    int    // digits from which a number is grouped
}

// say returns a message in the language of the page. The key is its English
// text.
func say(k text.Key) string { return tongue.Get(k) }

// sayf is say with parts filled into the places {0}, {1}, ...
func sayf(k text.Key, parts ...string) string { return text.Fill(tongue.Get(k), parts...) }

// said translates a text of a table that is kept as data: a heading, a help.
func said(s string) string { return tongue.Get(text.Key(s)) }

// told appends a text of a template, translated; white space around it stays.
func told(parent *vugu.VGNode, s string) {
	core := strings.Join(strings.Fields(s), " ")
	if core == "" {
		words(parent, s)
		return
	}
	before, after := "", ""
	if s[0] == ' ' || s[0] == '\n' {
		before = " "
	}
	if c := s[len(s)-1]; c == ' ' || c == '\n' {
		after = " "
	}
	words(parent, before+say(text.Key(core))+after)
}

// translations holds the markup of templates in the language of the page.
var translations = map[string]string{}

// translated fills an element with constant markup of a template, its texts
// translated. The dots between them stay.
func translated(n *vugu.VGNode, s string) {
	out, ok := translations[s]
	if !ok {
		var b strings.Builder
		for rest := s; rest != ""; {
			said, tag, _ := strings.Cut(rest, "<")
			if core := strings.Trim(said, " ·\n"); core != "" {
				key := strings.Join(strings.Fields(html.UnescapeString(core)), " ")
				said = strings.Replace(said, core, html.EscapeString(say(text.Key(key))), 1)
			}
			b.WriteString(said)
			name, after, open := strings.Cut(tag, ">")
			if open {
				b.WriteString("<" + name + ">")
			}
			rest = after
		}
		out = b.String()
		translations[s] = out
	}
	n.SetInnerHTML(vugu.HTML(out))
}

// spoken are the attributes that people hear or read.
var spoken = map[string]bool{"aria-label": true, "title": true, "placeholder": true}

// setLanguage changes the language of the page; unknown codes mean English.
func (a *App) setLanguage(code string) {
	tongue = text.For(code)
	clear(templates)
	clear(translations)
	numerals = a.host.Locale(tongue.Code)
}

// chooseLanguage does that for a person, and keeps it.
func (a *App) chooseLanguage(code string) {
	a.host.SetPreference("language", code)
	a.setLanguage(code)
}

// setLocal shows times of the machine's clock, or UTC.
func (a *App) setLocal(on bool) {
	local = nil
	if on {
		local = a.host.ClockOffset
	}
}

// chooseLocal does that for a person, and keeps it.
func (a *App) chooseLocal(on bool) {
	a.host.SetPreference("clock", map[bool]string{true: "local", false: ""}[on])
	a.setLocal(on)
}

// prefer reads what was kept.
func (a *App) prefer() {
	a.setLanguage(a.host.Preference("language"))
	a.setLocal(a.host.Preference("clock") == "local")
}

// clockName says which clock times are of.
func clockName() string {
	if local != nil {
		return say("local time")
	}
	return "UTC"
}

// clocked moves a time to the clock of the page, to be written as UTC is.
func clocked(t time.Time) time.Time {
	if local == nil {
		return t.UTC()
	}
	return t.UTC().Add(time.Duration(local(t.UnixMilli())) * time.Minute)
}

// unclocked is the inverse, for times that people type.
func unclocked(ms float64) float64 {
	if local == nil {
		return ms
	}
	return ms - 60000*float64(local(int64(ms)))
}
