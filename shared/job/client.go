package job

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

// Client is the asking end of a [Pipe]. Its methods block until the answer
// arrives, so a page calls them from goroutines of its own; they are safe for
// concurrent use. [Client.Run] must be running.
type Client struct {
	pipe Pipe

	mu      sync.Mutex
	next    uint32
	pending map[uint32]*call
	closed  error
}

// call is one open request. Answers are delivered in order.
type call struct {
	answer func(envelope) // called for each message that is not final
	done   chan struct{}
	final  envelope
	err    error
}

// NewClient returns a Client over p.
func NewClient(p Pipe) *Client {
	return &Client{pipe: p, pending: map[uint32]*call{}}
}

// Run delivers answers until the pipe ends, then fails every open request. It
// returns nil when the pipe was closed.
func (c *Client) Run() error {
	for {
		m, err := c.pipe.Receive()
		if err == nil {
			var e envelope
			if e, err = open(m); err == nil {
				c.deliver(e)
				continue
			}
		}
		c.mu.Lock()
		c.closed = err
		for id, call := range c.pending {
			call.err = fmt.Errorf("scorer is gone: %w", err)
			delete(c.pending, id)
			close(call.done)
		}
		c.mu.Unlock()
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	}
}

func (c *Client) deliver(e envelope) {
	c.mu.Lock()
	call := c.pending[e.id]
	final := e.kind != kindProgress && e.kind != kindBatch && e.kind != kindPart
	if call != nil && final {
		delete(c.pending, e.id)
	}
	c.mu.Unlock()
	switch {
	case call == nil: // an answer to nothing: late after a failure
	case !final:
		if call.answer != nil {
			call.answer(e)
		}
	default:
		call.final = e
		close(call.done)
	}
}

// ask sends a request and waits for its final answer of kind want, which it
// decodes into v.
func (c *Client) ask(m func(id uint32) Message, want kind, v any, started func(id uint32), answer func(envelope)) error {
	call := &call{answer: answer, done: make(chan struct{})}
	c.mu.Lock()
	if c.closed != nil {
		c.mu.Unlock()
		return fmt.Errorf("scorer is gone: %w", c.closed)
	}
	c.next++
	id := c.next
	c.pending[id] = call
	c.mu.Unlock()
	if started != nil {
		started(id)
	}
	if err := c.pipe.Send(m(id)); err != nil {
		c.mu.Lock()
		delete(c.pending, id)
		c.mu.Unlock()
		return err
	}
	<-call.done
	switch {
	case call.err != nil:
		return call.err
	case call.final.kind == kindFailure:
		f := &Failure{}
		if err := decodeJSON(call.final.body, f); err != nil {
			return err
		}
		return f
	case call.final.kind != want:
		return Failf("protocol", "", "answer of kind %d to request %d", call.final.kind, id)
	}
	if a, ok := v.(*Attributions); ok {
		return a.decode(call.final.body)
	}
	return decodeJSON(call.final.body, v)
}

// Load hands a bundle file to the scorer, which verifies and decodes it and
// replays its test vectors. It replaces the bundle that was loaded before
// only if it succeeds.
func (c *Client) Load(bundle []byte) (Bundle, error) {
	var b Bundle
	err := c.ask(func(id uint32) Message { return seal(kindLoad, id, bundle) }, kindLoaded, &b, nil, nil)
	return b, err
}

// Run is a scoring run that can be cancelled.
type Run struct {
	c  *Client
	id uint32
}

// Cancel asks the scorer to stop at the next batch; the run then ends with
// the summary of what was scored.
func (r Run) Cancel() error { return r.c.pipe.Send(seal(kindCancel, r.id, nil)) }

// Score scores f with the loaded bundle. Each batch of verdicts and each
// progress report is handed to each, which is called on the goroutine of
// [Client.Run]; a nil *Batch comes with progress alone. started, if not nil,
// receives the handle that cancels the run. A run that stopped early is no
// error: Summary.Stopped says why.
func (c *Client) Score(f File, o Options, started func(Run), each func(Progress, *Batch)) (Summary, error) {
	var (
		s    Summary
		p    Progress
		fail error
	)
	err := c.ask(
		func(id uint32) Message {
			m := sealJSON(kindScore, id, o)
			m.File = f
			return m
		}, kindSummary, &s,
		func(id uint32) {
			if started != nil {
				started(Run{c, id})
			}
		},
		func(e envelope) {
			var b *Batch
			var err error
			if e.kind == kindBatch {
				b, err = decodeBatch(e.body)
			} else {
				err = decodeJSON(e.body, &p)
			}
			if err != nil {
				fail = errors.Join(fail, err)
				return
			}
			each(p, b)
		})
	if err == nil {
		err = fail
	}
	return s, err
}

// Explain explains a row of the file that was scored last.
func (c *Client) Explain(row int64) (Record, error) {
	var r Record
	err := c.ask(func(id uint32) Message { return sealJSON(kindExplain, id, row) }, kindRecord, &r, nil, nil)
	return r, err
}

// Attribute explains rows of the file that was scored last, at most
// [MaxAttribute], which must be ascending. It is [Client.Explain] for charts
// over many rows: numbers only.
func (c *Client) Attribute(rows []int64) (Attributions, error) {
	var a Attributions
	if len(rows) > MaxAttribute {
		return a, Failf("protocol", "", "%d rows to explain, at most %d at once", len(rows), MaxAttribute)
	}
	err := c.ask(func(id uint32) Message { return sealJSON(kindAttribute, id, rows) }, kindAttributions, &a, nil, nil)
	if err == nil && len(a.Row) != len(rows) {
		err = Failf("protocol", "", "%d of %d rows were explained", len(a.Row), len(rows))
	}
	return a, err
}
