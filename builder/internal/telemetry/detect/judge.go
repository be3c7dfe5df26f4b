package detect

import (
	"math"
	"slices"
)

// Buffer is how far, in rows, VUS-PR lets a detection miss a segment, at most.
const Buffer = 100

// thresholds of the curves behind VUS-PR.
const thresholds = 250

// Judge returns the figures of scores, larger is more anomalous, against
// labels: average precision as scikit-learn computes it, the best point-wise F1
// over all thresholds, and VUS-PR with buffers of 0 to [Buffer] rows. All are
// NaN when no row or every row is labelled, or a score is NaN.
func Judge(score []float64, label []bool) Score {
	positive := 0
	for i, l := range label {
		if l {
			positive++
		}
		if math.IsNaN(score[i]) {
			return Score{math.NaN(), math.NaN(), math.NaN()}
		}
	}
	if positive == 0 || positive == len(label) {
		return Score{math.NaN(), math.NaN(), math.NaN()}
	}
	order := make([]int, len(score))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case score[a] > score[b]:
			return -1
		case score[a] < score[b]:
			return 1
		}
		return 0
	})
	var s Score
	hits, before := 0, 0
	for k, i := range order {
		if label[i] {
			hits++
		}
		if k+1 < len(order) && score[order[k+1]] == score[i] {
			continue // equal scores pass a threshold together
		}
		precision := float64(hits) / float64(k+1)
		s.AP += float64(hits-before) / float64(positive) * precision
		s.F1 = math.Max(s.F1, 2*float64(hits)/float64(k+1+positive))
		before = hits
	}
	s.VUSPR = volume(score, order, label, positive)
	return s
}

// segment is a run of rows, both ends included.
type segment struct{ from, to int }

// volume is the volume under the surface of precision, recall and buffer.
//
// Source: Paparrizos et al., Volume Under the Surface: A New Accuracy
// Evaluation Measure for Time-Series Anomaly Detection, PVLDB 15 (2022),
// section 4; details (buffer weights sqrt(1 - distance/buffer), half the
// buffer on each side, existence reward, 250 thresholds at even ranks) as in
// the authors' implementation, version 0.0.4.
func volume(score []float64, order []int, label []bool, positive int) float64 {
	n := len(label)
	var runs []segment
	for i := 0; i < n; i++ {
		if label[i] {
			j := i
			for j+1 < n && label[j+1] {
				j++
			}
			runs = append(runs, segment{i, j})
			i = j
		}
	}
	total := 0.0
	for buffer := range Buffer + 1 {
		soft := softened(label, runs, buffer)
		wide := widened(runs, buffer, n)
		area, last := 0.0, 0.0
		for k := range thresholds {
			rank := int(float64(k) * float64(n-1) / float64(thresholds-1))
			limit := score[order[rank]]
			hits, mass, predicted, found := 0.0, 0.0, 0, 0
			for i := range n {
				if score[i] >= limit {
					predicted++
				}
			}
			for _, w := range wide {
				seen := false
				for i := w.from; i <= w.to; i++ {
					p := score[i] >= limit
					seen = seen || p
					if p {
						hits += soft[i]
						mass += soft[i]
					} else if label[i] {
						mass++
					}
				}
				if seen {
					found++
				}
			}
			recall := math.Min(hits/((float64(positive)+mass)/2), 1) * float64(found) / float64(len(wide))
			area += (recall - last) * hits / float64(predicted)
			last = recall
		}
		total += area
	}
	return total / (Buffer + 1)
}

// softened returns 1 on labelled rows, and beside them what falls off with the
// distance over half the buffer.
func softened(label []bool, runs []segment, buffer int) []float64 {
	out := make([]float64, len(label))
	for i, l := range label {
		if l {
			out[i] = 1
		}
	}
	for _, r := range runs {
		for d := 1; d <= buffer/2; d++ {
			w := math.Sqrt(1 - float64(d)/float64(buffer))
			if i := r.to + d; i < len(out) {
				out[i] = math.Min(1, out[i]+w)
			}
			if i := r.from - d; i >= 0 {
				out[i] = math.Min(1, out[i]+w)
			}
		}
	}
	return out
}

// widened returns the runs with half the buffer on each side, joined where
// they meet.
func widened(runs []segment, buffer, n int) []segment {
	h := buffer / 2
	var out []segment
	from := max(runs[0].from-h, 0)
	for i := 1; i < len(runs); i++ {
		if runs[i-1].to+h < runs[i].from-h {
			out = append(out, segment{from, runs[i-1].to + h})
			from = runs[i].from - h
		}
	}
	return append(out, segment{from, min(runs[len(runs)-1].to+h, n-1)})
}
