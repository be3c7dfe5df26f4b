package unpack

import (
	"bytes"
	"io"
	"strings"
	"syscall/js"
	"testing"
	"time"
)

// stub puts answer in the place of the reader: it gets each question and returns
// an object, or undefined to stay silent. stops says how often it was ended.
func stub(t *testing.T, answer string) (stops func() int) {
	t.Helper()
	global := js.Global().Get("Function").New(`
		let stops = 0;
		const answer = ` + answer + `;
		return {
			ask(q, from, n, files, done) { setTimeout(() => { const a = answer(q, n); if (a) done(a, 0); }, 1); },
			stop() { stops++; },
			stops: () => stops,
		};`).Invoke()
	js.Global().Set("cloisterReader", global)
	reader.answers, reader.spent = nil, false
	t.Cleanup(func() {
		js.Global().Delete("cloisterReader")
		reader.answers, reader.spent = nil, false
	})
	return func() int { return global.Call("stops").Int() }
}

func TestAsk_errorsAndSilence(t *testing.T) {
	stops := stub(t, `(q) => ({error: 'byte 7: ' + q.op})`)
	if _, err := Parquet(strings.NewReader(""), 0); err == nil || !strings.Contains(err.Error(), "not the file") {
		t.Errorf("a file of nobody: %v", err)
	}
	z, err := Zstd(bytes.NewReader(make([]byte, 10)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(z); err == nil || err.Error() != "byte 7: unzip" {
		t.Errorf("an error of the reader: %v", err)
	}
	for range 2 { // what comes after that gets a new reader, once
		if _, err := Zstd(bytes.NewReader(nil)); err != nil || stops() != 1 {
			t.Errorf("after an error: ended %d times, %v", stops(), err)
		}
	}

	stops = stub(t, `() => undefined`)
	defer func(d time.Duration) { readerPatience = d }(readerPatience)
	readerPatience = 50 * time.Millisecond
	if z, err = Zstd(bytes.NewReader(make([]byte, 10))); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(z); err == nil || !strings.Contains(err.Error(), "no answer within 50ms") || stops() != 1 {
		t.Errorf("a reader that hangs: %v, ended %d times", err, stops())
	}
	js.Global().Delete("cloisterReader")
	reader.answers = nil
	if _, _, err := ask(map[string]any{"op": "rows"}, nil); err == nil || !strings.Contains(err.Error(), "without its reader") {
		t.Errorf("no reader: %v", err)
	}
}
