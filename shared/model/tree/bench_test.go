package tree_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"cloister/shared/model/tree"
	"cloister/shared/model/tree/treetest"
)

// benchShapes are a forest of small trees, one of deep trees whose nodes do
// not fit in the second-level cache with the rows, and boosted trees.
var benchShapes = []struct {
	name string
	o    treetest.Options
}{
	{"forest 100×300", treetest.Options{Features: 43, Outputs: 7, Trees: 100, Depth: 9, Leaf: 0.14, Levels: 255}},
	{"forest 20×16k", treetest.Options{Features: 43, Outputs: 7, Trees: 20, Depth: 14, Leaf: 0.05, Levels: 255}},
	{"forest 20×16k wide", treetest.Options{Features: 43, Outputs: 7, Trees: 20, Depth: 14, Leaf: 0.05}},
	{"boosting 700×100", treetest.Options{Kind: tree.Boosting, Scalar: true, Features: 43, Outputs: 7, Trees: 700, Depth: 6, Leaf: 0.02, Levels: 255}},
}

func benchEnsemble(b *testing.B, i int, rows int) (*tree.Ensemble, []float64) {
	o := benchShapes[i].o
	r := rand.New(rand.NewPCG(11, uint64(i)))
	return build(b, treetest.Random(r, o)), treetest.Rows(r, o, rows, 0)
}

func BenchmarkEnsemble_Predict(b *testing.B) {
	for i, c := range benchShapes {
		for _, n := range []int{1, 100, 10000} {
			b.Run(fmt.Sprintf("%s/rows=%d", c.name, n), func(b *testing.B) {
				e, x := benchEnsemble(b, i, n)
				dst := make([]float64, n*c.o.Outputs)
				for b.Loop() {
					if err := e.Predict(dst, x); err != nil {
						b.Fatal(err)
					}
				}
				perRow := float64(b.Elapsed().Nanoseconds()) / float64(b.N) / float64(n)
				b.ReportMetric(perRow, "ns/row")
				b.ReportMetric(1e9/perRow, "rows/s")
			})
		}
	}
}

func BenchmarkEnsemble_PredictBinned(b *testing.B) {
	for i, c := range benchShapes {
		b.Run(c.name, func(b *testing.B) {
			const n = 10000
			e, x := benchEnsemble(b, i, n)
			bins, err := e.Bin(x)
			if err != nil {
				b.Fatal(err)
			}
			dst := make([]float64, n*c.o.Outputs)
			for b.Loop() {
				if err := e.PredictBinned(dst, bins); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(1e9*n/(float64(b.Elapsed().Nanoseconds())/float64(b.N)), "rows/s")
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for i, c := range benchShapes {
		b.Run(c.name, func(b *testing.B) {
			e, _ := benchEnsemble(b, i, 1)
			data, err := e.AppendBinary(nil)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := tree.Decode(data); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(e.Nodes()), "ns/node")
			b.ReportMetric(float64(len(data))/float64(e.Nodes()), "B/node")
		})
	}
}
