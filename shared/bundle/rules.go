package bundle

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// rule says which texts a field may hold.
type rule struct {
	want string // completes "want ..."
	ok   func(string) bool
}

var (
	short = rule{"1 to 128 bytes on one line without control characters",
		func(s string) bool { return s != "" && OneLine(s, 128) }}
	shortOrNone = rule{"at most 128 bytes on one line without control characters",
		func(s string) bool { return OneLine(s, 128) }}
	prose = rule{"1 to 8192 bytes without control characters",
		func(s string) bool { return s != "" && len(s) <= 8192 && plain(s) }}
	proseOrNone = optional(prose, "at most 8192 bytes without control characters")
	slug        = rule{"1 to 64 of a-z, 0-9 and -, not starting with -",
		func(s string) bool { return len(s) <= 64 && made(s, "a-z0-9", "a-z0-9-") }}
	token = rule{"1 to 64 of a-z, 0-9 and _.-, starting with a letter or digit",
		func(s string) bool { return len(s) <= 64 && made(s, "a-z0-9", "a-z0-9_.-") }}
	tokenOrNone = optional(token, "nothing, or "+token.want)
	ident       = rule{"1 to 128 of A-Z, a-z, 0-9 and ._:/@+-, starting with a letter or digit",
		func(s string) bool { return len(s) <= 128 && made(s, "A-Za-z0-9", "A-Za-z0-9._:/@+-") }}
	identOrNone = optional(ident, "nothing, or "+ident.want)
	semver      = rule{"a semantic version of at most 64 bytes", isSemver}
	timestamp   = rule{"a time like 2026-01-02T03:04:05Z", isTimestamp}
	link        = rule{"nothing, or an http or https address of at most 2048 bytes of ASCII", isLink}
	spdx        = rule{"an SPDX expression of at most 256 bytes",
		func(s string) bool { return len(s) <= 256 && made(s, "A-Za-z0-9(", "A-Za-z0-9.+:() -") }}
	commit = rule{"nothing, or 7 to 64 lower-case hex digits",
		func(s string) bool { return s == "" || len(s) >= 7 && len(s) <= 64 && made(s, "0-9a-f", "0-9a-f") }}
	technique     = rule{"an ATT&CK technique id", isTechnique}
	tactic        = rule{"an ATT&CK tactic id", isTactic}
	severity      = oneOf("Informational", "Low", "Medium", "High", "Critical")
	confidence    = oneOf("high", "medium", "low")
	basis         = oneOf("published", "analytic", "inferred")
	split         = oneOf("train", "validation", "holdout")
	vectorsOrNone = rule{"nothing, or the name of an entry vectors/*.jsonl", isVectors}
	listable      = rule{"the name of a bundle entry other than manifest.json and model.sig", isListable}
)

// optional accepts what r accepts, and nothing.
func optional(r rule, want string) rule {
	return rule{want, func(s string) bool { return s == "" || r.ok(s) }}
}

// oneOf accepts the given values.
func oneOf(values ...string) rule {
	return rule{"one of " + strings.Join(values, ", "), func(s string) bool { return slices.Contains(values, s) }}
}

// made reports whether s is not empty, begins with a byte of the first set and
// goes on with bytes of the second. Sets are written like "a-z0-9_-": a '-' at
// the end is itself.
func made(s, first, rest string) bool {
	if s == "" || !inSet(s[0], first) {
		return false
	}
	for i := 1; i < len(s); i++ {
		if !inSet(s[i], rest) {
			return false
		}
	}
	return true
}

// inSet reports whether b is in the set.
func inSet(b byte, set string) bool {
	for i := 0; i < len(set); i++ {
		if i+2 < len(set) && set[i+1] == '-' {
			if b >= set[i] && b <= set[i+2] {
				return true
			}
			i += 2
		} else if b == set[i] {
			return true
		}
	}
	return false
}

// plain reports whether s is UTF-8 without control characters other than line
// end and tab, and without the characters that reorder the text around them
// (Unicode TR 36, bidirectional text spoofing): a title must look like what it
// is.
func plain(s string) bool {
	for _, r := range s {
		switch {
		case r < ' ' && r != '\n' && r != '\t', r >= 0x7f && r < 0xa0:
			return false
		case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return false
		}
	}
	return utf8.ValidString(s)
}

// OneLine reports whether s is what a manifest takes for a line of text, such as
// a title: UTF-8 of at most n bytes without control characters, line ends and
// characters that reorder the text around them. The empty text is one.
func OneLine(s string, n int) bool {
	return len(s) <= n && !strings.ContainsAny(s, "\n\t") && plain(s)
}

// isSemver checks a version by the grammar of Semantic Versioning 2.0.0.
func isSemver(s string) bool {
	if len(s) > 64 {
		return false
	}
	s, build, hasBuild := strings.Cut(s, "+")
	s, pre, hasPre := strings.Cut(s, "-")
	numbers := strings.Split(s, ".")
	if len(numbers) != 3 {
		return false
	}
	for _, n := range numbers {
		if !made(n, "0-9", "0-9") || leadingZero(n) {
			return false
		}
	}
	for _, part := range strings.Split(pre, ".") {
		if hasPre && (!made(part, "A-Za-z0-9-", "A-Za-z0-9-") || made(part, "0-9", "0-9") && leadingZero(part)) {
			return false
		}
	}
	for _, part := range strings.Split(build, ".") {
		if hasBuild && !made(part, "A-Za-z0-9-", "A-Za-z0-9-") {
			return false
		}
	}
	return true
}

func leadingZero(n string) bool { return len(n) > 1 && n[0] == '0' }

// isTimestamp accepts RFC 3339 in UTC, with 'T' and 'Z', without fractions and
// leap seconds: one spelling per second.
func isTimestamp(s string) bool {
	const shape = "0000-00-00T00:00:00Z"
	if len(s) != len(shape) {
		return false
	}
	for i := range shape {
		if shape[i] == '0' && (s[i] < '0' || s[i] > '9') || shape[i] != '0' && s[i] != shape[i] {
			return false
		}
	}
	n := func(i, j int) (v int) {
		for _, ch := range s[i:j] {
			v = 10*v + int(ch-'0')
		}
		return v
	}
	year, month, day := n(0, 4), n(5, 7), n(8, 10)
	if month < 1 || month > 12 {
		return false
	}
	days := [...]int{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}[month-1]
	if month == 2 && (year%4 == 0 && year%100 != 0 || year%400 == 0) {
		days = 29
	}
	return day >= 1 && day <= days && n(11, 13) < 24 && n(14, 16) < 60 && n(17, 19) < 60
}

// isLink accepts what a page may make a link of.
func isLink(s string) bool {
	if s == "" {
		return true
	}
	rest, ok := strings.CutPrefix(s, "https://")
	if !ok {
		rest, ok = strings.CutPrefix(s, "http://")
	}
	return ok && len(s) <= 2048 && made(rest, "A-Za-z0-9[", "!#-;=?-[]_a-z~")
}

func isTechnique(s string) bool {
	id, sub, hasSub := strings.Cut(s, ".")
	return len(id) == 5 && id[0] == 'T' && made(id[1:], "0-9", "0-9") &&
		(!hasSub || len(sub) == 3 && made(sub, "0-9", "0-9"))
}

func isTactic(s string) bool {
	return len(s) == 6 && s[:2] == "TA" && made(s[2:], "0-9", "0-9")
}

func isVectors(s string) bool {
	_, ok := kindOf(s)
	return s == "" || ok && strings.HasPrefix(s, "vectors/")
}

func isListable(s string) bool {
	_, ok := kindOf(s)
	return ok && rank(s) == 1
}

// relations checks the rules that tie fields to each other.
func (m *Manifest) relations() *FieldError {
	for _, check := range []func() *FieldError{m.checkFeatures, m.checkLabels, m.checkFigures, m.checkParts} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (m *Manifest) checkFeatures() *FieldError {
	seen := map[string]bool{}
	for i, f := range m.Schema.Features {
		if seen[f.Name] {
			return &FieldError{fmt.Sprintf("schema.features[%d].name", i), quote(f.Name), "a name that no other feature has"}
		}
		seen[f.Name] = true
	}
	for i, f := range m.Schema.Features {
		for j, alias := range f.Aliases {
			if seen[alias] {
				return &FieldError{fmt.Sprintf("schema.features[%d].aliases[%d]", i, j), quote(alias), "an alias that stands for one feature"}
			}
			seen[alias] = true
		}
		if !ascending(f.Min, f.Q01, f.Q50, f.Q99, f.Max) {
			return &FieldError{fmt.Sprintf("schema.features[%d]", i), "", "min <= q01 <= q50 <= q99 <= max"}
		}
	}
	if m.Schema.SHA256 != m.Schema.digest() {
		return &FieldError{"schema.sha256", quote(m.Schema.SHA256.String()), "the digest of the features"}
	}
	return nil
}

func (m *Manifest) checkLabels() *FieldError {
	seen := map[string]bool{}
	for i, l := range m.Labels {
		if seen[l.Name] {
			return &FieldError{fmt.Sprintf("labels[%d].name", i), quote(l.Name), "a name that no other label has"}
		}
		seen[l.Name] = true
		if l.Benign && len(l.Attack) > 0 {
			return &FieldError{fmt.Sprintf("labels[%d].attack", i), "", "no techniques for a benign label"}
		}
	}
	return nil
}

func (m *Manifest) checkFigures() *FieldError {
	seen := map[string]bool{}
	for i, t := range m.Thresholds {
		if seen[t.Name] {
			return &FieldError{fmt.Sprintf("thresholds[%d].name", i), quote(t.Name), "a name that no other threshold has"}
		}
		seen[t.Name] = true
	}
	clear(seen)
	for i, x := range m.Metrics {
		key := x.Split + "\n" + x.Name
		if seen[key] {
			return &FieldError{fmt.Sprintf("metrics[%d].name", i), quote(x.Name), "a name that no other metric of its split has"}
		}
		seen[key] = true
		if !ascending(x.Low, x.Value, x.High) {
			return &FieldError{fmt.Sprintf("metrics[%d]", i), "", "low <= value <= high"}
		}
	}
	return nil
}

// checkParts checks what the manifest says about single entries.
func (m *Manifest) checkParts() *FieldError {
	hasModel := false
	for i, f := range m.Files {
		if i > 0 && m.Files[i-1].Name >= f.Name {
			return &FieldError{fmt.Sprintf("files[%d].name", i), quote(f.Name), "names in ascending order"}
		}
		if n := minorOf(f.Name); n > m.Format.Minor {
			return &FieldError{fmt.Sprintf("files[%d].name", i), quote(f.Name), fmt.Sprintf("format %d.%d for this entry, not %d.%d", Major, n, m.Format.Major, m.Format.Minor)}
		}
		k, _ := kindOf(f.Name)
		hasModel = hasModel || k == kindModel
	}
	switch {
	case !hasModel:
		return &FieldError{"files", "", "at least one model/*.bin"}
	case m.Vectors.File != "" && digestOf(m.Files, m.Vectors.File) == Digest{}:
		return &FieldError{"vectors.file", quote(m.Vectors.File), "the name of a listed file"}
	case (m.Vectors.File != "") != (m.Vectors.N > 0):
		return &FieldError{"vectors.n", fmt.Sprint(m.Vectors.N), "1 or more with a file, 0 without"}
	case m.Explain.BackgroundSHA256 != digestOf(m.Files, BackgroundName):
		return &FieldError{"explain.background_sha256", quote(m.Explain.BackgroundSHA256.String()), "the digest of " + BackgroundName}
	case (m.Explain.BackgroundSHA256 != Digest{}) != (m.Explain.BackgroundN > 0):
		return &FieldError{"explain.background_n", fmt.Sprint(m.Explain.BackgroundN), "1 or more with " + BackgroundName + ", 0 without"}
	}
	return nil
}

// ascending reports whether the values that are there do not fall.
func ascending(values ...*float64) bool {
	var last *float64
	for _, v := range values {
		if v == nil {
			continue
		}
		if last != nil && *last > *v {
			return false
		}
		last = v
	}
	return true
}

// matches compares the files that the manifest lists with those that are
// there, both in container order: a FieldError for another list, a HashError
// for other content.
func (m *Manifest) matches(files []File) error {
	for i := range max(len(m.Files), len(files)) {
		switch field := fmt.Sprintf("files[%d]", i); {
		case i >= len(m.Files):
			return &FieldError{"files", "", "the entry " + quote(files[i].Name)}
		case i >= len(files) || m.Files[i].Name != files[i].Name:
			return &FieldError{field + ".name", quote(m.Files[i].Name), "the name of the entry in this place"}
		case m.Files[i].Size != files[i].Size:
			return &FieldError{field + ".size", fmt.Sprint(m.Files[i].Size), fmt.Sprintf("the size of %s, %d", files[i].Name, files[i].Size)}
		case m.Files[i].SHA256 != files[i].SHA256:
			return &HashError{files[i].Name, "SHA-256"}
		}
	}
	return nil
}
