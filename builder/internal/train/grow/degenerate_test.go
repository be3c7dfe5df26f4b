package grow_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"cloister/builder/internal/train/grow"
	"cloister/shared/model/tree"
)

// trainers are all that grow trees by class.
var trainers = map[string]func(d grow.Data) (tree.Source, error){
	"forest": func(d grow.Data) (tree.Source, error) {
		s, _, err := grow.Forest(context.Background(), d, grow.ForestOptions{Trees: 3})
		return s, err
	},
	"extra trees": func(d grow.Data) (tree.Source, error) {
		s, _, err := grow.Forest(context.Background(), d, grow.ForestOptions{Trees: 3, ExtraTrees: true})
		return s, err
	},
	"boosting": func(d grow.Data) (tree.Source, error) {
		s, _, err := grow.Boost(context.Background(), d, grow.BoostOptions{Rounds: 3})
		return s, err
	},
	"oblivious": func(d grow.Data) (tree.Source, error) {
		s, _, err := grow.Oblivious(context.Background(), d, grow.ObliviousOptions{Rounds: 3})
		return s, err
	},
}

func TestTrainers_refuseAHundredThousandClasses(t *testing.T) {
	const n = 100_000
	rows := make([]int, n)
	start := make([]int, n+1)
	for i := range rows {
		rows[i], start[i+1] = i, i+1
	}
	for name, train := range trainers {
		for what, d := range map[string]grow.Data{
			"by their labels": {Features: 1, X: make([]float64, n), Class: rows},
			"by their number": {Features: 1, X: []float64{1, 2}, Class: []int{0, 1}, Classes: n},
			"of sparse rows":  {Features: 1, Class: rows, Sparse: &grow.Sparse{Start: start, Index: make([]int32, n), Value: make([]float64, n)}},
		} {
			_, err := train(d)
			limit, ok := errors.AsType[*grow.LimitError](err)
			if !ok || limit.What != "classes" || limit.Got != n || !strings.Contains(err.Error(), "100000 classes") {
				t.Errorf("%s, %s: got %v, want a LimitError of classes", name, what, err)
			}
		}
	}
}

// What dense tables can be, sparse ones can be as well.
func TestTrainers_degenerateSparseTables(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	seen := 0
	for name, train := range trainers {
		for what, d := range map[string]grow.Data{
			"one row":      {Class: []int{0}, Sparse: &grow.Sparse{Start: []int{0, 1}, Index: []int32{1}, Value: []float64{2}}},
			"one class":    {Class: []int{0, 0}, Sparse: &grow.Sparse{Start: []int{0, 1, 2}, Index: []int32{1, 0}, Value: []float64{2, 3}}},
			"no cells":     {Class: []int{0, 1}, Sparse: &grow.Sparse{Start: []int{0, 0, 0}}},
			"all missing":  {Class: []int{0, 1}, Sparse: &grow.Sparse{Start: []int{0, 2, 4}, Index: []int32{0, 1, 0, 1}, Value: []float64{nan, nan, nan, nan}}},
			"constant":     {Class: []int{0, 1}, Sparse: &grow.Sparse{Start: []int{0, 1, 2}, Index: []int32{0, 0}, Value: []float64{7, 7}}},
			"infinite":     {Class: []int{0, 1, 0}, Sparse: &grow.Sparse{Start: []int{0, 1, 2, 2}, Index: []int32{0, 0}, Value: []float64{inf, -inf}}},
			"huge weights": {Class: []int{0, 1}, Weights: []float64{1e300, 1e300}, Sparse: &grow.Sparse{Start: []int{0, 1, 1}, Index: []int32{0}, Value: []float64{1}}},
		} {
			d.Features = 2
			s, err := train(d)
			var data *grow.DataError
			if name == "oblivious" && errors.As(err, &data) {
				continue // takes no sparse rows
			}
			if err != nil {
				t.Errorf("%s, %s: %v", name, what, err)
				continue
			}
			e, err := tree.New(s)
			if err != nil {
				t.Errorf("%s, %s: %v", name, what, err)
				continue
			}
			_, k := e.Shape()
			p := make([]float64, 4*k)
			if err := e.Predict(p, []float64{0, 0, nan, inf, 7, -inf, 1, 2}); err != nil {
				t.Fatal(err)
			}
			for _, v := range p {
				if seen++; !(v >= 0 && v <= 1) {
					t.Errorf("%s, %s: scores %v", name, what, p)
				}
			}
		}
		d := grow.Data{Features: 2, Class: []int{}, Sparse: &grow.Sparse{Start: []int{0}}}
		if _, err := train(d); err == nil {
			t.Errorf("%s: no rows, and no error", name)
		}
	}
	if seen == 0 {
		t.Error("no scores")
	}
}

// An isolation forest asks of a weight only whether it is 0.
func TestIsolation_hugeWeights(t *testing.T) {
	d := grow.Data{Features: 1}
	for i := range 50 {
		d.X = append(d.X, float64(i*i))
	}
	for _, extension := range []int{0, 1} {
		d.Features = 1 + extension
		plain, _ := isolation(t, d, grow.IsolationOptions{Trees: 4, Extension: extension})
		weighted := d
		for range len(d.X) / d.Features {
			weighted.Weights = append(weighted.Weights, math.MaxFloat64)
		}
		heavy, _ := isolation(t, weighted, grow.IsolationOptions{Trees: 4, Extension: extension})
		var b [2][]byte
		for i, s := range []tree.Source{plain, heavy} {
			e, err := tree.New(s)
			if err != nil {
				t.Fatal(err)
			}
			if b[i], err = e.AppendBinary(nil); err != nil {
				t.Fatal(err)
			}
		}
		if string(b[0]) != string(b[1]) {
			t.Errorf("extension %d: weights change the forest", extension)
		}
	}
}

// extraHash is of forests that were grown before splits were summed up three at
// a time and bins looked through four at a time: that changes no bit.
const extraHash = 0x2f4d12f161d35c4d

func TestForest_extraTreesKeepTheirBits(t *testing.T) {
	r := rand.New(rand.NewPCG(80, 1))
	d := grow.Data{Features: 9}
	for range 700 {
		class := r.IntN(3)
		for j := range 9 {
			v := math.Round(4*r.NormFloat64()) + float64(class*(j%3))
			switch {
			case j == 8, j == 7 && r.IntN(20) > 0:
				v = 1
			case j < 4 && r.IntN(6) == 0:
				v = math.NaN()
			}
			d.X = append(d.X, v)
		}
		d.Class = append(d.Class, class)
	}
	h := fnv.New64a()
	for _, o := range []grow.ForestOptions{{}, {MaxFeatures: 7}, {ClassWeights: []float64{1, 0.3, 2.7}}} {
		o.Trees, o.ExtraTrees, o.Seed = 5, true, 3
		s, _, err := grow.Forest(context.Background(), d, o)
		if err != nil {
			t.Fatal(err)
		}
		e, err := tree.New(s)
		if err != nil {
			t.Fatal(err)
		}
		for i := range s.Trees {
			for v := range s.Trees[i].Feature {
				fmt.Fprintln(h, s.Trees[i].Feature[v], s.Trees[i].Threshold[v], s.Trees[i].MissingLeft[v], s.Trees[i].Cover[v])
			}
		}
		if e.Nodes() < 1000 {
			t.Errorf("%d nodes", e.Nodes())
		}
	}
	if got := h.Sum64(); got != extraHash {
		t.Errorf("got %#x, want %#x", got, uint64(extraHash))
	}
}
