// Package jobtest is what tests of programs that speak job share. It hides how
// two ends of a conversation are joined in memory.
//
//	near, far := jobtest.Pipe()
//	go job.Serve(far, scorer)
//	client := job.NewClient(near)
//	defer near.Close()
package jobtest

import (
	"bytes"
	"io"
	"runtime"
	"sync"

	"cloister/shared/job"
)

// End is one end of a pipe in memory. It is safe for concurrent use.
type End struct {
	in, out *queue
}

var _ job.Pipe = (*End)(nil)

// queue holds the messages on their way in one direction.
type queue struct {
	mu     sync.Mutex
	change *sync.Cond
	list   []job.Message
	closed bool
}

// Pipe returns the two ends of a pipe that holds any number of messages.
func Pipe() (a, b *End) {
	x, y := &queue{}, &queue{}
	x.change, y.change = sync.NewCond(&x.mu), sync.NewCond(&y.mu)
	return &End{x, y}, &End{y, x}
}

// Send implements [job.Pipe]: the bytes of m stay the caller's. After Close it
// is io.ErrClosedPipe.
func (e *End) Send(m job.Message) error {
	e.out.mu.Lock()
	defer e.out.mu.Unlock()
	if e.out.closed {
		return io.ErrClosedPipe
	}
	m.Data = bytes.Clone(m.Data)
	e.out.list = append(e.out.list, m)
	e.out.change.Broadcast()
	return nil
}

// Receive implements [job.Pipe]: io.EOF after Close, once all was received.
func (e *End) Receive() (job.Message, error) {
	e.in.mu.Lock()
	defer e.in.mu.Unlock()
	for len(e.in.list) == 0 {
		if e.in.closed {
			return job.Message{}, io.EOF
		}
		e.in.change.Wait()
	}
	return e.in.next(), nil
}

// Poll implements [job.Pipe]. Where there is one thread, as in a browser, it
// gives the other end its turn.
func (e *End) Poll() (job.Message, bool) {
	runtime.Gosched()
	e.in.mu.Lock()
	defer e.in.mu.Unlock()
	if len(e.in.list) == 0 {
		return job.Message{}, false
	}
	return e.in.next(), true
}

// next takes the oldest message out; there is one.
func (q *queue) next() job.Message {
	m := q.list[0]
	q.list = q.list[1:]
	return m
}

// Close ends the conversation in both directions.
func (e *End) Close() {
	for _, q := range []*queue{e.in, e.out} {
		q.mu.Lock()
		q.closed = true
		q.change.Broadcast()
		q.mu.Unlock()
	}
}
