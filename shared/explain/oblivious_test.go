package explain_test

import (
	"math/rand/v2"
	"testing"

	"cloister/shared/model/tree"
	"cloister/shared/model/tree/treetest"
)

// Oblivious trees have the values of the plain trees that they stand for.
// Algorithm 2 is no reference: it divides by the shares of empty leaves.
func TestValues_obliviousTreesEqualReferences(t *testing.T) {
	for i, o := range []treetest.Options{
		{Kind: tree.Oblivious, Link: tree.Softmax, Levels: 40, Depth: 8, Features: 9},
		{Kind: tree.Oblivious, Link: tree.Logistic, Outputs: 1, Features: 3, Trees: 9, Leaf: 0.3, Missing: true},
		{Kind: tree.Oblivious, Outputs: 11, Features: 6, Depth: 5},
		{Kind: tree.Oblivious, Depth: -1},
	} {
		r := rand.New(rand.NewPCG(14, uint64(i)))
		s := treetest.Random(r, o)
		x, e := explainer(t, s)
		rows := treetest.Rows(r, o, 6, 0.1)
		d, k := s.Features, s.Outputs
		all := make([]float64, len(rows)*k)
		if err := x.AllValues(all, rows); err != nil {
			t.Fatal(err)
		}
		margin := make([]float64, len(rows)/d*k)
		if err := e.Margin(margin, rows); err != nil {
			t.Fatal(err)
		}
		plain := treetest.Plain(&s)
		for row := range len(rows) / d {
			for class := range k {
				got, one := all[(row*k+class)*d:][:d], rows[row*d:(row+1)*d]
				compare(t, "subsets", got, subsets(plain, one, class))
				sum := x.Base(class)
				for _, v := range got {
					sum += v
				}
				compare(t, "sum", []float64{sum}, margin[row*k+class:][:1])
			}
		}
	}
}
