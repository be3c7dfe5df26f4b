package api_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"cloister/builder/internal/evaluate"
	"cloister/builder/internal/phase"
	"cloister/builder/internal/registry"
	"cloister/builder/internal/registry/registrytest"
	"cloister/builder/internal/registry/trainer"
	"cloister/builder/internal/serve/api"
	"cloister/builder/internal/train"
	"cloister/builder/internal/tune"
)

// made holds the files of a phase.
type made map[string]string

var _ phase.Out = made{}

func (m made) Write(name string, write func(io.Writer) error) error {
	var b bytes.Buffer
	err := write(&b)
	m[name] = b.String()
	return err
}

// seconds is what a fit took, the last but one cell of a candidate's line.
var seconds = regexp.MustCompile(`(?m)\| [0-9.]+ (\|[^|]*\|)$`)

// untimed takes out what differs between two runs.
func (m made) untimed() {
	if text, ok := m[phase.TuneReport]; ok {
		m[phase.TuneReport] = seconds.ReplaceAllString(text, "$1")
	}
}

// Every phase is a job of the API, and makes the files of its command.
func TestJobs_everyKind(t *testing.T) {
	s := start(t, registry.Options{}, api.Options{})
	pub := s.client(registry.Publish)
	sample, err := os.ReadFile(registrytest.Sample())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pub.Upload(ctx, "flows.csv", bytes.NewReader(sample), int64(len(sample))); err != nil {
		t.Fatal(err)
	}
	if _, err := pub.Publish(ctx, registrytest.Signed(t, "1.0.0", 1), false); err != nil {
		t.Fatal(err)
	}
	work, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- s.r.Work(work, trainer.Train) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()

	const space = `{"model": "forest", "dimensions": [{"name": "trees", "kind": "choice", "grid": [3, 5]}]}`
	files := func() []phase.File {
		return []phase.File{{Name: "flows.csv", ReaderAt: bytes.NewReader(sample), Size: int64(len(sample))}}
	}
	recipe := train.Recipes()["flows"]
	o := phase.Options{Seed: 3}
	tests := []struct {
		kind string
		spec registry.Spec
		run  func(out phase.Out) error // what the command does
		want int                       // files at least
	}{
		{registry.JobPrep, registry.Spec{}, func(out phase.Out) error {
			_, err := phase.Prep(ctx, files(), o, out)
			return err
		}, 5},
		{registry.JobFeatures, registry.Spec{Recipe: "flows"}, func(out phase.Out) error {
			_, err := phase.Features(ctx, recipe, files(), 0, o, out)
			return err
		}, 3},
		{registry.JobTune, registry.Spec{Recipe: "flows", Search: &registry.Search{How: "grid", Folds: 2, Space: json.RawMessage(space)}}, func(out phase.Out) error {
			list, err := tune.ParseSpace(bytes.NewReader([]byte(space)))
			if err == nil {
				_, err = phase.Tune(ctx, recipe, files(), list, tune.Options{Search: "grid", Draws: 27, Folds: 2, Resource: "trees", Rule: "one-error", Journal: filepath.Join(t.TempDir(), phase.TuneJournal)}, o, out)
			}
			return err
		}, 2},
		{registry.JobEvaluate, registry.Spec{Bundle: "flows@1.0.0"}, func(out phase.Out) error {
			r, err := phase.Evaluate(ctx, registrytest.Signed(t, "1.0.0", 1), files(), evaluate.Options{Seed: 3})
			if err != nil {
				return err
			}
			return phase.Report(r, r.Document(), "report.json", "report.html", out)
		}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.kind, func(t *testing.T) {
			tt.spec.Kind, tt.spec.Data, tt.spec.Seed = tt.kind, []string{"flows.csv"}, 3
			j, err := pub.Submit(ctx, tt.spec)
			if err != nil {
				t.Fatal(err)
			}
			if j, err = pub.Watch(ctx, j.ID, func(registry.Job) {}); err != nil || j.State != registry.Done || j.Bundle != "" {
				t.Fatalf("%+v, %v", j, err)
			}
			file, err := pub.Result(ctx, j)
			if err != nil {
				t.Fatal(err)
			}
			want := made{}
			if err := tt.run(want); err != nil {
				t.Fatal(err)
			}
			got := unzip(t, file)
			got.untimed()
			want.untimed()
			if len(want) < tt.want || !maps.Equal(got, want) {
				t.Errorf("the job made %v, the command %v, or others of those names", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
			}
			if res, _ := s.do("GET", "/v1/jobs/"+j.ID+"/bundle", registry.Publish, nil); res.StatusCode != 409 {
				t.Errorf("a bundle of it: %d", res.StatusCode)
			}
		})
	}
}

// A job that was trained can be judged before anybody publishes it; what makes
// no sense is refused when it is submitted.
func TestJobs_evaluateWhatWasTrained(t *testing.T) {
	s := start(t, registry.Options{}, api.Options{})
	pub := s.client(registry.Publish)
	if _, err := s.r.Upload(ctx, registry.Local, "flows.csv", bytes.NewReader([]byte("x"))); err != nil {
		t.Fatal(err)
	}
	data := []string{"flows.csv"}
	work, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	var judged string
	go func() {
		done <- s.r.Work(work, func(_ context.Context, spec registry.Spec, data []registry.Input, _ func(string, float64)) ([]byte, error) {
			if spec.Kind == registry.JobEvaluate {
				b, err := io.ReadAll(io.NewSectionReader(data[1], 0, data[1].Size))
				judged = fmt.Sprint(len(data), " ", bytes.Equal(b, registrytest.Unsigned(t, "1.0.0", 1)))
				return []byte("PK"), err
			}
			return registrytest.Unsigned(t, "1.0.0", 1), nil
		})
	}()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	var jobs []registry.Job
	for _, spec := range []registry.Spec{{Recipe: "flows", Data: data}, {Kind: registry.JobEvaluate, Data: data}} {
		if spec.Kind != "" {
			spec.Bundle = jobs[0].ID
		}
		j, err := pub.Submit(ctx, spec)
		if err != nil {
			t.Fatal(err)
		}
		if j, err = pub.Watch(ctx, j.ID, func(registry.Job) {}); err != nil || j.State != registry.Done {
			t.Fatalf("%+v, %v", j, err)
		}
		jobs = append(jobs, j)
	}
	if judged != "2 true" || jobs[0].Files != "" || jobs[1].Files == "" {
		t.Errorf("judged %s; %+v", judged, jobs)
	}
	if res, _ := s.do("GET", "/v1/jobs/"+jobs[0].ID+"/files", registry.Publish, nil); res.StatusCode != 409 {
		t.Errorf("files of a training job: %d", res.StatusCode)
	}
	for name, spec := range map[string]registry.Spec{
		"unknown kind":          {Kind: "guess", Data: data},
		"features, no recipe":   {Kind: registry.JobFeatures, Data: data},
		"evaluate, no bundle":   {Kind: registry.JobEvaluate, Data: data},
		"train with a bundle":   {Recipe: "flows", Data: data, Bundle: "flows@1.0.0"},
		"bundle not published":  {Kind: registry.JobEvaluate, Data: data, Bundle: "flows@9.0.0"},
		"job that made none":    {Kind: registry.JobEvaluate, Data: data, Bundle: jobs[1].ID},
		"prep with a search":    {Kind: registry.JobPrep, Data: data, Search: &registry.Search{}},
		"search in no such way": {Kind: registry.JobTune, Recipe: "flows", Data: data, Search: &registry.Search{How: "guess"}},
	} {
		if _, err := pub.Submit(ctx, spec); status(err) != 422 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func unzip(t *testing.T, file []byte) made {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	out := made{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out[f.Name] = string(b)
	}
	return out
}
