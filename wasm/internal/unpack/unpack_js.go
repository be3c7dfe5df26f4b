package unpack

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall/js"
	"time"
	"unsafe"

	"cloister/shared/ingest"
	"cloister/shared/telemetry"
	"cloister/wasm/internal/jsio"
)

// readerPatience is how long the reader of packed files may take for one
// answer, which holds a megabyte or less. After that it is ended: a file that
// hangs it is no file to wait for.
var readerPatience = time.Minute

// reader is the reader of packed files. Questions are asked one after the
// other, from the goroutine that scores.
var reader struct {
	global  js.Value // cloisterReader of worker.js, with ask, take and stop
	answers chan readerAnswer
	heard   js.Func
	last    int  // id of what was opened last
	spent   bool // it refused a file, and keeps memory that its decoders do not give back then
}

type readerAnswer struct {
	value js.Value
	size  int
}

// openID names what is opened next, by a new reader if the one there is spent.
func openID() int {
	if reader.spent {
		reader.global.Call("stop")
		reader.spent = false
	}
	reader.last++
	return reader.last
}

// ask asks the reader and returns its answer, with the bytes that came along.
// The question is a map of plain values.
func ask(question map[string]any, in []byte, files ...any) (js.Value, []byte, error) {
	r := &reader
	if r.answers == nil {
		r.global = js.Global().Get("cloisterReader")
		r.answers = make(chan readerAnswer, 1)
		r.heard = js.FuncOf(func(_ js.Value, args []js.Value) any {
			select {
			case r.answers <- readerAnswer{args[0], args[1].Int()}:
			default: // nobody asked
			}
			return nil
		})
	}
	if !r.global.Truthy() {
		return js.Value{}, nil, errors.New("this page came without its reader of packed files")
	}
	select {
	case <-r.answers: // of a reader that was given up
	default:
	}
	r.global.Call("ask", question, int(uintptr(unsafe.Pointer(unsafe.SliceData(in)))), len(in), files, r.heard)
	patience := time.NewTimer(readerPatience)
	defer patience.Stop()
	select {
	case a := <-r.answers:
		var out []byte
		if a.size > 0 {
			out = make([]byte, a.size)
			r.global.Call("take", int(uintptr(unsafe.Pointer(unsafe.SliceData(out)))))
		}
		if why := a.value.Get("error"); why.Truthy() {
			r.spent = true
			return a.value, nil, errors.New(why.String())
		}
		return a.value, out, nil
	case <-patience.C:
		r.global.Call("stop")
		return js.Value{}, nil, fmt.Errorf("no answer within %v: the file was given up", readerPatience)
	}
}

// Zstd is [ingest.Options.Zstd] in a worker.
func Zstd(packed io.Reader) (io.Reader, error) {
	id := openID()
	return &unzipped{hungry: true, packed: packed, ask: func(in []byte, last bool) ([]byte, bool, bool, error) {
		a, out, err := ask(map[string]any{"op": "unzip", "id": id, "last": last}, in)
		if err != nil {
			return nil, false, false, err
		}
		return out, a.Get("hungry").Truthy(), a.Get("done").Truthy(), nil
	}}, nil
}

// Parquet is [ingest.Options.Parquet] in a worker, of a file that the page gave.
func Parquet(file io.ReaderAt, _ int64) (ingest.Cells, error) {
	return table(map[string]any{"op": "parquet"}, file)
}

// SQLite is [ingest.Options.SQLite] in a worker, of a file that the page gave,
// with its write-ahead log if that was chosen with it: see [jsio.NewFiles].
func SQLite(file io.ReaderAt, _ int64) (ingest.Cells, error) {
	var all, counters []string
	for _, m := range telemetry.Metrics() {
		all = append(all, m.Name)
		if m.Role == telemetry.Counter {
			counters = append(counters, m.Name)
		}
	}
	return table(map[string]any{"op": "sqlite", "metrics": strings.Join(all, " "), "counters": strings.Join(counters, " ")}, file)
}

// table opens a file by a question.
func table(question map[string]any, file io.ReaderAt) (ingest.Cells, error) {
	files := jsio.Values(file)
	if files == nil {
		return nil, errors.New("this is not the file that the page gave")
	}
	id := openID()
	question["id"] = id
	open := func() (js.Value, []byte, error) { return ask(question, nil, files...) }
	a, head, err := open()
	if err != nil {
		return nil, err
	}
	c := &cells{rows: int64(a.Get("rows").Float()), kind: a.Get("kind").String(), note: a.Get("note").String()}
	for at := 0; at < len(head); {
		var name [][]byte
		if name, at, err = cutRow(nil, head, at, 1); err != nil {
			return nil, err
		}
		c.header = append(c.header, string(bytes.Join(name, nil)))
	}
	c.more = func(from int64) ([]byte, int64, error) {
		rows := map[string]any{"op": "rows", "id": id, "from": float64(from)}
		a, packed, err := ask(rows, nil)
		if err == nil && a.Get("gone").Truthy() { // other files took its place
			if _, _, err = open(); err == nil {
				a, packed, err = ask(rows, nil)
			}
		}
		if err != nil {
			return nil, 0, err
		}
		return packed, int64(a.Get("rows").Float()), nil
	}
	return c, nil
}
