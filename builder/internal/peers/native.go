//go:build !js

package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"cloister/builder/internal/foreign"
	"cloister/builder/internal/train/grow"
	"cloister/shared/feature"
	"cloister/shared/model/tree"
)

// native is our side as a worker of its own process, so that its time and
// memory are those of one program.
type native struct {
	*scorer
	tables map[string]*table
}

// serveNative answers requests until in ends.
func serveNative(in io.Reader, out io.Writer) error {
	n := &native{newScorer(), map[string]*table{}}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		var r request
		var got reply
		if err = json.Unmarshal(line, &r); err == nil {
			got, err = n.do(r)
		}
		if err != nil {
			got.Error = err.Error()
		}
		b, err := json.Marshal(got)
		if err != nil {
			return err
		}
		if _, err := out.Write(append(b, '\n')); err != nil {
			return err
		}
	}
}

// cpu returns the processor time of this process.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// memory returns a size of /proc/self/status in bytes, 0 where there is none.
func memory(name string) float64 {
	b, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			var kB float64
			_, _ = fmt.Sscan(rest, &kB)
			return 1024 * kB
		}
	}
	return 0
}

// timed runs f and says what it cost.
func timed(f func() error) (reply, error) {
	debug.FreeOSMemory()
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // the peak starts anew; elsewhere it stays 0
	before, start := memory("VmRSS"), cpu()
	err := f()
	return reply{CPU: (cpu() - start).Seconds(), RSS: max(0, memory("VmHWM")-before)}, err
}

// repeat calls f until it took some processor time.
func repeat(seconds float64, f func() (int, error)) (reply, error) {
	runtime.GC()
	var r reply
	for start := cpu(); ; {
		n, err := f()
		if err != nil {
			return r, err
		}
		r.Rows += n
		if r.CPU = (cpu() - start).Seconds(); r.CPU >= seconds {
			return r, nil
		}
	}
}

func (n *native) do(r request) (reply, error) {
	switch r.Do {
	case "data":
		t, err := readTable(r.Path)
		if err != nil {
			return reply{}, err
		}
		n.tables[r.Data] = t
		n.rows[r.Data] = newInput(t.test.x, max(1, t.features), t.test.docs)
		return reply{}, nil
	case "fit":
		return n.fit(r)
	case "import":
		return n.imported(r)
	case "load":
		delete(n.models, r.Model)
		b, err := os.ReadFile(r.Path)
		if err != nil {
			return reply{}, err
		}
		return timed(func() error { return n.load(r.Model, b) })
	case "drop":
		delete(n.models, r.Model)
		return reply{}, nil
	case "predict":
		m, in, err := n.find(r.Model, r.Data)
		if err != nil {
			return reply{}, err
		}
		p, err := m.scores(in)
		if err != nil {
			return reply{}, err
		}
		return reply{}, os.WriteFile(r.Path, doubleBytes(p), 0o644)
	case "save":
		m := n.models[r.Model]
		if m == nil {
			return reply{}, fmt.Errorf("no model %.64q", r.Model)
		}
		return m.save(r.Path)
	case "export":
		return n.exported(r)
	case "score":
		return repeat(r.Seconds, func() (int, error) { return n.batch(r.Model, r.Data, r.Rows, 1) })
	case "single":
		return repeat(r.Seconds, func() (int, error) { return n.single(r.Model, r.Data, 64) })
	case "shap":
		return repeat(r.Seconds, func() (int, error) { return n.shap(r.Model, r.Data, r.Rows, r.All) })
	}
	return reply{}, fmt.Errorf("unknown request %.64q", r.Do)
}

// fit trains with the settings of the peers and builds the scorer's form.
func (n *native) fit(r request) (reply, error) {
	t := n.tables[r.Data]
	if t == nil {
		return reply{}, fmt.Errorf("no table %.64q", r.Data)
	}
	data := grow.Data{Features: t.features, Class: t.train.y, Classes: t.classes}
	if t.train.docs == nil {
		data.X = newInput(t.train.x, t.features, nil).x
	}
	m := &ours{}
	got, err := timed(func() error {
		var s tree.Source
		var err error
		switch r.Lib {
		case "forest", "extra":
			s, _, err = grow.Forest(context.Background(), data, grow.ForestOptions{Trees: r.Trees, Seed: r.Seed, Workers: 1, ExtraTrees: r.Lib == "extra"})
		case "xgboost":
			s, _, err = grow.Boost(context.Background(), data, grow.BoostOptions{Rounds: r.Trees, Seed: r.Seed, LearningRate: r.Eta, Workers: 1})
		case "isolation":
			s, _, err = grow.Isolation(context.Background(), data, grow.IsolationOptions{Trees: r.Trees, Seed: r.Seed, Workers: 1})
		case "oblivious":
			s, err = browserModel(data, r)
		case "text":
			m.text, err = feature.FitTFIDF(t.train.docs, feature.TFIDFOptions{MaxFeatures: r.Terms})
			var cells feature.Sparse
			if err == nil {
				err = m.text.Transform(&cells, t.train.docs)
			}
			if err == nil {
				data.Features = m.text.Len()
				data.Sparse = &grow.Sparse{Start: cells.Start, Index: cells.Index, Value: cells.Value}
				s, _, err = grow.Forest(context.Background(), data, grow.ForestOptions{Trees: r.Trees, Seed: r.Seed, Workers: 1, Balanced: true})
			}
		default:
			err = fmt.Errorf("cannot fit %.64q", r.Lib)
		}
		if err == nil {
			m.trees, err = tree.New(s)
		}
		if s.Kind == tree.Forest {
			m.source = &s
		}
		return err
	})
	if err != nil {
		return got, err
	}
	n.models[r.Model] = m
	got.Rows, got.Nodes, got.Trees = t.train.rows(), m.trees.Nodes(), m.trees.Trees()
	return got, nil
}

// imported reads the dump at Path.trees and writes our file to Path.bin, and boosted
// trees to Path.lightgbm.
func (n *native) imported(r request) (reply, error) {
	f, err := os.Open(r.Path + ".trees")
	if err != nil {
		return reply{}, err
	}
	defer f.Close()
	s, head, err := readDump(f)
	if err != nil {
		return reply{}, err
	}
	if s.Kind == tree.Boosting {
		f, err := os.Create(r.Path + ".lightgbm")
		if err == nil {
			err = errors.Join(writeLightGBM(f, &s), f.Close())
		}
		if err != nil {
			return reply{}, err
		}
	}
	m := &ours{source: &s}
	if m.trees, err = tree.New(s); err != nil {
		return reply{}, err
	}
	if head.Terms != nil {
		// The default options are those of the vectorizer that was fitted.
		if m.text, err = feature.NewTFIDF(head.Terms, head.IDF, feature.TFIDFOptions{}); err != nil {
			return reply{}, err
		}
	}
	n.models[r.Model] = m
	return m.save(r.Path + ".bin")
}

// exported writes our file of a model to Path.bin and ONNX to Path.onnx.
func (n *native) exported(r request) (reply, error) {
	m := n.models[r.Model]
	if m == nil {
		return reply{}, fmt.Errorf("no model %.64q", r.Model)
	}
	b, err := foreign.AppendONNX(nil, m.trees, foreign.Meta{})
	if err == nil {
		err = os.WriteFile(r.Path+".onnx", b, 0o644)
	}
	if err != nil {
		return reply{}, err
	}
	return m.save(r.Path + ".bin")
}

// save writes the model file and says how large it is, and would be without
// covers.
func (m *ours) save(path string) (reply, error) {
	b, err := m.encode()
	if err == nil {
		err = os.WriteFile(path, b, 0o644)
	}
	got := reply{Bytes: len(b), Nodes: m.trees.Nodes(), Trees: m.trees.Trees()}
	if err == nil && m.source != nil && m.source.Kind == tree.Forest && m.source.ClassWeights == nil {
		got.Bare, err = bareBytes(*m.source)
	}
	return got, err
}

// bareBytes is the size of a forest without the covers of leaves of one class,
// which scores do not depend on; of other leaves the shares follow from them.
func bareBytes(s tree.Source) (int, error) {
	s.Trees = slices.Clone(s.Trees)
	for i := range s.Trees {
		t := &s.Trees[i]
		t.Cover = slices.Clone(t.Cover)
		for v, f := range t.Feature {
			if f < 0 && slices.Contains(t.Value[v*s.Outputs:(v+1)*s.Outputs], 1) {
				t.Cover[v] = 1
			}
		}
	}
	e, err := tree.New(s)
	if err != nil {
		return 0, err
	}
	b, err := e.AppendBinary(nil)
	return len(b), err
}

// encode writes the model file that [scorer.load] reads.
func (m *ours) encode() ([]byte, error) {
	var text []byte
	var err error
	if m.text != nil {
		if text, err = m.text.AppendBinary(nil); err != nil {
			return nil, err
		}
	}
	b := append(binary.LittleEndian.AppendUint32(nil, uint32(len(text))), text...)
	return m.trees.AppendBinary(b)
}

func doubleBytes(x []float64) []byte {
	b := make([]byte, 0, 8*len(x))
	for _, v := range x {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	return b
}

// doublesOf reads little-endian float64.
func doublesOf(b []byte) []float64 {
	x := make([]float64, len(b)/8)
	for i := range x {
		x[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
	}
	return x
}
