package jsio

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"syscall/js"
	"time"
	"unsafe"

	"cloister/shared/job"
)

// pipe is one end of the conversation between page and worker.
type pipe struct {
	*mailbox
	port    js.Value // the worker, or in the worker itself
	inside  bool     // this is the worker's end
	yielded time.Time
	memory  int64                                // bytes of the worker's program, as it said last
	open    func(file, beside js.Value) job.File // of handles that came with a message
}

var _ job.Pipe = (*pipe)(nil)

var uint8Array = js.Global().Get("Uint8Array")

// Self returns the worker's end. It expects of worker.js that messages which
// came before are in the global array cloisterEarly and that the global function
//
//	cloisterReadInto(file, from, to, ptr)
//
// copies bytes [from, to) of a File into the program's memory and returns
// their number.
func Self() job.Pipe {
	p := &pipe{mailbox: newMailbox(), port: js.Global(), inside: true, open: workerFile}
	p.port.Set("onmessage", js.FuncOf(func(_ js.Value, args []js.Value) any {
		p.arrived(args[0].Get("data"))
		return nil
	}))
	if early := p.port.Get("cloisterEarly"); early.Truthy() {
		for i := range early.Length() {
			p.arrived(early.Index(i))
		}
	}
	return p
}

// Start starts a worker with a compiled program and returns the page's end;
// stop ends the worker, which gives its memory back. The global function
// cloister.readerPort, if there is one, gives it the reader of packed files.
func Start(url string, module js.Value) (end job.Pipe, stop func(), err error) {
	defer func() {
		if e, ok := recover().(js.Error); ok {
			err = errors.New(e.Error())
		}
	}()
	w := js.Global().Get("Worker").New(url)
	first := map[string]any{"module": module}
	var passed []any
	if shell := js.Global().Get("cloister"); shell.Truthy() && shell.Get("readerPort").Truthy() {
		first["reader"] = shell.Call("readerPort")
		passed = append(passed, first["reader"])
	}
	w.Call("postMessage", first, passed)
	end, stop = Adopt(w)
	return end, stop, nil
}

// Adopt returns the page's end of a worker that was started as Start does, and
// has sent nothing yet: it speaks when it is spoken to. What its property failed
// says has gone wrong with it before.
func Adopt(w js.Value) (end job.Pipe, stop func()) {
	p := &pipe{mailbox: newMailbox(), port: w, open: newHandle}
	on := func(event string, f func(e js.Value)) {
		w.Call("addEventListener", event, js.FuncOf(func(_ js.Value, args []js.Value) any {
			f(args[0])
			return nil
		}))
	}
	on("message", func(e js.Value) {
		data := e.Get("data")
		if data.Get("ended").Truthy() {
			p.close(errors.New("the worker's program ended, most likely for lack of memory"))
			return
		}
		if m := data.Get("memory"); m.Type() == js.TypeNumber {
			p.memory = int64(m.Float())
		}
		p.arrived(data)
	})
	failed := func(what js.Value) { p.close(fmt.Errorf("the worker failed: %.512s", what.String())) }
	on("error", func(e js.Value) { failed(e.Get("message")) })
	if what := w.Get("failed"); what.Truthy() {
		failed(what)
	}
	on("messageerror", func(js.Value) {
		p.close(errors.New("a message of the worker could not be read"))
	})
	workers = append(workers, p)
	return p, func() {
		w.Call("terminate")
		workers = slices.DeleteFunc(workers, func(q *pipe) bool { return q == p })
		p.close(io.EOF)
	}
}

// workers are the pipes of the workers that run. The page has one thread.
var workers []*pipe

// Memory returns the bytes of WebAssembly memory of each running worker, as it
// said with its last message.
func Memory() []int64 {
	out := make([]int64, len(workers))
	for i, p := range workers {
		out[i] = p.memory
	}
	return out
}

// arrived takes a message in. One that is not ours is an empty one, which
// the protocol refuses.
func (p *pipe) arrived(data js.Value) {
	var m job.Message
	if data.Type() == js.TypeObject {
		if b := data.Get("data"); b.InstanceOf(uint8Array) {
			m.Data = make([]byte, b.Length())
			js.CopyBytesToGo(m.Data, b)
			discard(b.Get("buffer"))
		}
		if f := data.Get("file"); f.Truthy() {
			m.File = p.open(f, data.Get("beside"))
		}
	}
	p.put(m)
}

// discard gives back at once what a buffer takes up, by sending it to a port that
// is closed. Until both Go and the browser have collected their garbage, messages
// of many megabytes would come together.
func discard(buffer js.Value) {
	channel := js.Global().Get("MessageChannel").New()
	from := channel.Get("port1")
	from.Call("postMessage", nil, []any{buffer})
	from.Call("close")
	channel.Get("port2").Call("close")
}

// yieldEvery is how long a worker computes without looking at its messages.
const yieldEvery = 20 * time.Millisecond

// Send implements [job.Pipe]. The worker's end lets the browser deliver
// messages now and then, so that a cancellation arrives while a file is
// scored.
func (p *pipe) Send(m job.Message) error {
	p.mu.Lock()
	closed := p.closed
	p.mu.Unlock()
	if closed != nil {
		return closed
	}
	if err := p.post(m); err != nil {
		return err
	}
	if p.inside && time.Since(p.yielded) > yieldEvery {
		time.Sleep(time.Millisecond) // back to the event loop
		p.yielded = time.Now()
	}
	return nil
}

func (p *pipe) post(m job.Message) (err error) {
	defer func() {
		if e, ok := recover().(js.Error); ok {
			err = errors.New(e.Error())
		}
	}()
	data := uint8Array.New(len(m.Data))
	js.CopyBytesToJS(data, m.Data)
	message := js.Global().Get("Object").New()
	message.Set("data", data)
	if p.inside {
		if size := js.Global().Get("cloisterMemory"); size.Type() == js.TypeFunction {
			message.Set("memory", size.Invoke())
		}
	}
	if m.File != nil {
		h, ok := m.File.(*handle)
		if !ok {
			return fmt.Errorf("%T is not a file that the window gave", m.File)
		}
		message.Set("file", h.value)
		if h.beside.Truthy() {
			message.Set("beside", h.beside)
		}
	}
	p.port.Call("postMessage", message, []any{data.Get("buffer")})
	return nil
}

// handle is a File on the page, which can pass it on but not read it in
// pieces at once.
type handle struct {
	value  js.Value
	beside js.Value // its write-ahead log, undefined for none
	name   string
	size   int64
}

// NewFile returns a File of the page as a handle that a message can carry to a
// worker; the page itself cannot read it through ReadAt.
func NewFile(v js.Value) job.File {
	return newHandle(v, js.Undefined())
}

func newHandle(v, beside js.Value) job.File {
	return &handle{v, beside, v.Get("name").String(), int64(v.Get("size").Float())}
}

// NewFiles returns Files of the page as handles, in order. The write-ahead log
// of a database that is among them, by the names that SQLite gives them, goes
// with the database; its index, which holds nothing that is read, is left out.
func NewFiles(list []js.Value) []job.File {
	logs := map[string]js.Value{}
	names := map[string]bool{}
	for _, v := range list {
		name := v.Get("name").String()
		logs[name], names[name] = v, true
	}
	var out []job.File
	for _, v := range list {
		name := v.Get("name").String()
		if of, isLog := companion(name); isLog && names[of] {
			continue
		}
		out = append(out, newHandle(v, logs[name+"-wal"]))
	}
	return out
}

// FileValue returns the File behind what [NewFile] returned.
func FileValue(f job.File) (js.Value, bool) {
	h, ok := f.(*handle)
	if !ok {
		return js.Undefined(), false
	}
	return h.value, true
}

func (h *handle) Name() string { return h.name }
func (h *handle) Size() int64  { return h.size }

// ReadAt always fails: only workers read synchronously.
func (h *handle) ReadAt([]byte, int64) (int, error) {
	return 0, errors.New("the page does not read files: the worker does")
}

// chosen is a file of the browser with the values behind it: the File, and what
// came with it.
type chosen struct {
	readAhead
	values []any
}

// workerFile reads a File in a worker, straight into this program's memory:
// slices held through syscall/js would stay alive until Go's next garbage
// collection, gigabytes of them for a large file.
func workerFile(v, beside js.Value) job.File {
	readInto := js.Global().Get("cloisterReadInto")
	name := v.Get("name").String()
	values := []any{v}
	if beside.Truthy() {
		values = append(values, beside)
	}
	return &chosen{values: values, readAhead: readAhead{name: name, size: int64(v.Get("size").Float()), fill: func(dst []byte, from int64) (err error) {
		defer func() {
			if e, ok := recover().(js.Error); ok { // the file was changed or removed since it was chosen
				err = job.Failf("input", "Choose the file again; it may have been changed or moved since.", "%.64q cannot be read at byte %d: %.256s", name, from, e.Error())
			}
		}()
		// Go does not move heap objects, and nothing else runs meanwhile.
		n := readInto.Invoke(v, float64(from), float64(from+int64(len(dst))), int(uintptr(unsafe.Pointer(unsafe.SliceData(dst))))).Int()
		if n != len(dst) {
			return io.ErrUnexpectedEOF
		}
		return nil
	}}}
}

// Values returns, in a worker, the File behind what a message brought and the
// write-ahead log that came with it, if one did; nil for anything else.
func Values(f io.ReaderAt) []any {
	if r, ok := f.(*chosen); ok {
		return r.values
	}
	return nil
}
