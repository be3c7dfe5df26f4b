package train

import (
	"fmt"
	"strings"

	"cloister/builder/internal/prep"
	"cloister/builder/internal/train/grow"
	"cloister/shared/feature"
	"cloister/shared/telemetry"
)

// hostTelemetry is the recipe of the telemetry bundle: one window of one device
// in, normal or anomalous out. It reads how far all metrics of the device are
// from their own past, whatever the metrics are, so it works on hosts and
// metrics that it never saw. Scenarios are rules beside it (shared/telemetry).
func hostTelemetry() Recipe {
	var steps []feature.Step
	for _, f := range telemetry.Features(telemetry.DefaultConfig()) {
		if telemetry.KindOf(f.Name) != "" {
			steps = append(steps, feature.Step{Name: f.Name, Op: feature.OpNumber, From: f.Name, Unit: f.Unit, Help: f.Formula})
		}
	}
	var candidates []Candidate
	for _, leaf := range []int{20, 80} {
		for _, power := range []float64{0, 0.5} {
			candidates = append(candidates, Candidate{
				Name:        fmt.Sprintf("60 trees of depth 10, leaves of %d rows or more, class weight (n / k n_c)^%g", leaf, power),
				WeightPower: power,
				Options:     grow.ForestOptions{Trees: 60, MaxDepth: 10, MinSamplesLeaf: leaf, MaxFeaturesShare: 0.3},
			})
		}
	}
	for _, depth := range []int{3, 4} {
		candidates = append(candidates, Candidate{
			Name:  fmt.Sprintf("60 rounds of trees of depth %d", depth),
			Boost: &grow.BoostOptions{Rounds: 60, MaxDepth: depth, LearningRate: 0.1, Subsample: 0.8, Lambda: 5},
		})
	}
	return Recipe{
		Name:        "telemetry",
		Title:       "Host telemetry",
		Description: "Says how unusual a window of host metrics is against the device's own past, which metrics make it so, and which of six attack scenarios it fits.",
		Released:    "2026-11-22T00:00:00Z",
		Schema:      telemetry.Schema(),
		Label:       telemetry.FieldLabel,
		Steps:       steps,
		Dropped: []Dropped{
			{"features of named metrics", "the training data does not name its metrics; scenarios read them"},
			{telemetry.FieldDevice + ", " + telemetry.FieldStart, "identity and time: a model would learn the hosts and days of the data"},
		},
		Candidates: candidates,
		Isolation:  grow.IsolationOptions{Trees: 100, MaxSamples: 256},
		Benign:     "Normal",
		ByTime:     true,
		Limits: []string{
			"An anomaly is a device that behaves unlike its own past, not an attack; only a scenario speaks of an attack.",
			"The first ten windows of a device are compared with nothing; the longer the file, the better the past is known.",
			"Scenarios are rules tried on simulated hosts only; their rates of false alarms on real hosts are not known.",
		},
		OutOfScope: []string{
			"Acting on a host without a person looking at the evidence.",
			"Telemetry that an attacker on the host can edit before it is exported.",
		},
	}
}

// inOrder splits n rows by their order: the first share is training, the next
// validation, the rest hold-out.
func inOrder(n int, shares prep.Shares) []prep.Part {
	out := make([]prep.Part, n)
	for i := range out {
		switch at := (float64(i) + 0.5) / float64(n); {
		case at < shares[prep.Train]:
			out[i] = prep.Train
		case at < shares[prep.Train]+shares[prep.Validation]:
			out[i] = prep.Validation
		default:
			out[i] = prep.Holdout
		}
	}
	return out
}

// Glossary returns the dictionary of features as Markdown for the card, "" for
// recipes whose steps say enough.
func (r Recipe) Glossary() string {
	if r.Schema != telemetry.Schema() {
		return ""
	}
	return strings.TrimSpace(telemetry.Markdown(telemetry.Features(telemetry.DefaultConfig())))
}
