package attack

import "strings"

// maxText is how many bytes of a text are looked at: alerts are short, and the
// work on a hostile one must not grow without end.
const maxText = 16 << 10

// words yields the words of text in lower case, cut to maxText: runs of ASCII
// letters and digits and of bytes above 0x7f. Everything else separates, so
// that "rundll32.exe" is two words.
func words(text string) []string {
	if len(text) > maxText {
		text = text[:maxText]
	}
	lower := []byte(text)
	for i, c := range lower {
		if 'A' <= c && c <= 'Z' {
			lower[i] = c + 'a' - 'A'
		}
	}
	return strings.FieldsFunc(string(lower), func(r rune) bool {
		return !('a' <= r && r <= 'z' || '0' <= r && r <= '9' || r >= 0x80)
	})
}

// phrase is consecutive words; one that ends in * stands for all words that
// begin so.
type phrase []string

// phrases finds many phrases in one pass over a text. At each word it tries
// the phrases that begin with that word or with one of its first maxStem
// bytes, so the cost is O(words·(maxStem + phrases with the same first word)):
// linear in the text whatever it says.
type phrases struct {
	all   []phrase
	id    map[string]int   // by spelling
	first map[string][]int // phrases by their first word, the * left on
}

// maxStem bounds the length of a word before its *.
const maxStem = 24

// add returns the number of a phrase, such as "scheduled task*".
func (p *phrases) add(spelling string) int {
	if i, ok := p.id[spelling]; ok {
		return i
	}
	if p.id == nil {
		p.id, p.first = map[string]int{}, map[string][]int{}
	}
	i, ws := len(p.all), strings.Fields(spelling)
	p.all, p.id[spelling] = append(p.all, ws), i
	p.first[ws[0]] = append(p.first[ws[0]], i)
	return i
}

// find returns for each phrase whether it is in the text.
func (p *phrases) find(text []string) []bool {
	found := make([]bool, len(p.all))
	try := func(key string, at int) {
		for _, i := range p.first[key] {
			if !found[i] && p.all[i].at(text[at:]) {
				found[i] = true
			}
		}
	}
	var key [maxStem + 1]byte
	for at, w := range text {
		try(w, at)
		for n := 1; n <= min(len(w), maxStem); n++ {
			key[n-1], key[n] = w[n-1], '*'
			try(string(key[:n+1]), at)
		}
	}
	return found
}

// at reports whether text begins with the phrase.
func (p phrase) at(text []string) bool {
	if len(text) < len(p) {
		return false
	}
	for i, w := range p {
		stem, open := strings.CutSuffix(w, "*")
		if text[i] != w && !(open && strings.HasPrefix(text[i], stem)) {
			return false
		}
	}
	return true
}

// condition is a conjunction: one phrase of every group must be found, and
// none of those in not.
type condition struct {
	groups [][]int
	not    []int
}

// condition compiles "a b & c|d* & !e|f": the phrase "a b", and c or a word
// that begins with d, and neither e nor f. The result is false if it is
// malformed: an empty phrase, or nothing that must be found.
func (p *phrases) condition(text string) (condition, bool) {
	var c condition
	for _, group := range strings.Split(text, "&") {
		group = strings.TrimSpace(group)
		rest, negated := strings.CutPrefix(group, "!")
		var ids []int
		for _, spelling := range strings.Split(rest, "|") {
			spelling = strings.TrimSpace(spelling)
			if !plain(spelling) {
				return c, false
			}
			ids = append(ids, p.add(spelling))
		}
		if negated {
			c.not = append(c.not, ids...)
		} else {
			c.groups = append(c.groups, ids)
		}
	}
	return c, len(c.groups) > 0
}

// plain reports whether a spelling is one or more words of lower-case letters,
// digits and bytes above 0x7f, joined by single spaces, each of which may end
// in *.
func plain(spelling string) bool {
	for _, w := range strings.Split(spelling, " ") {
		stem, open := strings.CutSuffix(w, "*")
		if ws := words(stem); len(ws) != 1 || ws[0] != stem || open && len(stem) > maxStem {
			return false
		}
	}
	return true
}

// holds reports whether the condition is met by the phrases found.
func (c condition) holds(found []bool) bool {
	for _, i := range c.not {
		if found[i] {
			return false
		}
	}
	for _, group := range c.groups {
		any := false
		for _, i := range group {
			any = any || found[i]
		}
		if !any {
			return false
		}
	}
	return true
}
