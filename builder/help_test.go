package main

import (
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// Every command that does something has an example of itself in its --help.
func TestHelp_examples(t *testing.T) {
	parser, err := kong.New(&cli{}, kong.Name("cloister"))
	if err != nil {
		t.Fatal(err)
	}
	leaves := parser.Model.Leaves(false)
	if len(leaves) < 30 {
		t.Errorf("%d commands", len(leaves))
	}
	for _, leaf := range leaves {
		name := leaf.Path()
		if !strings.Contains(leaf.Detail, "Example") || !strings.Contains(leaf.Detail, "\n  cloister "+name) {
			t.Errorf("%s: no example in %q", name, leaf.Detail)
		}
	}
}
