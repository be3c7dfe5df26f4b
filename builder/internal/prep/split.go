// Package prep prepares labelled rows for training: it hides how rows are read
// from files that differ, what is wrong with them, how they are split and which of
// them repeat each other.
package prep

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
)

// Part is the part of a split that a row belongs to.
type Part uint8

// The parts. Models are fitted on Train, chosen on Validation and judged once
// on Holdout.
const (
	Train Part = iota
	Validation
	Holdout
)

// String returns the word for reports.
func (p Part) String() string { return [...]string{"train", "validation", "holdout", "out"}[p] }

// Shares are the shares of the three parts; they sum to 1.
type Shares [3]float64

// ParseShares reads shares in percent, "70/15/15".
func ParseShares(text string) (Shares, error) {
	var s Shares
	parts := strings.Split(text, "/")
	sum := 0.0
	for i, p := range parts {
		v, err := strconv.ParseFloat(p, 64)
		if err != nil || len(parts) != 3 || !(v >= 0 && v <= 100) {
			return s, fmt.Errorf("split %.64q: want three percentages such as 70/15/15", text)
		}
		s[i] = v / 100
		sum += v
	}
	if math.Abs(sum-100) > 1e-9 || s[Train] == 0 {
		return s, fmt.Errorf("split %.64q: the percentages sum to %g, want 100 with a training part", text, sum)
	}
	return s, nil
}

// Stratified assigns each row a part so that every class is split by shares:
// the rows of a class are shuffled with the seed and cut, rounding to the
// nearest row. A class with at least three rows has one in every part whose
// share is not 0. labels are indices below k.
func Stratified(labels []int, k int, shares Shares, seed uint64) []Part {
	byClass := make([][]int, k)
	for i, c := range labels {
		byClass[c] = append(byClass[c], i)
	}
	out := make([]Part, len(labels))
	for c, rows := range byClass {
		rng := rand.New(rand.NewPCG(seed, uint64(c)))
		rng.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		n := float64(len(rows))
		hold := int(math.Round(shares[Holdout] * n))
		val := int(math.Round(shares[Validation] * n))
		if len(rows) >= 3 {
			if shares[Holdout] > 0 {
				hold = max(hold, 1)
			}
			if shares[Validation] > 0 {
				val = max(val, 1)
			}
		}
		for i, row := range rows {
			switch {
			case i < hold:
				out[row] = Holdout
			case i < hold+val:
				out[row] = Validation
			}
		}
	}
	return out
}

// Repeats is how often feature vectors occur more than once.
type Repeats struct {
	Distinct    int // different vectors
	Duplicates  int // rows whose vector occurred before
	Conflicting int // rows whose vector occurs with different labels
	Leaked      int // hold-out rows whose vector occurs in training
	InTraining  []bool
}

// FindRepeats compares the rows of x, n×d row-major, by the bits of their
// values. InTraining marks each row whose vector occurs in the training part.
func FindRepeats(x []float64, d int, labels []int, parts []Part) Repeats {
	type group struct {
		label    int
		rows     int
		mixed    bool
		training bool
	}
	key := make([]byte, 0, 8*d)
	groups := map[string]*group{}
	of := make([]*group, len(labels))
	for i := range labels {
		key = key[:0]
		for _, v := range x[i*d : (i+1)*d] {
			bits := math.Float64bits(v)
			for s := 0; s < 64; s += 8 {
				key = append(key, byte(bits>>s))
			}
		}
		g := groups[string(key)]
		if g == nil {
			g = &group{label: labels[i]}
			groups[string(key)] = g
		}
		g.rows++
		g.mixed = g.mixed || g.label != labels[i]
		g.training = g.training || parts[i] == Train
		of[i] = g
	}
	r := Repeats{Distinct: len(groups), Duplicates: len(labels) - len(groups), InTraining: make([]bool, len(labels))}
	for i, g := range of {
		if g.mixed {
			r.Conflicting++
		}
		r.InTraining[i] = g.training
		if parts[i] == Holdout && g.training {
			r.Leaked++
		}
	}
	return r
}
