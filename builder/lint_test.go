package main

import (
	"os"
	"path/filepath"
	"testing"

	"cloister/builder/internal/publish"
)

// Every bundle that comes with the program has all that publishing asks for,
// but a signature.
func TestModels_areFitToPublish(t *testing.T) {
	paths, err := filepath.Glob("../models/*/*.bundle")
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d bundles, %v", len(paths), err)
	}
	for _, path := range paths {
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		found, err := publish.Lint(file, publish.LintOptions{Unsigned: true})
		if err != nil || len(found) > 0 {
			t.Errorf("%s: %v, %v", path, found, err)
		}
	}
}
