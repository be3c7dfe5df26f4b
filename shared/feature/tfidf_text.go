package feature

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// unit is what terms are made of: a word, or a character of a padded word.
type unit struct {
	lo, hi     int32 // bytes of scanner.text
	start, end int32 // bytes of the document
}

// scanner finds the terms of documents. Units lie in text in order, words
// with one space between them, so that each term is one piece of text.
type scanner struct {
	o     TFIDFOptions
	text  []byte
	units []unit
	visit func(term []byte, start, end int32)
}

func newScanner(o TFIDFOptions) *scanner { return &scanner{o: o} }

// scan calls visit with each occurrence of a term in doc and the bytes of doc
// that it covers. The term is valid during the call only.
func (s *scanner) scan(doc string, visit func(term []byte, start, end int32)) {
	s.visit = visit
	s.text, s.units = s.text[:0], s.units[:0]
	if s.o.Chars {
		s.scanChars(doc)
	} else {
		s.scanWords(doc)
	}
	s.visit = nil
}

// scanWords finds the matches of (?u)\b\w\w+\b: as + is greedy and \b holds
// at both ends of a run of word characters, they are the runs of two or more.
func (s *scanner) scanWords(doc string) {
	word := unit{lo: 0}
	chars := 0
	for at := 0; at <= len(doc); {
		var low [2]rune
		n, size := 1, 1
		if at == len(doc) {
			low[0] = ' ' // closes the last word
		} else if c := doc[at]; c < utf8.RuneSelf {
			low[0] = lowerASCII(c)
		} else {
			low, n, size = lowerAt(doc, at)
		}
		for _, r := range low[:n] {
			if isWord(r) {
				if chars == 0 {
					word = unit{lo: int32(len(s.text)), start: int32(at)}
				}
				s.text = utf8.AppendRune(s.text, r)
				word.end = int32(at + size)
				chars++
				continue
			}
			if chars >= 2 {
				word.hi = int32(len(s.text))
				s.units = append(s.units, word)
				s.text = append(s.text, ' ')
			} else if chars == 1 {
				s.text = s.text[:word.lo]
			}
			chars = 0
		}
		at += size
	}
	s.grams()
}

// scanChars finds the words that white space parts and pads each with a space
// at either end.
func (s *scanner) scanChars(doc string) {
	for at := 0; at < len(doc); {
		var low [2]rune
		n, size := 1, 1
		if c := doc[at]; c < utf8.RuneSelf {
			low[0] = lowerASCII(c)
		} else {
			low, n, size = lowerAt(doc, at)
		}
		if isSpace(low[0]) {
			s.pad(at)
			at += size
			continue
		}
		if len(s.units) == 0 {
			s.char(' ', at, at)
		}
		for _, r := range low[:n] {
			s.char(r, at, at+size)
		}
		at += size
	}
	s.pad(len(doc))
}

// char appends a character of a word.
func (s *scanner) char(r rune, start, end int) {
	u := unit{lo: int32(len(s.text)), start: int32(start), end: int32(end)}
	s.text = utf8.AppendRune(s.text, r)
	u.hi = int32(len(s.text))
	s.units = append(s.units, u)
}

// pad ends a word, if there is one, and visits its terms.
func (s *scanner) pad(at int) {
	if n := len(s.units); n > 0 {
		s.char(' ', at, at)
		if s.o.MinGram > n+1 {
			s.gram(0, n+1)
		}
		s.grams()
		s.text, s.units = s.text[:0], s.units[:0]
	}
}

// grams visits the terms of the units.
func (s *scanner) grams() {
	for i := range s.units {
		for n := s.o.MinGram; n <= s.o.MaxGram && i+n <= len(s.units); n++ {
			s.gram(i, n)
		}
	}
}

// gram visits the term of n units from unit i on.
func (s *scanner) gram(i, n int) {
	first, last := &s.units[i], &s.units[i+n-1]
	if last.hi-first.lo <= MaxTerm {
		s.visit(s.text[first.lo:last.hi], first.start, last.end)
	}
}

// lowerASCII returns the lower case of an ASCII character.
func lowerASCII(c byte) rune {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return rune(c)
}

// lowerAt returns the n characters of the lower case of the character at
// doc[at:] and its size in bytes. Of the full mappings of Unicode
// (SpecialCasing.txt) two differ from the simple ones without regard to
// language: İ, and Σ at the end of a word.
func lowerAt(doc string, at int) (low [2]rune, n, size int) {
	r, size := utf8.DecodeRuneInString(doc[at:])
	switch r {
	case 'İ':
		return [2]rune{'i', '\u0307'}, 2, size
	case 'Σ':
		if isFinal(doc[:at], doc[at+size:]) {
			return [2]rune{'ς'}, 1, size
		}
		return [2]rune{'σ'}, 1, size
	}
	return [2]rune{unicode.ToLower(r)}, 1, size
}

// isFinal reports whether a Σ between the two texts is the last letter of a
// word: a cased letter before it and none after, ignorable characters aside.
// Σ itself ends either search, so all of them together take time linear in
// the text.
//
// Source: Unicode 15.0, section 3.13, condition Final_Sigma of table 3-17.
func isFinal(before, after string) bool {
	ignorable := func(r rune) bool { return caseOf(r) == caseIgnorable }
	before = strings.TrimRightFunc(before, ignorable)
	after = strings.TrimLeftFunc(after, ignorable)
	// Of empty text these are U+FFFD, which is not cased.
	last, _ := utf8.DecodeLastRuneInString(before)
	next, _ := utf8.DecodeRuneInString(after)
	return caseOf(last) == caseCased && caseOf(next) != caseCased
}

const (
	caseNone = iota
	caseCased
	caseIgnorable
)

// ignorables are the characters of the word break classes MidLetter,
// MidNumLet and Single_Quote.
const ignorables = "':.\u00b7\u0387\u055f\u05f4\u2018\u2019\u2024\u2027\ufe13\ufe52\ufe55\uff07\uff0e\uff1a"

// caseOf returns what r is to isFinal; who is both cased and ignorable is
// ignored.
//
// Source: Unicode 15.0, section 3.13, definitions D135 and D136.
func caseOf(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk), strings.ContainsRune(ignorables, r):
		return caseIgnorable
	case unicode.In(r, unicode.Lu, unicode.Ll, unicode.Lt, unicode.Other_Uppercase, unicode.Other_Lowercase):
		return caseCased
	}
	return caseNone
}

// isWord reports whether Python's re matches r by \w, which is str.isalnum
// and the underscore.
func isWord(r rune) bool {
	if r < utf8.RuneSelf {
		return 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '_' || 'A' <= r && r <= 'Z'
	}
	return unicode.IsLetter(r) || unicode.Is(unicode.N, r)
}

// isSpace reports whether Python's str.split parts words at r: white space
// and the four separators of ASCII.
func isSpace(r rune) bool { return unicode.IsSpace(r) || 0x1c <= r && r <= 0x1f }
