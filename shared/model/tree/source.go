package tree

import "fmt"

// Kind says how the leaves of an ensemble become a score.
type Kind uint8

const (
	// Forest averages the leaf vectors of its trees: class distributions for
	// Outputs > 1, any value for Outputs == 1.
	Forest Kind = 1
	// Boosting adds leaf values to Base, then applies Link.
	Boosting Kind = 2
	// Isolation turns the mean path length into an anomaly score.
	Isolation Kind = 3
	// Oblivious adds the leaf vectors of trees that ask one question on each
	// level to Base, in whole steps, then applies Link.
	Oblivious Kind = 4
)

// String returns "forest", "boosting", "isolation" or "oblivious".
func (k Kind) String() string {
	switch k {
	case Forest:
		return "forest"
	case Boosting:
		return "boosting"
	case Isolation:
		return "isolation"
	case Oblivious:
		return "oblivious"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Link turns the margins of a boosting or oblivious ensemble into scores.
type Link uint8

const (
	// Identity leaves the margin as it is. Forest and Isolation need it.
	Identity Link = 0
	// Logistic is 1 / (1 + exp(-m)) of each margin by itself.
	Logistic Link = 1
	// Softmax is exp(m_k) / sum exp(m); it needs two outputs or more.
	Softmax Link = 2
)

// String returns "identity", "logistic" or "softmax".
func (l Link) String() string {
	switch l {
	case Identity:
		return "identity"
	case Logistic:
		return "logistic"
	case Softmax:
		return "softmax"
	}
	return fmt.Sprintf("link %d", uint8(l))
}

// Source is the plain form in which growers and importers hand an ensemble
// to [New], which checks every field, copies what it keeps and shares no
// slice with it.
type Source struct {
	Kind     Kind
	Features int // columns d of x, 1..[MaxFeatures]
	Outputs  int // scores k per row, 1..[MaxOutputs]; Isolation: 1
	// Base is added to the margins of Boosting and Oblivious: nil for zeros, or
	// Outputs finite values. Other kinds: nil.
	Base []float64
	Link Link // Identity but for Boosting and Oblivious
	// SampleSize is the subsample size psi of Isolation, 2 or more; the score
	// divides by the mean path length c(psi). Other kinds: 0.
	SampleSize int
	Trees      []SourceTree // 1..[MaxTrees]; Oblivious and oblique: nil
	// Levels are the trees of Oblivious, 1..[MaxOblivious], and Step is what
	// their leaf values are multiples of, more than 0. Other kinds: nil and 0.
	Levels []ObliviousTree
	Step   float64
	// Oblique are the trees of an isolation forest with oblique splits, in place
	// of Trees, 1..[MaxTrees], and Scale is a factor > 0, at most 1e100, for each
	// feature. Otherwise nil.
	Oblique []ObliqueTree
	Scale   []float64
	// ClassWeights may be given for a Forest with Outputs > 1: one finite factor
	// > 0 a class, such that a leaf with n_k rows of class k has the cover
	// c = sum_k n_k·ClassWeights[k] and the values n_k·ClassWeights[k]/c, as
	// float64 in the order of classes. If all leaves are exactly so, the encoding
	// is small; if not, it is what it would be without.
	ClassWeights []float64
}

// ObliviousTree asks one question on each of its d levels, 0 to [MaxLevels].
// Leaf i takes the rows that go right on the levels whose bit 1<<level is set
// in i.
type ObliviousTree struct {
	// Feature, Threshold and MissingLeft are as in [SourceTree], by level.
	Feature     []int32
	Threshold   []float64
	MissingLeft []bool
	// Cover is the training rows in each of the 2^d leaves, whole numbers that
	// add up to more than 0.
	Cover []float64
	// Value is leaf-major, Outputs values in units of Step for each leaf, each
	// at most [MaxStep] either side of 0; all 0 in a leaf without cover.
	Value []int16
}

// SourceTree is one tree in parallel arrays, node 0 the root. All slices have
// one entry per node unless said otherwise. Every node but the root is the
// child of exactly one other, which comes before it.
type SourceTree struct {
	// Output is the output that a scalar leaf adds to (Boosting, one value
	// per node), or -1 when leaves are vectors of Outputs values. Forest
	// needs -1. With Outputs == 1 both 0 and -1 are right for every kind.
	Output int
	// Feature is the column tested, 0..Features-1, or -1 at a leaf.
	Feature []int32
	// Threshold: a row goes left if x[Feature] <= Threshold, as float64.
	// Infinite is allowed, NaN is not. Importers whose library tests
	// x < t on float32 give the next float32 below t and round x to float32.
	// Not read at leaves and at categorical splits.
	Threshold []float64
	// MissingLeft says where NaN goes. nil means right everywhere. A model
	// whose training data had no NaN should give each feature one direction:
	// a feature with both takes two columns of bins.
	MissingLeft []bool
	// Left and Right are the children, both after their parent; not read at
	// leaves.
	Left, Right []int32
	// Cover is the training weight that reached the node: 0 or more, finite;
	// an isolation tree needs whole numbers. Only leaves are read; an inner
	// node's cover is the sum of its children's, and a tree's total is > 0.
	Cover []float64
	// Value is node-major, Outputs values per node (Output == -1) or one
	// (Output >= 0); only leaves are read, and they are finite. Forest with
	// Outputs > 1: a distribution, each value in 0..1, sum 1 within 1e-6.
	// Isolation: nil, because the path length of a leaf is its depth plus
	// c(cover).
	//
	// A forest whose leaf values are exactly float64(count)/cover, with whole
	// counts that add up to the cover, has the smallest encoding.
	Value []float64
	// Category is nil, or per node nil or the bitset of a categorical split:
	// bit c%64 of word c/64 set means that a row with x == c goes left. Every
	// other value, fractions and negative numbers included, goes right; NaN
	// follows MissingLeft. Each distinct set of a feature takes one column of
	// bins, and a set has at most [MaxCategories] bits.
	Category [][]uint64
}

// Limits of every ensemble, for New and for Decode.
const (
	MaxFeatures   = 1 << 15 // columns of x
	MaxOutputs    = 1 << 10 // scores per row
	MaxTrees      = 1 << 16
	MaxNodes      = 1 << 25 // inner nodes and leaves of all trees together
	MaxDepth      = 1 << 10 // edges from root to leaf
	MaxColumns    = 1 << 15 // bin columns: features, missing directions, category sets
	MaxThresholds = 1 << 20 // distinct thresholds of one feature
	MaxCategories = 1 << 16 // bits of a category set
	MaxLeafValues = 1 << 22 // values of the shared leaf table
	MaxOblivious  = 1 << 12 // oblivious trees
	MaxLevels     = 8       // of an oblivious tree
	MaxStep       = 1<<13 - 1
)

// SourceError says which part of a [Source] breaks a rule.
type SourceError struct {
	Tree int // index of the tree, -1 for the ensemble
	Node int // index of the node, -1 for the tree
	What string
}

// Error returns the place and the rule.
func (e *SourceError) Error() string {
	switch {
	case e.Tree < 0:
		return "ensemble: " + e.What
	case e.Node < 0:
		return fmt.Sprintf("tree %d: %s", e.Tree, e.What)
	}
	return fmt.Sprintf("tree %d: node %d: %s", e.Tree, e.Node, e.What)
}

// LimitError says that an ensemble is larger than a limit of this package.
type LimitError struct {
	What       string // "nodes"
	Limit, Got int
}

// Error returns the limit and what was asked for.
func (e *LimitError) Error() string {
	return fmt.Sprintf("%d %s, at most %d are supported", e.Got, e.What, e.Limit)
}
