package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloister/shared/bundle"
	"cloister/shared/score"
)

// budgets are the bytes that a bundle may have where 500,000 are too few.
var budgets = map[string]int{"severity": 1_500_000}

// Every released bundle loads, passes its self-test and has its card beside it
// as <version>.md; nothing else lies there.
func TestModels(t *testing.T) {
	bundles, err := filepath.Glob("../models/*/*.bundle")
	if err != nil || len(bundles) == 0 {
		t.Fatalf("no bundles, %v", err)
	}
	for _, path := range bundles {
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := score.New().Load(file); err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		b, err := bundle.Decode(file, bundle.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		card, _ := b.File(bundle.CardTextName)
		beside, err := os.ReadFile(strings.TrimSuffix(path, ".bundle") + ".md")
		if err != nil || !bytes.Equal(card, beside) {
			t.Errorf("%s: the card beside it is not the one inside (cloister inspect --card), %v", path, err)
		}
		if limit := budgets[filepath.Base(filepath.Dir(path))]; len(file) > max(limit, 500_000) {
			t.Errorf("%s: %d bytes, the budget is %d", path, len(file), max(limit, 500_000))
		}
	}
	cards, err := filepath.Glob("../models/*/[0-9]*.md")
	if err != nil || len(cards) != len(bundles) {
		t.Errorf("%d cards for %d bundles, %v", len(cards), len(bundles), err)
	}
}
