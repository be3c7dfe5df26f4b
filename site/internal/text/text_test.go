package text_test

import (
	"testing"

	"cloister/site/internal/text"
)

func TestCatalogue_fallsBackToEnglish(t *testing.T) {
	de, en, none := text.For("de"), text.For("en"), text.For("xx")
	for _, c := range []struct {
		c    *text.Catalogue
		key  text.Key
		want string
		has  bool
	}{
		{de, "Close", "Schließen", true}, {en, "Close", "Close", true}, {none, "Close", "Close", true},
		{de, "no such message", "no such message", false}, {en, "no such message", "no such message", true},
	} {
		if got := c.c.Get(c.key); got != c.want || c.c.Has(c.key) != c.has {
			t.Errorf("%s %q: %q %v, want %q %v", c.c.Code, c.key, got, c.c.Has(c.key), c.want, c.has)
		}
	}
	if none.Code != "en" || len(en.Keys()) != 0 || len(de.Keys()) < 500 {
		t.Errorf("%q, %d and %d keys", none.Code, len(en.Keys()), len(de.Keys()))
	}
	for _, code := range text.Languages {
		if text.Name(code) == "" || text.For(code).Code != code {
			t.Errorf("language %q has no name or no table", code)
		}
	}
	if text.Name("xx") != "" {
		t.Error("a language that is not there has a name")
	}
}

func TestCatalogue_plural(t *testing.T) {
	de, en := text.For("de"), text.For("en")
	for n, want := range map[int64][2]string{0: {"rows", "Zeilen"}, 1: {"row", "Zeile"}, -1: {"row", "Zeile"}, 2: {"rows", "Zeilen"}} {
		if a, b := en.Plural(n, "row", "rows"), de.Plural(n, "row", "rows"); a != want[0] || b != want[1] {
			t.Errorf("%d: %q %q, want %q", n, a, b, want)
		}
	}
	if got := de.Plural(2, "thing", "things"); got != "things" {
		t.Errorf("a pair that is not there: %q", got)
	}
}

func TestFill(t *testing.T) {
	for _, c := range []struct {
		message string
		args    []string
		want    string
	}{
		{"{0} of {1}", []string{"3", "10"}, "3 of 10"},
		{"{1}, {0}, {1}", []string{"a", "b"}, "b, a, b"},
		{"{0}", []string{"{1}", "x"}, "{1}"}, // what is filled in is no message
		{"{2} {x} {", []string{"a"}, "{2} {x} {"},
		{"{", nil, "{"}, {"{0", []string{"a"}, "{0"}, {"", []string{"a"}, ""}, {"äö{0}ü", []string{"ß"}, "äößü"},
	} {
		if got := text.Fill(c.message, c.args...); got != c.want {
			t.Errorf("%q: %q, want %q", c.message, got, c.want)
		}
	}
}
