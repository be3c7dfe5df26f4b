package simulate_test

import (
	"math"
	"slices"
	"testing"

	"cloister/builder/internal/telemetry/simulate"
	"cloister/builder/internal/telemetry/stage"
	"cloister/shared/attack"
	"cloister/shared/telemetry"
)

// fired runs one episode on a quiet host and returns how many windows of the
// episode and of the rest each scenario fires on.
func fired(t *testing.T, seed uint64, kind string, strength float64) (during, outside map[string]int) {
	t.Helper()
	const start, seconds = 7200, 600
	raw, truth, err := simulate.Run(simulate.Options{Devices: 1, Hours: 3, Seed: seed, Episodes: []simulate.Episode{{Kind: kind, StartSec: start, Seconds: seconds, Strength: strength}}})
	if err != nil || len(truth) != 1 {
		t.Fatal(err)
	}
	c := telemetry.DefaultConfig()
	full, _, err := stage.Run(c, raw)
	if err != nil {
		t.Fatal(err)
	}
	list, rules, err := stage.Scenarios(c, full)
	if err != nil {
		t.Fatal(err)
	}
	first := raw.Samples[0].Millis
	during, outside = map[string]int{}, map[string]int{}
	for i, r := range full.Rows {
		if !r.Simulated {
			t.Fatalf("window %d lost its mark", i)
		}
		in := r.End > first+start*1000 && r.Start < first+(start+seconds)*1000
		for _, k := range list[i] {
			if in {
				during[rules.Scenarios()[k].Name]++
			} else {
				outside[rules.Scenarios()[k].Name]++
			}
		}
	}
	return during, outside
}

// lookalikes are the harmless works that resemble each attack.
var lookalikes = map[string][]string{
	"ehr_device": {"report"}, "pharma_tampering": {"backup", "update"}, "supply_chain": {"update"},
	"cryptominer": {"batch"}, "exfiltration": {"backup", "upload", "archive"}, "ransomware": {"update", "backup", "archive"},
}

func TestRules_attacksNearMissesAndLookalikes(t *testing.T) {
	if len(lookalikes) != 6 {
		t.Fatal("a scenario is not tested")
	}
	for name, harmless := range lookalikes {
		for seed := range uint64(3) {
			during, outside := fired(t, seed, name, 1)
			if during[name] == 0 {
				t.Errorf("seed %d: %s is not found: %v", seed, name, during)
			}
			for k, n := range outside {
				if n > 6 {
					t.Errorf("seed %d: %s: %s fires on %d windows outside", seed, name, k, n)
				}
			}
			// everything points the same way, but within the host's noise
			if near, _ := fired(t, seed, name, 0.01); near[name] > 0 {
				t.Errorf("seed %d: a trace of %s fires on %d windows", seed, name, near[name])
			}
		}
		for _, h := range harmless {
			for seed := range uint64(3) {
				if during, _ := fired(t, seed, h, 1); during[name] > 0 {
					t.Errorf("seed %d: %s is taken for %s on %d windows", seed, h, name, during[name])
				}
			}
		}
	}
}

// The techniques of the scenarios are in the table of ATT&CK.
func TestRules_techniquesExist(t *testing.T) {
	rules, err := telemetry.DefaultRules(telemetry.Features(telemetry.DefaultConfig()))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, s := range rules.Scenarios() {
		for _, id := range s.Techniques {
			n++
			if _, ok := attack.Lookup(id); !ok {
				t.Errorf("%s: no technique %s", s.Name, id)
			}
		}
	}
	if n < 6 {
		t.Errorf("%d techniques", n)
	}
}

// Correction 8, the permanent leak test: whatever relation between columns
// holds exactly on quiet rows must hold on attacked ones too. The original
// scaled a derived column after it was derived, and one subtraction separated
// its labels perfectly.
func TestRun_noIdentityLeaksTheLabel(t *testing.T) {
	raw, _, err := simulate.Run(simulate.Options{Devices: 2, Hours: 8, Seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	canonical, err := stage.Normalise(telemetry.DefaultConfig(), raw)
	if err != nil {
		t.Fatal(err)
	}
	n := len(canonical.Samples)
	column := func(j int) []float64 {
		v := make([]float64, n)
		for i := range v {
			v[i] = canonical.Samples[i].Values[j]
		}
		return v
	}
	var columns [][]float64
	for j := range canonical.Header {
		columns = append(columns, column(j))
	}
	if found := leaks(columns, canonical.Labels); found != 0 {
		t.Errorf("%d relations separate the labels", found)
	}
	// the detector sees the original's leak
	spoilt := slices.Clone(columns)
	k := slices.Index(canonical.Header, "memory_usage_pct")
	spoilt[k] = slices.Clone(columns[k])
	for i, l := range canonical.Labels {
		if l {
			spoilt[k][i] *= 1.3
		}
	}
	if leaks(spoilt, canonical.Labels) == 0 {
		t.Error("the original's leak is not found")
	}
}

// leaks counts the relations a = p b + q of two columns, and a = b + c, a = b - c
// of three, that hold on every quiet row and fail on most attacked ones.
func leaks(columns [][]float64, labels []bool) int {
	found := 0
	check := func(residual func(i int) (r, size float64)) {
		broken, attacked := 0, 0
		for i, l := range labels {
			r, size := residual(i)
			if math.IsNaN(r) {
				continue
			}
			bad := math.Abs(r) > 1e-6*size
			if !l && bad {
				return
			}
			if l {
				attacked++
				if bad {
					broken++
				}
			}
		}
		if attacked > 0 && broken*2 > attacked {
			found++
		}
	}
	for a := range columns {
		for b := range columns {
			if a == b {
				continue
			}
			p, q, ok := line(columns[b], columns[a], labels)
			if ok {
				check(func(i int) (float64, float64) {
					return columns[a][i] - p*columns[b][i] - q, math.Abs(columns[a][i]) + math.Abs(p*columns[b][i]) + math.Abs(q) + 1e-9
				})
			}
			for c := range b {
				check(func(i int) (float64, float64) {
					return columns[a][i] - columns[b][i] - columns[c][i], math.Abs(columns[a][i]) + math.Abs(columns[b][i]) + 1e-9
				})
			}
		}
	}
	return found
}

// line returns the line through two quiet points that differ.
func line(x, y []float64, labels []bool) (p, q float64, ok bool) {
	first := -1
	for i := range x {
		if labels[i] || math.IsNaN(x[i]) || math.IsNaN(y[i]) {
			continue
		}
		if first < 0 {
			first = i
		} else if x[i] != x[first] {
			p = (y[i] - y[first]) / (x[i] - x[first])
			return p, y[first] - p*x[first], true
		}
	}
	return 0, 0, false
}

func TestRun_isReproducible(t *testing.T) {
	a, _, err := simulate.Run(simulate.Options{Devices: 2, Hours: .2, Seed: 9})
	if err != nil {
		t.Fatal(err)
	}
	b, _, _ := simulate.Run(simulate.Options{Devices: 2, Hours: .2, Seed: 9})
	c, _, _ := simulate.Run(simulate.Options{Devices: 2, Hours: .2, Seed: 10})
	if !slices.EqualFunc(a.Samples, b.Samples, func(x, y telemetry.Sample) bool { return slices.Equal(x.Values, y.Values) }) {
		t.Error("the same seed gives other samples")
	}
	if slices.Equal(a.Samples[3].Values, c.Samples[3].Values) {
		t.Error("another seed gives the same samples")
	}
	for _, o := range []simulate.Options{{Devices: -1}, {Hours: -1}, {StepSec: 4000}, {Episodes: []simulate.Episode{{Kind: "x"}}}, {Episodes: []simulate.Episode{{Kind: "backup", Device: 9}}}} {
		if _, _, err := simulate.Run(o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
	names, attacks := simulate.Kinds()
	if len(names) != 12 || len(attacks) != 12 {
		t.Errorf("kinds %v", names)
	}
}
