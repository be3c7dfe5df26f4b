// Command peer trains one model on a table that compare.py wrote and writes
// its predictions, so that the script can put them beside those of
// scikit-learn and XGBoost:
//
//	peer KIND OPTIONS.json TRAIN VALID TEST OUT
//
// KIND is forest, sparse (a forest on the cells that are not 0), boost or
// isolation. A table is three int64 (rows, columns,
// classes), the cells row-major and the labels, all float64, little-endian.
// It prints the CPU seconds of the training call as JSON.
package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"syscall"

	"cloister/builder/internal/train/grow"
	"cloister/shared/model/tree"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	train, k, err := read(args[2])
	if err != nil {
		return err
	}
	test, _, err := read(args[4])
	if err != nil {
		return err
	}
	decode := func(into any) error {
		dec := json.NewDecoder(strings.NewReader(args[1]))
		dec.DisallowUnknownFields()
		return dec.Decode(into)
	}
	ctx := context.Background()
	var src tree.Source
	var report grow.Report
	before := cpu()
	switch args[0] {
	case "forest", "sparse":
		var o grow.ForestOptions
		if err := decode(&o); err != nil {
			return err
		}
		if args[0] == "sparse" {
			compress(&train)
			before = cpu()
		}
		src, report, err = grow.Forest(ctx, label(train, k), o)
	case "boost":
		var o grow.BoostOptions
		if err := decode(&o); err != nil {
			return err
		}
		if o.EarlyStopping > 0 {
			valid, _, err := read(args[3])
			if err != nil {
				return err
			}
			valid = label(valid, k)
			o.Validation = &valid
		}
		src, report, err = grow.Boost(ctx, label(train, k), o)
	case "isolation":
		var o grow.IsolationOptions
		if err := decode(&o); err != nil {
			return err
		}
		src, report, err = grow.Isolation(ctx, train, o)
	default:
		return fmt.Errorf("unknown kind %q", args[0])
	}
	if err != nil {
		return err
	}
	spent := cpu() - before
	out, err := os.Create(args[5])
	if err != nil {
		return err
	}
	if err := binary.Write(out, binary.LittleEndian, predict(&src, test)); err != nil {
		return err
	}
	if err := out.Close(); err != nil {
		return err
	}
	line, err := json.Marshal(map[string]any{
		"cpu": spent, "trees": report.Trees, "nodes": report.Nodes, "best": report.BestRound,
		"oob": finite(report.OutOfBagScore), "importance": report.Importance,
	})
	fmt.Println(string(line))
	return err
}

// compress replaces the cells by those that are not 0.
func compress(d *grow.Data) {
	s := &grow.Sparse{Start: []int{0}}
	for i := 0; i < len(d.X); i += d.Features {
		for j, v := range d.X[i : i+d.Features] {
			if v != 0 {
				s.Index, s.Value = append(s.Index, int32(j)), append(s.Value, v)
			}
		}
		s.Start = append(s.Start, len(s.Index))
	}
	d.X, d.Sparse = nil, s
}

func finite(v float64) any {
	if math.IsNaN(v) {
		return nil
	}
	return v
}

// label turns the labels of a table into classes, or leaves them targets for k 0.
func label(d grow.Data, k int) grow.Data {
	if k == 0 {
		return d
	}
	for _, v := range d.Target {
		d.Class = append(d.Class, int(v))
	}
	d.Classes, d.Target = k, nil
	return d
}

func read(name string) (grow.Data, int, error) {
	f, err := os.Open(name)
	if err != nil {
		return grow.Data{}, 0, err
	}
	defer f.Close()
	var head [3]int64
	if err := binary.Read(f, binary.LittleEndian, &head); err != nil {
		return grow.Data{}, 0, err
	}
	d := grow.Data{Features: int(head[1]), X: make([]float64, head[0]*head[1]), Target: make([]float64, head[0])}
	if err := binary.Read(f, binary.LittleEndian, d.X); err != nil {
		return grow.Data{}, 0, err
	}
	return d, int(head[2]), binary.Read(f, binary.LittleEndian, d.Target)
}

func cpu() float64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}

// predict walks the trees: class shares, margins, or anomaly scores.
func predict(s *tree.Source, d grow.Data) []float64 {
	n := len(d.X) / s.Features
	out := make([]float64, n*s.Outputs)
	for i := range n {
		x := d.X[i*s.Features : (i+1)*s.Features]
		at := out[i*s.Outputs : (i+1)*s.Outputs]
		copy(at, s.Base)
		for j := range s.Trees {
			t := &s.Trees[j]
			v, depth := int32(0), 0
			for t.Feature[v] >= 0 {
				y := x[t.Feature[v]]
				left := y <= t.Threshold[v] || y != y && t.MissingLeft[v]
				if t.Category != nil && t.Category[v] != nil && y == y {
					c := int(y)
					left = c >= 0 && c/64 < len(t.Category[v]) && t.Category[v][c/64]>>(c%64)&1 != 0
				}
				if left {
					v = t.Left[v]
				} else {
					v = t.Right[v]
				}
				depth++
			}
			switch {
			case s.Kind == tree.Isolation:
				at[0] += float64(depth) + tree.PathLength(int(t.Cover[v]))
			case t.Output >= 0:
				at[t.Output] += t.Value[v]
			default:
				for k := range at {
					at[k] += t.Value[int(v)*s.Outputs+k]
				}
			}
		}
		switch s.Kind {
		case tree.Forest:
			for k := range at {
				at[k] /= float64(len(s.Trees))
			}
		case tree.Isolation:
			at[0] = math.Exp2(-at[0] / float64(len(s.Trees)) / tree.PathLength(s.SampleSize))
		}
	}
	return out
}
