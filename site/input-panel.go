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
	return sayf("Dropped rows ({0} of {1})", count(c.s().Rejected), count(c.s().Rows))
}

func (c *InputPanel) repairsTitle() string {
	var n int64
	for _, k := range c.s().Repairs {
		n += k
	}
	return sayf("Mended, read as missing or left out ({0})", count(n))
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
		return sayf("The first {0} of them", count(int64(len(c.s().Rejects))))
	}
	return say("All of them")
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
	return sayf("Fields of the schema ({0} found, {1} computed, {2} missing)", count(found), count(computed), count(missing))
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
		return say("✓ column")
	case m.How == "computed":
		return say("ƒ computed")
	case m.Needed:
		return say("✗ missing, needed")
	}
	return say("○ missing, optional")
}

func (c *InputPanel) imputed() string {
	n := int64(len(c.s().Imputed))
	return sayf("{0} filled with the value that training found typical, because a field is missing: {1}. Verdicts lean on them less surely.", plural(n, "feature was", "features were"), strings.Join(c.s().Imputed, ", "))
}

// became says how the reading of a file ended.
func (c *InputPanel) became(f pool.File) string {
	switch {
	case f.Err != nil:
		return "✗ " + sentence(f.Err.Error())
	case !f.Reached:
		return say("○ not reached")
	case f.Summary.Stopped != "":
		return "◐ " + sentence(f.Summary.Stopped)
	}
	return "✓ " + f.Summary.Format
}
