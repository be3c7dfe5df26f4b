package site

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"cloister/site/internal/query"
)

// settings returns what a link to this page carries: thresholds, order,
// screen, grouping and the filter, as long as that names nothing of the file.
// Nothing here stems from a capture.
func (a *App) settings() [][2]string {
	var out [][2]string
	add := func(k, v string) { out = append(out, [2]string{k, v}) }
	if a.screen != "" && a.screen != screens[0].id {
		add("view", a.screen)
	}
	if a.threshold != a.bundle.Threshold {
		add("t", strconv.FormatFloat(a.threshold, 'g', -1, 64))
	}
	for k, t := range a.own {
		if t == t && k < len(a.bundle.Classes) {
			add("t."+a.bundle.Classes[k].Name, strconv.FormatFloat(t, 'g', -1, 64))
		}
	}
	f := a.view.filter
	if f.text != "" && !a.store.private(f.text) {
		add("q", f.text)
	}
	if f.class >= 0 && f.class < len(a.bundle.Classes) {
		add("class", a.bundle.Classes[f.class].Name)
	}
	if f.flagged {
		add("flagged", "1")
	}
	if f.score.on {
		add("score", strconv.FormatFloat(f.score.lo, 'g', -1, 64)+"-"+strconv.FormatFloat(f.score.hi, 'g', -1, 64))
	}
	if o := a.view.order; o.key < 0 && o != fileOrder {
		add("order", strconv.Itoa(o.key)+map[bool]string{true: "d"}[o.desc])
	}
	if a.groups.by != "" {
		add("group", a.groups.by)
	}
	return out
}

// keepSettings writes the settings into the page's address.
func (a *App) keepSettings() {
	var b strings.Builder
	for i, s := range a.settings() {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(escape(s[0]) + "=" + escape(s[1]))
	}
	if s := b.String(); s != a.kept {
		a.kept = s
		a.host.SetSettings(s)
	}
}

// maxSettings bounds the settings that are read from an address.
const maxSettings = 8192

// applySettings reads settings from an address. What cannot be read or does
// not fit the bundle is left out.
func (a *App) applySettings(s string) {
	if len(s) > maxSettings {
		return
	}
	f, o := everything, fileOrder
	number := func(s string) (float64, bool) {
		v, err := strconv.ParseFloat(s, 64)
		return v, err == nil && v >= 0 && v <= 1
	}
	class := func(name string) int {
		for k, c := range a.bundle.Classes {
			if c.Name == name {
				return k
			}
		}
		return -1
	}
	for part := range strings.SplitSeq(s, "&") {
		k, v, _ := strings.Cut(part, "=")
		k, v = unescape(k), unescape(v)
		switch {
		case k == "view" && slices.ContainsFunc(screens, func(s screen) bool { return s.id == v }):
			a.screen = v
		case k == "t":
			if t, ok := number(v); ok {
				a.threshold = t
			}
		case strings.HasPrefix(k, "t."):
			if t, ok := number(v); ok && class(k[2:]) >= 0 {
				a.setOwn(class(k[2:]), t)
			}
		case k == "q":
			a.wanted = v // until the columns are known
		case k == "class":
			f.class = class(v)
		case k == "flagged":
			f.flagged = v == "1"
		case k == "score":
			lo, hi, _ := strings.Cut(v, "-")
			l, ok := number(lo)
			h, also := number(hi)
			f.score = stretch{ok && also && l <= h, l, h}
		case k == "order":
			n, err := strconv.Atoi(strings.TrimSuffix(v, "d"))
			if err == nil && n <= byClass && n >= byAnomaly {
				o = order{n, strings.HasSuffix(v, "d")}
			}
		case k == "group" && slices.ContainsFunc(groupings, func(g [2]string) bool { return g[0] == v }):
			a.groups.by = v
		}
	}
	a.view.set(f, o, a.threshold)
}

// want sets the filter of an address once the columns are known.
func (a *App) want() {
	if a.wanted == "" || a.store.listed() == 0 {
		return
	}
	q, err := query.Parse(a.wanted, a.store.fields())
	if a.wanted = ""; err != nil {
		return
	}
	f := a.view.filter
	f.text = q.String()
	a.find = f.text
	a.view.set(f, a.view.order, a.threshold)
	a.work()
}

// escape writes a text as part of an address.
func escape(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte("-_.~!()*,", c) >= 0 {
			b.WriteByte(c)
		} else {
			b.WriteString(string([]byte{'%', hex[c>>4], hex[c&15]}))
		}
	}
	return b.String()
}

// unescape is the inverse of escape; what is no escape stays.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if v, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(v))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return strings.ToValidUTF8(b.String(), "\uFFFD")
}

// brushScore chooses rows by attack score; NaN at either end chooses all.
func (a *App) brushScore(lo, hi float64) {
	f := a.view.filter
	f.score = stretch{!math.IsNaN(lo) && !math.IsNaN(hi), min(lo, hi), max(lo, hi)}
	if !f.score.on {
		f.score = stretch{}
	}
	a.filterBy(f)
}

// brushTime chooses rows by time; NaN at either end chooses all.
func (a *App) brushTime(lo, hi float64) {
	f := a.view.filter
	f.time = stretch{!math.IsNaN(lo) && !math.IsNaN(hi), min(lo, hi), max(lo, hi)}
	if !f.time.on {
		f.time = stretch{}
	}
	a.filterBy(f)
}
