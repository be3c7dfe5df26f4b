package train_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"cloister/builder/internal/prep"
	"cloister/builder/internal/publish"
	"cloister/builder/internal/train"
	"cloister/builder/internal/train/grow"
	"cloister/shared/bundle"
)

// dated returns flows of three classes with times, and some without a label.
func dated(n int) train.File {
	var b strings.Builder
	b.WriteString("FLOW_START_MILLISECONDS,IPV4_SRC_ADDR,IPV4_DST_ADDR,L4_SRC_PORT,L4_DST_PORT,PROTOCOL,FLOW_DURATION_MILLISECONDS,IN_BYTES,OUT_BYTES,IN_PKTS,OUT_PKTS,TCP_FLAGS,Attack\n")
	for i := range n {
		label := []string{"Benign", "DoS", "", "PortScan"}[i%4]
		fmt.Fprintf(&b, "%d,10.0.0.%d,10.0.1.1,%d,80,6,%d,%d,%d,%d,3,27,%s\n", 1518611292443-1000*int64(i), i%9, 40000+i, i*7%900, 100+i%4*1000+i%13, 60+i, 2+i%4, label)
	}
	text := b.String()
	return train.File{Name: "dated.csv", ReaderAt: strings.NewReader(text), Size: int64(len(text))}
}

// A split of cloister prep is made again for training, row by row, and the
// bundle says by which manifest.
func TestTable_PartsOf(t *testing.T) {
	file := dated(400)
	recipe := train.Recipes()["flows"]
	recipe.Candidates = []train.Candidate{{Name: "small", Options: grow.ForestOptions{Trees: 5}}}
	ctx := context.Background()
	d, err := prep.Read(ctx, []prep.File{{Name: file.Name, ReaderAt: file, Size: file.Size}}, prep.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	split, err := d.Split(prep.Temporal, prep.Shares{.6, .2, .2}, 7)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if _, err := d.Manifest(split).WriteTo(&text); err != nil {
		t.Fatal(err)
	}
	m, err := prep.Load(&text)
	if err != nil {
		t.Fatal(err)
	}
	table, err := train.Read([]train.File{file}, recipe)
	if err != nil {
		t.Fatal(err)
	}
	parts, err := table.PartsOf(ctx, m, []train.File{file}, recipe)
	if err != nil || len(parts) != 300 {
		t.Fatalf("%d parts, %v", len(parts), err)
	}
	for i, p := range parts { // later rows of the file are earlier in time
		at := table.Place[i].Row
		if want := split.Parts[at-1]; p != want || (at <= 40 && p != prep.Holdout) || (at > 360 && p != prep.Train) {
			t.Fatalf("row %d is in %s, want %s", at, p, want)
		}
	}
	r, err := train.Fit(ctx, table, recipe, train.Options{Seed: 3, Parts: parts, Split: m})
	if err != nil {
		t.Fatal(err)
	}
	if r.Count != [3]int{180, 60, 60} || r.Split != m || r.Shares != m.Shares {
		t.Errorf("%v rows, shares %v", r.Count, r.Shares)
	}
	r.SplitName = "split-temporal.json"
	written, err := publish.Bundle(r, publish.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := bundle.Decode(written, bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	card, _ := b.File(bundle.CardTextName)
	if l := b.Manifest().Lineage; l.SplitSeed != 7 || !strings.HasSuffix(l.Command, "--seed 3 --split split-temporal.json --out flows.bundle") || !strings.Contains(string(card), "Split temporal (split-temporal.json, a manifest of cloister prep) with seed 7: 180 training") {
		t.Errorf("lineage %+v", l)
	}
	if _, err := table.PartsOf(ctx, m, []train.File{dated(401)}, recipe); err == nil || !strings.Contains(err.Error(), "SHA-256") {
		t.Errorf("another file: %v", err)
	}
}

// A row that takes no part in the split takes none in training either.
func TestFit_rowsOut(t *testing.T) {
	recipe := train.Recipes()["flows"]
	recipe.Candidates = []train.Candidate{{Name: "small", Options: grow.ForestOptions{Trees: 5}}}
	table, err := train.Read([]train.File{dated(400)}, recipe)
	if err != nil {
		t.Fatal(err)
	}
	parts := make([]prep.Part, len(table.Class))
	for i := range parts {
		parts[i] = prep.Part(i % 4) // every fourth is out
	}
	r, err := train.Fit(context.Background(), table, recipe, train.Options{Seed: 3, Parts: parts, Split: &prep.Manifest{Scheme: "made up", Shares: prep.Shares{.7, .15, .15}}})
	if err != nil || r.Count != [3]int{75, 75, 75} {
		t.Fatalf("%v, %v", r.Count, err)
	}
}
