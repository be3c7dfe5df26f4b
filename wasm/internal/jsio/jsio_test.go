package jsio

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"cloister/shared/job"
)

func TestMailbox_keepsOrderAndDrainsBeforeItEnds(t *testing.T) {
	b := newMailbox()
	go func() {
		for i := range 1000 {
			b.put(job.Message{Data: []byte{byte(i), byte(i >> 8)}})
			if i%100 == 0 {
				time.Sleep(time.Microsecond)
			}
		}
		b.close(io.EOF)
		b.put(job.Message{}) // too late
		b.close(errors.New("second reason"))
	}()
	for i := range 1000 {
		m, err := b.Receive()
		if err != nil || m.Data[0] != byte(i) || m.Data[1] != byte(i>>8) {
			t.Fatalf("message %d: %v, %v", i, m, err)
		}
	}
	for range 2 {
		if _, err := b.Receive(); err != io.EOF {
			t.Errorf("after the end: %v", err)
		}
	}
	if _, ok := b.Poll(); ok {
		t.Error("a message after the end")
	}
}

func newAhead(n int) (*readAhead, []byte, *int) {
	data := make([]byte, n)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	calls := 0
	return &readAhead{name: "x", size: int64(n), fill: func(dst []byte, from int64) error {
		calls++
		copy(dst, data[from:from+int64(len(dst))])
		return nil
	}}, data, &calls
}

func TestReadAhead_isAReaderAt(t *testing.T) {
	for _, n := range []int{0, 1, aheadSize - 1, aheadSize, aheadSize + 1, 3*aheadSize + 5} {
		f, data, _ := newAhead(n)
		if err := iotest.TestReader(io.NewSectionReader(f, 0, int64(n)), data); err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
		r := rand.New(rand.NewPCG(3, 4))
		for range 200 {
			off, size := r.Int64N(int64(n)+10), r.IntN(2*aheadSize)
			got := make([]byte, size)
			k, err := f.ReadAt(got, off)
			want, wantErr := bytes.NewReader(data).ReadAt(make([]byte, size), off)
			if k != want || (err == nil) != (wantErr == nil) || off < int64(n) && !bytes.Equal(got[:k], data[off:off+int64(k)]) {
				t.Fatalf("%d bytes: ReadAt(%d, %d) = %d, %v, want %d, %v", n, size, off, k, err, want, wantErr)
			}
		}
	}
	if _, err := (&readAhead{}).ReadAt(make([]byte, 1), -1); err == nil {
		t.Error("a negative offset is read")
	}
}

func TestReadAhead_asksOncePerMegabyte(t *testing.T) {
	f, _, calls := newAhead(4 * aheadSize)
	b := make([]byte, 4096)
	for off := int64(0); off < f.size; off += int64(len(b)) {
		if _, err := f.ReadAt(b, off); err != nil {
			t.Fatal(err)
		}
	}
	if *calls != 4 {
		t.Errorf("%d calls for 4 MiB", *calls)
	}
}

func TestReadAhead_failureIsNotKept(t *testing.T) {
	f, data, _ := newAhead(100)
	fill := f.fill
	gone := errors.New("gone")
	f.fill = func([]byte, int64) error { return gone }
	b := make([]byte, 10)
	if n, err := f.ReadAt(b, 5); n != 0 || err != gone {
		t.Errorf("%d, %v", n, err)
	}
	f.fill = fill
	if n, err := f.ReadAt(b, 5); n != 10 || err != nil || !bytes.Equal(b, data[5:15]) {
		t.Errorf("after a failure: %d, %v", n, err)
	}
}

// bomb panics where it is told to.
type bomb struct{ at string }

func (b bomb) blow(at string) {
	if b.at == at {
		panic("boom at " + at + strings.Repeat("!", 1000))
	}
}

func (b bomb) Load([]byte) (job.Bundle, error) { b.blow("load"); return job.Bundle{Name: "n"}, nil }
func (b bomb) Score(job.File, job.Options, func(job.Progress, *job.Batch) bool) (job.Summary, error) {
	b.blow("score")
	return job.Summary{Rows: 1}, nil
}
func (b bomb) Explain(int64) (job.Record, error) { b.blow("explain"); return job.Record{Row: 3}, nil }

func TestGuard_turnsPanicsIntoFailures(t *testing.T) {
	cases := 0
	for at, run := range map[string]func(s job.Scorer) error{
		"load":    func(s job.Scorer) error { _, err := s.Load(nil); return err },
		"score":   func(s job.Scorer) error { _, err := s.Score(nil, job.Options{}, nil); return err },
		"explain": func(s job.Scorer) error { _, err := s.Explain(3); return err },
	} {
		made := 0
		s := Guard(func() job.Scorer {
			made++
			if made == 1 {
				return bomb{at}
			}
			return bomb{}
		})
		err := run(s)
		var f *job.Failure
		if !errors.As(err, &f) || f.Kind != "internal" || !strings.Contains(f.Text, "boom at "+at) || !strings.Contains(f.Stack, "blow") || len(f.Text) > 600 {
			t.Errorf("%s: %+v", at, err)
		}
		if err := run(s); err != nil || made != 2 {
			t.Errorf("%s: the next call gives %v after %d scorers", at, err, made)
		}
		cases++
	}
	if cases != 3 {
		t.Error("no cases")
	}
}

func TestCompanion_isTheDatabase(t *testing.T) {
	for name, want := range map[string]string{"a.db-wal": "a.db", "a.db-shm": "a.db", "-wal": "", "a.db": "", "wal": ""} {
		if got, is := companion(name); got != want || is != strings.Contains(name, "-") {
			t.Errorf("%s: %q, %v", name, got, is)
		}
	}
}
