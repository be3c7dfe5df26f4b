package phase_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"cloister/builder/internal/phase"
	"cloister/builder/internal/train"
)

// files holds what a phase writes; it refuses the file called refused.
type files struct {
	made    map[string]string
	refused string
}

var _ phase.Out = (*files)(nil)

var errRefused = errors.New("refused")

func (f *files) Write(name string, write func(io.Writer) error) error {
	if name == f.refused {
		return errRefused
	}
	var b bytes.Buffer
	err := write(&b)
	f.made[name] = b.String()
	return err
}

func rows(n int) []phase.File {
	var b strings.Builder
	b.WriteString("FLOW_START_MILLISECONDS,IPV4_SRC_ADDR,IPV4_DST_ADDR,L4_DST_PORT,PROTOCOL,IN_BYTES,OUT_BYTES,IN_PKTS,OUT_PKTS,FLOW_DURATION_MILLISECONDS,TCP_FLAGS,Attack\n")
	for i := range n {
		label := []string{"Benign", "../../etc/passwd", `C:\DoS "x"`}[i%3]
		fmt.Fprintf(&b, "%d,10.0.0.%d,10.0.1.1,80,6,%d,%d,2,3,%d,27,\"%s\"\n", 1518611292443+i*1000, i%9, 100+i%3*500+i%7, 60+i, i*7%900, strings.ReplaceAll(label, `"`, `""`))
	}
	text := b.String()
	return []phase.File{{Name: "a.csv", ReaderAt: strings.NewReader(text), Size: int64(len(text))}}
}

// Names of files come from labels of hostile data: none leads out of a folder.
func TestPrep_namesOfFiles(t *testing.T) {
	out := &files{made: map[string]string{}}
	summary, err := phase.Prep(context.Background(), rows(90), phase.Options{}, out)
	if err != nil || !strings.HasPrefix(summary, "90 rows, 3 classes, ") {
		t.Fatalf("%q, %v", summary, err)
	}
	names := slices.Sorted(maps.Keys(out.made))
	want := "profile.html profile.json split-grouped.json split-host-disjoint.json split-leave-class-out-..-..-etc-passwd.json split-leave-class-out-C--DoS--x.json split-random.json split-temporal.json"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("files %s\nwant  %s", got, want)
	}
}

// What cannot be written ends a phase, whichever file it is.
func TestPhases_stopWhereNothingIsWritten(t *testing.T) {
	ctx := context.Background()
	recipe := train.Recipes()["flows"]
	for _, tt := range []struct {
		refused string
		run     func(phase.Out) error
	}{
		{"profile.json", func(o phase.Out) error { _, err := phase.Prep(ctx, rows(60), phase.Options{}, o); return err }},
		{"profile.html", func(o phase.Out) error { _, err := phase.Prep(ctx, rows(60), phase.Options{}, o); return err }},
		{"split-random.json", func(o phase.Out) error { _, err := phase.Prep(ctx, rows(60), phase.Options{}, o); return err }},
		{"matrix.csv", func(o phase.Out) error {
			_, err := phase.Features(ctx, recipe, rows(60), 2, phase.Options{}, o)
			return err
		}},
		{"ledger.txt", func(o phase.Out) error {
			_, err := phase.Features(ctx, recipe, rows(60), 2, phase.Options{}, o)
			return err
		}},
		{"context.md", func(o phase.Out) error {
			_, err := phase.Features(ctx, recipe, rows(60), 2, phase.Options{}, o)
			return err
		}},
		{"report.html", func(o phase.Out) error {
			return phase.Report(1, strings.NewReader("x"), "report.json", "report.html", o)
		}},
	} {
		if err := tt.run(&files{map[string]string{}, tt.refused}); !errors.Is(err, errRefused) {
			t.Errorf("%s: %v", tt.refused, err)
		}
		if err := tt.run(&files{made: map[string]string{}}); err != nil {
			t.Errorf("%s, not refused: %v", tt.refused, err)
		}
	}
}

// context.md has a line for each kind of split, with both figures.
func TestFeatures_context(t *testing.T) {
	out := &files{made: map[string]string{}}
	if _, err := phase.Features(context.Background(), train.Recipes()["flows"], rows(120), 3, phase.Options{}, out); err != nil {
		t.Fatal(err)
	}
	table := out.made["context.md"]
	for _, want := range []string{"| 3 random | ", "| 3 host-disjoint | ", "| 3 temporal | "} {
		if !strings.Contains(table, want) {
			t.Errorf("no line %q in\n%s", want, table)
		}
	}
	if strings.Count(table, "\n") != 5 || strings.Count(table, " ± ") != 6 {
		t.Errorf("another table:\n%s", table)
	}
}
