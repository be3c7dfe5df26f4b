// Package pool runs one scoring run over several scorers. It hides how files
// are cut into parts, which scorer works on which part, and how verdicts come
// back in the order of the files whatever part is done first.
//
//	p := pool.New(pool.Member{Client: client, Stop: stop}, more, cores)
//	parts, _ := pool.Split(files, source, pool.Limits{})
//	result, err := p.Run(parts, job.Options{}, started, func(e pool.Event) { ... })
//	record, err := p.Explain(e.Part, row)
//
// Verdicts are those of a single scorer that reads the files one after the
// other: cuts lie between records ([Split] says why), rows are numbered
// through, and the share of rejected rows is judged over the whole file.
// Limits: a capture and a compressed file stay in one part; a part is scored
// again, up to the row that is asked for, when its scorer has gone on to
// another since.
package pool

import (
	"errors"
	"slices"
	"sync"

	"cloister/shared/job"
)

// Member is a scorer with a loaded bundle. Stop ends it; it may be nil.
type Member struct {
	Client *job.Client
	Stop   func()
}

// Pool is a growing set of scorers with the same bundle. It is safe for
// concurrent use, but one run at a time.
type Pool struct {
	more func() (Member, error)
	most int

	mu      sync.Mutex
	change  *sync.Cond
	members []*member
	parts   []Part // of the last run
	options job.Options
	run     *run
	closed  bool
}

// member is a scorer and what it holds.
type member struct {
	Member
	holds   int   // part that was scored last, -1 for none
	upto    int64 // row of it that was surely reached
	busy    bool  // scores, or reads a part again
	scoring bool  // holds is being scored: rows that have come can be explained
}

// New returns a pool of one scorer. more starts another one with the same
// bundle and returns when it is ready; most bounds their number, below 1 means
// one.
func New(first Member, more func() (Member, error), most int) *Pool {
	p := &Pool{more: more, most: max(most, 1), members: []*member{{Member: first, holds: -1}}}
	p.change = sync.NewCond(&p.mu)
	return p
}

// First returns the scorer that the pool was made with.
func (p *Pool) First() *job.Client { return p.members[0].Client }

// Size returns the number of scorers.
func (p *Pool) Size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.members)
}

// Close ends every scorer.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, m := range p.members {
		if m.Stop != nil {
			m.Stop()
		}
	}
	p.change.Broadcast()
}

// grow starts scorers until there are n. One that cannot be started is done
// without.
func (p *Pool) grow(n int) {
	for {
		p.mu.Lock()
		enough := len(p.members) >= min(n, p.most) || p.closed || p.more == nil
		p.mu.Unlock()
		if enough {
			return
		}
		m, err := p.more()
		if err != nil {
			return
		}
		p.mu.Lock()
		if p.closed {
			p.mu.Unlock()
			if m.Stop != nil {
				m.Stop()
			}
			return
		}
		added := &member{Member: m, holds: -1}
		p.members = append(p.members, added)
		r := p.run
		p.mu.Unlock()
		if r != nil {
			r.enlist(added)
		}
	}
}

// errClosed means that the pool was closed meanwhile.
var errClosed = errors.New("the scorers were stopped")

// Explain explains a row, by its number within a part of the last run. It
// waits for a scorer if all are at work and none holds the part; a part that
// no scorer holds any more is scored again up to the row.
func (p *Pool) Explain(part int, row int64) (r job.Record, err error) {
	err = p.with(part, row, func(c *job.Client) error {
		r, err = c.Explain(row)
		return err
	})
	return r, err
}

// Attribute explains rows of a part, ascending, as [job.Client.Attribute].
func (p *Pool) Attribute(part int, rows []int64) (a job.Attributions, err error) {
	if len(rows) == 0 {
		return a, nil
	}
	err = p.with(part, rows[len(rows)-1], func(c *job.Client) error {
		a, err = c.Attribute(rows)
		return err
	})
	return a, err
}

// Export asks for the packets of rows of a part, as [job.Client.Export].
func (p *Pool) Export(part int, rows []int64, started func(job.Run), each func([]byte, job.Progress)) (done job.Exported, err error) {
	if len(rows) == 0 {
		return done, nil
	}
	err = p.with(part, slices.Max(rows), func(c *job.Client) error {
		done, err = c.Export(rows, started, each)
		return err
	})
	return done, err
}

// with calls f with a scorer that holds a part up to row.
func (p *Pool) with(part int, row int64, f func(*job.Client) error) error {
	p.mu.Lock()
	if part < 0 || part >= len(p.parts) {
		p.mu.Unlock()
		return job.Failf("input", "Score the file again.", "part %d was not scored", part)
	}
	parts := p.parts
	for {
		if p.closed {
			p.mu.Unlock()
			return errClosed
		}
		var idle *member
		for _, m := range p.members {
			if m.holds == part && m.upto >= row && !m.busy || m.holds == part && m.scoring {
				scoring := m.scoring
				if !scoring {
					m.busy = true
				}
				p.mu.Unlock()
				err := f(m.Client)
				if !scoring {
					p.release(m)
				}
				return err
			}
			if !m.busy && idle == nil {
				idle = m
			}
		}
		if idle != nil {
			idle.busy, idle.holds = true, -1
			p.mu.Unlock()
			defer p.release(idle)
			if err := p.read(idle, parts[part], row); err != nil {
				return err
			}
			p.mu.Lock()
			idle.holds, idle.upto = part, row
			p.mu.Unlock()
			return f(idle.Client)
		}
		p.change.Wait()
	}
}

// read scores a part again until it has reached row.
func (p *Pool) read(m *member, part Part, row int64) error {
	var handle job.Run
	stopped := false
	_, err := m.Client.Score(part.File, p.options, func(r job.Run) { handle = r }, func(_ job.Progress, b *job.Batch) {
		if b != nil && !stopped && len(b.Row) > 0 && b.Row[len(b.Row)-1] >= row {
			stopped = true
			_ = handle.Cancel() // a pipe that broke fails the score itself
		}
	})
	return err
}

func (p *Pool) release(m *member) {
	p.mu.Lock()
	m.busy = false
	p.change.Broadcast()
	p.mu.Unlock()
}
