//go:build !js

package main

import (
	"math"
	"strings"
	"testing"
)

// Leaves of weights that were added up row by row are read as products.
func TestDump_classWeights(t *testing.T) {
	const head = `{"kind":"forest","features":1,"outputs":2,"class_weights":[0.1,2.5]}`
	// 0.1 added three times is not 3·0.1.
	const tree = `{"output":-1,"feature":[0,-1,-1],"threshold":[1,0,0],"left":[1,0,0],"right":[2,0,0],` +
		`"cover":[0,0.30000000000000004,2.7],"value":[null,[1,0],[0.07407407407407408,0.9259259259259259]]}`
	s, _, err := readDump(strings.NewReader(head + "\n" + tree))
	if err != nil {
		t.Fatal(err)
	}
	n := 3.0
	if got := s.Trees[0].Cover[1]; got != n*0.1 {
		t.Errorf("cover %v, want %v", got, n*0.1)
	}
	m := 2.0
	if got, want := s.Trees[0].Value[4], m*0.1/(m*0.1+2.5); math.Float64bits(got) != math.Float64bits(want) {
		t.Errorf("value %v, want %v", got, want)
	}
	if len(s.ClassWeights) != 2 {
		t.Errorf("class weights %v", s.ClassWeights)
	}
	if _, _, err := readDump(strings.NewReader(head + "\n" + strings.Replace(tree, "2.7]", "2.75]", 1))); err == nil {
		t.Error("a leaf that its weights do not make is read")
	}
}
