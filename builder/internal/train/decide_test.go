package train_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"cloister/builder/internal/prep"
	"cloister/builder/internal/train"
	"cloister/builder/internal/train/grow"
	"cloister/shared/feature"
)

// Rows in clumps have centres in the clumps: their own rows are near, what
// lies between or beyond is far.
func TestFindCentres(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	var x []float64
	for i := range 600 {
		at := []float64{10, 1000, 100_000}[i%3]
		x = append(x, at*(1+0.01*rng.Float64()), 5, -at)
	}
	x[7*3+1] = math.NaN()
	c, err := train.FindCentres(x, 3, rand.New(rand.NewPCG(2, 2)))
	if err != nil {
		t.Fatal(err)
	}
	again, err := train.FindCentres(x, 3, rand.New(rand.NewPCG(2, 2)))
	if err != nil {
		t.Fatal(err)
	}
	a, _ := c.AppendBinary(nil)
	b, _ := again.AppendBinary(nil)
	if !slices.Equal(a, b) {
		t.Error("the same rows and seed give other centres")
	}
	own := make([]float64, 600)
	if err := c.Distances(own, x); err != nil {
		t.Fatal(err)
	}
	far := make([]float64, 4)
	if err := c.Distances(far, []float64{100, 5, -100, 1e9, 5, -1e9, 10, 50, -10, 10, 5, 10}); err != nil {
		t.Fatal(err)
	}
	if limit := slices.Max(own); limit > 0.1 || slices.Min(far) < 3*limit || slices.Min(far) < 0.3 {
		t.Errorf("own rows are up to %v away, others %v", limit, far)
	}
	if _, m := c.Shape(); m > train.Centres {
		t.Errorf("%d centres", m)
	}
	for name, x := range map[string][]float64{"one row": {1, 2, 3}, "equal rows": {1, 2, 3, 1, 2, 3}, "nothing but missing": {math.NaN(), math.NaN(), math.NaN()}, "infinite": {math.Inf(1), 1, 2, 3, 4, 5}} {
		if _, err := train.FindCentres(x, 3, rand.New(rand.NewPCG(1, 1))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Verdicts of class 0 are right from .8 on, those of class 1 always, of class
// 2 there are too few for a threshold of its own.
func TestAbstain(t *testing.T) {
	var truth, predicted []int
	var p []float64
	add := func(n, real, said int, confidence float64) {
		for range n {
			truth, predicted = append(truth, real), append(predicted, said)
			row := []float64{0, 0, 0}
			row[said] = confidence
			p = append(p, row...)
		}
	}
	add(90, 0, 0, .95)
	add(10, 1, 0, .7)
	add(100, 1, 1, .6)
	add(5, 2, 2, .9)
	class, all := train.AbstainOf(truth, predicted, p, 3)
	// of all, .61 would keep only 105 of 205: no threshold of all can halve the error
	if want := []float64{.71, 0, 0}; !slices.Equal(class, want) || all != 0 {
		t.Errorf("got %v and %v, want %v and 0", class, all, want)
	}
	got := train.CoverageOf(truth, predicted, p, 3)
	if len(got) != 8 || got[0].Share != 1 || math.Abs(got[0].Error-10.0/205) > 1e-12 || got[0].Least != .6 || got[7].Error != 10.0/103*0 && got[7].Error > .08 {
		t.Errorf("%+v", got)
	}
}

// What calibration, centres and abstention did to the sample is in the result.
func TestFit_decisions(t *testing.T) {
	r := fit(t, read(t), 1, 0)
	if len(r.Calibration.Tried) != 3 || len(r.Abstain) != len(r.Table.Classes) || len(r.Coverage) != 8 || r.Centres == nil || !(r.Outside > 0) {
		t.Errorf("%+v, %v, %v", r.Calibration.Tried, r.Abstain, r.Coverage)
	}
	if d, m := r.Centres.Shape(); d != r.Pipeline.Len() || m == 0 || m > train.Centres {
		t.Errorf("%d columns, %d centres", d, m)
	}
	if !(r.Anomaly.FPR < .2) || r.Anomaly.Threshold != train.AnomalyShare {
		t.Errorf("%+v", r.Anomaly)
	}
	for i := 1; i < len(r.Coverage); i++ {
		if r.Coverage[i].Share >= r.Coverage[i-1].Share || r.Coverage[i].Least < r.Coverage[i-1].Least {
			t.Errorf("coverage %+v after %+v", r.Coverage[i], r.Coverage[i-1])
		}
	}
}

func TestFit_boosting(t *testing.T) {
	recipe := train.Recipes()["flows"]
	recipe.Candidates = []train.Candidate{{Name: "b", WeightPower: .5, Boost: &grow.BoostOptions{Rounds: 10, MaxDepth: 3}}}
	r, err := train.Fit(context.Background(), read(t), recipe, train.Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if r.Forest.Kind().String() != "boosting" || r.Chosen.Kind() != "boosting" || r.Tried[0].AUC < .8 {
		t.Errorf("%v, %+v", r.Forest, r.Tried)
	}
}

// The anomaly model of seed-parity reads hour and address alone.
func TestFit_seedParity(t *testing.T) {
	table := func() *train.Table {
		rows := header[:len(header)-1] + ",FLOW_START_MILLISECONDS,IPV4_SRC_ADDR\n"
		for i := range 90 {
			label := []string{"Benign", "Benign", "Bot"}[i%3]
			rows = strings.ReplaceAll(rows, "Attack,FLOW", "FLOW") + strings.Join([]string{"1", "2", "3", "4", "6", "1518633543480", "10.0.0." + string(rune('0'+i%10))}, ",") + "," + label + "\n"
		}
		rows = strings.Replace(rows, "IPV4_SRC_ADDR\n", "IPV4_SRC_ADDR,Attack\n", 1)
		tab, err := train.Read([]train.File{file("x", rows)}, train.Recipes()["seed-parity"])
		if err != nil {
			t.Fatal(err)
		}
		return tab
	}()
	if len(table.Other) != 180 || table.Other[0] != 18 || table.Other[1] != 0 || table.Other[3] != 1 {
		t.Fatalf("%d values, %v", len(table.Other), table.Other[:4])
	}
	recipe := train.Recipes()["seed-parity"]
	recipe.Candidates = recipe.Candidates[:1]
	r, err := train.Fit(context.Background(), table, recipe, train.Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if d, _ := r.Isolation.Shape(); d != 2 || r.Unusual == nil || r.Unusual.Steps()[1].Op != feature.OpOctet || r.Unusual.Steps()[0].Quantiles == nil {
		t.Errorf("%v reads %+v", r.Isolation, r.Unusual)
	}
}

const alertHeader = "Timestamp,Source_IP,Destination_IP,Payload_Type,Payload_Description,Severity\n"

// A recipe of texts fits terms on the training rows, keeps the order of the
// severities, and reads flows as sentences with the severity of their label.
func TestFit_texts(t *testing.T) {
	var rows strings.Builder
	rows.WriteString(alertHeader)
	for i := range 120 {
		what, level := "harmless login", "Low"
		if i%3 == 0 {
			what, level = "ransomware encrypts disk", "Critical"
		}
		rows.WriteString("2018-02-14T12:28:07Z,10.0.0.1,10.0.0.2," + []string{"a", "b"}[i%2] + ",Detects " + what + " number" + strings.Repeat("x", i%7) + "," + level + "\n")
	}
	rows.WriteString("2018-02-14T12:28:07Z,1.1.1.1,2.2.2.2,a,what is this,unknown\n")
	recipe := train.Recipes()["severity"]
	table, err := train.Read([]train.File{file("a.csv", rows.String())}, recipe)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Join(table.Classes, " ") != "Low Critical" || len(table.Class) != 120 || table.NoLabel != 1 || table.X != nil {
		t.Fatalf("%v, %d rows, %d without label", table.Classes, len(table.Class), table.NoLabel)
	}
	last := slices.IndexFunc(recipe.Candidates, func(c train.Candidate) bool { return strings.Contains(c.Name, "characters") })
	recipe.Candidates = []train.Candidate{recipe.Candidates[0], recipe.Candidates[last]}
	recipe.Compared = 1
	for i := range recipe.Candidates {
		recipe.Candidates[i].Options.Trees = 20
	}
	r, err := train.Fit(context.Background(), table, recipe, train.Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if r.Confusion.Accuracy() < .95 || r.Isolation != nil || r.Chosen.Name != recipe.Candidates[1].Name || len(r.Input.Texts()) != 2 || r.Input.Numbers() != 2 {
		t.Errorf("accuracy %v, %+v", r.Confusion.Accuracy(), r.Chosen)
	}
	seen := map[string]bool{}
	for _, m := range r.Measures {
		seen[m.Name] = true
		if m.Part == prep.Holdout && !(m.Low <= m.Value && m.Value <= m.High) && !math.IsNaN(m.Low) {
			t.Errorf("%+v", m)
		}
	}
	for _, want := range []string{"macro-F1 of the baseline", "macro ROC-AUC", "macro precision", "macro recall", "accuracy of the baseline", "macro-F1 of always Low", "macro-F1 from PAYLOAD_TYPE alone", "log loss"} {
		if !seen[want] {
			t.Errorf("no %s", want)
		}
	}
	// texts of the hold-out rows are in no term
	flows, err := train.Read([]train.File{file("f.csv", header+"1,2,3,4,6,Bot\n1,2,3,4,6,Benign\n")}, recipe)
	if err != nil || strings.Join(flows.Classes, " ") != "Informational Critical" {
		t.Fatalf("%+v, %v", flows, err)
	}
	doc := feature.Joined(flows.Frame, recipe.Candidates[0].Texts[0].From, 0)
	if !strings.HasPrefix(doc, "tcp flow, tiny request") {
		t.Errorf("a flow reads %q", doc)
	}
}

func TestRecipes_names(t *testing.T) {
	all := train.Recipes()
	if len(all) < 4 {
		t.Errorf("%d recipes", len(all))
	}
	for name, r := range all {
		seen := map[string]bool{}
		for _, c := range r.Candidates {
			if seen[c.Name] || c.Name == "" {
				t.Errorf("%s: candidate %q twice", name, c.Name)
			}
			seen[c.Name] = true
		}
		if r.Name != name || r.Title == "" || r.Label == "" || len(r.Limits) == 0 || len(r.Dropped) == 0 || len(seen) == 0 {
			t.Errorf("%s: %+v", name, r)
		}
	}
}
