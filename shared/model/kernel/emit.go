//go:build ignore

// Emit writes kernel.wasm.
package main

import (
	"log"
	"os"

	"cloister/shared/model/kernel"
)

func main() {
	if err := os.WriteFile("kernel.wasm", kernel.Emit(), 0o644); err != nil {
		log.Fatal(err)
	}
}
