package registry

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The kinds of job: the commands that do the same.
const (
	JobTrain    = "train"
	JobPrep     = "prep"
	JobFeatures = "features"
	JobTune     = "tune"
	JobEvaluate = "evaluate"
)

// jobKinds says whether a kind of job needs a recipe.
var jobKinds = map[string]bool{JobTrain: true, JobPrep: false, JobFeatures: true, JobTune: true, JobEvaluate: false}

// Spec is what a job is asked to do: what the command of its kind is asked on
// the command line.
type Spec struct {
	Kind    string   `json:"kind,omitempty" enum:"train,prep,features,tune,evaluate" doc:"absent: train"`
	Recipe  string   `json:"recipe,omitempty" doc:"of train, features and tune; of evaluate to train once more without each class"`
	Data    []string `json:"data" doc:"names of uploads, in order"`
	Seed    uint64   `json:"seed,omitempty"`
	Split   string   `json:"split,omitempty" doc:"shares in percent, 70/15/15"`
	Version string   `json:"version,omitempty" doc:"of the bundle that train makes"`
	Bundle  string   `json:"bundle,omitempty" doc:"what evaluate judges: NAME@VERSION, or the job that trained it"`
	Search  *Search  `json:"search,omitempty" doc:"of tune"`
}

// Search is how a job of kind tune searches; zero values are the command's
// defaults.
type Search struct {
	How   string `json:"how,omitempty" enum:"grid,random,halving"`
	Model string `json:"model,omitempty" enum:"forest,boosting"`
	Draws int    `json:"draws,omitempty" minimum:"0" maximum:"1000"`
	Folds int    `json:"folds,omitempty" minimum:"0" maximum:"100"`
	Rule  string `json:"rule,omitempty" enum:"one-error,best"`
	Rows  string `json:"rows,omitempty" enum:"train,kept"`
	// Space is the space as JSON, as result.json of a search holds it.
	Space json.RawMessage `json:"space,omitempty"`
}

// does returns the kind of job.
func (s Spec) does() string { return cmp.Or(s.Kind, JobTrain) }

// Metric is a figure of a finished job.
type Metric struct {
	Name  string   `json:"name"`
	Value *float64 `json:"value"`
	Split string   `json:"split"`
}

// The states of a job.
const (
	Queued    = "queued"
	Running   = "running"
	Done      = "done"
	Failed    = "failed"
	Cancelled = "cancelled"
)

// Job is work on uploaded data. A job that is queued after it ran was handed back, or
// its worker died.
type Job struct {
	ID       string   `json:"id"`
	State    string   `json:"state"`
	Spec     Spec     `json:"spec"`
	Data     []Data   `json:"data"` // as it was when the job was submitted; what evaluate judges comes last
	Progress float64  `json:"progress"`
	Stage    string   `json:"stage,omitempty"`
	ETA      float64  `json:"eta_seconds,omitempty"` // by the pace so far; 0 if unknown
	Attempt  int64    `json:"attempt"`
	Error    string   `json:"error,omitempty"`
	Bundle   string   `json:"bundle_sha256,omitempty"` // that train made
	Files    string   `json:"files_sha256,omitempty"`  // ZIP archive of what the others wrote
	Size     int64    `json:"bundle_size,omitempty"`   // of either
	Metrics  []Metric `json:"metrics,omitempty"`
	Created  string   `json:"created_at"`
	By       string   `json:"created_by"`
	Started  string   `json:"started_at,omitempty"`
	Finished string   `json:"finished_at,omitempty"`

	started int64
}

// Ended reports whether nothing will change any more.
func (j Job) Ended() bool { return j.State == Done || j.State == Failed || j.State == Cancelled }

// order is the column spec, result the column result.
type (
	order struct {
		Spec Spec   `json:"spec"`
		Data []Data `json:"data"`
	}
	outcome struct {
		Size    int64    `json:"size"`
		Metrics []Metric `json:"metrics"`
	}
)

// progressUnit is the resolution of progress in rows.
const progressUnit = 1e6

const jobColumns = "id, state, spec, progress, stage, attempt, error, result, bundle, created_at, created_by, started_at, finished_at"

func scanJob(scan func(...any) error) (j Job, err error) {
	var spec, result, made string
	var progress, created, finished int64
	if err = scan(&j.ID, &j.State, &spec, &progress, &j.Stage, &j.Attempt, &j.Error, &result, &made, &created, &j.By, &j.started, &finished); err != nil {
		return j, err
	}
	j.Progress, j.Created, j.Started, j.Finished = float64(progress)/progressUnit, stamp(created), stamp(j.started), stamp(finished)
	var o order
	if err := json.Unmarshal([]byte(spec), &o); err != nil {
		return j, &Error{Corrupt, "database: job " + j.ID, err}
	}
	j.Spec, j.Data = o.Spec, o.Data
	if j.Bundle = made; j.Spec.does() != JobTrain {
		j.Bundle, j.Files = "", made
	}
	if result != "" {
		var r outcome
		if err := json.Unmarshal([]byte(result), &r); err != nil {
			return j, &Error{Corrupt, "database: job " + j.ID, err}
		}
		j.Size, j.Metrics = r.Size, r.Metrics
	}
	return j, nil
}

// withETA adds the estimate: the rest at the pace since this attempt started.
func (r *Registry) withETA(j Job) Job {
	if j.State == Running && j.Progress > 0 && j.Progress < 1 {
		elapsed := float64(r.now()-j.started) / 1000
		j.ETA = elapsed * (1 - j.Progress) / j.Progress
	}
	return j
}

// maxJobData bounds the files of one job, maxSpace the space of a search.
const (
	maxJobData = 64
	maxSpace   = 16 << 10
)

// Submit queues a job. Its data are those that have the names now; a name that
// nothing was uploaded under is Invalid. More than [Options.MaxQueued] jobs
// that have not ended are Busy.
func (r *Registry) Submit(ctx context.Context, by Actor, s Spec) (Job, error) {
	recipe, known := jobKinds[s.does()]
	switch {
	case !known:
		return Job{}, failf(Invalid, "job: %.64q is no kind of job", s.Kind)
	case s.Recipe == "" && recipe || len(s.Recipe) > 64 || s.Recipe != "" && !plain(s.Recipe) || len(s.Split) > 32 || len(s.Version) > 64:
		return Job{}, failf(Invalid, "job: want a recipe, and split and version of at most 32 and 64 bytes")
	case (s.Bundle != "") != (s.does() == JobEvaluate):
		return Job{}, failf(Invalid, "job: evaluate, and it alone, wants a bundle to judge")
	case s.Search != nil && (s.does() != JobTune || len(s.Search.Space) > maxSpace):
		return Job{}, failf(Invalid, "job: tune, and it alone, searches, in a space of at most %d bytes", maxSpace)
	}
	if len(s.Data) == 0 || len(s.Data) > maxJobData {
		return Job{}, failf(Invalid, "job: want the names of 1 to %d uploads, got %d", maxJobData, len(s.Data))
	}
	id := r.newID()
	err := r.db.tx(ctx, func(tx *sql.Tx) error {
		var waiting int
		if err := tx.QueryRowContext(ctx, "select count(*) from jobs where state in ($1, $2)", Queued, Running).Scan(&waiting); err != nil {
			return err
		}
		if waiting >= r.o.MaxQueued {
			return failf(Busy, "job: %d wait already: try again later", waiting)
		}
		o := order{Spec: s}
		for i, name := range s.Data {
			d, err := one(ctx, tx, scanData, "data "+name, "select "+dataColumns+" from data where name = $1", name)
			if KindOf(err) == NotFound {
				return failf(Invalid, "job: nothing was uploaded as %.64q", name)
			}
			if err != nil {
				return err
			}
			if slices.Contains(s.Data[:i], name) {
				return failf(Invalid, "job: %.64q stands twice", name)
			}
			o.Data = append(o.Data, Data{Name: d.Name, SHA256: d.SHA256, Size: d.Size})
		}
		if s.Bundle != "" {
			d, err := r.judged(ctx, tx, s.Bundle)
			if err != nil {
				return err
			}
			o.Data = append(o.Data, d)
		}
		spec, err := json.Marshal(o)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "insert into jobs (id, state, recipe, spec, progress, stage, attempt, owner, lease_until, cancel, error, result, bundle, created_at, created_by, started_at, finished_at)"+
			" values ($1, $2, $3, $4, 0, '', 0, '', 0, 0, '', '', '', $5, $6, 0, 0)", id, Queued, s.Recipe, string(spec), r.now(), by.Name); err != nil {
			return err
		}
		return r.audit(ctx, tx, by, "job submit", strings.TrimSpace(id+" "+s.Kind+" "+s.Recipe), "done")
	})
	if err != nil {
		return Job{}, err
	}
	r.mu.Lock()
	close(r.wake)
	r.wake = make(chan struct{})
	r.mu.Unlock()
	return r.Job(ctx, id)
}

// judged returns the bundle that a job is to judge: a published one by
// NAME@VERSION, or that of a training job by its id.
func (r *Registry) judged(ctx context.Context, tx *sql.Tx, which string) (Data, error) {
	d := Data{Name: which}
	if name, version, ok := strings.Cut(which, "@"); ok {
		b, err := one(ctx, tx, scanBundle, "bundle "+which, "select "+bundleColumns+" from bundles where name = $1 and version = $2", name, version)
		if KindOf(err) == NotFound {
			return d, failf(Invalid, "job: no bundle %.128q is published", which)
		}
		d.SHA256, d.Size = b.SHA256, b.Size
		return d, err
	}
	j, err := one(ctx, tx, scanJob, "job "+which, "select "+jobColumns+" from jobs where id = $1", which)
	if KindOf(err) == NotFound || err == nil && j.Bundle == "" {
		return d, failf(Invalid, "job: %.128q is no bundle NAME@VERSION and no job that has made one", which)
	}
	d.SHA256, d.Size = j.Bundle, j.Size
	return d, err
}

// Job returns a job.
func (r *Registry) Job(ctx context.Context, id string) (Job, error) {
	j, err := one(ctx, r.db.read, scanJob, "job "+id, "select "+jobColumns+" from jobs where id = $1", id)
	return r.withETA(j), err
}

// Jobs lists jobs, newest first, of a state or of all for "".
func (r *Registry) Jobs(ctx context.Context, state string, limit int) ([]Job, error) {
	list, err := all(ctx, r.db.read, scanJob, "select "+jobColumns+" from jobs where $1 = '' or state = $1 order by id desc limit $2", state, min(max(limit, 1), maxList))
	for i, j := range list {
		list[i] = r.withETA(j)
	}
	return list, err
}

// JobStates counts the jobs of each state.
func (r *Registry) JobStates(ctx context.Context) (map[string]int, error) {
	type count struct {
		state string
		n     int
	}
	list, err := all(ctx, r.db.read, func(scan func(...any) error) (c count, err error) { return c, scan(&c.state, &c.n) }, "select state, count(*) from jobs group by state")
	states := map[string]int{Queued: 0, Running: 0, Done: 0, Failed: 0, Cancelled: 0}
	for _, c := range list {
		states[c.state] = c.n
	}
	return states, err
}

// Cancel ends a job. One that waits ends now, one that runs when its worker
// next renews its lease; one that has ended is a Conflict.
func (r *Registry) Cancel(ctx context.Context, by Actor, id string) (Job, error) {
	err := r.db.tx(ctx, func(tx *sql.Tx) error {
		j, err := one(ctx, tx, scanJob, "job "+id, "select "+jobColumns+" from jobs where id = $1"+r.db.forUpdate(), id)
		switch {
		case err != nil:
			return err
		case j.Ended():
			return failf(Conflict, "job %s has ended: it is %s", id, j.State)
		case j.State == Queued:
			_, err = tx.ExecContext(ctx, "update jobs set state = $1, cancel = 1, finished_at = $2 where id = $3", Cancelled, r.now(), id)
		default:
			_, err = tx.ExecContext(ctx, "update jobs set cancel = 1 where id = $1", id)
		}
		if err != nil {
			return err
		}
		return r.audit(ctx, tx, by, "job cancel", id, "done")
	})
	if err != nil {
		return Job{}, err
	}
	return r.Job(ctx, id)
}

// OpenResult opens the bundle that a job made; it is not signed and not
// published yet. A job of another kind is a Conflict.
func (r *Registry) OpenResult(ctx context.Context, id string) (*Object, error) {
	return r.openMade(ctx, id, "bundle", func(j Job) string { return j.Bundle })
}

// OpenFiles opens the ZIP archive of the files that a job other than train
// made; a job that trains is a Conflict.
func (r *Registry) OpenFiles(ctx context.Context, id string) (*Object, error) {
	return r.openMade(ctx, id, "archive of files", func(j Job) string { return j.Files })
}

func (r *Registry) openMade(ctx context.Context, id, what string, made func(Job) string) (*Object, error) {
	j, err := r.Job(ctx, id)
	if err != nil {
		return nil, err
	}
	if made(j) == "" {
		return nil, failf(Conflict, "job %s, %s, has no %s: it is %s", id, j.Spec.does(), what, j.State)
	}
	return r.objects.open(ctx, made(j), j.Size)
}

// errLost means that another worker has the job now.
var errLost = failf(Conflict, "the lease is lost")

// claim leases the oldest job that waits, or whose worker has died, to owner.
// NotFound means that there is none. A job that has been started too often
// fails instead; one whose cancelling its worker did not live to see, ends.
func (r *Registry) claim(ctx context.Context, owner string) (Job, error) {
	for {
		var j Job
		dead := false
		err := r.db.tx(ctx, func(tx *sql.Tx) (err error) {
			var cancel int64
			now := r.now()
			err = tx.QueryRowContext(ctx, "select id, cancel from jobs where state = $1 or state = $2 and lease_until < $3 order by id limit 1"+r.db.skipLocked(), Queued, Running, now).Scan(&j.ID, &cancel)
			if err == sql.ErrNoRows {
				return failf(NotFound, "no job waits")
			}
			if err != nil {
				return err
			}
			if j, err = one(ctx, tx, scanJob, "job", "select "+jobColumns+" from jobs where id = $1", j.ID); err != nil {
				return err
			}
			dead = cancel != 0 || j.Attempt >= int64(r.o.MaxAttempts)
			switch {
			case cancel != 0:
				_, err = tx.ExecContext(ctx, "update jobs set state = $1, owner = '', finished_at = $2 where id = $3", Cancelled, now, j.ID)
			case dead:
				_, err = tx.ExecContext(ctx, "update jobs set state = $1, owner = '', finished_at = $2, error = $3 where id = $4", Failed, now,
					fmt.Sprintf("started %d times and never finished: its worker died each time", j.Attempt), j.ID)
			default:
				j.Attempt++
				_, err = tx.ExecContext(ctx, "update jobs set state = $1, owner = $2, lease_until = $3, attempt = $4, progress = 0, stage = '', started_at = $5 where id = $6",
					Running, owner, now+r.o.Lease.Milliseconds(), j.Attempt, now, j.ID)
			}
			return err
		})
		if err != nil || !dead {
			return j, err
		}
	}
}

// renew extends a lease and notes progress. It reports whether the job is to
// be cancelled; errLost means that it belongs to another worker.
func (r *Registry) renew(ctx context.Context, id, owner, stage string, progress float64) (cancelled bool, err error) {
	err = r.db.tx(ctx, func(tx *sql.Tx) error {
		var cancel int64
		err := tx.QueryRowContext(ctx, "update jobs set lease_until = $1, progress = $2, stage = $3 where id = $4 and owner = $5 and state = $6 returning cancel",
			r.now()+r.o.Lease.Milliseconds(), int64(progress*progressUnit), stage, id, owner, Running).Scan(&cancel)
		if err == sql.ErrNoRows {
			return errLost
		}
		cancelled = cancel != 0
		return err
	})
	return cancelled, err
}

// finish ends a job in state, or hands it back if that is Queued. Only the
// worker that has the lease can.
func (r *Registry) finish(ctx context.Context, id, owner, state, text, sha string, result string) error {
	return r.db.tx(ctx, func(tx *sql.Tx) error {
		now, finished, progress := r.now(), int64(0), int64(0)
		if state != Queued {
			finished = now
		}
		if state == Done {
			progress = progressUnit
		}
		res, err := tx.ExecContext(ctx, "update jobs set state = $1, error = $2, bundle = $3, result = $4, finished_at = $5, owner = '', lease_until = 0, progress = case when $6 > 0 then $6 else progress end where id = $7 and owner = $8 and state = $9",
			state, text, sha, result, finished, progress, id, owner, Running)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			return errLost
		}
		if state == Queued { // handed back: this attempt does not count
			_, err = tx.ExecContext(ctx, "update jobs set attempt = attempt - 1 where id = $1", id)
			return err
		}
		return r.audit(ctx, tx, Actor{Name: "worker"}, "job "+state, id, "done")
	})
}

// heartbeat is how often a lease is renewed.
func (r *Registry) heartbeat() time.Duration { return max(r.o.Lease/3, time.Millisecond) }
