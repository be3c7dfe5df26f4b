//go:build js && wasm

// Command worker is the scorer in a Web Worker: it answers the page's requests
// with shared/score. It opens no connection and links nothing that could.
package main

import (
	"runtime/debug"

	"cloister/shared/job"
	"cloister/shared/score"
	"cloister/wasm/internal/jsio"
	"cloister/wasm/internal/unpack"
	"cloister/wasm/worker/kernel"
)

// growth is by how many hundredths what the program holds may grow before garbage
// is collected. A browser never takes WebAssembly memory back, so the most that
// was ever needed counts. With a capture of 500 MB it is a quarter less than with
// Go's 100, for 4 % more processor time.
const growth = 50

func main() {
	debug.SetGCPercent(growth)
	kernel.Install()
	if err := job.Serve(jsio.Self(), jsio.Guard(fresh)); err != nil {
		panic(err) // the page sees that the worker is gone
	}
}

func fresh() job.Scorer {
	s := score.New()
	s.Parquet, s.SQLite, s.Zstd = unpack.Parquet, unpack.SQLite, unpack.Zstd
	return s
}
