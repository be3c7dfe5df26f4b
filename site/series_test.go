package site

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestSeries_keepsEveryBit adds numbers of all kinds in batches of all sizes.
func TestSeries_keepsEveryBit(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	nan, zero := math.NaN(), math.Copysign(0, -1)
	for name, c := range map[string]struct {
		next  func() float64
		bytes int // of a number in a page
	}{
		"ports":              {func() float64 { return float64(r.IntN(65000)) }, 2},
		"protocols":          {func() float64 { return []float64{1, 6, 17}[r.IntN(3)] }, 1},
		"254 apart":          {func() float64 { return float64(r.IntN(2)) * 254 }, 1},
		"255 apart":          {func() float64 { return float64(r.IntN(2)) * 255 }, 2},
		"65,534 apart":       {func() float64 { return float64(r.IntN(2)) * 65534 }, 2},
		"65,535 apart":       {func() float64 { return float64(r.IntN(2)) * 65535 }, 4},
		"2^32 - 2 apart":     {func() float64 { return float64(r.IntN(2)) * (1<<32 - 2) }, 4},
		"2^32 - 1 apart":     {func() float64 { return float64(r.IntN(2)) * (1<<32 - 1) }, 8},
		"times":              {func() float64 { return 1.7e12 + float64(r.IntN(1<<30)) }, 4},
		"below 0":            {func() float64 { return float64(-r.IntN(200)) - 1 }, 1},
		"some missing":       {func() float64 { return []float64{nan, 3, 80}[r.IntN(3)] }, 1},
		"many and missing":   {func() float64 { return []float64{nan, 0, 65534}[r.IntN(3)] }, 2},
		"all missing":        {func() float64 { return nan }, 1},
		"fractions":          {func() float64 { return r.Float64() }, 8},
		"a fraction":         {func() float64 { return []float64{7, 8, 0.5}[r.IntN(3)] }, 8},
		"infinite":           {func() float64 { return []float64{1, math.Inf(1), math.Inf(-1)}[r.IntN(3)] }, 8},
		"0 below 0":          {func() float64 { return []float64{1, zero}[r.IntN(2)] }, 8},
		"2^53 and neighbour": {func() float64 { return 1<<53 - float64(r.IntN(2)) }, 1},
		"beyond 2^53":        {func() float64 { return 1<<53 + 2*float64(r.IntN(2)) }, 8},
		"far apart":          {func() float64 { return []float64{-1 << 53, 1 << 53}[r.IntN(2)] }, 8},
	} {
		s, want := &series{}, []float64{}
		for len(want) < 3*pageRows+100 {
			part := make([]float64, r.IntN(pageRows+1000))
			for i := range part {
				part[i] = c.next()
			}
			s.add(part...)
			want = append(want, part...)
			if s.len() != len(want) {
				t.Fatalf("%s: %d numbers, want %d", name, s.len(), len(want))
			}
		}
		for i, w := range want {
			if g := s.at(i); math.Float64bits(g) != math.Float64bits(w) && (g == g || w == w) {
				t.Fatalf("%s: number %d is %v, want %v", name, i, g, w)
			}
		}
		for _, p := range s.pages {
			if got := (cap(p.one) + 2*cap(p.two) + 4*cap(p.four) + 8*cap(p.plain)) / pageRows; got != c.bytes {
				t.Errorf("%s: %d bytes a number, want %d", name, got, c.bytes)
			}
		}
	}
}
