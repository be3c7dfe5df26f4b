// Package text is the catalogue of what the page says. It hides how
// translations are kept. A message's key is its English text, so English is
// complete by construction; another language is a table from that text.
//
//	c := text.For("de")
//	c.Get("Close")                                     // "Schließen"
//	text.Fill(c.Get("{0} of {1}"), "3", "10")          // "3 von 10"
//	c.Plural(2, "row", "rows")                         // "Zeilen"
//
// Messages are whole: parts are filled into numbered places, which a
// translation may reorder, and never joined. Limits: two plural forms, as
// English and German have. A language with more needs a rule in [Catalogue.Plural].
package text

import (
	_ "embed" // the table is a file
	"strings"
)

// Key names a message: its English text, or for a pair of plural forms both,
// joined by "|".
type Key string

// Languages are the codes of the languages there are, the first the default.
var Languages = []string{"en", "de"}

// Name returns what a language calls itself, "" for one that is not there.
func Name(code string) string {
	switch code {
	case "en":
		return "English"
	case "de":
		return "Deutsch"
	}
	return ""
}

// Catalogue is one language. It is immutable.
type Catalogue struct {
	Code  string
	table map[Key]string
}

// For returns the catalogue of a language, that of English for one that is not
// there. It costs a pass over the table, some 20 kB.
func For(code string) *Catalogue {
	if code == "de" {
		return &Catalogue{code, parse(german)}
	}
	return &Catalogue{Code: "en"}
}

// Get returns the message, its key if the language lacks it.
func (c *Catalogue) Get(k Key) string {
	if s, ok := c.table[k]; ok {
		return s
	}
	return string(k)
}

// Has reports whether the language has the message.
func (c *Catalogue) Has(k Key) bool {
	_, ok := c.table[k]
	return ok || c.Code == "en"
}

// Keys returns the keys of a language's table in no order; none for English.
func (c *Catalogue) Keys() []Key {
	var out []Key
	for k := range c.table {
		out = append(out, k)
	}
	return out
}

// Plural returns the form that a number takes: one for 1, else many.
func (c *Catalogue) Plural(n int64, one, many Key) string {
	a, b := string(one), string(many)
	if s, ok := c.table[one+"|"+many]; ok {
		a, b, _ = strings.Cut(s, "|")
	}
	if n == 1 || n == -1 {
		return a
	}
	return b
}

// Fill puts args into the places {0} to {9} of a message. A place without an
// argument stays as it is.
func Fill(message string, args ...string) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(message, '{')
		if i < 0 || i+2 >= len(message) {
			break
		}
		if d := int(message[i+1]) - '0'; message[i+2] == '}' && d >= 0 && d < len(args) {
			b.WriteString(message[:i])
			b.WriteString(args[d])
			message = message[i+3:]
			continue
		}
		b.WriteString(message[:i+1])
		message = message[i+1:]
	}
	return b.String() + message
}

//go:embed de.tsv
var german string

// parse reads lines of a key and its translation, with a tab between.
func parse(table string) map[Key]string {
	out := map[Key]string{}
	for line := range strings.Lines(table) {
		if k, v, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t"); ok {
			out[Key(k)] = v
		}
	}
	return out
}
