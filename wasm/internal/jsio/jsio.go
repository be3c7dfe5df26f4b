// Package jsio is where the programs meet the browser: a worker's messages as
// a [job.Pipe], a chosen file as a [job.File], and a panic as a [job.Failure].
// It hides every name and rule of JavaScript but those of drawing, which
// cloister/wasm/internal/dom hides, and of the window, which
// cloister/wasm/internal/window does.
//
// The page:
//
//	pipe, stop, err := jsio.Start("worker.js", module)
//
// The worker:
//
//	job.Serve(jsio.Self(), jsio.Guard(func() job.Scorer { return score.New() }))
//
// What worker.js has to provide is listed at [Self]. A message is {data:
// Uint8Array, file: File, beside: File}, the last being the write-ahead log of a
// database; its bytes are transferred, not copied, and a file is only a handle.
// A worker says {ended: true} when its program is over.
package jsio

import (
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"sync"

	"cloister/shared/job"
)

// mailbox is the receiving half of a pipe: an unbounded queue with one reader.
type mailbox struct {
	mu     sync.Mutex
	list   []job.Message
	wake   chan struct{} // holds a token when there may be news
	closed error         // io.EOF, or why the other end is gone
}

func newMailbox() *mailbox { return &mailbox{wake: make(chan struct{}, 1)} }

// put adds a message; it never blocks.
func (b *mailbox) put(m job.Message) {
	b.mu.Lock()
	if b.closed == nil {
		b.list = append(b.list, m)
	}
	b.mu.Unlock()
	b.ring()
}

// close ends the queue after what is in it. The first reason counts.
func (b *mailbox) close(why error) {
	b.mu.Lock()
	if b.closed == nil {
		b.closed = why
	}
	b.mu.Unlock()
	b.ring()
}

func (b *mailbox) ring() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// Receive waits for the next message.
func (b *mailbox) Receive() (job.Message, error) {
	for {
		b.mu.Lock()
		if len(b.list) == 0 && b.closed != nil {
			err := b.closed
			b.mu.Unlock()
			return job.Message{}, err
		}
		b.mu.Unlock()
		if m, ok := b.Poll(); ok {
			return m, nil
		}
		<-b.wake
	}
}

// Poll returns the next message if there is one.
func (b *mailbox) Poll() (job.Message, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.list) == 0 {
		return job.Message{}, false
	}
	m := b.list[0]
	b.list[0] = job.Message{}
	b.list = b.list[1:]
	return m, true
}

// aheadSize is how much of a file is read at once: scanners that ask for a few
// kilobytes at a time then cost one call into the browser per megabyte.
const aheadSize = 1 << 20

// readAhead is a file of a browser with the last stretch read kept.
type readAhead struct {
	name string
	size int64
	// fill reads bytes [from, from+len(dst)) of the file, all of which exist.
	fill func(dst []byte, from int64) error
	buf  []byte
	at   int64 // of buf[0]
}

// Name returns the file's name, Size its length in bytes.
func (f *readAhead) Name() string { return f.name }
func (f *readAhead) Size() int64  { return f.size }

// ReadAt implements [io.ReaderAt], but for sequential use only.
func (f *readAhead) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("%.64q: read at %d", f.name, off)
	}
	n := 0
	for n < len(p) {
		at := off + int64(n)
		if at >= f.size {
			return n, io.EOF
		}
		if at >= f.at && at < f.at+int64(len(f.buf)) {
			n += copy(p[n:], f.buf[at-f.at:])
			continue
		}
		rest := min(int64(len(p)-n), f.size-at)
		if rest >= aheadSize { // no use in copying twice
			if err := f.fill(p[n:n+int(rest)], at); err != nil {
				return n, err
			}
			n += int(rest)
			continue
		}
		if f.buf == nil {
			f.buf = make([]byte, 0, aheadSize)
		}
		f.buf = f.buf[:min(aheadSize, f.size-at)]
		f.at = at
		if err := f.fill(f.buf, at); err != nil {
			f.buf = f.buf[:0]
			return n, err
		}
	}
	return n, nil
}

// Guard returns a scorer made by fresh that turns a panic into a
// [*job.Failure] of kind "internal" with its stack. The scorer that panicked
// is given up for a fresh one, which has no bundle. Running out of memory
// cannot be caught: the worker ends, and the page sees its pipe closed.
func Guard(fresh func() job.Scorer) job.Scorer {
	return &guard{fresh, fresh()}
}

type guard struct {
	fresh func() job.Scorer
	s     job.Scorer
}

func (g *guard) caught(doing string, err *error) {
	if p := recover(); p != nil {
		f := job.Failf("internal", "This is a fault in Cloister, not in your file. The scorer was started again; please report the details below, which hold nothing of the file but what the first line may quote.", "%s: %.512s", doing, fmt.Sprint(p))
		f.Stack = string(debug.Stack())
		*err = f
		g.s = g.fresh()
	}
}

// The optional methods of scorers are those of the one that is guarded.
var (
	_ job.Mapper   = (*guard)(nil)
	_ job.Keeper   = (*guard)(nil)
	_ job.Exporter = (*guard)(nil)
)

func unable(what string) error { return job.Failf("protocol", "", "this scorer cannot %s", what) }

// Propose implements [job.Mapper].
func (g *guard) Propose(f job.File) (p job.Proposal, err error) {
	defer g.caught("proposing columns", &err)
	if s, ok := g.s.(job.Mapper); ok {
		return s.Propose(f)
	}
	return p, unable("propose columns")
}

// Profile implements [job.Mapper].
func (g *guard) Profile(p job.Profile) (out job.Profile, err error) {
	defer g.caught("reading a profile", &err)
	if s, ok := g.s.(job.Mapper); ok {
		return s.Profile(p)
	}
	return out, unable("read profiles")
}

// Keys implements [job.Keeper].
func (g *guard) Keys(pem []byte, trust bool) (keys []job.Key, err error) {
	defer g.caught("reading keys", &err)
	if s, ok := g.s.(job.Keeper); ok {
		return s.Keys(pem, trust)
	}
	return nil, unable("read keys")
}

// Export implements [job.Exporter].
func (g *guard) Export(rows []int64, emit func([]byte, job.Progress) bool) (done job.Exported, err error) {
	defer g.caught("exporting packets", &err)
	if s, ok := g.s.(job.Exporter); ok {
		return s.Export(rows, emit)
	}
	return done, unable("export packets")
}

// Load implements [job.Scorer].
func (g *guard) Load(bundle []byte) (b job.Bundle, err error) {
	defer g.caught("loading the bundle", &err)
	return g.s.Load(bundle)
}

// Score implements [job.Scorer].
func (g *guard) Score(f job.File, o job.Options, emit func(job.Progress, *job.Batch) bool) (s job.Summary, err error) {
	defer g.caught("scoring", &err)
	return g.s.Score(f, o, emit)
}

// Explain implements [job.Scorer].
func (g *guard) Explain(row int64) (r job.Record, err error) {
	defer g.caught("explaining row "+fmt.Sprint(row), &err)
	return g.s.Explain(row)
}

// companion returns the name of the database that a file of this name belongs
// to, as SQLite names write-ahead logs and their indices.
func companion(name string) (database string, is bool) {
	for _, suffix := range []string{"-wal", "-shm"} {
		if of, ok := strings.CutSuffix(name, suffix); ok {
			return of, true
		}
	}
	return "", false
}
