package evaluate

import (
	"cmp"
	"slices"
	"strings"

	"cloister/shared/attack"
	"cloister/shared/job"
)

// Attack is which part of the ATT&CK matrix the bundle's verdicts reach.
type Attack struct {
	Version    string         `json:"version"`
	Tactics    []TacticCover  `json:"tactics"`
	Techniques []TechniqueUse `json:"techniques"`
	// Unseen are techniques that belong to a class but that the input cannot
	// show.
	Unseen []string `json:"unseen,omitempty"`
}

// TacticCover is what of a tactic the classes of the bundle reach. Gap marks a
// tactic that none does.
type TacticCover struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	Techniques []string `json:"techniques"`
	Total      int      `json:"total"`
	Verdicts   int      `json:"verdicts"` // rows whose verdict is evidence for the tactic
	Gap        bool     `json:"gap"`
}

// TechniqueUse is a technique that some class is evidence for.
type TechniqueUse struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	Tactic     string   `json:"tactic"`
	Confidence string   `json:"confidence"`
	Basis      string   `json:"basis"`
	Classes    []string `json:"classes"`
	Verdicts   int      `json:"verdicts"`
	Right      int      `json:"right"` // verdicts whose row bears a label of one of the classes
	// Gap says why the technique should not be shown, "" if nothing speaks
	// against it: no verdict, or fewer than 85 % of them right.
	Gap string `json:"gap,omitempty"`
}

// showPrecision is the share of right verdicts that a technique needs to be
// shown. Source: rule of the published map G in FLOWS.md, part D.
const showPrecision = 0.85

// coverage lists tactics and techniques in matrix order.
func coverage(v *verdicts, info job.Bundle) Attack {
	a := Attack{Version: attack.Version(), Techniques: []TechniqueUse{}}
	verdictsOf, rightOf := make([]int, len(info.Classes)), make([]int, len(info.Classes))
	for i, c := range v.class {
		verdictsOf[c]++
		if v.truth[i] == c {
			rightOf[c]++
		}
	}
	byID := map[string]*TechniqueUse{}
	var ids []string
	for c, class := range info.Classes {
		a.Unseen = append(a.Unseen, class.Unseen...)
		for _, t := range class.Attack {
			now, ok := attack.Resolve(t.ID)
			if !ok {
				continue
			}
			key := now.ID + t.Tactic
			u := byID[key]
			if u == nil {
				u = &TechniqueUse{ID: now.ID, Name: now.Name, Tactic: t.Tactic, Confidence: t.Confidence, Basis: t.Basis}
				byID[key] = u
				ids = append(ids, now.ID)
			}
			u.Classes = append(u.Classes, class.Name)
			u.Verdicts += verdictsOf[c]
			u.Right += rightOf[c]
		}
	}
	slices.Sort(a.Unseen)
	a.Unseen = slices.Compact(a.Unseen)
	for _, u := range byID {
		switch {
		case u.Verdicts == 0:
			u.Gap = "no verdict in these files"
		case float64(u.Right) < showPrecision*float64(u.Verdicts):
			u.Gap = "fewer than 85 % of the verdicts are right"
		}
		a.Techniques = append(a.Techniques, *u)
	}
	order := map[string]int{}
	for i, t := range attack.Tactics() {
		order[t.ID] = i
	}
	slices.SortFunc(a.Techniques, func(x, y TechniqueUse) int {
		return cmp.Or(cmp.Compare(order[x.Tactic], order[y.Tactic]), strings.Compare(x.ID, y.ID))
	})
	cover, _ := attack.Cover(ids)
	for _, c := range cover {
		t := TacticCover{ID: c.Tactic.ID, Name: c.Tactic.Name, Techniques: []string{}, Total: c.Total}
		// a technique serves several tactics, a class only the one it names
		for _, u := range a.Techniques {
			if u.Tactic == t.ID {
				t.Techniques = append(t.Techniques, u.ID)
				t.Verdicts += u.Verdicts
			}
		}
		t.Gap = len(t.Techniques) == 0
		a.Tactics = append(a.Tactics, t)
	}
	return a
}
