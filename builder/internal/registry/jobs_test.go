package registry_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cloister/builder/internal/registry"
	"cloister/builder/internal/registry/trainer"
)

// worker runs Work until the test ends or stop is called.
func worker(t *testing.T, r *registry.Registry, train registry.Train) (stop func()) {
	t.Helper()
	work, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- r.Work(work, train) }()
	var stopped atomic.Bool
	stop = func() {
		if stopped.Swap(true) {
			return
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return stop
}

func job(t testing.TB, r *registry.Registry, id string) registry.Job {
	t.Helper()
	j, err := r.Job(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

var flows = registry.Spec{Recipe: "flows", Data: []string{"flows.csv"}, Version: "1.0.0", Seed: 1}

func submit(t testing.TB, r *registry.Registry, s registry.Spec) registry.Job {
	t.Helper()
	j, err := r.Submit(ctx, registry.Local, s)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// A job gives the bytes that the command line gives.
func TestWork_trains(t *testing.T) {
	eachBackend(t, func(t *testing.T, o registry.Options) {
		r := open(t, o)
		d := upload(t, r)
		j := submit(t, r, flows)
		if j.State != registry.Queued || j.Attempt != 0 || len(j.Data) != 1 || j.Data[0].SHA256 != d.SHA256 || j.Created == "" || j.Ended() {
			t.Errorf("%+v", j)
		}
		_, err := r.OpenResult(ctx, j.ID)
		want(t, "no result yet", err, registry.Conflict)
		worker(t, r, trainer.Train)
		await(t, "the job ends", func() bool { return job(t, r, j.ID).Ended() })
		j = job(t, r, j.ID)
		if j.State != registry.Done || j.Progress != 1 || j.Error != "" || j.Attempt != 1 || len(j.Metrics) < 5 || j.Started == "" || j.Finished == "" {
			t.Errorf("%+v", j)
		}
		f, err := r.OpenResult(ctx, j.ID)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var got bytes.Buffer
		if _, err := got.ReadFrom(f); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), unsignedBundle(t, "1.0.0", 1)) {
			t.Error("the job made other bytes than the command line")
		}
		if list, err := r.Jobs(ctx, registry.Done, 10); err != nil || len(list) != 1 {
			t.Errorf("%d done, %v", len(list), err)
		}
		if states, err := r.JobStates(ctx); err != nil || states[registry.Done] != 1 || states[registry.Queued] != 0 {
			t.Errorf("%v, %v", states, err)
		}
	})
}

func TestSubmit_refuses(t *testing.T) {
	eachBackend(t, func(t *testing.T, o registry.Options) {
		o.MaxQueued, o.MaxData = 2, 1<<20
		r := open(t, o)
		upload(t, r)
		for name, s := range map[string]registry.Spec{
			"no recipe":   {Data: []string{"flows.csv"}},
			"no data":     {Recipe: "flows"},
			"not there":   {Recipe: "flows", Data: []string{"none.csv"}},
			"twice":       {Recipe: "flows", Data: []string{"flows.csv", "flows.csv"}},
			"long recipe": {Recipe: strings.Repeat("x", 65), Data: []string{"flows.csv"}},
		} {
			_, err := r.Submit(ctx, registry.Local, s)
			want(t, name, err, registry.Invalid)
		}
		submit(t, r, flows)
		j := submit(t, r, flows)
		_, err := r.Submit(ctx, registry.Local, flows)
		want(t, "too many", err, registry.Busy)
		if _, err := r.Cancel(ctx, registry.Local, j.ID); err != nil {
			t.Fatal(err)
		}
		submit(t, r, flows)
		_, err = r.Job(ctx, "none")
		want(t, "no such job", err, registry.NotFound)

		for name, data := range map[string]struct {
			name, body string
			kind       registry.Kind
		}{
			"another content": {"flows.csv", "x", registry.Conflict},
			"empty":           {"empty.csv", "", registry.Invalid},
			"too large":       {"large.csv", strings.Repeat("x", 1<<20+1), registry.TooLarge},
			"climbs":          {"../x", "x", registry.Invalid},
			"dot file":        {".x", "x", registry.Invalid},
		} {
			_, err := r.Upload(ctx, registry.Local, data.name, strings.NewReader(data.body))
			want(t, name, err, data.kind)
		}
		if list, err := r.ListData(ctx); err != nil || len(list) != 1 {
			t.Errorf("%d uploads, %v", len(list), err)
		}
		if _, err := r.Upload(ctx, registry.Local, "large.csv", strings.NewReader(strings.Repeat("x", 1<<20))); err != nil {
			t.Errorf("at the limit: %v", err)
		}
	})
}

// blocked is a trainer that reports progress and waits for its context.
func blocked(started chan<- struct{}) registry.Train {
	return func(ctx context.Context, _ registry.Spec, _ []registry.Input, progress func(string, float64)) ([]byte, error) {
		progress("waiting", 0.25)
		started <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}
}

func TestWork_cancelAndProgress(t *testing.T) {
	eachBackend(t, func(t *testing.T, o registry.Options) {
		o.Lease = 300 * time.Millisecond
		r := open(t, o)
		upload(t, r)
		j := submit(t, r, flows)
		started := make(chan struct{}, 1)
		worker(t, r, blocked(started))
		<-started
		await(t, "progress", func() bool { return job(t, r, j.ID).Progress == 0.25 })
		if j = job(t, r, j.ID); j.Stage != "waiting" || j.State != registry.Running || j.ETA <= 0 {
			t.Errorf("%+v", j)
		}
		if _, err := r.Cancel(ctx, registry.Local, j.ID); err != nil {
			t.Fatal(err)
		}
		await(t, "it ends", func() bool { return job(t, r, j.ID).Ended() })
		if j = job(t, r, j.ID); j.State != registry.Cancelled {
			t.Errorf("%+v", j)
		}
		_, err := r.Cancel(ctx, registry.Local, j.ID)
		want(t, "cancel again", err, registry.Conflict)
	})
}

// A worker that is told to stop hands its job back at once; the next one does
// not count a new attempt against it.
func TestWork_handsBack(t *testing.T) {
	eachBackend(t, func(t *testing.T, o registry.Options) {
		o.Lease = time.Hour
		r := open(t, o)
		upload(t, r)
		j := submit(t, r, flows)
		started := make(chan struct{}, 1)
		stop := worker(t, r, blocked(started))
		<-started
		stop()
		if j = job(t, r, j.ID); j.State != registry.Queued || j.Attempt != 0 {
			t.Errorf("%+v", j)
		}
		worker(t, r, trainer.Train)
		await(t, "it is done", func() bool { return job(t, r, j.ID).State == registry.Done })
		if j = job(t, r, j.ID); j.Attempt != 1 {
			t.Errorf("%+v", j)
		}
	})
}

// A worker that dies keeps its job until the lease ends; what it says after
// that does not count.
func TestWork_leases(t *testing.T) {
	eachBackend(t, func(t *testing.T, o registry.Options) {
		var offset atomic.Int64
		slow := o
		slow.Lease = time.Minute
		slow.Now = func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }
		r := open(t, slow)
		upload(t, r)
		j := submit(t, r, flows)
		started, release := make(chan struct{}, 1), make(chan struct{})
		// It neither renews (a third of the lease is far) nor stops.
		worker(t, r, func(ctx context.Context, s registry.Spec, in []registry.Input, p func(string, float64)) ([]byte, error) {
			started <- struct{}{}
			<-release
			return nil, errors.New("late")
		})
		<-started
		other := open(t, slow)
		stop := worker(t, other, trainer.Train)
		time.Sleep(50 * time.Millisecond)
		if j = job(t, r, j.ID); j.State != registry.Running || j.Attempt != 1 {
			t.Errorf("taken before its time: %+v", j)
		}
		offset.Store(int64(2 * time.Minute))
		await(t, "another takes it", func() bool { return job(t, r, j.ID).State == registry.Done })
		close(release)
		stop()
		time.Sleep(20 * time.Millisecond)
		if j = job(t, r, j.ID); j.State != registry.Done || j.Attempt != 2 || j.Error != "" {
			t.Errorf("the late worker was heard: %+v", j)
		}
	})
}

func TestWork_errorsEndTheJob(t *testing.T) {
	eachBackend(t, func(t *testing.T, o registry.Options) {
		r := open(t, o)
		upload(t, r)
		tests := map[string]registry.Train{
			"disk on fire": func(context.Context, registry.Spec, []registry.Input, func(string, float64)) ([]byte, error) {
				return nil, errors.New("disk on fire")
			},
			"the trainer panicked: boom": func(context.Context, registry.Spec, []registry.Input, func(string, float64)) ([]byte, error) {
				panic("boom")
			},
			"the bundle that was trained does not read back": func(context.Context, registry.Spec, []registry.Input, func(string, float64)) ([]byte, error) {
				return []byte("x"), nil
			},
			`recipe "none": there are`: trainer.Train,
		}
		for text, train := range tests {
			s := flows
			if strings.HasPrefix(text, "recipe") {
				s.Recipe = "none"
			}
			j := submit(t, r, s)
			stop := worker(t, r, train)
			await(t, text, func() bool { return job(t, r, j.ID).Ended() })
			stop()
			if j = job(t, r, j.ID); j.State != registry.Failed || !strings.Contains(j.Error, text) {
				t.Errorf("%s: %+v", text, j)
			}
		}
	})
}

// A job whose worker dies each time is given up.
func TestWork_givesUp(t *testing.T) {
	eachBackend(t, func(t *testing.T, o registry.Options) {
		o.MaxAttempts, o.Lease = 2, time.Millisecond
		var late atomic.Int64
		o.Now = func() time.Time { return time.Now().Add(time.Duration(late.Load()) * time.Hour) }
		r := open(t, o)
		upload(t, r)
		j := submit(t, r, flows)
		for range 3 {
			if _, err := r.Claim(ctx, "dead"); err != nil && registry.KindOf(err) != registry.NotFound {
				t.Fatal(err)
			}
			late.Add(1)
		}
		if j = job(t, r, j.ID); j.State != registry.Failed || !strings.Contains(j.Error, "started 2 times") {
			t.Errorf("%+v", j)
		}
		// One that was to be cancelled when its worker died, ends.
		j = submit(t, r, flows)
		if _, err := r.Claim(ctx, "dead"); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Cancel(ctx, registry.Local, j.ID); err != nil {
			t.Fatal(err)
		}
		late.Add(1)
		if _, err := r.Claim(ctx, "other"); registry.KindOf(err) != registry.NotFound {
			t.Errorf("%v", err)
		}
		if j = job(t, r, j.ID); j.State != registry.Cancelled {
			t.Errorf("%+v", j)
		}
	})
}

// Several workers share the jobs, and each job is done once.
func TestWork_sharesJobs(t *testing.T) {
	eachBackend(t, func(t *testing.T, o registry.Options) {
		a, b := open(t, o), open(t, o)
		upload(t, a)
		const n = 12
		var ids []string
		for i := range n {
			s := flows
			s.Seed = uint64(i)
			ids = append(ids, submit(t, a, s).ID)
		}
		var runs atomic.Int64
		file := unsignedBundle(t, "1.0.0", 1)
		train := func(context.Context, registry.Spec, []registry.Input, func(string, float64)) ([]byte, error) {
			runs.Add(1)
			return file, nil
		}
		for _, r := range []*registry.Registry{a, b, a, b} {
			worker(t, r, train)
		}
		await(t, "all are done", func() bool {
			states, err := a.JobStates(ctx)
			if err != nil {
				t.Fatal(err)
			}
			return states[registry.Done] == n
		})
		if runs.Load() != n {
			t.Errorf("%d runs of %d jobs", runs.Load(), n)
		}
		for _, id := range ids {
			if j := job(t, b, id); j.Attempt != 1 {
				t.Errorf("%+v", j)
			}
		}
	})
}
