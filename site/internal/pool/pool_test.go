package pool_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"cloister/shared/job"
	"cloister/shared/job/jobtest"
	"cloister/shared/score"
	"cloister/site/internal/pool"
)

// file is an upload in memory.
type file struct {
	*bytes.Reader
	name string
	data []byte
}

func newFile(name string, data []byte) file { return file{bytes.NewReader(data), name, data} }

func (f file) Name() string { return f.name }

// source cuts files in memory.
type source struct{}

func (source) ReadRange(f job.File, from, to int64) ([]byte, error) {
	data := f.(file).data
	return data[from:min(to, int64(len(data)))], nil
}

func (source) Join(f job.File, ranges [][2]int64) job.File {
	var data []byte
	for _, r := range ranges {
		data = append(data, f.(file).data[r[0]:r[1]]...)
	}
	return newFile(f.Name(), data)
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// newPool returns a pool of up to n scorers with the default bundle.
func newPool(t testing.TB, n int) *pool.Pool {
	t.Helper()
	bundle := read(t, "../../../models/flows/1.bundle")
	more := func() (pool.Member, error) {
		a, b := jobtest.Pipe()
		go job.Serve(b, score.New())
		c := job.NewClient(a)
		go c.Run()
		_, err := c.Load(bundle)
		return pool.Member{Client: c, Stop: a.Close}, err
	}
	first, err := more()
	if err != nil {
		t.Fatal(err)
	}
	p := pool.New(first, more, n)
	t.Cleanup(p.Close)
	return p
}

// run scores files and returns a line for each row, in the order of arrival.
func run(t testing.TB, p *pool.Pool, lim pool.Limits, files ...job.File) (lines []string, parts []int, out []pool.File) {
	t.Helper()
	split := pool.Split(files, source{}, lim)
	var last job.Progress
	out, err := p.Run(split, job.Options{}, func(pool.Handle) {}, func(e pool.Event) {
		if e.Progress.Bytes < last.Bytes || e.Progress.Rows < last.Rows {
			t.Errorf("progress goes back: %+v after %+v", e.Progress, last)
		}
		last = e.Progress
		if e.Batch == nil {
			return
		}
		b := e.Batch
		for i := range b.Row {
			line := fmt.Sprint(b.Row[i], b.Class[i], b.Probability[i], b.Attack[i], b.Anomaly[i], b.Abstained[i])
			for _, c := range b.Columns {
				if c.Numbers != nil {
					line += fmt.Sprint(" ", c.Numbers[i])
				} else {
					line += " " + c.Texts[i]
				}
			}
			lines, parts = append(lines, line), append(parts, e.Part)
		}
		for _, r := range b.Rejected {
			lines, parts = append(lines, fmt.Sprintf("rejected %+v", r)), append(parts, e.Part)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines, parts, out
}

// broken is the sample some times over with rows that cannot be read.
func broken(t testing.TB, times int) []byte {
	head, rows, _ := bytes.Cut(read(t, "../../../models/sample/flows.csv"), []byte("\n"))
	data := append(slices.Clone(head), '\n')
	for i := range times {
		data = append(data, rows...)
		data = append(data, fmt.Sprintf("%d,too,few\n", i)...)
	}
	return data
}

func TestPool_sameVerdictsInTheSameOrder(t *testing.T) {
	data := broken(t, 3)
	want, _, wantFiles := run(t, newPool(t, 1), pool.Limits{}, newFile("a.csv", data))
	for _, n := range []int{1, 2, 4} {
		p := newPool(t, n)
		lim := pool.Limits{Part: int64(len(data) / 7), Record: 4096, Head: 4096}
		got, parts, files := run(t, p, lim, newFile("a.csv", data))
		if last := parts[len(parts)-1]; last < 5 {
			t.Fatalf("%d workers: the file was cut into %d parts only", n, last+1)
		}
		// a batch ends where a part does: rejects of a batch come after its rows
		slices.Sort(got)
		sorted := slices.Sorted(slices.Values(want))
		if !slices.Equal(got, sorted) {
			t.Fatalf("%d workers: %d lines, want %d", n, len(got), len(want))
		}
		if a, b := text(t, files), text(t, wantFiles); a != b {
			t.Errorf("%d workers: summary %s, want %s", n, a, b)
		}
		if p.Size() > n {
			t.Errorf("%d scorers, at most %d", p.Size(), n)
		}
	}
}

// text writes summaries down, in which an empty list is none. Shares that were
// joined from parts are rounded by the last bits.
func text(t *testing.T, files []pool.File) string {
	t.Helper()
	for _, f := range files {
		for i := range f.Summary.Drift {
			d := &f.Summary.Drift[i]
			d.Outside, d.Missing = math.Round(d.Outside*1e12)/1e12, math.Round(d.Missing*1e12)/1e12
		}
	}
	b, err := json.Marshal(files)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPool_rowsComeInOrder(t *testing.T) {
	data := broken(t, 3)
	row := int64(0)
	p := newPool(t, 3)
	parts := pool.Split([]job.File{newFile("a.csv", data)}, source{}, pool.Limits{Part: int64(len(data) / 9), Record: 4096, Head: 4096})
	_, err := p.Run(parts, job.Options{}, func(pool.Handle) {}, func(e pool.Event) {
		if e.Batch == nil {
			return
		}
		for _, r := range e.Batch.Row {
			if r <= row {
				t.Fatalf("row %d after row %d", r, row)
			}
			row = r
		}
	})
	if err != nil || row < 1600 {
		t.Errorf("%v, last row %d", err, row)
	}
}

func TestPool_explainsAnyRowAfterwards(t *testing.T) {
	data := broken(t, 2)
	one := newPool(t, 1)
	run(t, one, pool.Limits{}, newFile("a.csv", data))
	p := newPool(t, 2)
	parts := pool.Split([]job.File{newFile("a.csv", data)}, source{}, pool.Limits{Part: int64(len(data) / 6), Record: 4096, Head: 4096})
	at := map[int64][2]int64{} // row to part and base
	_, err := p.Run(parts, job.Options{}, func(pool.Handle) {}, func(e pool.Event) {
		if e.Batch != nil {
			for _, r := range e.Batch.Row {
				at[r] = [2]int64{int64(e.Part), e.Base}
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	explained := 0
	for row := int64(1); row <= 1100; row += 211 {
		want, err := one.Explain(0, row)
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.Explain(int(at[row][0]), row-at[row][1])
		if err != nil {
			t.Fatal(err)
		}
		pool.Renumber(&got, row)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("row %d: %+v, want %+v", row, got, want)
		}
		explained++
	}
	if explained < 5 {
		t.Errorf("%d rows explained", explained)
	}
	if _, err := p.Explain(99, 1); err == nil {
		t.Error("a part that was never scored is explained")
	}
}

func TestPool_cancelKeepsWhatCameInOrder(t *testing.T) {
	data := broken(t, 8)
	p := newPool(t, 2)
	parts := pool.Split([]job.File{newFile("a.csv", data)}, source{}, pool.Limits{Part: int64(len(data) / 16), Record: 4096, Head: 4096})
	var handle pool.Handle
	rows := int64(0)
	files, err := p.Run(parts, job.Options{}, func(h pool.Handle) { handle = h }, func(e pool.Event) {
		if e.Batch == nil {
			return
		}
		rows += int64(len(e.Batch.Row))
		if e.Part == 3 {
			handle.Cancel()
		}
	})
	if err != nil || !files[0].Summary.Cancelled || files[0].Summary.Scored != rows || rows == 0 || rows > 557*8 {
		t.Errorf("%v; %d rows came, the summary says %+v", err, rows, files[0].Summary)
	}
	if again, _, _ := run(t, p, pool.Limits{}, newFile("a.csv", data)); len(again) < 4000 {
		t.Errorf("%d lines from the run after", len(again))
	}
}

func TestPool_severalFilesAndOneThatIsNone(t *testing.T) {
	p := newPool(t, 2)
	sample := read(t, "../../../models/sample/flows.csv")
	_, parts, files := run(t, p, pool.Limits{}, newFile("a.csv", sample), newFile("b.txt", []byte("Dear sir,\n")), newFile("c.csv", sample))
	if len(files) != 3 || files[0].Err != nil || files[1].Err == nil || files[2].Err != nil {
		t.Fatalf("%+v", files)
	}
	if files[2].Summary.Scored != files[0].Summary.Scored || parts[len(parts)-1] != 2 {
		t.Errorf("%d and %d rows", files[0].Summary.Scored, files[2].Summary.Scored)
	}
	whole := pool.Whole(files)
	if whole.Rows != 2*files[0].Summary.Rows || whole.ByClass[0] != 2*files[0].Summary.ByClass[0] || files[0].Summary.Rows == 0 {
		t.Errorf("whole %+v", whole)
	}
}

func TestPool_tooManyRejectsStopTheFile(t *testing.T) {
	head, rows, _ := bytes.Cut(read(t, "../../../models/sample/flows.csv"), []byte("\n"))
	data := append(slices.Clone(head), '\n')
	data = append(data, bytes.Repeat(rows, 2)...)
	data = append(data, strings.Repeat("x,y\n", 6000)...)
	data = append(data, rows...)
	for _, lim := range []pool.Limits{{}, {Part: 100_000, Record: 4096, Head: 4096}} {
		lines, _, files := run(t, newPool(t, 2), lim, newFile("a.csv", data))
		if s := files[0].Summary; !strings.Contains(s.Stopped, "could not be read: more than 10 %") || s.Scored != 2*557 || s.Rows > 6000 {
			t.Errorf("%+v: %d lines, stopped %q after %d rows", lim, len(lines), s.Stopped, s.Scored)
		}
	}
}

func TestPool_oneFileThatIsNoneIsAnError(t *testing.T) {
	p := newPool(t, 2)
	_, err := p.Run(pool.Split([]job.File{newFile("b.txt", []byte("Dear sir,\n"))}, source{}, pool.Limits{}), job.Options{}, func(pool.Handle) {}, func(pool.Event) {})
	var f *job.Failure
	if !errors.As(err, &f) || f.Kind != "input" {
		t.Errorf("%v", err)
	}
}

// A part may end only where a record does.
func TestSplit_cutsBetweenRecords(t *testing.T) {
	plain := []byte("a,b,c\n" + strings.Repeat("1,2,3\n", 2000))
	quoted := []byte("a,b,c\n" + strings.Repeat("1,\"2\n2\",3\n", 2000))
	late := append(slices.Clone(plain), quoted[6:]...)
	lim := pool.Limits{Part: 1000, Record: 100, Head: 50}
	for name, c := range map[string]struct {
		data []byte
		most int
		cut  bool
	}{
		"plain":                  {plain, 20, true},
		"line ends in quotes":    {quoted, 1, false},
		"quotes in the end only": {late, 20, true},
		"json lines":             {[]byte(strings.Repeat("{\"a\":1,\"b\":2,\"c\":3}\n", 2000)), 1, false},
		"a capture":              {append([]byte("\xd4\xc3\xb2\xa1,,,\n"), make([]byte, 20000)...), 1, false},
		"one column":             {[]byte(strings.Repeat("abc\n", 4000)), 1, false},
	} {
		parts := pool.Split([]job.File{newFile(name, c.data)}, source{}, lim)
		if len(parts) > c.most || (len(parts) > 1) != c.cut {
			t.Errorf("%s: %d parts", name, len(parts))
		}
		var all []byte
		for i, p := range parts {
			data := p.File.(file).data
			if i > 0 && c.data[p.From-1] != '\n' {
				t.Errorf("%s: part %d begins at %d, within a line", name, i, p.From)
			}
			if bytes.Count(data, []byte{'"'})%2 != 0 {
				t.Errorf("%s: part %d cuts a quoted field", name, i)
			}
			all = append(all, data[p.Skip:]...)
		}
		if len(parts) > 1 {
			all = append(slices.Clone(c.data[:parts[0].Skip]), all...)
		}
		if !bytes.Equal(all, c.data) {
			t.Errorf("%s: the parts are not the file", name)
		}
	}
}
