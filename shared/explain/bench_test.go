package explain_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"cloister/shared/explain"
	"cloister/shared/model/tree"
	"cloister/shared/model/tree/treetest"
)

func BenchmarkExplainer_Values(b *testing.B) {
	for i, c := range []struct {
		name string
		o    treetest.Options
	}{
		{"forest 100×300", treetest.Options{Features: 43, Outputs: 7, Trees: 100, Depth: 9, Leaf: 0.14, Levels: 255}},
		{"forest 20×16k", treetest.Options{Features: 43, Outputs: 7, Trees: 20, Depth: 14, Leaf: 0.05, Levels: 255}},
		{"boosting 700×100", treetest.Options{Kind: tree.Boosting, Scalar: true, Features: 43, Outputs: 7, Trees: 700, Depth: 6, Leaf: 0.02, Levels: 255}},
	} {
		b.Run(c.name, func(b *testing.B) {
			r := rand.New(rand.NewPCG(50, uint64(i)))
			x, e := explainer(b, treetest.Random(r, c.o))
			rows := treetest.Rows(r, c.o, 1, 0)
			phi := make([]float64, len(rows))
			x.Points(0) // builds the view
			for b.Loop() {
				if err := x.Values(phi, rows, 0); err != nil {
					b.Fatal(err)
				}
			}
			nodes := e.Nodes()
			if c.o.Scalar {
				nodes /= c.o.Outputs
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(nodes), "ns/node")
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
