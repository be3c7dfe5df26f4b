package main

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"time"

	"cloister/builder/internal/client"
	"cloister/builder/internal/registry"
)

type jobCommand struct {
	Submit jobSubmit `cmd:"" help:"Upload data, queue a job and watch it."`
	Watch  jobWatch  `cmd:"" help:"Watch a job until it ends."`
	Cancel jobCancel `cmd:"" help:"End a job."`
	List   jobList   `cmd:"" help:"List jobs, newest first."`
	Fetch  jobFetch  `cmd:"" help:"Write the bundle that a job made, to be looked at, signed and published, or the ZIP archive of a job of another kind."`
}

type jobSubmit struct {
	Kind    string   `enum:"train,prep,features,tune,evaluate" default:"train" help:"Which command to run there: train, prep, features, tune or evaluate."`
	Recipe  string   `help:"Recipe of train, features and tune; of evaluate to train once more without each class."`
	Bundle  string   `help:"What evaluate judges: NAME@VERSION of a published bundle, or the job that trained it."`
	Search  string   `enum:"grid,random,halving" default:"random" help:"How tune searches."`
	Model   string   `enum:",forest,boosting" default:"" help:"Model that tune searches."`
	Draws   int      `help:"Candidates of a random or halving search."`
	Folds   int      `help:"Folds of the cross-validation of tune."`
	Data    []string `arg:"" type:"existingfile" help:"Labelled files to upload under their names; one that is there already is not sent again by another content."`
	Seed    uint64   `default:"1" help:"Seed of the split and of the models."`
	Split   string   `help:"Shares of training, validation and hold-out rows in percent, 70/15/15."`
	Version string   `default:"1.0.0" help:"Semantic version of the bundle."`
	Detach  bool     `help:"Do not wait for the job to end."`
	remoteFlags
}

// Help returns the example for --help.
func (jobSubmit) Help() string {
	return "Example:\n\n  cloister job submit --recipe flows flows.csv.gz --version 1.2.0 --registry http://127.0.0.1:8080\n  cloister job submit --kind evaluate --bundle flows@1.2.0 lab.csv"
}

// Run submits a job.
func (c *jobSubmit) Run(ctx context.Context, s streams) error {
	remote, err := c.client()
	if err != nil {
		return err
	}
	spec := registry.Spec{Kind: c.Kind, Recipe: c.Recipe, Seed: c.Seed, Split: c.Split, Bundle: c.Bundle}
	switch c.Kind {
	case registry.JobTrain:
		spec.Version = c.Version
	case registry.JobTune:
		spec.Search = &registry.Search{How: c.Search, Model: c.Model, Draws: c.Draws, Folds: c.Folds}
	}
	for _, path := range c.Data {
		f, err := openInput(path, s.in)
		if err != nil {
			return err
		}
		d, err := remote.Upload(ctx, filepath.Base(path), f, f.Size())
		if err := closing(f, err); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		spec.Data = append(spec.Data, d.Name)
	}
	j, err := remote.Submit(ctx, spec)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(s.out, "job  %s\n", j.ID); err != nil || c.Detach {
		return err
	}
	return watch(ctx, s, remote, j.ID)
}

type jobWatch struct {
	ID string `arg:"" help:"Job."`
	remoteFlags
}

// Help returns the example for --help.
func (jobWatch) Help() string {
	return "Example:\n\n  cloister job watch 019a... --registry http://127.0.0.1:8080"
}

// Run watches a job.
func (c *jobWatch) Run(ctx context.Context, s streams) error {
	remote, err := c.client()
	if err != nil {
		return err
	}
	return watch(ctx, s, remote, c.ID)
}

// watch shows a job until it ends; one that failed or was cancelled is an
// error.
func watch(ctx context.Context, s streams, remote *client.Client, id string) error {
	bar := newBar(s, "job "+id)
	j, err := remote.Watch(ctx, id, func(j registry.Job) {
		stage := j.State
		if j.Stage != "" {
			stage = j.Stage
		}
		if j.ETA > 0 {
			stage += ", " + (time.Duration(j.ETA) * time.Second).String() + " left"
		}
		bar.share(stage, j.Progress)
	})
	bar.done()
	if err != nil {
		return err
	}
	if j.State != registry.Done {
		return fmt.Errorf("job %s %s: %s", j.ID, j.State, j.Error)
	}
	p := &printer{w: s.out}
	p.line("%s  %s", j.State, j.ID)
	p.line("  sha256  %s", cmp.Or(j.Bundle, j.Files))
	for _, m := range j.Metrics {
		if m.Split == "holdout" && m.Value != nil {
			p.line("  %-52s %.3f", m.Name, *m.Value)
		}
	}
	return p.err
}

type jobCancel struct {
	ID string `arg:"" help:"Job."`
	remoteFlags
}

// Help returns the example for --help.
func (jobCancel) Help() string {
	return "Example:\n\n  cloister job cancel 019a... --registry http://127.0.0.1:8080"
}

// Run ends a job.
func (c *jobCancel) Run(ctx context.Context, s streams) error {
	remote, err := c.client()
	if err != nil {
		return err
	}
	j, err := remote.Cancel(ctx, c.ID)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "%s  %s\n", j.State, j.ID)
	return err
}

type jobList struct {
	State string `help:"Only jobs of this state." enum:",queued,running,done,failed,cancelled" default:""`
	JSON  bool   `name:"json" help:"Print the jobs as JSON."`
	remoteFlags
}

// Help returns the example for --help.
func (jobList) Help() string {
	return "Example:\n\n  cloister job list --state running --registry http://127.0.0.1:8080"
}

// Run lists jobs.
func (c *jobList) Run(ctx context.Context, s streams) error {
	remote, err := c.client()
	if err != nil {
		return err
	}
	list, err := remote.Jobs(ctx, c.State)
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(s, list)
	}
	p := &printer{w: s.out}
	for _, j := range list {
		p.line("%-9s  %s  %3.0f %%  %s %s  %s  %s", j.State, j.ID, 100*j.Progress, cmp.Or(j.Spec.Kind, registry.JobTrain), j.Spec.Recipe, j.Created, j.Error)
	}
	return p.err
}

type jobFetch struct {
	ID  string `arg:"" help:"Job that is done."`
	Out string `required:"" help:"File to write."`
	remoteFlags
}

// Help returns the example for --help.
func (jobFetch) Help() string {
	return "Example:\n\n  cloister job fetch 019a... --out flows.bundle --registry http://127.0.0.1:8080"
}

// Run writes the bundle of a job.
func (c *jobFetch) Run(ctx context.Context, s streams) error {
	remote, err := c.client()
	if err != nil {
		return err
	}
	j, err := remote.Job(ctx, c.ID)
	if err != nil {
		return err
	}
	if j.State != registry.Done {
		return fmt.Errorf("job %s is %s", j.ID, j.State)
	}
	file, err := remote.Result(ctx, j)
	if err != nil {
		return err
	}
	if err := writeFile(c.Out, file); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "written  %s\n  sha256  %s\n", c.Out, cmp.Or(j.Bundle, j.Files))
	return err
}
