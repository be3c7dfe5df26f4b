package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"cloister/builder/internal/telemetry/detect"
)

type telemetryExperiment struct {
	Data string `required:"" type:"existingdir" help:"Folder with asd/omi-N_{train,test}.csv.gz, smd/machine-N_{train,test}.csv.gz and skab/*.csv.gz; what is not there is left out."`
	Seed uint64 `default:"1" help:"Seed of the models."`
	Out  string `type:"path" help:"File to write the figures of every series to, as CSV."`
}

// Help returns the example for --help.
func (telemetryExperiment) Help() string {
	return "Prints point-wise figures of anomaly detection on labelled telemetry of real servers (ASD, SMD) and a pump (SKAB): average precision, best F1, VUS-PR with buffers of 0 to 100 rows. Models are fitted on the training part, which lies before the test part; of SKAB, which has none, on the first 400 rows, as its leaderboard does. Boosted trees learn from the first half of the test part and are judged, with the others, on the second. Beside them stand published and measured figures of others, each with its source.\n\nExample:\n\n  cloister telemetry experiment --data telemetry"
}

// Run judges and prints.
func (c *telemetryExperiment) Run(ctx context.Context, s streams) error {
	var lines [][]string
	seen := false
	for _, set := range []struct {
		name, pattern string
		read          func(path string) (detect.Series, error)
	}{{"ASD", "asd/*_test.csv.gz", readPair}, {"SMD", "smd/*_test.csv.gz", readPair}, {"SKAB", "skab/*.csv.gz", readSKAB}} {
		paths, err := filepath.Glob(filepath.Join(c.Data, filepath.FromSlash(set.pattern)))
		if err != nil {
			return err
		}
		slices.Sort(paths)
		var series []detect.Series
		for _, p := range paths {
			one, err := set.read(p)
			if err != nil {
				return fmt.Errorf("%s: %w", filepath.Base(p), err)
			}
			series = append(series, one)
		}
		if len(series) == 0 {
			continue
		}
		seen = true
		results, err := detect.Run(ctx, series, detect.Options{Seed: c.Seed})
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "%s, %d series: means over the series\n", set.name, len(series))
		printMethods(s.out, "whole test part", detect.Methods, results, func(r detect.Result, m string) detect.Score { return r.Whole[m] })
		printMethods(s.out, "second half of the test part", detect.HalfMethods, results, func(r detect.Result, m string) detect.Score { return r.Half[m] })
		printReferences(s.out, set.name, series)
		fmt.Fprintln(s.out)
		for _, r := range results {
			for part, scores := range map[string]map[string]detect.Score{"whole": r.Whole, "half": r.Half} {
				for m, v := range scores {
					lines = append(lines, []string{set.name, r.Series, part, m, strconv.FormatFloat(v.AP, 'f', 4, 64), strconv.FormatFloat(v.F1, 'f', 4, 64), strconv.FormatFloat(v.VUSPR, 'f', 4, 64)})
				}
			}
		}
	}
	if !seen {
		return fmt.Errorf("%s holds none of the data sets", filepath.Base(c.Data))
	}
	if c.Out == "" {
		return nil
	}
	slices.SortFunc(lines, slices.Compare[[]string])
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	if err := w.WriteAll(append([][]string{{"set", "series", "part", "method", "ap", "f1", "vus_pr"}}, lines...)); err != nil {
		return err
	}
	return writeFile(c.Out, b.Bytes())
}

// printMethods prints the mean of each figure over the series that have one.
func printMethods(w io.Writer, part string, methods []string, results []detect.Result, of func(detect.Result, string) detect.Score) {
	fmt.Fprintf(w, "  %-30s %8s %8s %8s %8s\n", part, "AP", "F1", "VUS-PR", "series")
	for _, m := range methods {
		var sum detect.Score
		n := 0.0
		for _, r := range results {
			if v := of(r, m); !math.IsNaN(v.AP) {
				sum.AP, sum.F1, sum.VUSPR = sum.AP+v.AP, sum.F1+v.F1, sum.VUSPR+v.VUSPR
				n++
			}
		}
		fmt.Fprintf(w, "  %-30s %8.3f %8.3f %8.3f %8.0f\n", m, sum.AP/n, sum.F1/n, sum.VUSPR/n, n)
	}
}

// printReferences prints what others reached on the whole test part, with the
// sources.
func printReferences(w io.Writer, set string, series []detect.Series) {
	var names, sources []string
	for _, s := range series {
		names = append(names, s.Name)
	}
	figure := func(v float64) string {
		if math.IsNaN(v) {
			return "-"
		}
		return strconv.FormatFloat(v, 'f', 3, 64)
	}
	for i, r := range detect.References(set, names) {
		if i == 0 {
			fmt.Fprintf(w, "  %-30s %8s %8s %8s %8s\n", "others, whole test part", "AP", "F1", "VUS-PR", "series")
		}
		n := "set"
		if r.Series > 0 {
			n = strconv.Itoa(r.Series)
		}
		fmt.Fprintf(w, "  %-30s %8s %8s %8s %8s\n", r.Method, figure(r.AP), figure(r.F1), figure(r.VUSPR), n)
		if !slices.Contains(sources, r.Source) {
			sources = append(sources, r.Source)
		}
	}
	for _, name := range sources {
		fmt.Fprintf(w, "  %s: %s\n", name, detect.Sources[name])
	}
}

// readPair reads a test part, whose last column is the label, and the training
// part beside it.
func readPair(path string) (detect.Series, error) {
	s := detect.Series{Name: strings.TrimSuffix(filepath.Base(path), "_test.csv.gz")}
	test, err := readNumbers(path, ',', 0)
	if err != nil {
		return s, err
	}
	train, err := readNumbers(strings.Replace(path, "_test.csv.gz", "_train.csv.gz", 1), ',', 0)
	if err != nil {
		return s, err
	}
	for _, r := range train {
		s.Train = append(s.Train, r...)
		s.D = len(r)
	}
	for _, r := range test {
		s.Test = append(s.Test, r[:len(r)-1]...)
		s.Label = append(s.Label, r[len(r)-1] == 1)
	}
	return s, nil
}

// readSKAB reads one file of SKAB: a time, 8 sensors, anomaly, changepoint. The
// first 400 rows are for training.
func readSKAB(path string) (detect.Series, error) {
	s := detect.Series{Name: strings.TrimSuffix(filepath.Base(path), ".csv.gz"), D: 8}
	rows, err := readNumbers(path, ';', 1)
	if err != nil {
		return s, err
	}
	for i, r := range rows {
		if len(r) != 10 {
			return s, fmt.Errorf("line %d: %d columns, want 11", i+2, len(r)+1)
		}
		if i < 400 {
			s.Train = append(s.Train, r[:8]...)
			continue
		}
		s.Test = append(s.Test, r[:8]...)
		s.Label = append(s.Label, r[8] == 1)
	}
	return s, nil
}

// readNumbers reads a packed table with a header and leaves out the first
// columns.
func readNumbers(path string, delimiter rune, skip int) (rows [][]float64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = closing(f, err) }()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	in := csv.NewReader(z)
	in.Comma = delimiter
	all, err := in.ReadAll()
	if err != nil {
		return nil, err
	}
	for line, rec := range all[min(1, len(all)):] {
		var row []float64
		for _, cell := range rec[skip:] {
			v, err := strconv.ParseFloat(cell, 64)
			if err != nil {
				return nil, fmt.Errorf("line %d: %.64q is no number", line+2, cell)
			}
			row = append(row, v)
		}
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("no rows")
	}
	return rows, nil
}
