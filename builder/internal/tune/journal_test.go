package tune_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"cloister/builder/internal/tune"
)

// entry is a line of a journal as the format has it.
type entry struct {
	Rung      int     `json:"rung"`
	Candidate int     `json:"candidate"`
	Fold      int     `json:"fold"`
	MacroF1   float64 `json:"macro_f1"`
	Nodes     int     `json:"nodes"`
}

func entryOf(t *testing.T, line string) entry {
	t.Helper()
	var e entry
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return e
}

// A journal cut anywhere, in a line or between two, gives the same result and
// grows to the same lines.
func TestJournal_cutAnywhere(t *testing.T) {
	data, space := small(20, 10), tiny(tune.Forest)
	path, read := journal(t)
	o := tune.Options{Search: tune.Halving, Draws: 9, Folds: 2, Workers: 1, Journal: path}
	want := text(t, run(t, data, space, o))
	whole := read()
	lines := strings.Count(whole, "\n")
	if lines != 1+(9+3)*2 {
		t.Fatalf("%d lines", lines)
	}
	cuts := []int{0, 1, len(whole) - 1, len(whole)}
	for cut := 5; cut < len(whole); cut += 97 {
		cuts = append(cuts, cut)
	}
	for i, c := range whole {
		if c == '\n' {
			cuts = append(cuts, i, i+1)
		}
	}
	for _, cut := range cuts {
		write(t, path, whole[:cut])
		kept := max(0, strings.Count(whole[:cut], "\n")-1)
		made := 0
		o.Progress = func(tune.Progress) { made++ }
		if got := text(t, run(t, data, space, o)); got != want {
			t.Fatalf("cut after %d bytes: another result", cut)
		}
		if made != lines-1-kept {
			t.Errorf("cut after %d bytes: %d fits made, %d were kept of %d", cut, made, kept, lines-1)
		}
		if got := strings.Count(read(), "\n"); got != lines || !strings.HasSuffix(read(), "}\n") {
			t.Errorf("cut after %d bytes: %d lines, want %d", cut, got, lines)
		}
		// the half line is gone: what follows it can be read
		made = 0
		if got := text(t, run(t, data, space, o)); got != want || made > 0 {
			t.Fatalf("cut after %d bytes, gone on with and read again: %d fits made", cut, made)
		}
	}
	if len(cuts) < 80 {
		t.Fatalf("%d cuts", len(cuts))
	}
}

func TestJournal_otherInputsRefused(t *testing.T) {
	path, read := journal(t)
	base := tune.Options{Search: tune.Random, Draws: 4, Folds: 2, Journal: path, Recipe: "flows"}
	run(t, small(9, 9), tiny(tune.Forest), base)
	before := read()
	tests := []struct {
		name   string
		change func(*tune.Data, *tune.Space, *tune.Options)
		differ string // "" if the search may go on
	}{
		{"nothing", func(*tune.Data, *tune.Space, *tune.Options) {}, ""},
		{"workers", func(_ *tune.Data, _ *tune.Space, o *tune.Options) { o.Workers = 4 }, ""},
		{"rule", func(_ *tune.Data, _ *tune.Space, o *tune.Options) { o.Rule = tune.Best }, ""},
		{"resource of no halving", func(_ *tune.Data, _ *tune.Space, o *tune.Options) { o.Resource = tune.Rows }, ""},
		{"a value", func(d *tune.Data, _ *tune.Space, _ *tune.Options) { d.X[17]++ }, "data"},
		{"a label", func(d *tune.Data, _ *tune.Space, _ *tune.Options) { d.Class[0] = 1 }, "data"},
		{"a class", func(d *tune.Data, _ *tune.Space, _ *tune.Options) { d.Classes[1] = "B" }, "data"},
		{"a range", func(_ *tune.Data, s *tune.Space, _ *tune.Options) { s.Dimensions[1].High++ }, "space"},
		{"model", func(_ *tune.Data, s *tune.Space, _ *tune.Options) { *s = tiny(tune.Boosting) }, "space"},
		{"seed", func(_ *tune.Data, _ *tune.Space, o *tune.Options) { o.Seed = 9 }, "settings"},
		{"folds", func(_ *tune.Data, _ *tune.Space, o *tune.Options) { o.Folds = 3 }, "settings"},
		{"draws", func(_ *tune.Data, _ *tune.Space, o *tune.Options) { o.Draws = 5 }, "settings"},
		{"search", func(_ *tune.Data, _ *tune.Space, o *tune.Options) { o.Search = tune.Grid }, "settings"},
		{"split", func(_ *tune.Data, _ *tune.Space, o *tune.Options) { o.Shares = [3]float64{.6, .2, .2} }, "settings"},
		{"recipe", func(_ *tune.Data, _ *tune.Space, o *tune.Options) { o.Recipe = "other" }, "settings"},
	}
	for _, tt := range tests {
		data, space, o := small(9, 9), tiny(tune.Forest), base
		tt.change(&data, &space, &o)
		_, err := tune.Run(context.Background(), data, space, o)
		refused, ok := errors.AsType[*tune.InputsError](err)
		switch {
		case tt.differ == "" && err != nil:
			t.Errorf("%s: %v", tt.name, err)
		case tt.differ != "" && (!ok || !strings.HasPrefix(refused.Differ, tt.differ) || !strings.Contains(err.Error(), "remove the file to start anew")):
			t.Errorf("%s: got %v, want other %s", tt.name, err, tt.differ)
		}
		if read() != before {
			t.Fatalf("%s: the journal was changed", tt.name)
		}
	}
}

// Halving by trees and by rows are two searches.
func TestJournal_otherResourceRefused(t *testing.T) {
	path, _ := journal(t)
	o := tune.Options{Search: tune.Halving, Draws: 4, Folds: 2, Journal: path}
	run(t, small(9, 9), tiny(tune.Forest), o)
	o.Resource = tune.Rows
	_, err := tune.Run(context.Background(), small(9, 9), tiny(tune.Forest), o)
	if refused, ok := errors.AsType[*tune.InputsError](err); !ok || !strings.Contains(refused.Differ, "by trees") || !strings.Contains(refused.Differ, "by rows") {
		t.Errorf("got %v", err)
	}
}

// Files that are no journal, and journals that were tampered with, are refused
// and left as they are.
func TestJournal_refused(t *testing.T) {
	data, space := small(9, 9), tiny(tune.Forest)
	path, read := journal(t)
	o := tune.Options{Search: tune.Random, Draws: 4, Folds: 2, Journal: path}
	want := text(t, run(t, data, space, o))
	lines := strings.SplitAfter(strings.TrimSuffix(read(), "\n"), "\n")
	lines[len(lines)-1] += "\n"
	join := func(change func([]string) []string) string { return strings.Join(change(slices.Clone(lines)), "") }
	with := func(old, new string) func([]string) []string {
		return func(l []string) []string {
			s := strings.Replace(l[3], old, new, 1)
			if s == l[3] {
				t.Fatalf("%s is not in %s", old, s)
			}
			l[3] = s
			return l
		}
	}
	e := entryOf(t, lines[3])
	tests := map[string]struct{ text, want string }{
		"prose":             {"Dear sir,\n", "no journal"},
		"prose, no newline": {"Dear sir,", "no journal"},
		"half a line":       {join(func(l []string) []string { l[3] = l[3][:20] + "\n"; return l }), "line 4"},
		"field":             {join(with(`"fold"`, `"fald"`)), "line 4"},
		"candidate":         {join(with(fmt.Sprintf(`"candidate":%d`, e.Candidate), `"candidate":4`)), "not in this search"},
		"fold":              {join(with(fmt.Sprintf(`"fold":%d`, e.Fold), `"fold":2`)), "not in this search"},
		"rung":              {join(with(`"rung":0`, `"rung":1`)), "not in this search"},
		"figure":            {join(with(`"macro_f1":0`, `"macro_f1":7`)), "out of range"},
		"contradiction":     {join(func(l []string) []string { return append(l, strings.Replace(l[3], `"nodes":`, `"nodes":1`, 1)) }), "another score"},
		"two heads":         {lines[0] + lines[0], "line 2"},
		"version":           {strings.Replace(lines[0], `"journal":1`, `"journal":2`, 1), "other program"},
	}
	for name, tt := range tests {
		write(t, path, tt.text)
		if _, err := tune.Run(context.Background(), data, space, o); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
		if read() != tt.text {
			t.Errorf("%s: the file was changed", name)
		}
	}
	// two runs at a time write a fit twice, and lines in any order
	write(t, path, join(func(l []string) []string { l = append(l, l[3]); slices.Reverse(l[1:]); return l }))
	if got := text(t, run(t, data, space, o)); got != want {
		t.Error("the order of lines counts")
	}
}

// A journal that cannot be written ends the search.
func TestJournal_noDirectory(t *testing.T) {
	o := tune.Options{Search: tune.Grid, Folds: 2, Journal: t.TempDir() + "/none/journal.ndjson"}
	if _, err := tune.Run(context.Background(), small(9, 9), tiny(tune.Forest), o); err == nil {
		t.Error("no error")
	}
}
