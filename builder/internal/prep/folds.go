package prep

import (
	"fmt"
	"math/rand/v2"
)

// foldStream keeps the shuffles of Folds apart from those of Stratified.
const foldStream = 1 << 32

// Folds deals rows into folds for cross-validation: fold[i], in [0,folds), is
// the one that row i validates; for the others it trains. The rows of a class are shuffled
// with the seed and dealt like cards, each class going on where the last one
// ended: the folds differ by at most one row, in every class and in all.
//
// labels are indices below k. short lists, rising, the classes that have rows
// but fewer than folds: some folds cannot validate them, and a class of one
// row is never predicted where it is validated. Their rows are dealt all the same. It is
// an error to want fewer than two folds or more than there are rows.
//
// Source: Kohavi, IJCAI 1995, section 3.1 (stratified cross-validation).
func Folds(labels []int, k, folds int, seed uint64) (fold, short []int, err error) {
	if folds < 2 || folds > len(labels) {
		return nil, nil, fmt.Errorf("%d folds of %d rows: want 2 to one a row", folds, len(labels))
	}
	byClass := make([][]int, k)
	for i, c := range labels {
		byClass[c] = append(byClass[c], i)
	}
	fold = make([]int, len(labels))
	next := 0
	for c, rows := range byClass {
		if len(rows) > 0 && len(rows) < folds {
			short = append(short, c)
		}
		rng := rand.New(rand.NewPCG(seed, foldStream|uint64(c)))
		rng.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		for _, row := range rows {
			fold[row] = next
			next = (next + 1) % folds
		}
	}
	return fold, short, nil
}
