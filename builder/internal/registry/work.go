package registry

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"cloister/shared/bundle"
)

// Input is a file of training data of a job.
type Input struct {
	Name string
	*os.File
	Size int64
}

// Train does the work of a job: it returns a bundle file, or, for a kind other
// than train, a ZIP archive of files. Of evaluate, the last input is the bundle.
// It calls progress
// with the stage and the share in [0,1] that is done, and ends soon after ctx
// does. The same spec and data give the same bytes, so that a job which is
// started again after a crash loses time and nothing else.
type Train func(ctx context.Context, s Spec, data []Input, progress func(stage string, done float64)) ([]byte, error)

// poll is how often a worker looks for jobs that another process submitted or
// left.
const poll = 500 * time.Millisecond

// Work takes jobs, one after the other, until ctx ends; then the job under way
// is handed back, and it returns nil. Errors of single jobs end those; errors
// of the registry are logged and tried again.
func (r *Registry) Work(ctx context.Context, train Train) error {
	owner := r.newID()
	for ctx.Err() == nil {
		r.mu.Lock()
		wake := r.wake
		r.mu.Unlock()
		j, err := r.claim(ctx, owner)
		if err == nil {
			r.run(ctx, owner, j, train)
			continue
		}
		if KindOf(err) != NotFound && ctx.Err() == nil {
			r.o.Log.Error("no job taken", "error", err.Error())
		}
		select {
		case <-wake:
		case <-time.After(min(poll, r.heartbeat())):
		case <-ctx.Done():
		}
	}
	return nil
}

var errCancelled = errors.New("cancelled")

// run does one job and ends it.
func (r *Registry) run(ctx context.Context, owner string, j Job, train Train) {
	log := r.o.Log.With("job", j.ID, "kind", j.Spec.does(), "recipe", j.Spec.Recipe, "attempt", j.Attempt)
	log.Info("job started")
	work, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var mu sync.Mutex
	stage, share := "", 0.0
	beat := make(chan struct{})
	go func() { // owned by this call, which waits for it below
		defer close(beat)
		for {
			select {
			case <-time.After(r.heartbeat()):
			case <-work.Done():
				return
			}
			mu.Lock()
			s, p := stage, share
			mu.Unlock()
			cancelled, err := r.renew(work, j.ID, owner, s, p)
			switch {
			case cancelled:
				stop(errCancelled)
			case errors.Is(err, errLost):
				stop(errLost)
			case err != nil && work.Err() == nil:
				log.Error("lease not renewed", "error", err.Error()) // the next beat tries again
			}
		}
	}()
	file, err := r.attempt(work, j, train, func(s string, p float64) {
		mu.Lock()
		defer mu.Unlock()
		if stage, share = s, min(max(p, 0), 1); share != share {
			share = 0
		}
	})
	cause := context.Cause(work)
	stop(nil)
	<-beat
	// What ends a job is written even if the process is told to stop.
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	state, text, sha, result := Done, "", "", ""
	switch {
	case errors.Is(cause, errLost):
		log.Warn("job lost to another worker")
		return
	case errors.Is(cause, errCancelled):
		state = Cancelled
	case err != nil && ctx.Err() != nil:
		state = Queued
	case err != nil:
		state, text = Failed, told(err)
	default:
		if sha, result, err = r.keep(end, j.Spec.does(), file); err != nil {
			state, text, sha, result = Failed, told(err), "", ""
		}
	}
	if err != nil && state == Failed {
		log.Error("job failed", "error", err.Error())
	}
	if err := r.finish(end, j.ID, owner, state, text, sha, result); err != nil {
		log.Error("job not ended; it will be started again", "error", err.Error())
		return
	}
	log.Info("job ended", "state", state, "error", text, "bundle", sha)
}

// told is what the error of a job says to whoever submitted it: where things
// lie on this machine is for the log.
func told(err error) string {
	text := err.Error()
	if e, ok := errors.AsType[*Error](err); ok && (e.Kind == Corrupt || e.Kind == Full) {
		text = e.Text
	}
	return fmt.Sprintf("%.1024s", text)
}

// attempt fetches the data and trains. A panic of a trainer ends the job, not
// the process.
func (r *Registry) attempt(ctx context.Context, j Job, train Train, progress func(string, float64)) (file []byte, err error) {
	defer func() {
		if v := recover(); v != nil {
			r.o.Log.Error("panic", "job", j.ID, "value", fmt.Sprint(v), "stack", string(debug.Stack()))
			err = fmt.Errorf("the trainer panicked: %.256v", v)
		}
	}()
	var data []Input
	defer func() {
		for _, d := range data {
			d.Close()
			os.Remove(d.File.Name())
		}
	}()
	progress("data", 0)
	for _, d := range j.Data {
		f, err := r.fetch(ctx, d)
		if err != nil {
			return nil, err
		}
		data = append(data, Input{d.Name, f, d.Size})
	}
	return train(ctx, j.Spec, data, progress)
}

// keep stores what a job made.
func (r *Registry) keep(ctx context.Context, kind string, file []byte) (sha, result string, err error) {
	o := outcome{Size: int64(len(file))}
	if kind == JobTrain {
		b, err := bundle.Decode(file, bundle.Limits{})
		if err != nil {
			return "", "", &Error{Internal, "the bundle that was trained does not read back", err}
		}
		for _, x := range b.Manifest().Metrics {
			o.Metrics = append(o.Metrics, Metric{x.Name, x.Value, x.Split})
		}
	}
	text, err := json.Marshal(o)
	if err != nil {
		return "", "", err
	}
	sum := sha256.Sum256(file)
	sha = hex.EncodeToString(sum[:])
	return sha, string(text), r.objects.put(ctx, sha, o.Size, bytes.NewReader(file))
}
