package site

import (
	"cmp"

	"cloister/shared/job"
)

// FitCard says how well the file suits the bundle: where fields came from,
// what is filled in, what looks odd, and which columns lie elsewhere than in
// training.
type FitCard struct {
	App *App
}

func (c *FitCard) s() *job.Summary { return c.App.summary }

// tally counts the fields that the bundle looks at, by where they came from.
func (c *FitCard) tally() (found, computed, missing int64) {
	for _, m := range c.s().Mapping {
		switch {
		case !m.Needed:
		case m.How == "column":
			found++
		case m.How == "computed":
			computed++
		default:
			missing++
		}
	}
	return found, computed, missing
}

// badge says it in a few words.
func (c *FitCard) badge() string {
	_, _, missing := c.tally()
	switch {
	case missing > 0:
		return sayf("{0} missing, {1} filled in", plural(missing, "field", "fields"), plural(int64(len(c.s().Imputed)), "feature", "features"))
	case len(c.s().Imputed) > 0:
		return sayf("{0} filled in", plural(int64(len(c.s().Imputed)), "feature", "features"))
	}
	return say("Every field is there")
}

func (c *FitCard) badgeClass() string {
	if _, _, missing := c.tally(); missing > 0 || len(c.s().Imputed) > 0 {
		return "tag tag-hot"
	}
	return "tag tag-good"
}

func (c *FitCard) sources() string {
	found, computed, missing := c.tally()
	all := found + computed + missing
	if c.s().Capture {
		return sayf("Of the {0} fields that the bundle looks at, {1} were computed here from packets, {2} are missing.", count(all), count(computed), count(missing))
	}
	return sayf("Of the {0} fields that the bundle looks at, {1} are columns of the file, {2} were computed from others, {3} are missing.", count(all), count(found), count(computed), count(missing))
}

// How the extractor compares with others: `go test ./shared/ingest -run
// Parity` counts it anew and fails when shared/ingest/internal/flow/README.md
// says otherwise; a test here holds these to the same table.
const (
	parityTool     = "TShark 4.0.17"
	parityCaptures = 153
	parityFlows    = 387
	paritySame     = 384
	parityFields   = 8265
	parityEqual    = 8262
)

func (c *FitCard) parity() string {
	return sayf("Flows are made by this program. Against {0}, on {1} captures without tunnels and fragments, {2} of {3} flows and {4} of {5} fields are equal; the rest differ by rules that its documentation names.",
		parityTool, count(parityCaptures), count(paritySame), count(parityFlows), count(parityEqual), count(parityFields))
}

// oddShare is the share of rows from which a check speaks of the column, not
// of a tool that errs now and then.
const oddShare = 0.02

func (c *FitCard) odd(k job.Check) float64 { return float64(k.Odd) / float64(max(k.Rows, 1)) }

func (c *FitCard) oddText(k job.Check) string {
	return sayf("{0} of {1} rows ({2}): {3}", count(k.Odd), count(k.Rows), percent(c.odd(k)), k.What)
}

func (c *FitCard) oddClass(k job.Check) string {
	if c.odd(k) >= oddShare {
		return "note note-warn small"
	}
	return "small"
}

// What makes a column strange: five times the share outside that training had,
// and at least one row in ten; or most values missing.
const (
	driftTimes   = 5
	driftLeast   = 0.10
	driftMissing = 0.5
)

func drifts(d job.Drift) bool {
	return d.Outside >= driftLeast && d.Outside >= driftTimes*d.Expected || d.Missing >= driftMissing
}

// strange are the columns unlike training, the most unlike first.
func (c *FitCard) strange() (out []job.Drift) {
	for _, d := range c.s().Drift {
		if drifts(d) && d.Feature < len(c.App.bundle.Features) {
			out = append(out, d)
		}
	}
	arrange(out, func(a, b job.Drift) int { return cmp.Compare(max(b.Outside, b.Missing), max(a.Outside, a.Missing)) })
	return out
}

func (c *FitCard) strangeText() string {
	n := int64(len(c.strange()))
	if len(c.s().Drift) == 0 {
		return say("The bundle keeps no ranges of training values to compare with.")
	}
	if n == 0 {
		return sayf("None of {0} columns lies elsewhere than in training.", count(int64(len(c.s().Drift))))
	}
	return sayf("{0} of {1} columns lie elsewhere than in training: verdicts that lean on them are less sure.", count(n), count(int64(len(c.s().Drift))))
}

func (c *FitCard) driftHead() []string {
	return []string{say("Column"), say("Training range (1 to 99 %)"), say("Outside, training"), say("Outside, here"), say("Missing, here")}
}

func (c *FitCard) driftRows() (out [][]string) {
	for _, d := range c.strange() {
		out = append(out, []string{featureName(c.App.bundle.Features, d.Feature), number(d.Low) + " – " + number(d.High), percent(d.Expected), percent(d.Outside), percent(d.Missing)})
	}
	return out
}

// outside says how many rows are unlike all of training.
func (c *FitCard) outside() string {
	if c.s().Outside == 0 {
		return ""
	}
	return sayf("{0} lie far from every training row: their verdicts are withheld.", plural(c.s().Outside, "row", "rows"))
}

// editable reports whether the columns can be mapped otherwise.
func (c *FitCard) editable() bool {
	return c.App.phase == finished && !c.s().Capture && len(c.App.run.given) == 1 && !c.App.wizard.open && (c.App.bundle.Schema == "flow" || c.App.bundle.Schema == "alert")
}
