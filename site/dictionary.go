package site

import (
	"strings"

	"cloister/shared/job"
)

// meaning is a feature in the dictionary.
type meaning struct {
	name, family, formula, unit, from string
	used                              bool // by the models of the bundle
}

// dictionary is what the features of a bundle mean, read from its card, which
// holds the dictionary as tables of Markdown.
type dictionary struct {
	of      string // SHA-256 of the bundle
	entries []meaning
	index   map[string]int
}

// maxMeanings bounds what is read of a card.
const maxMeanings = 4096

// read reads the dictionary of a bundle, unless it is the one that was read
// last. Without one in the card there are the model's own features.
func (d *dictionary) read(b job.Bundle) {
	if d.index != nil && d.of == b.SHA256 {
		return
	}
	*d = dictionary{of: b.SHA256, index: map[string]int{}, entries: meanings(b.Card)}
	for i, e := range d.entries {
		d.index[e.name] = i
	}
	for _, f := range b.Features {
		i, ok := d.index[f.Name]
		if !ok {
			i = len(d.entries)
			d.index[f.Name] = i
			d.entries = append(d.entries, meaning{name: f.Name, formula: f.Help, unit: f.Unit})
		}
		d.entries[i].used = true
	}
}

// from returns what says of a feature which metrics it is made from, nil for
// all or unknown ones.
func (d *dictionary) from(b job.Bundle) func(feature string) []string {
	d.read(b)
	return func(feature string) []string {
		i, ok := d.index[feature]
		if !ok || d.entries[i].from == "" || strings.Contains(d.entries[i].from, "all metrics") {
			return nil
		}
		return strings.Split(d.entries[i].from, ", ")
	}
}

// meanings reads the tables of a card whose head is feature, definition, unit,
// made from; the heading above each names the family.
func meanings(card string) []meaning {
	var out []meaning
	family, inside := "", false
	for line := range strings.SplitSeq(card, "\n") {
		if h, ok := strings.CutPrefix(line, "### "); ok {
			family, _, _ = strings.Cut(h, " (")
		}
		if !strings.HasPrefix(line, "|") {
			inside = false
			continue
		}
		c := cells(line)
		switch {
		case len(c) != 4:
			inside = false
		case c[0] == "feature" && c[1] == "definition" && c[3] == "made from":
			inside = true
		case inside && !strings.HasPrefix(c[0], "---") && len(out) < maxMeanings:
			out = append(out, meaning{name: strings.Trim(c[0], "`"), family: family, formula: c[1], unit: c[2], from: c[3]})
		}
	}
	return out
}

// cells splits a line of a table; \| is a bar within a cell.
func cells(line string) []string {
	line = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(line), "|"), "|")
	out := strings.Split(strings.ReplaceAll(line, `\|`, "\x00"), "|")
	for i, c := range out {
		out[i] = strings.ReplaceAll(strings.TrimSpace(c), "\x00", "|")
	}
	return out
}

// search returns the entries that contain every word of a text.
func (d *dictionary) search(text string) []meaning {
	words := strings.Fields(needleOf(text))
	var out []meaning
next:
	for _, e := range d.entries {
		for _, w := range words {
			if !contains(e.name, w) && !contains(e.family, w) && !contains(e.formula, w) && !contains(e.unit, w) && !contains(e.from, w) {
				continue next
			}
		}
		out = append(out, e)
	}
	return out
}
