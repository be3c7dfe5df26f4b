package evaluate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"cloister/builder/internal/evaluate"
	"cloister/builder/internal/prep"
	"cloister/builder/internal/train"
	"cloister/shared/attack"
	"cloister/shared/frame"

	"github.com/google/go-cmp/cmp"
)

const models = "../../../models/"

func open(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(models + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func file(name string, b []byte) evaluate.File {
	return evaluate.File{Label: name, ReaderAt: bytes.NewReader(b), Bytes: int64(len(b))}
}

// run judges the default bundle on the samples.
func run(t *testing.T, o evaluate.Options, names ...string) *evaluate.Report {
	t.Helper()
	var files []evaluate.File
	for _, n := range names {
		files = append(files, file(n, open(t, "sample/"+n)))
	}
	r, err := evaluate.Run(context.Background(), open(t, "flows/1.bundle"), files, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRun_samples(t *testing.T) {
	r := run(t, evaluate.Options{Rounds: 50, Explain: 40}, "lab.csv", "flows.csv")
	if r.All.Rows != 2546 || len(r.Files) != 2 || r.Files[0].Rows != 1989 || r.Files[1].Rows != 557 {
		t.Fatalf("rows %d, %+v", r.All.Rows, r.Files)
	}
	if r.Files[1].Unknown["PortScan"] == 0 || r.Files[0].Unknown["PortScan"] != 0 {
		t.Errorf("labels without a class: %v", r.Files[1].Unknown)
	}
	sum := 0.0
	for _, row := range r.All.Confusion {
		for _, n := range row {
			sum += n
		}
	}
	unknown := 0
	for _, n := range r.All.Unknown {
		unknown += n
	}
	if int(sum)+unknown != r.All.Rows {
		t.Errorf("%v rows in the confusion matrix and %d without a class, of %d", sum, unknown, r.All.Rows)
	}
	if r.Explained == nil || r.Explained.Rows < 38 || r.Explained.Rows > 41 || !(r.Explained.Additivity <= r.Explained.Tolerance) || len(r.Explained.Features) < 15 {
		t.Errorf("explained %+v", r.Explained)
	}
	if !slices.IsSortedFunc(r.Explained.Features, func(a, b evaluate.Influence) int { return int(math.Copysign(1, b.Abs-a.Abs)) }) {
		t.Error("features are not in order of influence")
	}
	if len(r.Baselines) != 3 || !(r.Baselines[1].MacroF1 > r.Baselines[2].MacroF1) || r.Baselines[2].Feature == "" || !(r.Baselines[2].MacroF1 > r.Baselines[0].MacroF1) {
		t.Errorf("baselines %+v", r.Baselines)
	}
	gaps, reached := 0, 0
	for _, c := range r.Attack.Tactics {
		if c.Gap {
			gaps++
		}
		reached += len(c.Techniques)
	}
	if len(r.Attack.Tactics) != 15 || gaps == 0 || gaps == 15 || reached != len(r.Attack.Techniques) {
		t.Errorf("coverage %+v", r.Attack.Tactics)
	}
	for _, u := range r.Attack.Techniques {
		if (u.Gap == "") != (u.Verdicts > 0 && float64(u.Right) >= .85*float64(u.Verdicts)) {
			t.Errorf("technique %+v", u)
		}
	}
	a, err := r.JSON()
	if err != nil || !json.Valid(a) {
		t.Fatal(err)
	}
	b, err := run(t, evaluate.Options{Rounds: 50, Explain: 40, Workers: 1}, "lab.csv", "flows.csv").JSON()
	if err != nil || !bytes.Equal(a, b) {
		t.Errorf("not the same twice: %v\n%s", err, cmp.Diff(string(a), string(b)))
	}
	var page strings.Builder
	if _, err := r.Document().WriteTo(&page); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"macro-F1", "addresses, ports and time alone", "Confusion matrix", ">ROC<", "Precision and recall", "Reliability diagram",
		"Coverage against error", "Anomaly percentile", "What a threshold would flag", "Attributions of explained rows", "GAP: no class", "flows.csv has labels"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the report lacks %q", want)
		}
	}
	if n := strings.Count(page.String(), "<svg"); n < 10 || n > strings.Count(page.String(), "<table")+1 {
		t.Errorf("%d drawings, %d tables", n, strings.Count(page.String(), "<table"))
	}
}

// Only held-out rows of a split are judged, and a split of other files is
// refused.
func TestRun_split(t *testing.T) {
	b := open(t, "sample/flows.csv")
	d, err := prep.Read(context.Background(), []prep.File{{Name: "flows.csv", ReaderAt: bytes.NewReader(b), Size: int64(len(b))}}, prep.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := d.Split(prep.Random, prep.Shares{.7, .15, .15}, 1)
	if err != nil {
		t.Fatal(err)
	}
	held := 0
	for _, p := range s.Parts {
		if p == prep.Holdout {
			held++
		}
	}
	m := d.Manifest(s)
	r := run(t, evaluate.Options{Rounds: 50, Explain: -1, Rows: m}, "flows.csv")
	if r.All.Rows != held || held == 0 || r.Explained != nil || !strings.Contains(strings.Join(r.Remarks, " "), "hold-out part of split random") {
		t.Errorf("%d rows of %d held out; %q", r.All.Rows, held, r.Remarks)
	}
	lab := open(t, "sample/lab.csv")
	if _, err := evaluate.Run(context.Background(), open(t, "flows/1.bundle"), []evaluate.File{file("flows.csv", lab)}, evaluate.Options{Rows: m}); err == nil {
		t.Error("a split of another file is accepted")
	}
}

func TestRun_failures(t *testing.T) {
	bundle := open(t, "flows/1.bundle")
	plain := []byte("IN_BYTES,OUT_BYTES,IN_PKTS,OUT_PKTS,PROTOCOL,TCP_FLAGS,FLOW_DURATION_MILLISECONDS,L4_DST_PORT\n1,2,3,4,6,2,1,80\n")
	if _, err := evaluate.Run(context.Background(), bundle, []evaluate.File{file("x", plain)}, evaluate.Options{}); !errors.Is(err, evaluate.ErrNoLabel) {
		t.Errorf("no label: %v", err)
	}
	if _, err := evaluate.Run(context.Background(), bundle[:100], nil, evaluate.Options{}); err == nil {
		t.Error("a cut bundle is accepted")
	}
	if _, err := evaluate.Run(context.Background(), bundle, []evaluate.File{file("x", []byte("Dear sir,\n"))}, evaluate.Options{}); err == nil {
		t.Error("prose is accepted")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := evaluate.Run(ctx, bundle, []evaluate.File{file("flows.csv", open(t, "sample/flows.csv"))}, evaluate.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// Without a class, a model cannot name it; what else it does with its rows is
// told of every class but the benign one.
func TestRun_leaveClassOut(t *testing.T) {
	recipe := train.Recipes()["flows"]
	recipe.Candidates[0].Options.Trees = 10
	r := run(t, evaluate.Options{Rounds: 50, Explain: -1, Recipe: &recipe}, "flows.csv")
	if len(r.LeftOut) < 3 {
		t.Fatalf("left out %+v", r.LeftOut)
	}
	rows := 0
	for _, l := range r.LeftOut {
		rows += l.Rows
		if l.Rows == 0 || l.Named == l.Class || l.Named == "" || !(l.Share > 0 && l.Flagged >= 0 && l.Flagged <= 1) {
			t.Errorf("%+v", l)
		}
	}
	if benign := r.All.Classes[0].Support; rows+benign != r.All.Rows {
		t.Errorf("%d rows left out and %d benign, of %d", rows, benign, r.All.Rows)
	}
}

func TestTagged(t *testing.T) {
	half := func(developed bool, text string) string { // a text of that half
		for evaluate.Developed(text) != developed {
			text += "."
		}
		return text
	}
	texts := []evaluate.Text{
		{Text: half(false, "mimikatz reads lsass memory"), Techniques: []string{"T1003.001"}, Tactics: []string{"TA0006"}},
		{Text: half(false, "nothing to see here"), Techniques: []string{"T1054"}}, // T1685 now
		{Text: half(true, "mimikatz"), Techniques: []string{"T1003.001"}},
		{Text: half(false, "lsass"), Techniques: []string{"T0000"}}, // no such technique: not judged
	}
	l := evaluate.Tagged(texts)
	if l.Developed != 1 || l.Judged != 2 || len(l.Levels) != 3 || l.Levels[0].Confidence != attack.High {
		t.Fatalf("%+v", l)
	}
	low := l.Levels[2]
	if low.Silent != 1 || low.Technique.Both != 1 || low.Technique.Tagged != 1 || low.Technique.Recall != .5 || low.Tactic.Both != 1 || low.Parent.Both != 1 {
		t.Errorf("%+v", low)
	}
	for _, tactic := range l.Tactics {
		want := evaluate.Hits{}
		switch tactic.ID {
		case "TA0006":
			want.Both = 1
		case "TA0112":
			want.Tagged = 1
		}
		if got := tactic.Hits; got.Both != want.Both || got.Tagged != want.Tagged {
			t.Errorf("%s: %+v", tactic.ID, got)
		}
	}
	if evaluate.Tagged(nil) != nil || evaluate.Tagged(texts[2:]) != nil {
		t.Error("figures of no texts")
	}
}

// A baseline never judges a row by a forest that saw it: labels by chance, on
// values that each occur once, are not told apart.
func TestBaselines_heldOut(t *testing.T) {
	var b strings.Builder
	b.WriteString("L4_SRC_PORT,IN_BYTES,OUT_BYTES,IN_PKTS,OUT_PKTS,PROTOCOL,Attack\n")
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 600 {
		fmt.Fprintf(&b, "%d,%d,1,1,1,6,%s\n", i, 1000+i, []string{"Benign", "Bot"}[rng.IntN(2)])
	}
	d, err := prep.Read(context.Background(), []prep.File{{Name: "x", ReaderAt: strings.NewReader(b.String()), Size: int64(b.Len())}}, prep.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := evaluate.Baselines(d)
	if err != nil || len(out) != 3 {
		t.Fatalf("%+v, %v", out, err)
	}
	for _, b := range out[1:] {
		if math.Abs(float64(b.MacroF1)-.5) > .08 {
			t.Errorf("%s reaches %v on labels by chance", b.Name, b.MacroF1)
		}
	}
	if out[2].Feature != "IN_BYTES" || len(out[2].Others) != 1 { // the others are constant
		t.Errorf("single features %+v", out[2])
	}
}

func TestReadTexts(t *testing.T) {
	got, err := evaluate.ReadTexts(strings.NewReader("Techniques,Title,Tactics,Id\nT1003 T1490,\"a, b\",impact none,7\n"))
	want := []evaluate.Text{{Text: "a, b\n\n", Key: "7", Techniques: []string{"T1003", "T1490"}, Tactics: []string{"TA0040"}}}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v\n%s", err, d)
	}
	for _, bad := range []string{"", "Title\nx\n", "Techniques\na,b\n"} {
		if _, err := evaluate.ReadTexts(strings.NewReader(bad)); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

// The random split of package prep is the one that training makes of the same
// files and seed: what a manifest holds out, training never saw.
func TestSplit_isTrainings(t *testing.T) {
	names := []string{"lab.csv", "flows.csv"}
	var in []prep.File
	var files []train.File
	for _, n := range names {
		b := open(t, "sample/"+n)
		b = bytes.ReplaceAll(b, []byte("Benign"), []byte("benign")) // after the capitals by name, first for training
		in = append(in, prep.File{Name: n, ReaderAt: bytes.NewReader(b), Size: int64(len(b))})
		files = append(files, train.File{Name: n, ReaderAt: bytes.NewReader(b), Size: int64(len(b))})
	}
	alerts := "Id,Timestamp,Payload_Type,Payload_Description,Severity\n"
	for i := range 300 {
		alerts += fmt.Sprintf("%d,2026-01-01,process,a text,%s\n", i, []string{"Low", "High", "Medium", "Critical", "Informational"}[i*i%7%5])
	}
	text := prep.File{Name: "alerts.csv", ReaderAt: strings.NewReader(alerts), Size: int64(len(alerts))}
	for _, tt := range []struct {
		recipe string
		in     []prep.File
		files  []train.File
		schema *frame.Schema
	}{
		{"flows", in, files, frame.Flow},
		{"severity", []prep.File{text}, []train.File{{Name: text.Name, ReaderAt: text.ReaderAt, Size: text.Size}}, frame.Alert},
	} {
		d, err := prep.Read(context.Background(), tt.in, prep.ReadOptions{Want: tt.schema})
		if err != nil {
			t.Fatal(err)
		}
		shares := prep.Shares{.7, .15, .15}
		s, err := d.Split(prep.Random, shares, 5)
		if err != nil {
			t.Fatal(err)
		}
		table, err := train.Read(tt.files, train.Recipes()[tt.recipe])
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(table.Classes, d.Classes) || !slices.Equal(prep.Stratified(table.Class, len(table.Classes), shares, 5), s.Parts) {
			t.Errorf("%s: classes %q, training has %q; or other parts", tt.recipe, d.Classes, table.Classes)
		}
	}
}
