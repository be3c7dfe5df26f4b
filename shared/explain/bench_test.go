package explain_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"cloister/shared/explain"
	"cloister/shared/model/tree"
	"cloister/shared/model/tree/treetest"
)

var benches = []struct {
	name string
	o    treetest.Options
}{
	{"forest 100×300", treetest.Options{Features: 43, Outputs: 7, Trees: 100, Depth: 9, Leaf: 0.14, Levels: 255}},
	{"forest 20×16k", treetest.Options{Features: 43, Outputs: 7, Trees: 20, Depth: 14, Leaf: 0.05, Levels: 255}},
	{"boosting 700×100", treetest.Options{Kind: tree.Boosting, Scalar: true, Features: 43, Outputs: 7, Trees: 700, Depth: 6, Leaf: 0.02, Levels: 255}},
}

func BenchmarkExplainer_Values(b *testing.B) {
	for i, c := range benches {
		for _, n := range []int{1, 64, 2048} {
			if n > 64 && c.o.Depth > 8 {
				continue
			}
			b.Run(fmt.Sprintf("%s/rows=%d", c.name, n), func(b *testing.B) {
				r := rand.New(rand.NewPCG(50, uint64(i)))
				x, e := explainer(b, treetest.Random(r, c.o))
				rows := treetest.Rows(r, c.o, n, 0)
				phi := make([]float64, len(rows))
				run := func() {
					if err := x.Values(phi, rows, 0); err != nil {
						b.Fatal(err)
					}
				}
				run() // builds what the class needs
				for b.Loop() {
					run()
				}
				nodes := e.Nodes()
				if c.o.Scalar {
					nodes /= c.o.Outputs
				}
				perRow := float64(b.Elapsed().Nanoseconds()) / float64(b.N*n)
				b.ReportMetric(perRow/float64(nodes), "ns/node")
				b.ReportMetric(1e9/perRow, "rows/s")
			})
		}
	}
}

func BenchmarkInterventional_Values(b *testing.B) {
	for i, c := range benches {
		if c.o.Depth > 9 {
			continue
		}
		b.Run(c.name, func(b *testing.B) {
			r := rand.New(rand.NewPCG(52, uint64(i)))
			x := interventional(b, treetest.Random(r, c.o), treetest.Rows(r, c.o, 100, 0))
			rows := treetest.Rows(r, c.o, 64, 0)
			phi := make([]float64, len(rows))
			run := func() {
				if err := x.Values(phi, rows, 0); err != nil {
					b.Fatal(err)
				}
			}
			start := time.Now()
			run()
			first := time.Since(start)
			for b.Loop() {
				run()
			}
			b.ReportMetric(first.Seconds(), "s/first")
			b.ReportMetric(64*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

func BenchmarkExplainer_Interactions(b *testing.B) {
	for i, c := range benches {
		b.Run(c.name, func(b *testing.B) {
			r := rand.New(rand.NewPCG(53, uint64(i)))
			x, _ := explainer(b, treetest.Random(r, c.o))
			rows := treetest.Rows(r, c.o, 1, 0)
			phi := make([]float64, 43*43)
			x.Points(0) // builds the view
			for b.Loop() {
				if err := x.Interactions(phi, rows, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkExplainer_firstValues(b *testing.B) {
	for _, depth := range []int{9, 14} {
		b.Run(fmt.Sprintf("depth=%d", depth), func(b *testing.B) {
			o := treetest.Options{Features: 43, Outputs: 7, Trees: 20, Depth: depth, Leaf: 0.05, Levels: 255}
			_, e := explainer(b, treetest.Random(rand.New(rand.NewPCG(51, uint64(depth))), o))
			for b.Loop() {
				x, err := explain.New(e)
				if err != nil {
					b.Fatal(err)
				}
				x.Points(0)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(e.Nodes()), "ns/node")
		})
	}
}
