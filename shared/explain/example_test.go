package explain_test

import (
	"fmt"

	"cloister/shared/explain"
	"cloister/shared/model/tree"
)

// flags is one tree: score 4 if both flags are set, else 0; half of the
// training rows had each flag.
var flags = tree.Source{Kind: tree.Boosting, Features: 2, Outputs: 1, Trees: []tree.SourceTree{{
	Feature:   []int32{0, -1, 1, -1, -1},
	Threshold: []float64{0.5, 0, 0.5, 0, 0},
	Left:      []int32{1, 0, 3, 0, 0},
	Right:     []int32{2, 0, 4, 0, 0},
	Cover:     []float64{0, 50, 0, 25, 25},
	Value:     []float64{0, 0, 0, 0, 4},
}}}

func ExampleExplainer_Values() {
	e, err := tree.New(flags)
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

func ExampleInterventional() {
	// The same tree, against two rows with one flag each.
	e, err := tree.New(flags)
	if err != nil {
		fmt.Println(err)
		return
	}
	x, err := explain.NewInterventional(e, []float64{1, 0, 0, 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	phi := make([]float64, 2)
	if err := x.Values(phi, []float64{1, 1}, 0); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("4 = %.0f + %.0f + %.0f\n", x.Base(0), phi[0], phi[1])
	// Output: 4 = 0 + 2 + 2
}

func ExampleExplainer_Interactions() {
	e, err := tree.New(flags)
	if err != nil {
		fmt.Println(err)
		return
	}
	x, err := explain.New(e)
	if err != nil {
		fmt.Println(err)
		return
	}
	phi := make([]float64, 4)
	if err := x.Interactions(phi, []float64{1, 1}, 0); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("each alone %.1f and %.1f, together %.1f\n", phi[0], phi[3], phi[1]+phi[2])
	// Output: each alone 1.0 and 1.0, together 1.0
}

func ExampleExplainer_Values_isolation() {
	// One isolation tree of 4 rows: a row above 9 is alone at once.
	e, err := tree.New(tree.Source{Kind: tree.Isolation, Features: 2, Outputs: 1, SampleSize: 4, Trees: []tree.SourceTree{{
		Feature:   []int32{0, 1, -1, -1, -1},
		Threshold: []float64{9, 5, 0, 0, 0},
		Left:      []int32{1, 3, 0, 0, 0},
		Right:     []int32{2, 4, 0, 0, 0},
		Cover:     []float64{0, 0, 1, 2, 1},
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
	phi, score := make([]float64, 2), make([]float64, 1)
	row := []float64{10, 0}
	if err := x.Values(phi, row, 0); err != nil {
		fmt.Println(err)
		return
	}
	if err := e.Predict(score, row); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("score %.3f = 2^(%.3f + %.3f + %.3f)\n", score[0], x.Base(0), phi[0], phi[1])
	// Output: score 0.688 = 2^(-1.215 + 0.743 + -0.068)
}

func ExampleTokens() {
	doc := "Failed password for root"
	// Columns: failed, failed password, accepted.
	phi := []float64{0.1, 0.3, 0.05}
	spans := []explain.Span{{Column: 0, Start: 0, End: 6}, {Column: 1, Start: 0, End: 15}}
	tokens, absent, err := explain.Tokens(phi, doc, spans, explain.TokenOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, t := range tokens {
		fmt.Printf("%s %.2f\n", doc[t.Start:t.End], t.Value)
	}
	fmt.Printf("without column %d: %.2f\n", absent[0].Column, absent[0].Value)
	// Output:
	// Failed 0.25
	// password 0.15
	// without column 2: 0.05
}
