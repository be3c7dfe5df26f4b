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
		return "ATT&CK " + v
	}
	return "ATT&CK"
}

func (c *AttackCard) none() string {
	if c.k().Benign {
		return "A benign verdict is evidence for no technique."
	}
	return "The bundle maps this class to no technique."
}

func (c *AttackCard) confidence(t job.Technique) string {
	marks := map[string]string{"high": "●●● high", "medium": "●●○ medium", "low": "●○○ low"}
	if m, ok := marks[t.Confidence]; ok {
		return m
	}
	return t.Confidence
}

func (c *AttackCard) basis(t job.Technique) string {
	switch t.Basis {
	case "published":
		return "published: the data set's authors name the technique"
	case "analytic":
		return "analytic: an ATT&CK analytic looks at this kind of record"
	case "inferred":
		return "inferred by us from what the class does"
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
	return "A flow record cannot show: " + strings.Join(names, "; ") + ". Look for it in other sources."
}
