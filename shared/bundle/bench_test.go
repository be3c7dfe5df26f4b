package bundle_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"cloister/shared/bundle"
)

// BenchmarkDecode reads a bundle of 100 features and a model of the given
// size.
func BenchmarkDecode(b *testing.B) {
	for _, size := range []int{1e4, 5e5, 1e7} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			file := sized(b, size)
			b.SetBytes(int64(len(file)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := bundle.Decode(file, bundle.Limits{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// sized returns a bundle whose model has size random bytes.
func sized(b *testing.B, size int) []byte {
	m, files := small()
	for i := range 100 {
		f := m.Schema.Features[0]
		f.Name, f.Aliases = fmt.Sprint("feature ", i), nil
		m.Schema.Features = append(m.Schema.Features, f)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	model := make([]byte, size)
	for i := range model {
		model[i] = byte(rng.Uint32())
	}
	files["model/forest.bin"] = model
	return encode(b, m, files)
}
