//go:build js && wasm

// Command worker is the scorer in a Web Worker: it answers the page's requests
// with shared/score. It opens no connection and links nothing that could.
package main

import (
	"cloister/shared/job"
	"cloister/shared/score"
	"cloister/wasm/internal/jsio"
	"cloister/wasm/internal/unpack"
	"cloister/wasm/worker/kernel"
)

func main() {
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
