package score_test

import (
	"bytes"
	"math"
	"testing"
	"time"

	"cloister/shared/job"
	"cloister/shared/model/tree"
	"cloister/shared/score"
)

// attributed scores a file and attributes every row of it both ways.
func attributed(t *testing.T, s *score.Scorer, in job.File) (many, one job.Attributions) {
	t.Helper()
	var rows []int64
	if _, err := s.Score(in, job.Options{}, func(_ job.Progress, b *job.Batch) bool { rows = append(rows, b.Row...); return true }); err != nil {
		t.Fatal(err)
	}
	if len(rows) > 200 {
		rows = rows[:200]
	}
	began := time.Now()
	many, err := s.Attribute(rows)
	if err != nil || len(many.Row) == 0 {
		t.Fatalf("%d rows, %v", len(many.Row), err)
	}
	took := time.Since(began)
	began = time.Now()
	for _, row := range rows {
		rec, err := s.Explain(row)
		if err != nil {
			t.Fatal(err)
		}
		if err := one.Add(rec); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d rows: %v at once, %v one by one", len(rows), took, time.Since(began))
	return many, one
}

// Attributions of many rows at once are those of each row's explanation: of a
// released bundle, and of the kinds with one margin for two classes.
func TestAttribute_equalsExplain(t *testing.T) {
	odd := flows()
	odd.forest = tree.Source{Kind: tree.Boosting, Outputs: 1, Link: tree.Logistic, Base: []float64{.5}, Trees: []tree.SourceTree{stump(0, 0, 1000, []float64{-2}, []float64{1})}}
	even := flows()
	even.forest = tree.Source{Kind: tree.Oblivious, Outputs: 1, Link: tree.Logistic, Base: []float64{.5}, Step: .25,
		Levels: []tree.ObliviousTree{{Feature: []int32{0}, Threshold: []float64{1000}, Cover: []float64{3, 1}, Value: []int16{-8, 4}}}}
	const two = "IN_BYTES,OUT_BYTES,IN_PKTS,OUT_PKTS,PROTOCOL,L4_DST_PORT\n10,1,1,1,6,22\n5000,1,1,1,17,53\n"
	released, _ := loaded(t)
	first, _ := load(t, odd)
	second, _ := load(t, even)
	words, _ := load(t, alerts(t))
	for name, tt := range map[string]struct {
		s  *score.Scorer
		in job.File
	}{
		"released": {released, file{bytes.NewReader(read(t, sampleFile))}}, "boosting": {first, text(two)}, "oblivious": {second, text(two)},
		"texts": {words, text("Timestamp,Source_IP,Destination_IP,Payload_Type,Payload_Description,Severity\n2018-02-14T12:28:07Z,10.0.0.1,10.0.0.2,x,This is bad. Very BAD,High\n")},
	} {
		got, want := attributed(t, tt.s, tt.in)
		if got.Features != want.Features || len(got.SHAP) != len(want.SHAP) || len(got.Row) != len(want.Row) || got.Additivity > 1e-9 || !bytes.Equal(got.Percentile, want.Percentile) {
			t.Fatalf("%s: %d×%d, want %d×%d, additivity %g", name, len(got.Row), got.Features, len(want.Row), want.Features, got.Additivity)
		}
		for i := range got.Row {
			if got.Row[i] != want.Row[i] || got.Class[i] != want.Class[i] || math.Abs(got.Base[i]-want.Base[i]) > 1e-12 || math.Abs(got.Margin[i]-want.Margin[i]) > 1e-12 {
				t.Fatalf("%s: row %d: class %d, base %v, margin %v, want %d, %v, %v", name, got.Row[i], got.Class[i], got.Base[i], got.Margin[i], want.Class[i], want.Base[i], want.Margin[i])
			}
		}
		for i, v := range got.SHAP {
			if math.Abs(float64(v-want.SHAP[i])) > 1e-6 {
				t.Fatalf("%s: value %d is %v, want %v", name, i, v, want.SHAP[i])
			}
		}
	}
	if _, err := released.Attribute([]int64{1 << 40}); err == nil {
		t.Error("a row that was not scored is attributed")
	}
	if _, err := score.New().Attribute(nil); err == nil {
		t.Error("nothing has been scored")
	}
}
