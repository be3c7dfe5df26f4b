// Package trainer does what a job of the registry asks for. It hides that a job
// is a run of the command line in other clothes.
//
//	err := registry.Work(ctx, trainer.Train)
package trainer

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"cloister/builder/internal/evaluate"
	"cloister/builder/internal/phase"
	"cloister/builder/internal/prep"
	"cloister/builder/internal/publish"
	"cloister/builder/internal/registry"
	"cloister/builder/internal/train"
	"cloister/builder/internal/tune"
)

var _ registry.Train = Train

// Train implements [registry.Train]: it does what the command of the job's kind
// does with the same recipe, data, seed, split and version, and gives the same
// bytes, those of several files in a ZIP archive whose entries bear their
// names. What is absent has the command's default, seed 0 is 1.
func Train(ctx context.Context, s registry.Spec, data []registry.Input, progress func(string, float64)) ([]byte, error) {
	o := phase.Options{Seed: cmp.Or(s.Seed, 1), Progress: progress}
	if s.Split != "" {
		var err error
		if o.Shares, err = prep.ParseShares(s.Split); err != nil {
			return nil, err
		}
	}
	recipe, known := train.Recipes()[s.Recipe]
	if !known && s.Recipe != "" {
		return nil, fmt.Errorf("recipe %.64q: there are %s", s.Recipe, strings.Join(slices.Sorted(maps.Keys(train.Recipes())), ", "))
	}
	var files []phase.File
	for _, d := range data {
		files = append(files, phase.File{Name: d.Name, ReaderAt: d.File, Size: d.Size})
	}
	if s.Kind == "" || s.Kind == registry.JobTrain {
		return bundle(ctx, s, recipe, files, o)
	}
	var b bytes.Buffer
	out := archive{zip.NewWriter(&limited{&b, maxArchive})}
	var err error
	switch s.Kind {
	case registry.JobPrep:
		_, err = phase.Prep(ctx, files, o, out)
	case registry.JobFeatures:
		_, err = phase.Features(ctx, recipe, files, 0, o, out)
	case registry.JobTune:
		err = search(ctx, s, recipe, files, o, out)
	case registry.JobEvaluate:
		err = judge(ctx, s, recipe, data, files, o, out)
	default:
		err = fmt.Errorf("job of kind %.64q", s.Kind)
	}
	if err == nil {
		err = out.Close()
	}
	return b.Bytes(), err
}

// bundle is cloister train.
func bundle(ctx context.Context, s registry.Spec, recipe train.Recipe, files []phase.File, o phase.Options) ([]byte, error) {
	var in []train.File
	for _, f := range files {
		in = append(in, train.File(f))
	}
	table, err := train.Read(in, recipe)
	if err != nil {
		return nil, err
	}
	r, err := train.Fit(ctx, table, recipe, train.Options{Seed: o.Seed, Shares: o.Shares, Progress: o.Progress})
	if err != nil {
		return nil, err
	}
	return publish.Bundle(r, publish.Options{Version: s.Version})
}

// search is cloister tune. A job is started from its beginning after a crash,
// so that the journal need not outlive it.
func search(ctx context.Context, s registry.Spec, recipe train.Recipe, files []phase.File, o phase.Options, out phase.Out) (err error) {
	var how registry.Search
	if s.Search != nil {
		how = *s.Search
	}
	space, err := phase.Space(recipe, how.Model)
	if len(how.Space) > 0 {
		space, err = tune.ParseSpace(bytes.NewReader(how.Space))
	}
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "cloister-tune-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	_, err = phase.Tune(ctx, recipe, files, space, tune.Options{
		Search: tune.Search(cmp.Or(how.How, "random")), Draws: cmp.Or(how.Draws, 27), Folds: cmp.Or(how.Folds, 5), Resource: "trees",
		Rule: tune.Rule(cmp.Or(how.Rule, "one-error")), TrainOnly: how.Rows == "train", Journal: filepath.Join(dir, phase.TuneJournal),
	}, o, out)
	return err
}

// judge is cloister evaluate with --html report.html --json report.json.
func judge(ctx context.Context, s registry.Spec, recipe train.Recipe, data []registry.Input, files []phase.File, o phase.Options, out phase.Out) error {
	last := data[len(data)-1] // the registry puts the bundle behind the data
	file, err := io.ReadAll(io.NewSectionReader(last, 0, last.Size))
	if err != nil {
		return err
	}
	how := evaluate.Options{Seed: o.Seed, Progress: o.Progress}
	if s.Recipe != "" {
		how.Recipe = &recipe
	}
	report, err := phase.Evaluate(ctx, file, files[:len(files)-1], how)
	if err != nil {
		return err
	}
	return phase.Report(report, report.Document(), "report.json", "report.html", out)
}

// maxArchive bounds what a job may make: what a client fetches at most.
const maxArchive = 64 << 20

// limited refuses to write more than some bytes.
type limited struct {
	io.Writer
	left int
}

// Write implements io.Writer.
func (l *limited) Write(b []byte) (int, error) {
	if l.left -= len(b); l.left < 0 {
		return 0, fmt.Errorf("the files are more than %d bytes: run the command where they are wanted", maxArchive)
	}
	return l.Writer.Write(b)
}

// archive is a ZIP file of what a phase writes, without times: the same files
// give the same bytes.
type archive struct{ *zip.Writer }

var _ phase.Out = archive{}

// Write implements [phase.Out]. After an error the archive is thrown away.
func (a archive) Write(name string, write func(io.Writer) error) error {
	w, err := a.Create(name)
	if err != nil {
		return err
	}
	return write(w)
}
