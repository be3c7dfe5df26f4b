package explain_test

import (
	"fmt"

	"cloister/shared/explain"
	"cloister/shared/model/tree"
)

func ExampleExplainer_Values() {
	// One tree: score 4 if both flags are set, else 0; half of the training
	// rows had each flag.
	e, err := tree.New(tree.Source{Kind: tree.Boosting, Features: 2, Outputs: 1, Trees: []tree.SourceTree{{
		Feature:   []int32{0, -1, 1, -1, -1},
		Threshold: []float64{0.5, 0, 0.5, 0, 0},
		Left:      []int32{1, 0, 3, 0, 0},
		Right:     []int32{2, 0, 4, 0, 0},
		Cover:     []float64{0, 50, 0, 25, 25},
		Value:     []float64{0, 0, 0, 0, 4},
	}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	x, err := explain.New(e)
	if err != nil {
		fmt.Println(err)
		return
	}
	phi := make([]float64, 2)
	if err := x.Values(phi, []float64{1, 1}, 0); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.3f = %.3f + %.3f + %.3f\n", x.Base(0)+phi[0]+phi[1], x.Base(0), phi[0], phi[1])
	// Output: 4.000 = 1.000 + 1.500 + 1.500
}
