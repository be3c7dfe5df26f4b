package explain_test

import (
	"errors"
	"math/bits"
	"math/rand/v2"
	"testing"

	"cloister/shared/explain"
	"cloister/shared/model"
	"cloister/shared/model/tree"
	"cloister/shared/model/tree/treetest"
)

// pairs returns the interaction values of x by definition: Lundberg et al.,
// arXiv:1802.03888, equations 3 to 5.
func pairs(s *tree.Source, x []float64, class int) []float64 {
	d := s.Features
	trees := coveredTrees(s, class)
	game := make([]float64, 1<<d)
	for set := range game {
		for i := range trees {
			game[set] += trees[i].expect(0, x, uint(set)) * scaleOf(s)
		}
	}
	phi := make([]float64, d*d)
	for i, main := range shapley(game, d) {
		phi[i*d+i] += main
		for j := range d {
			if j == i {
				continue
			}
			pair := 1<<i | 1<<j
			for set := range game {
				if set&pair == 0 {
					w := orders(bits.OnesCount(uint(set)), d-2) / 2
					phi[i*d+j] += w * (game[set|pair] - game[set|1<<i] - game[set|1<<j] + game[set])
				}
			}
			phi[i*d+i] -= phi[i*d+j]
		}
	}
	return phi
}

func TestInteractions_equalSubsets(t *testing.T) {
	type named struct {
		name   string
		source tree.Source
		rows   []float64
	}
	r := rand.New(rand.NewPCG(80, 0))
	cases := []named{
		{"17 features, two rounds", chain(17), append(ones(17), make([]float64, 17)...)},
		{"empty branches", oblivious(r, 5, 3, 4), treetest.Rows(r, treetest.Options{Features: 5, Levels: 9}, 9, 0.1)},
	}
	for i, c := range shapes {
		r := rand.New(rand.NewPCG(81, uint64(i)))
		cases = append(cases, named{c.name, treetest.Random(r, c.o), treetest.Rows(r, c.o, 3, 0.1)})
	}
	for _, c := range cases {
		x, _ := explainer(t, c.source)
		d := c.source.Features
		for class := range c.source.Outputs {
			got, main := make([]float64, len(c.rows)*d), make([]float64, len(c.rows))
			if err := x.Interactions(got, c.rows, class); err != nil {
				t.Fatal(err)
			}
			if err := x.Values(main, c.rows, class); err != nil {
				t.Fatal(err)
			}
			for row := range len(c.rows) / d {
				one := got[row*d*d : (row+1)*d*d]
				compare(t, c.name, one, pairs(&c.source, c.rows[row*d:(row+1)*d], class))
				sums := make([]float64, d)
				for i, v := range one {
					sums[i/d] += v
					if one[i%d*d+i/d] != v {
						t.Fatalf("%s: not symmetric at %d,%d", c.name, i/d, i%d)
					}
				}
				compareTo(t, c.name+", sums", sums, main[row*d:(row+1)*d], 1e-12)
			}
		}
	}
}

func ones(n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = 1
	}
	return v
}

func TestInteractions_sameBitsInAnyBatch(t *testing.T) {
	r := rand.New(rand.NewPCG(82, 0))
	o := treetest.Options{Depth: 10}
	x, _ := explainer(t, treetest.Random(r, o))
	d, _ := x.Shape()
	rows := treetest.Rows(r, o, 20, 0.05)
	all, want := make([]float64, len(rows)*d), make([]float64, len(rows)*d)
	if err := x.Interactions(all, rows, 1); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(rows); i += d {
		if err := x.Interactions(want[i*d:(i+d)*d], rows[i:i+d], 1); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, "batch", all, want)
}

func TestInteractions_refuseWrongShapes(t *testing.T) {
	x, _ := explainer(t, treetest.Random(rand.New(rand.NewPCG(83, 0)), treetest.Options{}))
	var shape *model.ShapeError
	var class *explain.ClassError
	for _, c := range []struct {
		what string
		err  error
		want any
	}{
		{"short phi", x.Interactions(make([]float64, 35), make([]float64, 6), 0), &shape},
		{"part of a row", x.Interactions(make([]float64, 42), make([]float64, 7), 0), &shape},
		{"class below", x.Interactions(make([]float64, 36), make([]float64, 6), -1), &class},
		{"class above", x.Interactions(make([]float64, 36), make([]float64, 6), 3), &class},
	} {
		if !errors.As(c.err, c.want) {
			t.Errorf("%s: got %v", c.what, c.err)
		}
	}
}
