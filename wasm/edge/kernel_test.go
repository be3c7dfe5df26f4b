//go:build !js

package main_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The kernel that is deployed gives the bits of Go's own loops, over the random
// and real models that Node and Chromium are tested with.
func TestKernel_sameBitsInWorkerd(t *testing.T) {
	dir := t.TempDir()
	for name, from := range map[string]string{
		"check.mjs": "testdata/check.mjs", "flows.bin": "../../models/flows/1.bundle",
		"kernel.mjs": folder + "/worker/kernel.mjs", "kernel.wasm": folder + "/worker/kernel.wasm", "wasm_exec.js": folder + "/worker/wasm_exec.js",
	} {
		b, err := os.ReadFile(from)
		if err != nil {
			t.Fatalf("%v: make edge builds what this test runs", err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "build", "-o", filepath.Join(dir, "check.wasm"), "../worker/kernel/testdata/check")
	cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	settings := filepath.Join(dir, "wrangler.json")
	if err := os.WriteFile(settings, []byte(`{"name": "check", "main": "check.mjs", "compatibility_date": "2026-04-01"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	d := &deployment{t: t, data: t.TempDir()}
	d.start("--config", settings)
	var got struct {
		Wrong          []string
		Values, Models int
	}
	if r := d.ask("GET", "/", nil); r.status != 200 {
		t.Fatalf("%v\n%s", r, d.logged())
	} else if err := json.Unmarshal(r.body, &got); err != nil {
		t.Fatalf("%v: %v", err, r)
	}
	for _, w := range got.Wrong {
		t.Error(w)
	}
	if got.Values < 100_000 || got.Models != 2 {
		t.Errorf("compared %d values, %d real models", got.Values, got.Models)
	}
}
