package site

import (
	"strings"

	"cloister/shared/job"
	"cloister/site/internal/pool"
)

// InputPanel says what was read of the file and what was not.
type InputPanel struct {
	App *App
}

func (c *InputPanel) s() *job.Summary { return c.App.summary }

func (c *InputPanel) droppedTitle() string {
	return "Dropped rows (" + count(c.s().Rejected) + " of " + count(c.s().Rows) + ")"
}

func (c *InputPanel) repairsTitle() string {
	var n int64
	for _, k := range c.s().Repairs {
		n += k
	}
	return "Mended, read as missing or left out (" + count(n) + ")"
}

// byCount returns reasons with their counts, most frequent first.
func byCount(m map[string]int64) []entry {
	var out []entry
	for name, n := range m {
		out = append(out, entry{name: name, n: n})
	}
	return sortEntries(out)
}

func (c *InputPanel) caption() string {
	if int64(len(c.s().Rejects)) < c.s().Rejected {
		return "The first " + count(int64(len(c.s().Rejects))) + " of them"
	}
	return "All of them"
}

func (c *InputPanel) mappingTitle() string {
	var found, computed, missing int64
	for _, m := range c.s().Mapping {
		switch m.How {
		case "column":
			found++
		case "computed":
			computed++
		default:
			missing++
		}
	}
	return "Fields of the schema (" + count(found) + " found, " + count(computed) + " computed, " + count(missing) + " missing)"
}

func (c *InputPanel) from(m job.Mapping) string {
	if m.From == "" {
		return noValue
	}
	return m.From
}

func (c *InputPanel) how(m job.Mapping) string {
	switch {
	case m.How == "column":
		return "✓ column"
	case m.How == "computed":
		return "ƒ computed"
	case m.Needed:
		return "✗ missing, needed"
	}
	return "○ missing, optional"
}

func (c *InputPanel) imputed() string {
	n := int64(len(c.s().Imputed))
	return plural(n, "feature was", "features were") + " filled with the value that training found typical, because a field is missing: " + strings.Join(c.s().Imputed, ", ") + ". Verdicts lean on them less surely."
}

// became says how the reading of a file ended.
func (c *InputPanel) became(f pool.File) string {
	switch {
	case f.Err != nil:
		return "✗ " + sentence(f.Err.Error())
	case !f.Reached:
		return "○ not reached"
	case f.Summary.Stopped != "":
		return "◐ " + sentence(f.Summary.Stopped)
	}
	return "✓ " + f.Summary.Format
}
