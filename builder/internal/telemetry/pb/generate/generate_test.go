package main

import (
	"bytes"
	"os"
	"testing"
	"testing/fstest"
)

func TestGenerate_codeIsCurrent(t *testing.T) {
	folder := os.DirFS("..")
	files, err := Generate(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(sources) {
		t.Fatalf("%d files from %d schemas", len(files), len(sources))
	}
	for _, f := range files {
		have, err := os.ReadFile("../" + f.Name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(have, f.Content) {
			t.Errorf("%s is not what its schema gives: go generate ./builder/internal/telemetry/pb", f.Name)
		}
	}
}

func TestGenerate_refusesBrokenSchemas(t *testing.T) {
	folder := fstest.MapFS{sources[0]: {Data: []byte("syntax = \"proto3\"; message {")}, sources[1]: {Data: nil}}
	if _, err := Generate(folder); err == nil {
		t.Error("a broken schema was compiled")
	}
}
