//go:build !js

package main

import (
	"math"
	"math/rand/v2"
)

// generated is the shape of the made-up table.
const (
	generatedFeatures = 43
	generatedClasses  = 7
	latents           = 14
	manners           = 5 // ways in which each class behaves
)

// classShares are the class sizes, benign first; the last is rare.
var classShares = [generatedClasses]float64{.80, .08, .05, .025, .022, .02, .003}

// classDistance is how far each class lies from the benign manner it hides
// in: class 5 is nearly inseparable, which is what makes trees large.
var classDistance = [generatedClasses]float64{0, 5.5, 5.0, 4.8, 4.6, 0.8, 6}

// generate draws a table that looks like flows: hidden causes, seen through
// counts with long tails, flags, ports, ratios and noise. The same seed gives
// the same bits on one platform (math.Exp and Log differ in the last digit
// between some). Values are float32.
func generate(seed uint64, n int) (x []float32, y []uint8) {
	world := rand.New(rand.NewPCG(seed, 0)) // draws what classes are
	var mean [generatedClasses][manners][latents]float64
	for m := range manners {
		for j := range latents {
			mean[0][m][j] = 1.8 * world.NormFloat64()
		}
	}
	for c := 1; c < generatedClasses; c++ {
		for m := range manners {
			norm := 0.0
			var way [latents]float64
			for j := range latents {
				way[j] = world.NormFloat64()
				norm += way[j] * way[j]
			}
			for j := range latents {
				mean[c][m][j] = mean[0][m][j] + classDistance[c]*way[j]/math.Sqrt(norm)
			}
		}
	}
	var load [generatedFeatures][3]float64
	var from [generatedFeatures][3]int
	for j := range generatedFeatures {
		for l := range 3 {
			from[j][l] = world.IntN(latents)
			load[j][l] = world.NormFloat64() * []float64{1, .5, .25}[l]
		}
	}

	draw := rand.New(rand.NewPCG(seed, 1))
	x = make([]float32, n*generatedFeatures)
	y = make([]uint8, n)
	for i := range n {
		u, c := draw.Float64(), 0
		for c < generatedClasses-1 && u >= classShares[c] {
			u -= classShares[c]
			c++
		}
		m := draw.IntN(manners)
		var z [latents]float64
		for j := range latents {
			z[j] = mean[c][m][j] + draw.NormFloat64()
		}
		y[i] = uint8(c)
		row := x[i*generatedFeatures : (i+1)*generatedFeatures]
		for j := range row {
			v := 0.25 * draw.NormFloat64()
			for l := range 3 {
				v += load[j][l] * z[from[j][l]]
			}
			row[j] = float32(seen(j, v))
		}
	}
	return x, y
}

// seen turns a hidden value into what an exporter of flows writes in column j.
func seen(j int, v float64) float64 {
	switch j % 6 {
	case 0: // bytes: whole, long tail
		return math.Floor(40 + math.Exp(6+1.2*v))
	case 1: // packets: whole, small, many ties
		return math.Floor(1 + math.Exp(1+0.8*v))
	case 2: // milliseconds
		return math.Floor(1000*math.Exp(v)) / 10
	case 3: // a bit mask or a time to live
		return float64(int(64*(1+math.Tanh(v))) &^ 3)
	case 4: // port
		return math.Floor(65535 / (1 + math.Exp(-v)))
	}
	return math.Round(v*1e4) / 1e4 // a ratio
}
