package site

import (
	"strings"

	"cloister/shared/job"
)

// AttackCard lists what the verdict of the open record is evidence for.
type AttackCard struct {
	App *App
}

func (c *AttackCard) k() job.Class { return c.App.recordClass() }

func (c *AttackCard) title() string {
	if v := c.App.bundle.AttackVersion; v != "" {
		return sayf("ATT&CK {0}", v)
	}
	return say("ATT&CK")
}

func (c *AttackCard) none() string {
	if c.k().Benign {
		return say("A benign verdict is evidence for no technique.")
	}
	return say("The bundle maps this class to no technique.")
}

func (c *AttackCard) confidence(t job.Technique) string {
	marks := map[string]string{"high": say("●●● high"), "medium": say("●●○ medium"), "low": say("●○○ low")}
	if m, ok := marks[t.Confidence]; ok {
		return m
	}
	return t.Confidence
}

func (c *AttackCard) basis(t job.Technique) string {
	switch t.Basis {
	case "published":
		return say("published: the data set's authors name the technique")
	case "analytic":
		return say("analytic: an ATT&CK analytic looks at this kind of record")
	case "inferred":
		return say("inferred by us from what the class does")
	}
	return t.Basis
}

func (c *AttackCard) unseen() string {
	var names []string
	for _, id := range c.k().Unseen {
		if n := techniqueName(id); n != "" {
			id += " " + n
		}
		names = append(names, id)
	}
	return sayf("A flow record cannot show: {0}. Look for it in other sources.", strings.Join(names, "; "))
}
