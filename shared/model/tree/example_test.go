package tree_test

import (
	"fmt"
	"math"

	"cloister/shared/model/tree"
)

func ExampleNew() {
	// A forest of one tree: of 8 training rows, 6 had x <= 0.5.
	e, err := tree.New(tree.Source{Kind: tree.Forest, Features: 1, Outputs: 2, Trees: []tree.SourceTree{{
		Output:      -1,
		Feature:     []int32{0, -1, -1},
		Threshold:   []float64{0.5, 0, 0},
		MissingLeft: []bool{true, false, false},
		Left:        []int32{1, 0, 0},
		Right:       []int32{2, 0, 0},
		Cover:       []float64{0, 6, 2},
		Value:       []float64{0, 0, 5.0 / 6, 1.0 / 6, 0, 1},
	}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	p := make([]float64, 3*2)
	if err := e.Predict(p, []float64{0.5, 7, math.NaN()}); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.3f\n%v\n", p, e)
	// Output:
	// [0.833 0.167 0.000 1.000 0.833 0.167]
	// forest of 1 trees, 3 nodes, depth 1, 1 features, 2 outputs
}
