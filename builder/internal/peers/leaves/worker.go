//go:build ignore

// Worker runs the Go library leaves: one JSON request a line on standard input,
// one reply a line on standard output. It is built in a module of its own, made
// when the peers run, so that the library is no dependency of ours.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/dmitryikh/leaves"
)

type request struct {
	Do, Model, Data, Path string
	Rows                  int
	Seconds               float64
}

type reply struct {
	Error string  `json:"error,omitempty"`
	CPU   float64 `json:"cpu"`
	Rows  int     `json:"rows"`
}

type rows struct {
	x []float64
	d int
}

var (
	models = map[string]*leaves.Ensemble{}
	tables = map[string]rows{}
)

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		var r request
		var got reply
		err := json.Unmarshal(in.Bytes(), &r)
		if err == nil {
			got, err = do(r)
		}
		if err != nil {
			got.Error = err.Error()
		}
		b, err := json.Marshal(got)
		if err != nil {
			panic(err)
		}
		fmt.Println(string(b))
	}
}

func cpu() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

func do(r request) (reply, error) {
	switch r.Do {
	case "data":
		return reply{}, read(r)
	case "load":
		m, err := leaves.LGEnsembleFromFile(r.Path, true)
		models[r.Model] = m
		return reply{}, err
	case "drop":
		delete(models, r.Model)
		return reply{}, nil
	}
	m, t := models[r.Model], tables[r.Data]
	if m == nil || t.d == 0 {
		return reply{}, fmt.Errorf("no model %q or no rows %q", r.Model, r.Data)
	}
	k := m.NOutputGroups()
	n := len(t.x) / t.d
	switch r.Do {
	case "predict":
		p := make([]float64, n*k)
		if err := m.PredictDense(t.x, n, t.d, p, 0, 1); err != nil {
			return reply{}, err
		}
		b := make([]byte, 0, 8*len(p))
		for _, v := range p {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
		}
		return reply{}, os.WriteFile(r.Path, b, 0o644)
	case "score":
		n = min(n, r.Rows)
		return repeat(r.Seconds, func() (int, error) {
			return n, m.PredictDense(t.x[:n*t.d], n, t.d, make([]float64, n*k), 0, 1)
		})
	case "single":
		n = min(n, 64)
		at := 0
		return repeat(r.Seconds, func() (int, error) {
			for range 64 {
				i := at % n
				at++
				if err := m.Predict(t.x[i*t.d:(i+1)*t.d], 0, make([]float64, k)); err != nil {
					return 0, err
				}
			}
			return 64, nil
		})
	}
	return reply{}, fmt.Errorf("unknown request %q", r.Do)
}

func repeat(seconds float64, f func() (int, error)) (r reply, err error) {
	for start := cpu(); r.CPU < seconds; r.CPU = cpu() - start {
		n, err := f()
		if err != nil {
			return r, err
		}
		r.Rows += n
	}
	return r, nil
}

// read reads the float32 rows to score of a table's folder.
func read(r request) error {
	var meta struct{ Features int }
	b, err := os.ReadFile(filepath.Join(r.Path, "meta.json"))
	if err == nil {
		err = json.Unmarshal(b, &meta)
	}
	if err != nil {
		return err
	}
	if b, err = os.ReadFile(filepath.Join(r.Path, "test.f32")); err != nil {
		return err
	}
	t := rows{make([]float64, len(b)/4), meta.Features}
	for i := range t.x {
		t.x[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:])))
	}
	tables[r.Data] = t
	return nil
}
