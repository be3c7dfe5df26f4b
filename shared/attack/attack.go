// Package attack holds the MITRE ATT&CK Enterprise matrix and what labels of
// intrusion data sets mean in it. It hides how the tables are stored, and
// that ids die: techniques are revoked between releases, so an id from
// elsewhere is resolved before it is used.
//
//	t, ok := attack.Resolve("T1054")       // T1685, by way of T1562.006
//	m, ok := attack.ForLabel("DDOS_attack-HOIC")
//	for _, h := range m.Hints { use(h.Technique, h.Tactic) }
//
// The tables are compiled in (54 kB gzipped) and parsed at first use, once,
// in 0.5 ms natively and 2 ms in wasm. They are those of one release, [Version]; the
// release is part of what a bundle states, because tactics are regrouped and
// ids revoked between releases. All functions are safe for concurrent use.
// Slices they return are shared: callers must not change them.
//
// Whoever shows or copies the tables must carry [Licence].
package attack

import (
	_ "embed" // the tables are files
	"iter"
	"slices"
	"strings"
	"sync"
)

// Licence is the notice that MITRE's terms of use ask of every copy.
const Licence = "© 2026 The MITRE Corporation. This work is reproduced and distributed with the permission of The MITRE Corporation."

// Tactic is a column of the matrix: what an adversary wants.
type Tactic struct {
	ID        string // "TA0006"
	Name      string // "Credential Access"
	Shortname string // "credential-access", as STIX and Navigator have it
}

// URL returns the address of the tactic's page.
func (t Tactic) URL() string { return "https://attack.mitre.org/tactics/" + t.ID }

// Technique is a technique or, if Parent is set, a sub-technique.
type Technique struct {
	ID     string // "T1110.001"
	Name   string // "Password Guessing", without the parent's name
	Parent string // "T1110", or empty
	// Tactics are the ids of the tactics it serves, in matrix order; at
	// least one.
	Tactics []string
	// Platforms are the platforms it applies to, such as "Linux"; never empty.
	Platforms []string
	// STIX is the id of its attack-pattern object.
	STIX string
	// Description is the first sentence of MITRE's text, on one line.
	Description string
}

// URL returns the address of the technique's page.
func (t Technique) URL() string {
	return "https://attack.mitre.org/techniques/" + strings.Replace(t.ID, ".", "/", 1)
}

// Version returns the ATT&CK release of the tables, such as "19.1".
func Version() string { return enterprise().version }

// Tactics returns the tactics in the order of the matrix.
func Tactics() []Tactic { return enterprise().tactics }

// TacticByID returns the tactic with an id such as "TA0006", and whether
// there is one. Case does not matter.
func TacticByID(id string) (Tactic, bool) {
	id = strings.ToUpper(id)
	return enterprise().tactic(func(t Tactic) bool { return t.ID == id })
}

// TacticByShortname returns the tactic with a short name such as
// "credential-access", and whether there is one.
func TacticByShortname(name string) (Tactic, bool) {
	return enterprise().tactic(func(t Tactic) bool { return t.Shortname == name })
}

// Techniques yields all current techniques and sub-techniques by id.
func Techniques() iter.Seq[Technique] { return slices.Values(enterprise().techniques) }

// Lookup returns the current technique with an id, and whether there is one.
// An obsolete id has none: see [Resolve]. Case does not matter.
func Lookup(id string) (Technique, bool) { return enterprise().lookup(strings.ToUpper(id)) }

// Current returns the id under which a technique is known in this release:
// the id itself, or that of the technique that ends its chain of revocations.
// The result is false for an unknown id and for one that was withdrawn
// without a successor. Case does not matter.
func Current(id string) (string, bool) { return enterprise().current(strings.ToUpper(id)) }

// Resolve returns the technique that an id of this or an earlier release
// stands for now: Lookup of [Current].
func Resolve(id string) (Technique, bool) {
	now, ok := Current(id)
	if !ok {
		return Technique{}, false
	}
	return Lookup(now)
}

//go:embed enterprise.tsv
var enterpriseTSV string

// parsed is a compiled-in table that is parsed when it is first asked for. The
// tables are reached through functions, not through variables with an
// initialiser: a program that never asks for the matrix does not link it.
type parsed[T any] struct {
	once sync.Once
	v    T
}

// get parses text at the first call. Only a broken build can panic here: the
// text is a constant and a test parses it.
func (p *parsed[T]) get(text string, parse func(string) (T, error)) T {
	p.once.Do(func() {
		v, err := parse(text)
		if err != nil {
			panic(err)
		}
		p.v = v
	})
	return p.v
}

var enterpriseTable parsed[*table]

func enterprise() *table { return enterpriseTable.get(enterpriseTSV, parseTable) }
