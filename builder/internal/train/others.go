package train

import (
	"slices"

	"cloister/builder/internal/train/grow"
	"cloister/shared/feature"
	"cloister/shared/frame"
)

// flowsCIC reads what CICFlowMeter exports through the aliases of the flow
// schema, so that the same columns work from any of its spellings, from a
// capture and from NetFlow with gap statistics. What only CICFlowMeter has
// (bulk, subflow, active and idle times) is left out: it repeats other columns
// or is constant.
func flowsCIC() Recipe {
	r := flows()
	r.Name, r.Title = "flows-cic", "Network flows of CICFlowMeter"
	r.Description = "Names the attack behind a flow that CICFlowMeter has exported, or calls it benign, and says how unusual the flow is."
	r.Benign = "BENIGN"
	r.Candidates = slices.DeleteFunc(r.Candidates, func(c Candidate) bool { return c.Oblivious != nil && c.WeightPower > 0.5 })
	gap := func(side, which, help string) feature.Step {
		return number(side+"_IAT_"+which, "ms", help)
	}
	r.Steps = append(r.Steps,
		gap("SRC_TO_DST", "MIN", "smallest gap between the source's packets"),
		gap("SRC_TO_DST", "AVG", "mean gap between the source's packets"),
		gap("SRC_TO_DST", "STDDEV", "standard deviation of the source's gaps"),
		gap("DST_TO_SRC", "MIN", "smallest gap between the destination's packets"),
		gap("DST_TO_SRC", "AVG", "mean gap between the destination's packets"),
		gap("DST_TO_SRC", "STDDEV", "standard deviation of the destination's gaps"),
		flag("URG", 5, "urgent data"),
		ratio("OUT_IN_PKTS", frame.OutPackets, frame.InPackets, "", "packets of the destination per packet of the source"),
		ratio("OUT_PKTS_RATE", frame.OutPackets, frame.Duration, "packets/ms", "packet rate of the destination, 0 for a flow of no duration"),
		ratio("OUT_BYTES_RATE", frame.OutBytes, frame.Duration, "bytes/ms", "rate of the destination, 0 for a flow of no duration"),
	)
	r.Dropped = append(r.Dropped,
		Dropped{"Fwd/Bwd Byts/b, Pkts/b and Blk Rate Avg, Bwd PSH and URG Flags", "constant in CSE-CIC-IDS2018"},
		Dropped{"Subflow columns", "repeat the totals"},
		Dropped{"Flow Byts/s, Flow Pkts/s", "infinite for flows of no duration; made anew from totals and duration"},
		Dropped{"Active and Idle columns", "0 unless a flow pauses for 5 s; other meters do not have them"},
	)
	return r
}

// seedParity is recipe flows with the anomaly model of the project that this
// one follows: an isolation forest on the hour and the last part of the
// source's address. Both say more about a laboratory's timetable and
// addresses than about traffic; the recipe is there to compare with.
func seedParity() Recipe {
	r := flows()
	r.Name, r.Title = "seed-parity", "Network flows, anomaly by hour and address"
	r.Unusual = []feature.Step{
		{Name: "Hour", Op: feature.OpHour, From: frame.FlowStart, Unit: "h", Help: "hour of the day the flow began, UTC"},
		{Name: "Src_IP_LastOctet", Op: feature.OpOctet, From: frame.SrcAddr, Help: "last part of the source's IPv4 address, -1 for any other"},
	}
	r.Limits = append(r.Limits, "The anomaly score knows hour and source address alone: it finds who and when, not what.")
	return r
}

// severity reads what detection tools and analysts write.
func severity() Recipe {
	desc := []string{frame.AlertDescription}
	both := []string{frame.AlertTitle, frame.AlertDescription}
	words := func(name string, from []string, o feature.TFIDFOptions) TextSpec {
		return TextSpec{name, from, "terms of " + name, o}
	}
	sub := func(n int) feature.TFIDFOptions { return feature.TFIDFOptions{MaxFeatures: n, Sublinear: true} }
	plain := feature.TFIDFOptions{MaxFeatures: 1000}
	pairs := feature.TFIDFOptions{MaxFeatures: 3000, MaxGram: 2, MinGram: 1, Sublinear: true}
	chars := feature.TFIDFOptions{MaxFeatures: 2000, Chars: true, MinGram: 3, MaxGram: 5, Sublinear: true}
	apart := []TextSpec{words("title", []string{frame.AlertTitle}, sub(1000)), words("description", desc, sub(1000))}
	more := append(apart[:2:2], words("characters", both, chars))
	candidate := func(name string, power, share float64, texts []TextSpec, category bool) Candidate {
		return Candidate{Name: name, WeightPower: power, Options: grow.ForestOptions{Trees: severityTrees, MaxFeaturesShare: share}, Texts: texts, Category: category}
	}
	candidates := []Candidate{
		candidate("baseline: words of the description", 1, 0, []TextSpec{words("description", desc, plain)}, false),
		candidate("with sublinear tf", 1, 0, []TextSpec{words("description", desc, sub(1000))}, false),
		candidate("title and description", 1, 0, []TextSpec{words("text", both, plain)}, false),
		candidate("words and pairs of words, with the payload type", 1, 0, []TextSpec{words("text", both, pairs)}, true),
		candidate("title and description apart, sublinear tf", 1, 0, apart, false),
		candidate("apart, with the payload type and characters", 1, 0, more, true),
	}
	boosted := candidate("boosted trees, apart, with the payload type", 0.5, 0, apart, true)
	boosted.Boost = &grow.BoostOptions{Rounds: 100, MaxDepth: 6, LearningRate: 0.1, Subsample: 0.8, ColsampleTree: 0.5, MinChildWeight: 0.1}
	extra := candidate("the same, thresholds at random", 1, 0, apart, true)
	extra.Options.ExtraTrees = true
	larger := candidate("the same, leaves of 3 rows or more", 1, 0, apart, true)
	larger.Options.ExtraTrees, larger.Options.MinSamplesLeaf = true, 3
	mixed := candidate("half of the trees so, half to the last row without class weights", 1, 0, apart, true)
	mixed.Options, mixed.Deep = larger.Options, 0.5
	candidates = append(candidates, boosted, candidate("apart, with the payload type", 1, 0, apart, true), extra, larger, mixed)
	candidates[0].Options.Trees = 300 // as the figures that it is compared with
	return Recipe{
		Name:        "severity",
		Title:       "Severity of alerts",
		Description: "Reads the title, description and kind of an alert and says how severe its author would call it.",
		Released:    "2026-11-22T00:00:00Z",
		Schema:      frame.Alert,
		Label:       frame.AlertSeverity,
		Order:       []string{"Informational", "Low", "Medium", "High", "Critical"},
		Category:    frame.AlertType,
		Dropped: []Dropped{
			{frame.AlertTime, "says when, not how severe"},
			{frame.SrcAddr + ", " + frame.DstAddr + ", " + frame.SrcPort + ", " + frame.DstPort, "identity"},
			{frame.Protocol, "the training texts have none"},
			{frame.AlertTechniques, "given by the same author at the same time as the severity"},
		},
		Candidates: candidates,
		Compared:   len(candidates) - 1,
		Search:     "cloister tune --recipe severity sigma-detections.csv --rows train --search grid --rule best --seed 1 --out search: 24 combinations of 60 trees, 5 folds of the 2,751 training rows; the best macro-F1: 0.461 ± 0.025, accuracy 0.634. A random forest that counts classes alike had 0.434 and 0.598 there",
		Unflagged:  true,
		Limits: []string{
			"Severity is the opinion of a rule's author about anything that the rule finds, not about what happened in one network.",
			"Trained on descriptions of detection rules, mostly of Windows: texts of other tools are another language.",
			"Probabilities are calibrated on texts of the same collection.",
		},
		OutOfScope: []string{
			"Closing alerts without a person looking at them.",
			"Rating of what an alert does not say: the model reads words, not evidence.",
		},
	}
}

// severityTrees of the forests on texts.
const severityTrees = 100
