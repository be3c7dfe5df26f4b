package train

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"cloister/builder/internal/metric"
	"cloister/builder/internal/prep"
	"cloister/shared/model"
)

const (
	// Centres is how many centres stand for the training rows: on
	// NF-CSE-CIC-IDS2018-v3, of 32 to 512, the fewest that tell rows of other
	// data sets (99 % of NF-BoT-IoT-v2, 81 % of CICIDS2017) from 1 % of its
	// own. One mean with a covariance tells none of the former.
	Centres = 256
	// OutsideShare of the validation rows lie farther from all centres than
	// the threshold.
	OutsideShare = 0.01
	// centreRows bounds the rows that centres are looked for in.
	centreRows = 20_000
	// centreRounds bounds Lloyd's iterations.
	centreRounds = 25
)

// centres fits the centres of the training rows of the numeric columns and
// the distance above which a row is unlike them.
func (f *fit) centres(res *Result, x matrix) error {
	if x.dense == nil {
		return nil // of columns that are 0 or 1 and words a distance says little
	}
	rng := rand.New(rand.NewPCG(derive(f.o.Seed, streamCentres), 0))
	rows := slices.Clone(f.rows[prep.Train])
	if len(rows) > centreRows {
		rng.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		rows = rows[:centreRows]
	}
	c, err := findCentres(pick(x.dense, x.d, rows), x.d, rng)
	if err != nil {
		return err
	}
	res.Centres = c
	distance := func(part prep.Part) []float64 {
		out := make([]float64, len(f.rows[part]))
		if err := c.Distances(out, pick(x.dense, x.d, f.rows[part])); err != nil {
			panic(err) // unreachable: shapes are made to fit
		}
		return out
	}
	validation := distance(prep.Validation)
	slices.Sort(validation)
	res.Outside = validation[int(math.Ceil((1-OutsideShare)*float64(len(validation))))-1]
	res.outside = make([]bool, 0, len(f.rows[prep.Holdout]))
	for _, v := range distance(prep.Holdout) {
		res.outside = append(res.outside, v > res.Outside)
	}
	return nil
}

// findCentres places centres by k-means in the space of [model.Centres]:
// seeded by k-means++, then Lloyd's iterations until no row moves. Missing
// values are left out of distances and means.
//
// Source: Arthur, Vassilvitskii, SODA 2007; Lloyd, IEEE Trans. Inf. Theory 28,
// 1982.
func findCentres(x []float64, d int, rng *rand.Rand) (*model.Centres, error) {
	n := len(x) / d
	plain := make([]float64, d)
	for j := range plain {
		plain[j] = 1
	}
	place, err := model.NewCentres(plain, make([]float32, d))
	if err != nil {
		return nil, err
	}
	z := make([]float64, len(x))
	for i, v := range x {
		z[i] = place.Place(i%d, v)
	}
	scale := deviations(z, d)
	for i := range z {
		z[i] /= scale[i%d]
	}
	points, of := seeds(z, d, min(Centres, n), rng)
	for range centreRounds {
		move(points, z, d, of)
		if !assign(points, z, d, of) {
			break
		}
	}
	short := make([]float32, len(points))
	for i, v := range points {
		short[i] = float32(v)
	}
	return model.NewCentres(scale, short)
}

// deviations returns the standard deviation of each column, 1 for a column
// that does not vary: any difference counts there.
func deviations(z []float64, d int) []float64 {
	out := make([]float64, d)
	for j := range out {
		n, sum, squares := 0.0, 0.0, 0.0
		for i := j; i < len(z); i += d {
			if v := z[i]; !math.IsNaN(v) && !math.IsInf(v, 0) {
				n, sum = n+1, sum+v
			}
		}
		mean := sum / max(n, 1)
		for i := j; i < len(z); i += d {
			if v := z[i]; !math.IsNaN(v) && !math.IsInf(v, 0) {
				squares += (v - mean) * (v - mean)
			}
		}
		if out[j] = math.Sqrt(squares / max(n, 1)); !(out[j] > 1e-9) {
			out[j] = 1
		}
	}
	return out
}

// apart returns the squared distance of two rows where both have values.
func apart(a, b []float64) float64 {
	sum := 0.0
	for j, v := range a {
		if diff := v - b[j]; !math.IsNaN(diff) {
			sum += float64(diff * diff)
		}
	}
	return sum
}

// seeds picks m rows, each with a chance by its squared distance to those
// before, and assigns every row to the nearest; fewer if the rest repeat them.
func seeds(z []float64, d, m int, rng *rand.Rand) (points []float64, of []int) {
	n := len(z) / d
	nearest := make([]float64, n)
	of = make([]int, n)
	for i := range nearest {
		nearest[i] = math.MaxFloat64 / float64(n+1) // a sum of these is finite
	}
	next := rng.IntN(n)
	for c := range m {
		points = append(points, z[next*d:(next+1)*d]...)
		total := 0.0
		for i := range n {
			if s := apart(z[i*d:(i+1)*d], points[c*d:]); s < nearest[i] {
				nearest[i], of[i] = s, c
			}
			total += nearest[i]
		}
		if !(total > 0) || math.IsInf(total, 0) {
			break
		}
		at := rng.Float64() * total
		for next = 0; next < n-1 && at >= nearest[next]; next++ {
			at -= nearest[next]
		}
	}
	for i, v := range points {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			points[i] = 0 // until move knows better
		}
	}
	return points, of
}

// move puts each centre in the middle of its rows; one without rows stays.
func move(points, z []float64, d int, of []int) {
	sum, n := make([]float64, len(points)), make([]float64, len(points))
	for i, c := range of {
		for j, v := range z[i*d : (i+1)*d] {
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				sum[c*d+j] += v
				n[c*d+j]++
			}
		}
	}
	for i := range points {
		if n[i] > 0 {
			points[i] = sum[i] / n[i]
		}
	}
}

// assign gives each row the nearest centre, the first among equals, and
// reports whether any changed.
func assign(points, z []float64, d int, of []int) bool {
	changed := false
	for i := range of {
		best, at := math.Inf(1), of[i]
		for c := range len(points) / d {
			if s := apart(z[i*d:(i+1)*d], points[c*d:(c+1)*d]); s < best {
				best, at = s, c
			}
		}
		if at != of[i] {
			of[i], changed = at, true
		}
	}
	return changed
}

// Coverage is what is left when the least certain rows get no verdict.
type Coverage struct {
	Share float64 // of the hold-out rows that keep their verdict
	Least float64 // probability of the least certain of them
	Error float64 // share of wrong verdicts among them
}

// coverages are the shares of [Result.Coverage].
var coverages = []float64{1, 0.99, 0.98, 0.95, 0.9, 0.8, 0.7, 0.5}

// coverage returns the error at each share.
func coverage(truth, predicted []int, p []float64, k int) []Coverage {
	confidence, right := metric.Confidence(truth, predicted, p, k)
	order := make([]int, len(truth))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(confidence[b], confidence[a]) })
	var out []Coverage
	for _, share := range coverages {
		n := max(int(math.Round(share*float64(len(order)))), 1)
		wrong := 0
		for _, i := range order[:n] {
			if !right[i] {
				wrong++
			}
		}
		out = append(out, Coverage{float64(n) / float64(len(order)), confidence[order[n-1]], float64(wrong) / float64(n)})
	}
	return out
}
