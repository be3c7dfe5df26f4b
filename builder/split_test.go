package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Windows of telemetry are split by a manifest as flows are: by their label,
// their start and their device, and cloister train makes the same parts again.
func TestRun_splitTelemetry(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	write := func(name string, first int) {
		b := bytes.NewBufferString("timestamp,device_id,cpu,mem,net,label\n")
		for device := range 6 {
			for i := range 120 {
				label, level := 0, 0.2
				if i%40 >= 30 {
					label, level = 1, 0.9
				}
				at := time.Date(2026, 1, 1, 0, i, 0, 0, time.UTC).Format(time.RFC3339)
				fmt.Fprintf(b, "%s,host-%d,%g,%g,%g,%d\n", at, first+device, level+float64(i%7)/100, 0.5+float64(i%5)/100, level/2+float64(i%3)/100, label)
			}
		}
		if err := os.WriteFile(path(name), b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	do := func(want int, args ...string) string {
		t.Helper()
		var stdout, stderr bytes.Buffer
		if status := run(context.Background(), args, streams{in: strings.NewReader(""), out: &stdout, err: &stderr}); status != want {
			t.Fatalf("%s: status %d: %s", args, status, &stderr)
		}
		return stdout.String() + stderr.String()
	}
	write("hosts.csv", 1)
	if got := do(0, "prep", path("hosts.csv"), "--split", "50/20/30", "--seed", "5", "--out", path("prep")); !strings.Contains(got, "720 rows, 2 classes,") {
		t.Error(got)
	}
	for scheme, counts := range map[string]string{"host-disjoint": "360 training, 120 validation, 240 hold-out", "temporal": "360 training, 144 validation, 216 hold-out"} {
		manifest := path("prep/split-" + scheme + ".json")
		do(0, "train", "--recipe", "telemetry", path("hosts.csv"), "--seed", "2", "--split", manifest, "--out", path("own.bundle"))
		card := do(0, "inspect", path("own.bundle"), "--card")
		for _, want := range []string{
			"cloister train --recipe telemetry hosts.csv --seed 2 --split split-" + scheme + ".json --out telemetry.bundle",
			"Split " + scheme + " (split-" + scheme + ".json, a manifest of cloister prep) with seed 5: " + counts,
		} {
			if !strings.Contains(card, want) {
				t.Errorf("%s: the card does not say %q", scheme, want)
			}
		}
	}
	write("hosts.csv", 2) // other hosts under the same name
	if got := do(1, "train", "--recipe", "telemetry", path("hosts.csv"), "--split", path("prep/split-temporal.json"), "--out", path("x.bundle")); !strings.Contains(got, "SHA-256") {
		t.Errorf("another file: %s", got)
	}
}
