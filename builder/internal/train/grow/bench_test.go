package grow_test

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"cloister/builder/internal/train/grow"
)

// flows is a table like flow records: 43 columns driven by 12 hidden ones, a fifth
// each log-normal, counts, flags, coarse and plain; 7 classes of very
// different sizes.
func flows(n int) grow.Data {
	shape := rand.New(rand.NewPCG(99, 1))
	r := rand.New(rand.NewPCG(7, 1))
	const d, hidden, classes = 43, 12, 7
	var centre [classes][hidden]float64
	var mix [hidden][d]float64
	for k := range centre {
		for h := range centre[k] {
			centre[k][h] = shape.NormFloat64() * 0.9
		}
	}
	for h := range mix {
		for j := range mix[h] {
			mix[h][j] = shape.NormFloat64() / 3
		}
	}
	share := []float64{.80, .88, .93, .955, .977, .997, 1}
	out := grow.Data{Features: d, Classes: classes, X: make([]float64, n*d), Class: make([]int, n)}
	for i := range n {
		k, u := 0, r.Float64()
		for u > share[k] {
			k++
		}
		out.Class[i] = k
		var z [hidden]float64
		for h := range z {
			z[h] = r.NormFloat64() + centre[k][h]
		}
		for j := range d {
			v := r.NormFloat64() * 0.6
			for h := range z {
				v += z[h] * mix[h][j]
			}
			switch j % 5 {
			case 0:
				v = math.Exp(2 * v)
			case 1:
				v = math.Floor(math.Exp(v))
			case 2:
				if v > 0.5 {
					v = 1
				} else {
					v = 0
				}
			case 3:
				v = math.Round(v * 50)
			}
			out.X[i*d+j] = v
		}
	}
	return out
}

func BenchmarkForest(b *testing.B) {
	d := flows(50_000)
	for b.Loop() {
		if _, _, err := grow.Forest(context.Background(), d, grow.ForestOptions{Trees: 10, Workers: 1}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBoost(b *testing.B) {
	d := flows(50_000)
	for b.Loop() {
		if _, _, err := grow.Boost(context.Background(), d, grow.BoostOptions{Rounds: 20, Workers: 1}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkIsolation(b *testing.B) {
	d := flows(50_000)
	for b.Loop() {
		if _, _, err := grow.Isolation(context.Background(), d, grow.IsolationOptions{Workers: 1}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkForest_extra(b *testing.B) {
	d := flows(50_000)
	for b.Loop() {
		if _, _, err := grow.Forest(context.Background(), d, grow.ForestOptions{Trees: 10, Workers: 1, ExtraTrees: true}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkForest_sparse(b *testing.B) {
	d, _ := texts(1, 5000, 1000, 5, false)
	for b.Loop() {
		if _, _, err := grow.Forest(context.Background(), d, grow.ForestOptions{Trees: 10, Workers: 1}); err != nil {
			b.Fatal(err)
		}
	}
}
