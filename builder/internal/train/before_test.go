package train_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"cloister/builder/internal/prep"
	"cloister/builder/internal/train"
)

// Two classes that nothing tells apart but how often their sources come are
// told by what came before, and only by it.
func TestBefore_findsWhatContextAdds(t *testing.T) {
	var b strings.Builder
	b.WriteString("FLOW_START_MILLISECONDS,IPV4_SRC_ADDR,IPV4_DST_ADDR,L4_SRC_PORT,L4_DST_PORT,PROTOCOL,FLOW_DURATION_MILLISECONDS,IN_BYTES,OUT_BYTES,IN_PKTS,OUT_PKTS,TCP_FLAGS,Attack\n")
	rng := rand.New(rand.NewPCG(5, 5))
	row := func(at int, from, label string) {
		fmt.Fprintf(&b, "%d,%s,10.0.1.1,40000,80,6,%d,%d,60,3,2,27,%s\n", 1518611292443+at, from, rng.IntN(900), 100+rng.IntN(900), label)
	}
	for i := range 300 {
		row(i*60_000, fmt.Sprintf("10.0.2.%d", i%40), "Benign")
		row(i/10*600_000+i%10*100, fmt.Sprintf("10.0.3.%d", i/10), "DoS") // ten in a second
	}
	text := b.String()
	d, err := prep.Read(context.Background(), []prep.File{{Name: "a.csv", ReaderAt: strings.NewReader(text), Size: int64(len(text))}}, prep.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	list, err := train.Before(context.Background(), d, train.Recipes()["flows"], 3, train.Options{Seed: 2})
	if err != nil || len(list) != 3 {
		t.Fatalf("%+v, %v", list, err)
	}
	for i, a := range list {
		without, _ := train.Mean(a.Without.MacroF1)
		with, _ := train.Mean(a.With.MacroF1)
		if a.Scheme != []string{prep.Random, prep.HostDisjoint, prep.Temporal}[i] || len(a.With.Accuracy) != 3 || with < without+0.2 || with < 0.85 || without > 0.7 {
			t.Errorf("%s: macro-F1 %.2f without, %.2f with", a.Scheme, without, with)
		}
	}
	again, err := train.Before(context.Background(), d, train.Recipes()["flows"], 3, train.Options{Seed: 2, Workers: 1})
	if err != nil || fmt.Sprint(again) != fmt.Sprint(list) {
		t.Errorf("not the same again: %v", err)
	}

	bare := "IN_BYTES,OUT_BYTES,IN_PKTS,OUT_PKTS,PROTOCOL,Attack\n1,2,3,4,6,Benign\n2,2,3,4,6,DoS\n"
	if d, err = prep.Read(context.Background(), []prep.File{{Name: "b.csv", ReaderAt: strings.NewReader(bare), Size: int64(len(bare))}}, prep.ReadOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := train.Before(context.Background(), d, train.Recipes()["flows"], 3, train.Options{}); err == nil {
		t.Error("rows without times have a past")
	}
}
