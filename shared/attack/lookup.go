package attack

import (
	_ "embed" // the table is a file
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Bare is the weakest degree of [Hint.Confidence]: a port and nothing else
// speaks for the technique. Show it as a hint, never as evidence.
const Bare = "hint"

// FromText returns the techniques that a text of an alert speaks of, a
// description of a detection for example, strongest first and then by id; each
// technique once, with the alternative that was matched as Why. Ids written in
// the text ("T1003.001") count as published by whoever wrote it; obsolete ids
// become their successors.
//
// The confidence of an alternative is what it showed on the half of the Sigma
// rules that the table was developed on: high if some 70 % of the texts it
// matched were tagged so by their authors, medium from 40 %, low from 25 % or
// untested. On the other half, 1,764 texts, hints of medium confidence and above
// have precision 0.53 and recall 0.41 by technique, 0.69 and 0.39 by tactic; high
// ones 0.78 and 0.17 by technique (cloister evaluate --lookup).
//
// The first 16 KiB are looked at. Words are matched whole and in order, no
// pattern can backtrack; the cost is linear in the text.
func FromText(text string) []Hint {
	ws := words(text)
	var out hints
	out.idsIn(ws)
	out.said(ws, lookup())
	out.said(ws, lows.get(lowJSON, parseLookup))
	return out.sorted()
}

// said adds what the words of a text speak of.
func (h *hints) said(ws []string, t *lookupTable) {
	found := t.phrases.find(ws)
	for _, r := range t.text {
		for _, a := range r.alternatives {
			if a.condition.holds(found) {
				h.add(Hint{Technique: r.id, Tactic: r.tactic, Confidence: a.confidence, Basis: Inferred, Why: a.spelling})
				break // alternatives go from high to low
			}
		}
	}
}

// Alert is what a detection tool says about an event; empty fields are
// ignored.
type Alert struct {
	// Text is title and description, read as [FromText] does, without what gives
	// low confidence: three of four such hints are wrong.
	Text string
	// Techniques and Tactics are ids that the tool names, such as the
	// mitre_technique_id and mitre_tactic_id of Suricata's alert.metadata.
	Techniques, Tactics []string
	// Type is the kind of payload or the category: "Phishing", or the
	// alert.category of Suricata's classification.config.
	Type string
	// Notice is Zeek's notice type, such as "Scan::Port_Scan".
	Notice string
	// Endpoint and Operation are Zeek's fields of a DCE-RPC call, such as
	// "svcctl" and "CreateServiceW".
	Endpoint, Operation string
	// Share is the SMB share that was reached, such as `\\host\ADMIN$`.
	Share string
}

// FromAlert returns the techniques that an alert is evidence for, strongest
// first and then by id, each once with the strongest reason for it. Basis is
// [Published] for ids that the tool names and for DCE-RPC operations and
// administrative shares, whose map follows BZAR, else [Inferred].
func FromAlert(a Alert) []Hint {
	t := lookup()
	var out hints
	for _, id := range a.Techniques {
		out.named(id, a.Tactics)
	}
	for i, name := range [...]string{
		Key(cut(a.Type)), cut(a.Notice), cut(a.Endpoint) + "::" + cut(a.Operation),
		strings.ToUpper(cut(a.Share[strings.LastIndexByte(a.Share, '\\')+1:])),
	} {
		for _, h := range t.names[i][name] {
			out.add(h)
		}
	}
	ws := words(a.Text)
	out.idsIn(ws)
	out.said(ws, t)
	return out.sorted()
}

// cut bounds the work on a name from outside.
func cut(name string) string { return name[:min(len(name), maxLabel)] }

// hints collects hints, one a technique.
type hints []Hint

// degrees are the degrees of confidence from weak to strong.
var degrees = []string{Bare, Low, Medium, High}

func (h *hints) add(n Hint) {
	for i, o := range *h {
		if o.Technique == n.Technique {
			if slices.Index(degrees, n.Confidence) > slices.Index(degrees, o.Confidence) {
				(*h)[i] = n
			}
			return
		}
	}
	*h = append(*h, n)
}

// sorted orders the hints by insertion: they are few, and a generic sort would
// add 5 kB to every download.
func (h hints) sorted() []Hint {
	for i := range h {
		for k := i; k > 0 && h[k].before(h[k-1]); k-- {
			h[k], h[k-1] = h[k-1], h[k]
		}
	}
	return h
}

func (h *Hint) before(o Hint) bool {
	if a, b := slices.Index(degrees, h.Confidence), slices.Index(degrees, o.Confidence); a != b {
		return a > b
	}
	return h.Technique < o.Technique
}

// named adds a technique that somebody else names, under the first of its
// tactics that is among tactics, or under its first. Unknown ids are ignored.
func (h *hints) named(id string, tactics []string) {
	now, serves, ok := currentID(cut(id))
	if !ok {
		return
	}
	n := Hint{Technique: now, Tactic: serves[0], Confidence: High, Basis: Published, Why: "named by the tool: " + strings.ToUpper(cut(id))}
	for _, t := range serves {
		if slices.Contains(tactics, t) {
			n.Tactic = t
			break
		}
	}
	h.add(n)
}

// idsIn adds the techniques whose ids are among the words of a text; the
// number of a sub-technique is a word of its own.
func (h *hints) idsIn(ws []string) {
	for i, w := range ws {
		if len(w) != 5 || w[0] != 't' || !digits(w[1:]) {
			continue
		}
		id := w
		if i+1 < len(ws) && len(ws[i+1]) == 3 && digits(ws[i+1]) {
			if _, _, ok := currentID(w + "." + ws[i+1]); ok {
				id = w + "." + ws[i+1]
			}
		}
		h.named(id, nil)
	}
}

func digits(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }) < 0
}

//go:embed lookup.json
var lookupJSON string

// low.json has the conditions on texts that give low confidence, in the form of
// lookup.json. Who does not ask [FromText] does not link it.
//
//go:embed low.json
var lowJSON string

var lows parsed[*lookupTable]

//go:embed ids.tsv
var idsTSV string

var lookups parsed[*lookupTable]

func lookup() *lookupTable { return lookups.get(lookupJSON, parseLookup) }

var flowTable parsed[flowRules]

// flows are the rules on flows of lookup.json. The conditions on texts, of
// which there are hundreds, are not compiled for them: the first verdicts of
// flow records would wait for that.
func flows() flowRules { return flowTable.get(lookupJSON, parseFlows) }

// parseFlows compiles the part "flows" of the table in text.
func parseFlows(text string) (flowRules, error) {
	var f struct{ Flows []flowRule }
	if err := json.Unmarshal([]byte(text), &f); err != nil {
		return flowRules{}, fmt.Errorf("attack: lookup: %w", err)
	}
	rules, err := newFlowRules(f.Flows)
	if err != nil {
		return flowRules{}, fmt.Errorf("attack: lookup: %w", err)
	}
	return rules, nil
}

// lookupTable is lookup.json, compiled.
type lookupTable struct {
	version string
	phrases phrases
	text    []textRule
	names   [4]map[string][]Hint // of types by [Key], of notices, operations and shares
}

// namesOfTypes is the index of types in lookupTable.names.
const namesOfTypes = 0

type textRule struct {
	id, tactic   string
	alternatives []alternative // from high to low
}

type alternative struct {
	condition
	confidence, spelling string
}

// lookupFile is the JSON form of lookup.json.
type lookupFile struct {
	Attack string
	Text   []struct {
		ID, Tactic        string
		High, Medium, Low []string
	}
	Types, Notices, Operations, Shares []nameRule
	Flows                              []flowRule
}

// nameRule gives names of some kind their technique in lookup.json.
type nameRule struct {
	Names                         []string
	ID, Tactic, Confidence, Basis string
}

// parseLookup compiles the table in text. Every rule is an object:
//
//	attack                              the release that the ids are of
//	text   id, tactic, high, medium, low    conditions by confidence, see phrases.condition
//	types, notices, operations, shares      names, id, tactic, confidence, basis
//	flows  id, tactic, confidence, basis, why, when (field, min, max, in)
func parseLookup(text string) (*lookupTable, error) {
	var f lookupFile
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return nil, fmt.Errorf("attack: lookup: byte %d: %w", d.InputOffset(), err)
	}
	t := &lookupTable{version: f.Attack}
	if _, err := newFlowRules(f.Flows); err != nil {
		return nil, fmt.Errorf("attack: lookup: %w", err)
	}
	for _, r := range f.Text {
		rule := textRule{id: r.ID, tactic: r.Tactic}
		for i, conditions := range [][]string{r.High, r.Medium, r.Low} {
			for _, spelling := range conditions {
				c, ok := t.phrases.condition(spelling)
				if !ok {
					return nil, fmt.Errorf("attack: lookup: %s: malformed condition %.64q", r.ID, spelling)
				}
				rule.alternatives = append(rule.alternatives, alternative{c, degrees[3-i], spelling})
			}
		}
		t.text = append(t.text, rule)
	}
	for i, rules := range [][]nameRule{f.Types, f.Notices, f.Operations, f.Shares} {
		t.names[i] = map[string][]Hint{}
		for _, r := range rules {
			for _, name := range r.Names {
				key := name
				if i == namesOfTypes {
					key = Key(name)
				}
				t.names[i][key] = append(t.names[i][key], Hint{Technique: r.ID, Tactic: r.Tactic, Confidence: r.Confidence, Basis: r.Basis, Why: name})
			}
		}
	}
	return t, nil
}

// ids are the ids of the release without their texts, so that a program which
// only resolves ids need not carry the whole matrix: tactics of a current id,
// or the successor of an obsolete one after "=".
func ids() map[string]string { return idTable.get(idsTSV, parseIDs) }

var idTable parsed[map[string]string]

// parseIDs reads lines of an id, its tactics or successor, and the numbers of
// its sub-techniques, three digits each, which serve the same tactics.
func parseIDs(text string) (map[string]string, error) {
	out := map[string]string{}
	for _, line := range strings.Split(text, "\n") {
		if c := strings.Split(line, "\t"); len(c) > 1 {
			out[c[0]] = c[1]
			if len(c) > 2 {
				for subs := c[2]; subs != ""; subs = subs[3:] {
					out[c[0]+"."+subs[:3]] = c[1]
				}
			}
		}
	}
	return out, nil
}

// currentID returns the current form of an id and the tactics that it serves.
func currentID(id string) (now string, tactics []string, ok bool) {
	id = strings.ToUpper(id)
	for range 8 { // the longest chain of revocations has three ids; a test walks them all
		rest, known := ids()[id]
		if !known {
			return "", nil, false
		}
		next, obsolete := strings.CutPrefix(rest, "=")
		if !obsolete {
			return id, strings.Split(rest, ","), true
		}
		id = next
	}
	return "", nil, false
}
