package attack_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"cloister/shared/attack"
)

// TestFromFlows_agreesWithTheTable draws records from the values at which rules
// change their mind and holds the sets against the rules one by one.
func TestFromFlows_agreesWithTheTable(t *testing.T) {
	values := map[string][]float64{
		"PROTOCOL": {1, 6, 17, 58}, "L4_DST_PORT": {20, 21, 22, 25, 53, 80, 88, 123, 443, 445, 1337, 3389, 8080, 9001, 40000, math.NaN()},
		"IN_PKTS": {0, 1, 2, 3, 5, 10, 1000}, "OUT_PKTS": {0, 1, 2, 100}, "IN_BYTES": {0, 60, 300, 99999, 100000, 1e7, 2e7}, "OUT_BYTES": {0, 60, 61, 1e5, 1e6, 2e6},
		"CLIENT_TCP_FLAGS": {0, 2, 24}, "FLOW_DURATION_MILLISECONDS": {0, 29999, 30000},
	}
	rng := rand.New(rand.NewPCG(1, 2))
	const n = 20_000
	columns := map[string][]float64{}
	for name, of := range values {
		for range n {
			columns[name] = append(columns[name], of[rng.IntN(len(of))])
		}
	}
	for _, lack := range []string{"", "CLIENT_TCP_FLAGS", "L4_DST_PORT"} {
		column := func(name string) []float64 {
			if name == lack {
				return nil
			}
			return columns[name]
		}
		sets, set := attack.FromFlows(n, column)
		if len(set) != n || len(sets[0]) != 0 || len(sets) < 5 {
			t.Fatalf("without %q: %d records, %d sets", lack, len(set), len(sets))
		}
		seen, used := map[string]bool{}, make([]bool, len(sets))
		for i := range n {
			value := func(name string) float64 {
				if c := column(name); c != nil {
					return c[i]
				}
				return math.NaN()
			}
			want, got := attack.FlowTechniques(value), sets[set[i]]
			used[set[i]] = true
			for _, h := range got {
				seen[h.Technique] = true
				if !want[h.Technique] {
					t.Fatalf("record %d: %s without a rule", i, h.Technique)
				}
			}
			if len(got) != len(want) {
				t.Fatalf("record %d: %d hints, the table has %d", i, len(got), len(want))
			}
		}
		for k := range used[1:] {
			if !used[k+1] {
				t.Errorf("set %d is of no record", k+1)
			}
		}
		if lack == "" && len(seen) < 15 {
			t.Errorf("only %d techniques were met", len(seen))
		}
	}
	if sets, set := attack.FromFlows(0, func(string) []float64 { return nil }); len(sets) != 1 || len(set) != 0 {
		t.Errorf("no records: %d sets", len(sets))
	}
}

func BenchmarkFromFlows(b *testing.B) {
	const n = 10_000
	rng := rand.New(rand.NewPCG(1, 2))
	columns := map[string][]float64{}
	for name, top := range map[string]int{"PROTOCOL": 20, "L4_DST_PORT": 9000, "IN_PKTS": 10, "OUT_PKTS": 10, "IN_BYTES": 1000, "OUT_BYTES": 1000, "CLIENT_TCP_FLAGS": 32, "FLOW_DURATION_MILLISECONDS": 100} {
		for range n {
			columns[name] = append(columns[name], float64(rng.IntN(top)))
		}
	}
	for b.Loop() {
		attack.FromFlows(n, func(name string) []float64 { return columns[name] })
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/record")
}
