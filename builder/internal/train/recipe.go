// Package train turns labelled files into a fitted pipeline and models. It
// hides the recipes: which features, which candidates, how a candidate is
// chosen and what is measured on rows that took no part in the choice.
//
//	t, err := train.Read(files, recipe)
//	r, err := train.Fit(ctx, t, recipe, train.Options{Seed: 1})
//
// The same files, recipe and seed give the same bits on every machine,
// whatever its number of cores.
package train

import (
	"fmt"
	"slices"

	"cloister/builder/internal/train/grow"
	"cloister/shared/feature"
	"cloister/shared/frame"
)

// Recipe says what is trained and how.
type Recipe struct {
	Name        string
	Title       string
	Description string
	Released    string // date of this version of the recipe, RFC 3339
	Schema      *frame.Schema
	Label       string // text field of the schema that holds the class
	// Order lists the classes that count, in the order that they get; nil
	// takes all labels.
	Order      []string
	Steps      []feature.Step // numeric columns; none for a recipe of texts
	Category   string         // text field whose values candidates may make columns of
	Dropped    []Dropped      // fields that are never features, with the reason
	Candidates []Candidate
	// Compared is how many of the first candidates are only compared with; of
	// them the very first is the baseline.
	Compared int
	// Splits is over how many splits the families are held against each other
	// before oblivious trees are taken; 0 leaves it at the candidates' figures.
	Splits    int
	Search    string // how the parameters of the last candidate were found, for people; "" if by hand
	Params    string // file of the search that the candidate comes from, "" for the recipe's own
	Unflagged bool   // without an anomaly model
	Isolation grow.IsolationOptions
	Unusual   []feature.Step // what the anomaly model reads; nil for Steps
	Benign    string         // label of the class that is no attack, "" if there is none
	// Balanced flags from the threshold with the best F1 on validation rows, of
	// those within AlertFPR, instead of the lowest.
	Balanced   bool
	ByTime     bool // rows are split in their order, the newest are hold-out, not at random
	Limits     []string
	OutOfScope []string
}

// Texts reports whether the recipe learns from texts.
func (r Recipe) Texts() bool { return len(r.Steps) == 0 }

// reads reports whether a candidate of a recipe of texts reads a field.
func (r Recipe) reads(field string) bool {
	if field == r.Category {
		return true
	}
	for _, c := range r.Candidates {
		for _, t := range c.Texts {
			if slices.Contains(t.From, field) {
				return true
			}
		}
	}
	return false
}

// Dropped is a field kept out of the features.
type Dropped struct{ Field, Why string }

// Candidate is a model that is tried on the validation rows: a forest, or
// boosted trees if Boost is not nil, oblivious ones if Oblivious is not.
type Candidate struct {
	Name string
	// WeightPower p weights a row of a class with n_c of the n training rows
	// and k classes by (n / (k n_c))^p: 0 counts rows alike, 1 counts classes
	// alike.
	WeightPower float64
	Options     grow.ForestOptions
	Deep        float64 // share of a forest's trees that grow to the last row, see [grow.Mixed]
	Boost       *grow.BoostOptions
	Oblivious   *grow.ObliviousOptions
	// Texts and Category are what a candidate of a recipe of texts reads.
	Texts    []TextSpec
	Category bool
}

// Kind names the family of the model.
func (c Candidate) Kind() string {
	switch {
	case c.Oblivious != nil:
		return oblivious
	case c.Boost != nil:
		return "boosting"
	case c.Options.ExtraTrees:
		return "extra trees"
	}
	return "forest"
}

// oblivious is the [Candidate.Kind] of the browser model.
const oblivious = "oblivious"

// Odds reports whether the model's scores are log-odds, not votes.
func (c Candidate) Odds() bool { return c.Boost != nil || c.Oblivious != nil }

// Recipes returns the known recipes by name.
func Recipes() map[string]Recipe {
	out := map[string]Recipe{}
	for _, r := range []Recipe{flows(), flowsCIC(), seedParity(), severity(), hostTelemetry()} {
		out[r.Name] = r
	}
	return out
}

// flows is the default recipe: one flow record in, one of the labels out. It
// uses the fields that every NetFlow export and every capture can provide.
func flows() Recipe {
	var candidates []Candidate
	for _, power := range []float64{0, 0.25, 0.5, 0.75, 1} {
		for _, share := range []float64{0, 0.5} {
			tried := map[float64]string{0: "the root of", 0.5: "half of"}[share]
			candidates = append(candidates, Candidate{
				Name:        fmt.Sprintf("class weight (n / k n_c)^%g, %s the features tried at a node", power, tried),
				WeightPower: power,
				Options:     grow.ForestOptions{Trees: 100, MaxFeaturesShare: share},
			})
		}
	}
	for _, c := range []struct {
		rounds, depth int
		power         float64
	}{{60, 6, 0}, {60, 6, 0.25}, {60, 6, 0.5}, {100, 4, 0.25}} {
		candidates = append(candidates, Candidate{
			Name:        fmt.Sprintf("%d rounds of trees of depth %d, class weight (n / k n_c)^%g", c.rounds, c.depth, c.power),
			WeightPower: c.power,
			Boost:       &grow.BoostOptions{Rounds: c.rounds, MaxDepth: c.depth, LearningRate: 0.2, Subsample: 0.8},
		})
	}
	for _, depth := range []int{4, 6, 8} {
		for _, power := range []float64{0, 0.5, 0.75} {
			candidates = append(candidates, Candidate{
				Name:        fmt.Sprintf("at most 400 trees of %d levels, class weight (n / k n_c)^%g", depth, power),
				WeightPower: power,
				Oblivious:   &grow.ObliviousOptions{Rounds: 400, Depth: depth, EarlyStopping: 25},
			})
		}
	}
	return Recipe{
		Name:        "flows",
		Title:       "Network flows",
		Description: "Names the attack behind a network flow, or calls it benign, and says how unusual the flow is.",
		Released:    "2026-11-22T00:00:00Z",
		Schema:      frame.Flow,
		Label:       frame.Label,
		Steps: []feature.Step{
			number(frame.Protocol, "", "IANA protocol number"),
			{Name: "SERVICE", Op: feature.OpService, From: frame.DstPort, Help: "service group of the destination port"},
			number(frame.Duration, "ms", "last packet minus first packet"),
			number("SRC_TO_DST_IAT_MAX", "ms", "largest gap between the source's packets"),
			number("DST_TO_SRC_IAT_MAX", "ms", "largest gap between the destination's packets"),
			number(frame.InBytes, "bytes", "IP bytes from source to destination"),
			number(frame.OutBytes, "bytes", "IP bytes from destination to source"),
			number(frame.InPackets, "packets", "packets from source to destination"),
			number(frame.OutPackets, "packets", "packets from destination to source"),
			ratio("IN_BYTES_PER_PKT", frame.InBytes, frame.InPackets, "bytes", "mean packet of the source"),
			ratio("OUT_BYTES_PER_PKT", frame.OutBytes, frame.OutPackets, "bytes", "mean packet of the destination"),
			ratio("OUT_IN_BYTES", frame.OutBytes, frame.InBytes, "", "bytes of the destination per byte of the source"),
			ratio("IN_BYTES_RATE", frame.InBytes, frame.Duration, "bytes/ms", "rate of the source, 0 for a flow of no duration"),
			ratio("IN_PKTS_RATE", frame.InPackets, frame.Duration, "packets/ms", "packet rate of the source, 0 for a flow of no duration"),
			flag("FIN", 0, "a side closed the connection"),
			flag("SYN", 1, "a connection was opened"),
			flag("RST", 2, "a side reset the connection"),
			flag("PSH", 3, "data was pushed"),
			flag("ACK", 4, "something was acknowledged"),
			flag("ECE", 6, "explicit congestion echo"),
			flag("CWR", 7, "congestion window reduced"),
		},
		Dropped: []Dropped{
			{frame.SrcAddr + ", " + frame.DstAddr, "identity: a model would learn the lab's hosts"},
			{frame.SrcPort, "chosen by the client's system, carries no intent"},
			{frame.DstPort, "used only as a service group: the number itself is close to identity"},
			{frame.FlowStart + ", FLOW_END_MILLISECONDS", "in the data each attack lies on one day"},
			{"DNS_QUERY_ID", "random by design"},
			{"SRC_TO_DST_SECOND_BYTES, DST_TO_SRC_SECOND_BYTES", "corrupt in the data: per-second counts glued together as text"},
			{"FTP_COMMAND_RET_CODE", "constant in CSE-CIC-IDS2018-v3"},
			{"flows and ports before this one in 10, 60 and 300 s, by source, destination and pair", "they say more about how the data was drawn (by class, from days of one attack each) than about traffic, and a row by itself has none; what they would add stands under Evaluation as context"},
		},
		Candidates: candidates,
		Splits:     5,
		Balanced:   true,
		Isolation:  grow.IsolationOptions{},
		Benign:     "Benign",
		Limits: []string{
			"Probabilities are calibrated on rows of the same data: on other traffic they say less than they seem to.",
			"Rows far from all training rows get no verdict, but a row can be near them and still be something else.",
			"The split is random: hold-out rows resemble training rows more than new traffic will.",
			"A flow shows how two addresses exchanged packets, not what was in them.",
		},
		OutOfScope: []string{
			"Blocking traffic without a person looking at the evidence.",
			"Statements about people: a flow shows what two addresses exchanged, not who did it.",
		},
	}
}

func number(field, unit, help string) feature.Step {
	return feature.Step{Name: field, Op: feature.OpNumber, From: field, Unit: unit, Help: help}
}

func ratio(name, from, over, unit, help string) feature.Step {
	return feature.Step{Name: name, Op: feature.OpRatio, From: from, Over: over, Unit: unit, Help: help}
}

func flag(name string, bit int, help string) feature.Step {
	return feature.Step{Name: name, Op: feature.OpFlag, From: frame.TCPFlags, Bit: bit, Help: help}
}
