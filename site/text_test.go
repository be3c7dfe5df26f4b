package site

import (
	"go/ast"
	"go/parser"
	"go/token"
	"html"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"cloister/shared/job"
	"cloister/site/internal/session"
	"cloister/site/internal/text"
)

// messages returns every key that the page can ask for, with a place that asks:
// calls of say, sayf and plural, texts and spoken attributes of the templates
// as they were compiled, and tables whose texts are data.
func messages(t *testing.T) map[text.Key]string {
	t.Helper()
	keys := map[text.Key]string{}
	add := func(where string, list ...text.Key) {
		for _, k := range list {
			if letters.MatchString(string(k)) {
				keys[k] = where
			}
		}
	}
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, f.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			name, ok := call.Fun.(*ast.Ident)
			if !ok {
				return true
			}
			literal := func(i int) (string, bool) {
				if i >= len(call.Args) {
					return "", false
				}
				l, ok := call.Args[i].(*ast.BasicLit)
				if !ok {
					return "", false
				}
				s, err := strconv.Unquote(l.Value)
				return s, err == nil
			}
			where := f.Name() + ":" + strconv.Itoa(set.Position(n.Pos()).Line)
			switch name.Name {
			case "say", "sayf":
				if s, ok := literal(0); ok {
					add(where, text.Key(s))
				}
			case "plural":
				one, ok := literal(1)
				many, also := literal(2)
				if !ok || !also {
					t.Errorf("%s: plural of what is no literal", where)
				}
				add(where, text.Key(one+"|"+many))
			case "told":
				if s, ok := literal(1); ok {
					add(where, text.Key(strings.Join(strings.Fields(s), " ")))
				}
			case "translated":
				s, _ := literal(1)
				for seg := range strings.SplitSeq(s, "<") {
					if _, after, ok := strings.Cut(seg, ">"); ok {
						seg = after
					}
					add(where, text.Key(strings.Join(strings.Fields(html.UnescapeString(strings.Trim(seg, " ·\n"))), " ")))
				}
			case "node":
				s, _ := literal(1)
				p := strings.Split(s, "\x1f")
				for i := 2; i+1 < len(p); i += 2 {
					if spoken[p[i]] {
						add(where, text.Key(p[i+1]))
					}
				}
			}
			return true
		})
	}
	for _, p := range presets {
		add("presets", text.Key(p.name), text.Key(p.help))
	}
	for _, f := range verdictFields {
		add("fields of the filter", text.Key(f.Help))
	}
	for _, g := range groupings {
		add("groupings", text.Key(g[0]), text.Key(g[1]))
	}
	for _, v := range titles {
		add("titles", text.Key(v))
	}
	for _, s := range screens {
		add("screens", s.title)
	}
	for _, x := range exports {
		add("exports", x.title)
	}
	for _, g := range helpKeys {
		add("helpKeys", g.where)
		for _, k := range g.keys {
			add("helpKeys", k.does)
			add("helpKeys", k.keys...)
		}
	}
	for _, s := range stateNames {
		add("stateNames", text.Key(s))
	}
	for _, s := range slices.Concat(job.Severities[:], session.Marks) {
		add("severities and marks", text.Key(s))
	}
	return keys
}

// Every message is there in every language, no language has one that nobody
// asks for, and the places in both are the same.
func TestText_complete(t *testing.T) {
	keys := messages(t)
	if len(keys) < 400 {
		t.Fatalf("%d messages were found: the search misses some", len(keys))
	}
	for _, code := range text.Languages[1:] {
		c := text.For(code)
		for k, where := range keys {
			if !c.Has(k) {
				t.Errorf("%s lacks (%s)\n%s", code, where, k)
			}
		}
		for _, k := range c.Keys() {
			if keys[k] == "" {
				t.Errorf("%s has a message that nobody asks for\n%s", code, k)
			}
			if a, b := places(string(k)), places(c.Get(k)); a != b {
				t.Errorf("%s: places %s, want %s\n%s\n%s", code, b, a, k, c.Get(k))
			}
			if a, b := strings.Count(string(k), "|"), strings.Count(c.Get(k), "|"); a != b {
				t.Errorf("%s: another number of forms\n%s\n%s", code, k, c.Get(k))
			}
		}
	}
}

// letters are what makes a text one that people read.
var letters = regexp.MustCompile(`\p{L}\p{L}`)

var slot = regexp.MustCompile(`\{\d\}`)

func places(s string) string {
	p := slot.FindAllString(s, -1)
	slices.Sort(p)
	return strings.Join(slices.Compact(p), " ")
}

// No template makes a text of its own: what stands in one literally is compiled
// into a look-up (told, node), and expressions take theirs from the catalogue.
func TestText_templatesHoldNoBareEnglish(t *testing.T) {
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	expression := regexp.MustCompile(`(vg-content|:aria-label|:title|:placeholder|:aria-valuetext)='([^']*)'`)
	in := regexp.MustCompile(`(say|sayf|said|copyText)\("(?:[^"\\]|\\.)*"`)
	prose := regexp.MustCompile(`"[^"]*[A-Za-z]{2}[^"]*"`)
	keys, seen, exempt := messages(t), 0, 0
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".vugu") {
			continue
		}
		b, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range expression.FindAllStringSubmatch(string(b), -1) {
			seen++
			rest := in.ReplaceAllString(m[2], "")
			for _, s := range prose.FindAllString(rest, -1) {
				if s == `"ATT&CK "` || strings.Contains(m[2], "plural(") {
					exempt++
					continue
				}
				t.Errorf("%s: %s says %s itself", f.Name(), m[1], s)
			}
		}
		// texts between tags are found in the compiled form
		markup := regexp.MustCompile(`(?s)<!--.*?-->|='[^']*'`).ReplaceAllString(string(b), "=''")
		for _, m := range regexp.MustCompile(`>([^<>]+)<`).FindAllStringSubmatch(markup, -1) {
			s := text.Key(strings.Join(strings.Fields(html.UnescapeString(strings.Trim(m[1], " ·\n"))), " "))
			if letters.MatchString(string(s)) && keys[s] == "" {
				t.Errorf("%s: %q is not among the messages: was it generated?", f.Name(), s)
			}
		}
	}
	if seen < 200 || exempt > 20 {
		t.Errorf("%d expressions, %d exempt", seen, exempt)
	}
}

// The page speaks German: texts, plurals, numbers; the choice is kept.
func TestText_german(t *testing.T) {
	t.Cleanup(func() {
		tongue, numerals, local = text.For("en"), Locale{Group: ",", Decimal: ".", From: 4}, nil
		clear(templates)
	})
	p := newPage(t, &script{rows: 1234})
	p.fire(byText("Try the sample"), "click", nil)
	p.wait("Another file", "1,234")
	p.settle()
	p.fire(byID("help"), "click", nil)
	p.wait("Help and settings", "1,234,567, 0.5")
	p.fire(byID("language-de"), "click", nil)
	s := p.wait("Hilfe und Einstellungen", "1.234.567, 0,5", "Andere Datei", "1.234", "Urteile", "Schwellenwert", "Zeilen")
	for _, english := range []string{"Another file", ">Verdicts<", ">Flagged<", "aria-label=\"Close\"", " rows<"} {
		if strings.Contains(s, english) {
			i := strings.Index(s, english)
			t.Errorf("still says %q: %s", english, s[max(0, i-80):i+40])
		}
	}
	if p.host.kept["language"] != "de" {
		t.Errorf("kept: %v", p.host.kept)
	}
	p.fire(byID("clock-local"), "click", nil)
	if got := moment(1.7e12); got != "2023-11-15 00:13:20" || p.host.kept["clock"] != "local" || clockName() != "Ortszeit" {
		t.Errorf("%s %s, kept %v", got, clockName(), p.host.kept)
	}
	if got := unclocked(1.7e12); got != 1.7e12-120*60000 {
		t.Errorf("typed: %v", got)
	}
	p.fire(byID("clock-utc"), "click", nil)
	if got := moment(1.7e12); got != "2023-11-14 22:13:20" {
		t.Errorf("in UTC: %s", got)
	}
	p.fire(byID("language-en"), "click", nil)
	p.wait("Help and settings", "Another file")
	// a value of an attribute is no text
	numerals = Locale{Group: ".", Decimal: ",", From: 4}
	if got := attribute(0.25); got != "0.2500" {
		t.Errorf("an attribute: %s", got)
	}
}

func TestText_numbersByLocale(t *testing.T) {
	t.Cleanup(func() { numerals = Locale{Group: ",", Decimal: ".", From: 4} })
	for _, c := range []struct {
		l    Locale
		want string
	}{
		{Locale{",", ".", 4}, "1,234 12,345 −1.50 +0.00 <0.1 % 1.5e−07"},
		{Locale{".", ",", 4}, "1.234 12.345 −1,50 +0,00 <0,1 % 1,5e−07"},
		{Locale{" ", ",", 5}, "1234 12 345 −1,50 +0,00 <0,1 % 1,5e−07"},
	} {
		numerals = c.l
		got := strings.Join([]string{count(1234), count(12345), decimal(-1.5, 2), signed(-0.001, 2), percent(0.0001), number(1.5e-7)}, " ")
		if got != c.want {
			t.Errorf("%+v: %s, want %s", c.l, got, c.want)
		}
	}
}
