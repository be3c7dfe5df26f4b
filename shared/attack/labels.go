package attack

import (
	_ "embed" // the map is a file
	"fmt"
	"strings"
)

// Degrees of [Hint.Confidence]: how sure it is that traffic with the label is
// the technique. High: the label says so, or all sources agree. Medium: it
// follows from what the scenario is known to be. Low: sources disagree, or
// the label covers other things too.
const (
	High   = "high"
	Medium = "medium"
	Low    = "low"
)

// Values of [Hint.Basis]: what a hint rests on.
const (
	// Published means that a published map has this technique for the label
	// or its class.
	Published = "published"
	// Analytic means that one of ATT&CK's own detection analytics describes
	// what was matched. No label rests on one; behaviour of flows may.
	Analytic = "analytic"
	// Inferred means that the mapping is ours.
	Inferred = "inferred"
)

// Values of [Hint.Origin]: where the attacker sends from.
const (
	Anywhere = ""
	Inside   = "inside"  // an address of the monitored network
	Outside  = "outside" // any other address
)

// Mapping is what a label of a data set means in ATT&CK. It is evidence for
// an analyst to weigh, not a verdict: published maps contradict each other.
type Mapping struct {
	// Label is the first of the label's spellings.
	Label string
	// Benign is true for a label of ordinary traffic, which has no hints.
	Benign bool
	// Hints are the techniques, strongest first. They may be empty for an
	// attack: Note says why.
	Hints []Hint
	// Note says what the label covers and where sources disagree, for people.
	Note string
	// Unseen are ids of techniques that were part of the scenario but that a
	// flow record cannot show. None of them is in Hints.
	Unseen []string
}

// Hint is a technique that a label, a text, an alert or a flow is evidence for.
type Hint struct {
	Technique  string // current id
	Tactic     string // id of the tactic it serves here, one of the technique's
	Confidence string // High, Medium, Low or, for a port alone, Bare
	Basis      string // Published, Analytic or Inferred
	Origin     string // Anywhere, or where the attacker must be for it to apply
	Why        string // what was matched, for people; empty for labels
}

// From returns the hints that apply when the attacker is at origin, in order.
// With [Anywhere], which stands for not known, it returns all.
func (m Mapping) From(origin string) []Hint {
	var out []Hint
	for _, h := range m.Hints {
		if origin == Anywhere || h.Origin == Anywhere || h.Origin == origin {
			out = append(out, h)
		}
	}
	return out
}

// maxLabel bounds the work on a label from outside; the longest known one
// has 43 bytes.
const maxLabel = 256

// Key returns what two spellings of a label have in common: its ASCII letters
// in lower case and its digits. "DDOS_attack-HOIC" and "DDOS attack-HOIC" have
// the key "ddosattackhoic". A dash that was broken by a wrong encoding is lost
// either way.
func Key(label string) string {
	b := make([]byte, 0, len(label))
	for i := range len(label) {
		switch c := label[i]; {
		case 'A' <= c && c <= 'Z':
			b = append(b, c+'a'-'A')
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
			b = append(b, c)
		}
	}
	return string(b)
}

// ForLabel returns what a label of a data set means, and whether it is known.
// It knows the labels of CSE-CIC-IDS2018 (original, NetFlow v1 to v3 and
// corrected), CICIDS2017 (original and corrected), UNSW-NB15, ToN-IoT,
// BoT-IoT, NSL-KDD (attacks and families) and WUSTL-EHMS. Spellings are
// compared by [Key]. A final "attempted", which the corrected sets add to
// attacks without effect, is ignored.
//
// Sources: published maps and corrections as named in each note; the table is
// labels.tsv.
func ForLabel(label string) (Mapping, bool) {
	if len(label) > maxLabel {
		return Mapping{}, false
	}
	key := Key(label)
	m, ok := labels()[key]
	if !ok {
		m, ok = labels()[strings.TrimSuffix(key, "attempted")]
	}
	return m, ok
}

//go:embed labels.tsv
var labelsTSV string

var labelTable parsed[map[string]Mapping]

// labels returns the compiled-in map, by key.
func labels() map[string]Mapping { return labelTable.get(labelsTSV, parseLabels) }

// parseLabels returns the map in text, by [Key] of every spelling. Lines are
// tab-separated; comments start with #:
//
//	B  spellings                                       ordinary traffic
//	L  spellings, note, unseen                         an attack
//	H  technique, tactic, confidence, basis, origin    a hint for the last L
//
// Spellings are joined by " | ", unseen ids by a space. Errors name the line.
func parseLabels(text string) (map[string]Mapping, error) {
	var all []Mapping
	var spellings [][]string
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		c := strings.Split(line, "\t")
		switch {
		case c[0] == "B" && len(c) == 2, c[0] == "L" && len(c) == 4:
			names := strings.Split(c[1], " | ")
			m := Mapping{Label: names[0], Benign: c[0] == "B"}
			if !m.Benign {
				m.Note, m.Unseen = c[2], strings.Fields(c[3])
			}
			all, spellings = append(all, m), append(spellings, names)
		case c[0] == "H" && len(c) == 6 && len(all) > 0 && !all[len(all)-1].Benign:
			m := &all[len(all)-1]
			m.Hints = append(m.Hints, Hint{Technique: c[1], Tactic: c[2], Confidence: c[3], Basis: c[4], Origin: c[5]})
		default:
			return nil, fmt.Errorf("attack: labels: line %d: unexpected %.64q with %d cells", number, c[0], len(c))
		}
	}
	byKey := make(map[string]Mapping)
	for i, m := range all {
		for _, name := range spellings[i] {
			key := Key(name)
			if _, twice := byKey[key]; twice || key == "" {
				return nil, fmt.Errorf("attack: labels: %.64q: key %.64q is empty or taken", name, key)
			}
			byKey[key] = m
		}
	}
	return byKey, nil
}
