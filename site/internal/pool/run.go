package pool

import (
	"fmt"
	"math"
	"slices"
	"sync"

	"cloister/shared/job"
)

// Event is news of a run. Events come in order, from one goroutine.
type Event struct {
	Progress job.Progress // over all files
	// Batch holds verdicts, nil if there are none; its row numbers count
	// within the file.
	Batch *job.Batch
	Part  int   // of the batch
	Base  int64 // what was added to the part's row numbers
}

// File is what became of one of the files.
type File struct {
	Name    string
	Summary job.Summary
	Err     error // why none of it could be scored, nil if some was
	Reached bool  // false if the run ended before it
}

// Handle cancels a run.
type Handle struct{ r *run }

// Cancel stops the run. What was scored before, in the order of the files,
// stays; what later parts had scored already is given up.
func (h Handle) Cancel() { h.r.cancel() }

// aheadParts bounds, per scorer, how many parts may be done before their turn.
const aheadParts = 2

// run is one run.
type run struct {
	p       *Pool
	parts   []Part
	o       job.Options
	mu      sync.Mutex
	change  *sync.Cond
	next    int // part to hand out
	front   int // part that is delivered
	stopped bool
	working int // goroutines
	state   []state
}

// state is what a part has come to.
type state struct {
	progress job.Progress
	batches  []*job.Batch
	handle   *job.Run
	done     bool
	sum      job.Summary
	err      error
}

// Run scores parts and calls each with verdicts in the order of the files. It
// returns what became of each file once every scorer is at rest. started
// receives the handle that cancels the run. err is that of the scorer or of
// the only file; with several files, one that cannot be read is told in its
// [File] alone.
func (p *Pool) Run(parts []Part, o job.Options, started func(Handle), each func(Event)) (files []File, err error) {
	if o.MaxRejectShare == 0 {
		o.MaxRejectShare = 0.10 // as job.Options says
	}
	inner := o
	for _, part := range parts {
		if part.Skip > 0 {
			inner.MaxRejectShare = 1 // a part is too little to judge by: merge does
		}
	}
	r := &run{p: p, parts: parts, o: inner, state: make([]state, len(parts))}
	r.change = sync.NewCond(&r.mu)
	p.mu.Lock()
	p.parts, p.run, p.options = parts, r, inner
	for _, m := range p.members {
		m.holds = -1
	}
	members := slices.Clone(p.members)
	p.mu.Unlock()
	for _, m := range members {
		r.enlist(m)
	}
	if len(parts) > 1 {
		go p.grow(len(parts))
	}
	started(Handle{r})
	files, err = r.merge(o.MaxRejectShare, each)
	r.cancel()
	p.mu.Lock()
	p.run = nil
	p.mu.Unlock()
	r.mu.Lock()
	for r.working > 0 {
		r.change.Wait()
	}
	r.mu.Unlock()
	return files, err
}

func (r *run) cancel() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return
	}
	r.stopped = true
	for i := range r.state {
		if s := &r.state[i]; s.handle != nil && !s.done {
			_ = s.handle.Cancel() // a pipe that broke fails the score itself
		}
	}
	r.change.Broadcast()
}

// enlist puts a scorer to work on parts until there are none.
func (r *run) enlist(m *member) {
	r.mu.Lock()
	r.working++
	r.mu.Unlock()
	go func() {
		for {
			part := r.take()
			if part < 0 {
				break
			}
			r.p.mu.Lock()
			for m.busy && !r.p.closed { // explains
				r.p.change.Wait()
			}
			m.busy, m.scoring, m.holds, m.upto = true, true, part, math.MaxInt64
			r.p.mu.Unlock()
			r.score(m, part)
			r.p.mu.Lock()
			m.busy, m.scoring = false, false
			r.p.change.Broadcast()
			r.p.mu.Unlock()
		}
		r.mu.Lock()
		r.working--
		r.change.Broadcast()
		r.mu.Unlock()
	}()
}

// take returns the next part to score, -1 if there is none.
func (r *run) take() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	for !r.stopped && r.next < len(r.parts) && r.next > r.front+aheadParts*r.p.most {
		r.change.Wait()
	}
	if r.stopped || r.next >= len(r.parts) {
		return -1
	}
	r.next++
	return r.next - 1
}

// score has a scorer work on a part.
func (r *run) score(m *member, part int) {
	s := &r.state[part]
	sum, err := m.Client.Score(r.parts[part].File, r.o,
		func(h job.Run) {
			r.mu.Lock()
			s.handle = &h
			r.mu.Unlock()
		},
		func(p job.Progress, b *job.Batch) {
			r.mu.Lock()
			defer r.mu.Unlock()
			s.progress = p
			if b != nil {
				s.batches = append(s.batches, b)
			}
			if r.stopped {
				_ = s.handle.Cancel() // the request may have crossed the cancellation
			}
			r.change.Broadcast()
		})
	r.mu.Lock()
	s.sum, s.err, s.done = sum, err, true
	r.change.Broadcast()
	r.mu.Unlock()
}

// merge delivers what the scorers find, in order.
func (r *run) merge(share float64, each func(Event)) ([]File, error) {
	files := r.files()
	base := int64(0) // rows of the file before the part
	told := job.Progress{}
	for part := 0; part < len(r.parts); part++ {
		at := r.parts[part]
		f := &files[at.Source]
		f.Reached = true
		if at.From <= at.Skip { // the first of its file
			base = 0
		}
		r.mu.Lock()
		r.front = part
		r.change.Broadcast()
		r.mu.Unlock()
		var sofar job.Summary // of what was delivered of the part
		over := false
		for {
			batches, done, progress := r.wait(part, &told)
			for _, b := range batches {
				tell(&sofar, b)
				shift(b, base, at)
				each(Event{Progress: progress, Batch: b, Part: part, Base: base})
				rows, rejected := base+sofar.Rows, f.Summary.Rejected+sofar.Rejected
				if at.Skip > 0 && rows >= minRows && float64(rejected) > share*float64(rows) {
					over = true
					sofar.Stopped = fmt.Sprintf("%d of %d rows could not be read: more than %g %%, the file is probably not what its header says", rejected, rows, share*100)
					break
				}
			}
			if len(batches) == 0 && !done {
				each(Event{Progress: progress})
			}
			if over {
				r.cancel()
				done = true
			}
			if done {
				break
			}
		}
		if over {
			f.Summary = add(f.Summary, sofar, base, at)
			return files, nil
		}
		s := &r.state[part]
		if s.err != nil && sofar.Rows == 0 && at.Skip == 0 && len(files) > 1 && isInput(s.err) {
			f.Err = s.err // the other files may be fine
			continue
		}
		if s.err != nil {
			if at.From > at.Skip && isInput(s.err) { // the file was changed meanwhile, or ends in blank lines
				f.Summary.Stopped = s.err.Error()
				return files, nil
			}
			return files, s.err
		}
		f.Summary = add(f.Summary, s.sum, base, at)
		base += s.sum.Rows
		switch {
		case s.sum.Cancelled:
			return files, nil
		case s.sum.Stopped != "":
			for part+1 < len(r.parts) && r.parts[part+1].Source == at.Source {
				part++ // the rest of the file cannot be relied on
			}
		}
	}
	return files, nil
}

// minRows is how many rows are read before the share of rejects counts.
const minRows = 1000

func (r *run) files() []File {
	var files []File
	for _, p := range r.parts {
		for len(files) <= p.Source {
			files = append(files, File{Name: p.File.Name()})
		}
	}
	return files
}

// wait returns what is new of a part, and the progress over all parts. It
// returns without news when others have got on.
func (r *run) wait(part int, told *job.Progress) (batches []*job.Batch, done bool, p job.Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		s := &r.state[part]
		p = job.Progress{}
		for i := range r.state {
			q := r.state[i].progress
			p.Bytes, p.Rows, p.Rejected = p.Bytes+max(0, q.Bytes-r.parts[i].Skip), p.Rows+q.Rows, p.Rejected+q.Rejected
			p.Total += r.parts[i].File.Size() - r.parts[i].Skip
		}
		batches, s.batches = s.batches, nil
		done = s.done || r.stopped && s.handle == nil && part >= r.next
		if len(batches) > 0 || done || p != *told {
			*told = p
			if done && !s.done { // never handed out
				s.done, s.sum.Cancelled, s.sum.Stopped = true, true, "cancelled"
			}
			return batches, done, p
		}
		r.change.Wait()
	}
}

// tell adds a batch to what was delivered.
func tell(s *job.Summary, b *job.Batch) {
	s.Rows += int64(len(b.Row) + len(b.Rejected))
	s.Scored += int64(len(b.Row))
	s.Rejected += int64(len(b.Rejected))
	for i, k := range b.Class {
		for len(s.ByClass) <= int(k) {
			s.ByClass = append(s.ByClass, 0)
		}
		s.ByClass[k]++
		if b.Abstained[i] {
			s.Abstained++
		}
		if b.Outside != nil && b.Outside[i] {
			s.Outside++
		}
	}
	if s.Reasons == nil {
		s.Reasons = map[string]int64{}
	}
	for _, r := range b.Rejected {
		s.Reasons[r.Reason]++
	}
}

// shift renumbers the rows of a part by those before it.
func shift(b *job.Batch, base int64, at Part) {
	for i := range b.Row {
		b.Row[i] += base
	}
	for i := range b.Rejected {
		b.Rejected[i].Row += base
		b.Rejected[i].Offset += at.From - at.Skip
	}
}
