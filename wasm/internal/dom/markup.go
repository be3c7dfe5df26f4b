package dom

import (
	"slices"
	"strings"
)

// fill returns what to give an element whose InnerHTML is s, and how: text
// where the markup is nothing but what escaping a string makes of it.
func fill(tag, s string) (string, uint8) {
	if strings.IndexByte(s, '<') >= 0 {
		return shieldStyles(s), fillHTML
	}
	if rawText[tag] && tag != "textarea" && tag != "title" {
		return s, fillHTML // references are not resolved in these
	}
	if strings.IndexByte(s, '&') < 0 {
		return s, fillText
	}
	var b strings.Builder
	b.Grow(len(s))
	for rest := s; ; {
		before, after, found := strings.Cut(rest, "&")
		b.WriteString(before)
		if !found {
			return b.String(), fillText
		}
		i := slices.IndexFunc(escapes, func(e escape) bool { return strings.HasPrefix(after, e.name) })
		if i < 0 {
			return s, fillHTML
		}
		b.WriteByte(escapes[i].char)
		rest = after[len(escapes[i].name):]
	}
}

// escape is a character reference less its ampersand; escapes are those that
// html.EscapeString and the template compiler write.
type escape struct {
	name string
	char byte
}

var escapes = []escape{{"lt;", '<'}, {"gt;", '>'}, {"amp;", '&'}, {"#34;", '"'}, {"#39;", '\''}, {"quot;", '"'}}

// rawText holds the elements in whose content there are no tags.
var rawText = map[string]bool{
	"style": true, "script": true, "xmp": true, "iframe": true, "noembed": true, "noframes": true, "noscript": true,
	"plaintext": true, "textarea": true, "title": true,
}

// styleAttr is what style attributes in markup are called until dom.js makes
// declarations of them: parsing one, even aside, is what the policy forbids.
const styleAttr = "data-dom-style"

// shieldStyles renames the style attributes in markup. It follows the
// tokenizer of the HTML standard (13.2.5) as far as finding attributes needs.
func shieldStyles(s string) string {
	var b strings.Builder
	done, i := 0, 0
	// skip moves i behind the bytes of a set, or to the end.
	skip := func(set string, in bool) {
		for i < len(s) && strings.IndexByte(set, s[i]) >= 0 == in {
			i++
		}
	}
	// find moves i to the next sep, or to the end.
	find := func(sep string) {
		if k := strings.Index(s[i:], sep); k >= 0 {
			i += k
		} else {
			i = len(s)
		}
	}
	const space = " \t\n\f\r"
	for {
		find("<")
		if i++; i >= len(s) {
			break
		}
		if strings.HasPrefix(s[i:], "!--") {
			find("-->")
			continue
		}
		if c := s[i] | 0x20; c < 'a' || c > 'z' {
			continue
		}
		start := i
		skip(space+"/>", false)
		tag := strings.ToLower(s[start:i])
		for {
			skip(space+"/", true)
			if i >= len(s) || s[i] == '>' {
				break
			}
			start := i
			i++ // a name may begin with =
			skip(space+"/>=", false)
			if strings.EqualFold(s[start:i], "style") {
				b.WriteString(s[done:start])
				b.WriteString(styleAttr)
				done = i
			}
			skip(space, true)
			if i >= len(s) || s[i] != '=' {
				continue
			}
			i++
			skip(space, true)
			if i < len(s) && (s[i] == '"' || s[i] == '\'') {
				i++
				find(s[i-1 : i])
				i = min(i+1, len(s))
			} else {
				skip(space+">", false)
			}
		}
		if rawText[tag] {
			for i < len(s) && !strings.EqualFold(s[i:min(len(s), i+2+len(tag))], "</"+tag) {
				i++
			}
		}
	}
	if done == 0 {
		return s
	}
	b.WriteString(s[done:])
	return b.String()
}
