// Package evaluate judges a bundle on labelled files through the scorer that
// analysts use. It hides what is measured, how labels of the files meet the
// classes of the bundle, and how a report reads.
//
//	r, err := evaluate.Run(ctx, bundleFile, files, evaluate.Options{})
//	b, err := r.JSON()
//	_, err = r.Document().WriteTo(w)
//
// The same bundle, files and options give the same report. Rows that the
// bundle was trained on flatter it: Options.Rows keeps those of the hold-out
// part of a split, and a file that the bundle names as its own is remarked on.
package evaluate

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"cloister/builder/internal/packed"
	"cloister/builder/internal/prep"
	"cloister/builder/internal/train"
	"cloister/shared/attack"
	"cloister/shared/bundle"
	"cloister/shared/frame"
	"cloister/shared/job"
	"cloister/shared/score"
)

// File is a labelled file.
type File struct {
	Label string // its name, without folder
	io.ReaderAt
	Bytes int64
}

var _ job.File = File{}

// Name implements [job.File].
func (f File) Name() string { return f.Label }

// Size implements [job.File].
func (f File) Size() int64 { return f.Bytes }

// Options are the settings of Run. The zero value is the default.
type Options struct {
	Seed   uint64 // of resamples and folds
	Rounds int    // of the bootstrap, default 500, fewer for many rows
	// Explain is how many rows are explained for the SHAP summary, evenly spread
	// over the rows, default 300; -1 for none.
	Explain int
	// Rows, if not nil, limits the evaluation to rows of the hold-out part of a
	// split of the same files.
	Rows *prep.Manifest
	// Recipe, if not nil, is trained once more for each attack class, without
	// it, to see what becomes of an attack that was never shown. Its first
	// candidate is taken.
	Recipe *train.Recipe
	// Texts, if any, are what the ATT&CK table of words is measured on beside.
	Texts   []Text
	Workers int // threads of training; no influence on the result
	// Progress is called with what is being done and the share that is done.
	Progress func(stage string, done float64)
}

func (o *Options) defaults() {
	if o.Seed == 0 {
		o.Seed = 1
	}
	if o.Rounds == 0 {
		o.Rounds = 500
	}
	if o.Explain == 0 {
		o.Explain = 300
	}
	if o.Progress == nil {
		o.Progress = func(string, float64) {}
	}
}

// ErrNoLabel means that no row of the files has a label.
var ErrNoLabel = errors.New("no row has a label: an evaluation needs a column Attack, Label or Severity")

// Report is the whole result. Its JSON has the same content as the document.
type Report struct {
	Bundle  BundleInfo `json:"bundle"`
	Remarks []string   `json:"remarks"`
	// All judges the rows of all files together, Files each alone: figures that
	// differ much between data sets are the ones to believe least.
	All       Part       `json:"all"`
	Files     []Part     `json:"files"`
	Baselines []Baseline `json:"baselines"`
	Explained *Explained `json:"explained,omitempty"`
	Attack    Attack     `json:"attack"`
	Lookup    *Lookup    `json:"lookup,omitempty"`
	LeftOut   []LeftOut  `json:"left_out,omitempty"`
}

// BundleInfo says what was judged.
type BundleInfo struct {
	Name          string  `json:"name"`
	Version       string  `json:"version"`
	SHA256        string  `json:"sha256"`
	Trust         string  `json:"trust"`
	Model         string  `json:"model"`
	Schema        string  `json:"schema"`
	Threshold     float64 `json:"threshold"`
	AttackVersion string  `json:"attack_version"`
}

// verdicts are the answers of a bundle to the labelled rows of one or more
// files, in columns of equal length.
type verdicts struct {
	classes  []job.Class
	hasBlank bool // a benign class: attacks can be told from the rest

	truth       []int  // index of the class, unknown for a label that the bundle has no class for
	attack      []bool // the label is no ordinary traffic
	class       []int
	probability []float64
	all         []float64 // rows×classes, probabilities of all classes
	score       []float64 // probability of an attack
	anomaly     []float64 // NaN without an anomaly model
	abstained   []bool
	unknown     map[string]int // rows by label without a class
	skipped     int            // rows without a label or outside of Options.Rows
	rejected    int64
	stopped     string
}

// unknown marks a truth that is no class of the bundle.
const unknown = -1

// Run judges a bundle on files. Errors are those of loading the bundle and
// opening the files (*job.Failure), ErrNoLabel, those of training with
// Options.Recipe, and the context's.
func Run(ctx context.Context, file []byte, files []File, o Options) (*Report, error) {
	o.defaults()
	s := score.New()
	s.Parquet, s.Zstd = packed.Parquet, packed.Zstd
	info, err := s.Load(file)
	if err != nil {
		return nil, err
	}
	r := &Report{Bundle: BundleInfo{info.Name, info.Version, info.SHA256, info.Trust, info.Model, info.Schema, info.Threshold, info.AttackVersion}, Remarks: []string{}}
	data, err := readAll(ctx, files, info.Schema, o)
	if err != nil {
		return nil, err
	}
	keep, err := keepRows(data, o.Rows)
	if err != nil {
		return nil, err
	}
	all := &verdicts{classes: info.Classes, unknown: map[string]int{}}
	sampler := newSampler(info, o.Explain, countKept(keep))
	for k, f := range files {
		o.Progress("scoring "+f.Label, 0.1+0.4*float64(k)/float64(len(files)))
		v, err := scoreFile(ctx, s, info, f, k, data, keep, sampler)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Label, err)
		}
		r.Files = append(r.Files, measure(f.Label, v, info, o))
		all.join(v)
	}
	if len(all.truth) == 0 {
		return nil, ErrNoLabel
	}
	o.Progress("measuring", 0.5)
	r.All = measure("all files", all, info, o)
	r.Explained = sampler.summary(info)
	r.Attack = coverage(all, info)
	r.Lookup = Tagged(o.Texts)
	o.Progress("baselines", 0.6)
	if r.Baselines, err = baselines(ctx, data, keep, o); err != nil {
		return nil, err
	}
	if o.Recipe != nil {
		if r.LeftOut, err = leaveOut(ctx, files, o); err != nil {
			return nil, err
		}
	}
	r.remark(file, data, all, o)
	o.Progress("done", 1)
	return r, ctx.Err()
}

// readAll reads the labels, and what baselines need, of all files.
func readAll(ctx context.Context, files []File, schema string, o Options) (*prep.Data, error) {
	want := frame.Flow
	if schema == frame.Alert.Name {
		want = frame.Alert
	}
	var in []prep.File
	for _, f := range files {
		in = append(in, prep.File{Name: f.Label, ReaderAt: f, Size: f.Bytes})
	}
	return prep.Read(ctx, in, prep.ReadOptions{Want: want, Progress: func(stage string, done float64) { o.Progress(stage, 0.1*done) }})
}

// keepRows marks the rows that are judged: labelled, and held out if a split
// says which are.
func keepRows(d *prep.Data, m *prep.Manifest) ([]bool, error) {
	keep := make([]bool, d.Len())
	for i, c := range d.Class {
		keep[i] = c >= 0
	}
	if m == nil {
		return keep, nil
	}
	split, err := m.Rebuild(d)
	if err != nil {
		return nil, err
	}
	for i, p := range split.Parts {
		keep[i] = keep[i] && p == prep.Holdout
	}
	return keep, nil
}

func countKept(keep []bool) int {
	n := 0
	for _, k := range keep {
		if k {
			n++
		}
	}
	return n
}

// scoreFile scores file k and joins the verdicts with the labels by row.
func scoreFile(ctx context.Context, s *score.Scorer, info job.Bundle, f File, k int, d *prep.Data, keep []bool, sample *sampler) (*verdicts, error) {
	v := &verdicts{classes: info.Classes, unknown: map[string]int{}}
	for _, c := range info.Classes {
		v.hasBlank = v.hasBlank || c.Benign
	}
	at := map[int64]int{}
	for i, row := range d.Row {
		if d.File[i] == k {
			at[row] = i
		}
	}
	truth := truths(d, info)
	var p []float64 // of the batch that comes next
	s.Probabilities = func(of []float64) { p = append(p[:0], of...) }
	defer func() { s.Probabilities = nil }()
	classes := len(info.Classes)
	sum, err := s.Score(f, job.Options{MaxRejectShare: 1}, func(_ job.Progress, b *job.Batch) bool {
		for i := range batchRows(b) {
			row, ok := at[b.Row[i]]
			if !ok || !keep[row] {
				v.skipped++
				continue
			}
			v.add(b, i, truth[d.Class[row]], d.Classes[d.Class[row]])
			v.all = append(v.all, p[i*classes:(i+1)*classes]...)
			sample.want(b.Row[i])
		}
		return ctx.Err() == nil
	})
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	v.rejected, v.stopped = sum.Rejected, sum.Stopped
	return v, sample.explain(ctx, s)
}

func batchRows(b *job.Batch) int {
	if b == nil {
		return 0
	}
	return len(b.Row)
}

// truth is what a label means to the bundle.
type truth struct {
	class  int // unknown if it has no class for it
	attack bool
}

// truths returns what each class of the data means to the bundle. Labels are
// compared by attack.Key; one that the bundle does not know is an attack unless
// attack.ForLabel calls it benign.
func truths(d *prep.Data, info job.Bundle) []truth {
	out := make([]truth, len(d.Classes))
	for k, label := range d.Classes {
		t := truth{unknown, true}
		for c, class := range info.Classes {
			if attack.Key(class.Name) == attack.Key(label) {
				t = truth{c, !class.Benign}
			}
		}
		if m, ok := attack.ForLabel(label); t.class == unknown && ok && m.Benign {
			t.attack = false
			for c, class := range info.Classes {
				if class.Benign {
					t.class = c
				}
			}
		}
		out[k] = t
	}
	return out
}

func (v *verdicts) add(b *job.Batch, i int, t truth, label string) {
	if t.class == unknown {
		v.unknown[label]++
	}
	v.truth, v.attack = append(v.truth, t.class), append(v.attack, t.attack)
	v.class = append(v.class, int(b.Class[i]))
	v.probability, v.score = append(v.probability, b.Probability[i]), append(v.score, b.Attack[i])
	anomaly := math.NaN()
	if i < len(b.Anomaly) {
		anomaly = b.Anomaly[i]
	}
	v.anomaly, v.abstained = append(v.anomaly, anomaly), append(v.abstained, b.Abstained[i])
}

func (v *verdicts) join(o *verdicts) {
	v.hasBlank = o.hasBlank
	v.all = append(v.all, o.all...)
	v.truth, v.attack, v.class = append(v.truth, o.truth...), append(v.attack, o.attack...), append(v.class, o.class...)
	v.probability, v.score = append(v.probability, o.probability...), append(v.score, o.score...)
	v.anomaly, v.abstained = append(v.anomaly, o.anomaly...), append(v.abstained, o.abstained...)
	for l, n := range o.unknown {
		v.unknown[l] += n
	}
	v.skipped, v.rejected = v.skipped+o.skipped, v.rejected+o.rejected
}

// remark says what a reader should know before believing the figures.
func (r *Report) remark(file []byte, d *prep.Data, v *verdicts, o Options) {
	add := func(format string, args ...any) { r.Remarks = append(r.Remarks, fmt.Sprintf(format, args...)) }
	if b, err := bundle.Decode(file, bundle.Limits{}); err == nil {
		for _, f := range d.Files {
			for _, sum := range b.Manifest().Lineage.DatasetSHA256 {
				if hex.EncodeToString(sum[:]) != f.SHA256 {
					continue
				}
				switch {
				case o.Rows == nil:
					add("The bundle was made from %s: training rows are among those judged, and every figure flatters it. Use the manifest of its split to judge held-out rows only.", f.Name)
				case !sameSplit(b.Manifest().Lineage, o.Rows):
					add("The bundle was made from %s with another split than the one given: training rows may be among those judged, and every figure may flatter it.", f.Name)
				}
			}
		}
	}
	if o.Rows != nil {
		add("Only rows of the hold-out part of split %s, seed %d, are judged.", o.Rows.Scheme, o.Rows.Seed)
	}
	if v.skipped > 0 {
		add("%d rows without a label, or outside of the split, are not judged.", v.skipped)
	}
	if v.rejected > 0 {
		add("%d rows could not be read.", v.rejected)
	}
	if !v.hasBlank {
		add("The bundle has no benign class: there is no attack score, so no ROC curve of attacks and no recall at a false-positive rate; each class has curves of its own.")
	}
	if len(r.Files) > 1 {
		add("Several files: read the figures of each before those of all together.")
	}
}

// sameSplit reports whether a manifest records the split that a bundle was
// trained with: random, or a manifest too, with its seed and as many rows in
// each part.
func sameSplit(l bundle.Lineage, m *prep.Manifest) bool {
	var sum [3]int64
	for _, n := range m.Counts {
		for p := range sum {
			sum[p] += int64(n[p])
		}
	}
	return (m.Scheme == prep.Random) == !byManifest(l.Command) && uint64(l.SplitSeed) == m.Seed && l.Split.Train == sum[prep.Train] && l.Split.Holdout == sum[prep.Holdout]
}

// byManifest reports whether a command of cloister train names a split's file.
func byManifest(command string) bool {
	_, split, ok := strings.Cut(command, " --split ")
	return ok && split != "" && (split[0] < '0' || split[0] > '9')
}

// JSON returns the report as indented JSON.
func (r *Report) JSON() ([]byte, error) {
	b, err := json.MarshalIndent(r, "", " ")
	return append(b, '\n'), err
}
