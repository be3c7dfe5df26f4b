//go:build !js

package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"cloister/builder/internal/metric"
	"cloister/builder/internal/train/grow"
	"cloister/shared/model/tree"
)

// Which family does a data set want? -quality holds oblivious trees against a
// forest and plain boosting, over seeds that split anew: on validation rows
// each family chooses its settings and rounds, on held-out rows all are
// measured.

const qualitySeeds = 5

// studentT is the 97.5 % point of Student's t for qualitySeeds-1 degrees of
// freedom.
const studentT = 2.776

// qualityTable is a data set as one list of rows.
type qualityTable struct {
	name     string
	features int
	classes  int
	x        []float64
	y        []int
}

// family fits its candidates and returns the one with the lowest validation
// loss.
type family struct {
	name string
	fit  func(train, valid grow.Data, seed uint64) (*tree.Ensemble, string, error)
}

// chosen keeps the best of several candidates.
type chosen struct {
	e    *tree.Ensemble
	what string
	loss float64
}

func (c *chosen) try(what string, s tree.Source, err error, valid *grow.Data) error {
	if err != nil {
		return err
	}
	e, err := tree.New(s)
	if err != nil {
		return err
	}
	p := make([]float64, len(valid.Class)*valid.Classes)
	if err := predictAll(e, p, valid.X); err != nil {
		return err
	}
	if l := logLoss(p, valid.Class, valid.Classes); c.e == nil || l < c.loss {
		*c = chosen{e, what, l}
	}
	return nil
}

// predictAll is Predict with both probabilities of a binary model.
func predictAll(e *tree.Ensemble, p, x []float64) error {
	d, k := e.Shape()
	n := len(x) / d
	if k > 1 || len(p) == n {
		return e.Predict(p, x)
	}
	one := make([]float64, n)
	if err := e.Predict(one, x); err != nil {
		return err
	}
	for i, v := range one {
		p[2*i], p[2*i+1] = 1-v, v
	}
	return nil
}

// families are what is compared; the last is the browser model.
func families() []family {
	ctx := context.Background()
	return []family{
		{"forest", func(train, valid grow.Data, seed uint64) (*tree.Ensemble, string, error) {
			var c chosen
			for _, leaf := range []int{1, 5} {
				s, _, err := grow.Forest(ctx, train, grow.ForestOptions{Trees: 300, MinSamplesLeaf: leaf, Seed: seed})
				if err := c.try(fmt.Sprintf("300 trees, leaves of %d", leaf), s, err, &valid); err != nil {
					return nil, "", err
				}
			}
			return c.e, c.what, nil
		}},
		{"boosting", func(train, valid grow.Data, seed uint64) (*tree.Ensemble, string, error) {
			var c chosen
			for _, eta := range []float64{0.3, 0.1} {
				s, r, err := grow.Boost(ctx, train, grow.BoostOptions{Rounds: 300, LearningRate: eta, Validation: &valid, EarlyStopping: 20, Seed: seed})
				if err := c.try(fmt.Sprintf("%d rounds, eta %g", r.BestRound, eta), s, err, &valid); err != nil {
					return nil, "", err
				}
			}
			return c.e, c.what, nil
		}},
		{"oblivious", func(train, valid grow.Data, seed uint64) (*tree.Ensemble, string, error) {
			var c chosen
			for _, depth := range []int{4, 6, 8} {
				s, r, err := grow.Oblivious(ctx, train, grow.ObliviousOptions{Rounds: 400, Depth: depth, Validation: &valid, EarlyStopping: 25, Seed: seed})
				if err := c.try(fmt.Sprintf("%d trees of %d levels", r.BestRound, depth), s, err, &valid); err != nil {
					return nil, "", err
				}
			}
			return c.e, c.what, nil
		}},
	}
}

// measured is one figure over the seeds.
type measured []float64

// text is the mean with its 95 % interval.
func (m measured) text() string {
	mean, half := m.interval()
	return fmt.Sprintf("%.4f ± %.4f", mean, half)
}

func (m measured) interval() (mean, half float64) {
	for _, v := range m {
		mean += v / float64(len(m))
	}
	squares := 0.0
	for _, v := range m {
		squares += (v - mean) * (v - mean)
	}
	return mean, studentT * math.Sqrt(squares/float64(len(m)-1)/float64(len(m)))
}

// minus is the difference seed by seed.
func (m measured) minus(b measured) measured {
	d := slices.Clone(m)
	for i := range d {
		d[i] -= b[i]
	}
	return d
}

// quality prints the comparison for every data set that is there.
func quality(data, only string) error {
	list, err := qualityTables(data)
	if err != nil {
		return err
	}
	for _, t := range list {
		if !strings.Contains(t.name, only) {
			continue
		}
		if err := t.compare(); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return nil
}

func (t *qualityTable) compare() error {
	list := families()
	f1, accuracy, loss := make([]measured, len(list)), make([]measured, len(list)), make([]measured, len(list))
	what, bytes := make([]string, len(list)), make([]measured, len(list))
	for seed := range uint64(qualitySeeds) {
		parts := t.split(seed + 1)
		for i, f := range list {
			began := cpu()
			e, chosen, err := f.fit(parts[0], parts[1], seed+1)
			say("%s, seed %d: %s: %v", t.name, seed+1, f.name, (cpu() - began).Round(time.Second/10))
			if err != nil {
				return err
			}
			test := parts[2]
			p := make([]float64, len(test.Class)*t.classes)
			if err := predictAll(e, p, test.X); err != nil {
				return err
			}
			c := metric.NewConfusion(test.Class, best(p, t.classes), t.classes)
			b, err := e.AppendBinary(nil)
			if err != nil {
				return err
			}
			f1[i], accuracy[i] = append(f1[i], c.MacroF1()), append(accuracy[i], c.Accuracy())
			loss[i], bytes[i] = append(loss[i], logLoss(p, test.Class, t.classes)), append(bytes[i], float64(len(b))/1000)
			if what[i] != "" {
				what[i] += "; "
			}
			what[i] += chosen
		}
	}
	fmt.Printf("\n%s: %d rows x %d, %d classes; %d seeds, 70/15/15 anew each\n", t.name, len(t.y), t.features, t.classes, qualitySeeds)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "  family\tmacro-F1\taccuracy\tlog loss\tkB\tchosen on validation rows")
	for i, f := range list {
		kB, _ := bytes[i].interval()
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%.0f\t%s\n", f.name, f1[i].text(), accuracy[i].text(), loss[i].text(), kB, what[i])
	}
	last := len(list) - 1
	for i, f := range list[:last] {
		fmt.Fprintf(w, "  oblivious less %s\t%s\t%s\t%s\n", f.name, f1[last].minus(f1[i]).text(), accuracy[last].minus(accuracy[i]).text(), loss[last].minus(loss[i]).text())
	}
	return w.Flush()
}

// split parts the rows of each class 70/15/15 at random.
func (t *qualityTable) split(seed uint64) [3]grow.Data {
	rng := rand.New(rand.NewPCG(seed, 3))
	byClass := make([][]int, t.classes)
	for i, c := range t.y {
		byClass[c] = append(byClass[c], i)
	}
	var rows [3][]int
	for _, list := range byClass {
		rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		a, b := (len(list)*70+50)/100, (len(list)*85+50)/100
		rows[0], rows[1], rows[2] = append(rows[0], list[:a]...), append(rows[1], list[a:b]...), append(rows[2], list[b:]...)
	}
	var out [3]grow.Data
	for p, list := range rows {
		slices.Sort(list)
		d := grow.Data{Features: t.features, Classes: t.classes}
		for _, i := range list {
			d.X = append(d.X, t.x[i*t.features:(i+1)*t.features]...)
			d.Class = append(d.Class, t.y[i])
		}
		out[p] = d
	}
	return out
}

// qualityRows bounds the rows of a data set, drawn after repeats are dropped.
const qualityRows = 30_000

// rareRows is how many rows a class needs to be kept: two or three for each
// part of the split.
const rareRows = 20

// identity are columns that name hosts, moments or the answer.
var identity = map[string]bool{
	"FLOW_START_MILLISECONDS": true, "FLOW_END_MILLISECONDS": true, "id": true, "Flow ID": true, "Src IP": true, "Dst IP": true,
	"Timestamp": true, "Attempted Category": true, "Label": true, "Attack": true, "Src Port": true, "L4_SRC_PORT": true,
}

// qualityTables reads the data sets of the comparison that are there.
func qualityTables(data string) ([]*qualityTable, error) {
	var out []*qualityTable
	for _, f := range []struct{ name, path, label string }{
		{"NF-CSE-CIC-IDS2018-v3 (sample)", "nf-v3/NF-CSE-CIC-IDS2018-v3.sample15.develop.csv", "Attack"},
		{"CICIDS2017-improved (sample)", "cicflowmeter/CICIDS2017-improved.develop.csv.gz", "Label"},
		{"NF-BoT-IoT-v2 (subsample)", "nf-v2/NF-BoT-IoT-v2.reduced.develop.csv.gz", "Attack"},
		{"NSL-KDD (20 %)", "nsl-kdd/KDDTrain+_20Percent.txt.gz", ""},
	} {
		list, err := records(filepath.Join(data, "flows", filepath.FromSlash(f.path)))
		if missing(err) {
			fmt.Println("data:", err)
			continue
		} else if err != nil {
			return nil, err
		}
		t := &qualityTable{name: f.name}
		if f.label == "" {
			keep := make([]int, 41)
			for j := range keep {
				keep[j] = j
			}
			t.read(list, keep, func(r []string) string {
				c, ok := attackGroups[r[len(keep)]]
				if !ok {
					c = attackProbe
				}
				return fmt.Sprint(c)
			})
		} else {
			head := list[0]
			label := slices.Index(head, f.label)
			if label < 0 {
				return nil, fmt.Errorf("%s: no column %q", f.name, f.label)
			}
			list = slices.DeleteFunc(list[1:], func(r []string) bool { return len(r) != len(head) })
			var keep []int
			for j, name := range head {
				if !notFeatures[name] && !identity[name] {
					keep = append(keep, j)
				}
			}
			t.read(list, keep, func(r []string) string { return r[label] })
		}
		out = append(out, t)
	}
	if len(out) == 0 {
		return nil, errors.New("peers: no data for -quality: see -data")
	}
	return out, nil
}

// read fills the table: one of each repeated row, at most qualityRows drawn at
// random, without classes that are too rare to be split.
func (t *qualityTable) read(list [][]string, keep []int, label func([]string) string) {
	seen := map[string]bool{}
	var rows [][]string
	for _, i := range rand.New(rand.NewPCG(1, 4)).Perm(len(list)) {
		key := label(list[i])
		for _, j := range keep {
			key += "," + list[i][j]
		}
		if !seen[key] {
			seen[key] = true
			rows = append(rows, list[i])
		}
	}
	rows = rows[:min(len(rows), qualityRows)]
	counts := map[string]int{}
	for _, r := range rows {
		counts[label(r)]++
	}
	var names []string
	for name, n := range counts {
		if n >= rareRows {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	rows = slices.DeleteFunc(rows, func(r []string) bool { return counts[label(r)] < rareRows })
	all := numeric(t.name, rows, keep, func(r []string) int { return slices.Index(names, label(r)) }, len(names), len(rows), 1)
	t.features, t.classes = len(keep), len(names)
	t.x = newInput(slices.Concat(all.train.x, all.test.x), t.features, nil).x
	t.y = slices.Concat(all.train.y, all.test.y)
}
