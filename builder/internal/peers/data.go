//go:build !js

package main

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// table is one data set, cut into what models learn and what they are
// measured on. Workers read it from its folder.
type table struct {
	key, text string // "S", and what it is for people
	dir       string

	features, classes int
	train, test       part
}

// part holds n float32 rows or n documents, and their labels.
type part struct {
	x    []float32
	docs []string
	y    []int
}

func (p part) rows() int { return len(p.y) }

// meta is meta.json of a table's folder.
type meta struct {
	Features int  `json:"features"`
	Classes  int  `json:"classes"`
	Text     bool `json:"text"`
}

// write puts the table where the workers read it.
func (t *table) write(dir string) error {
	t.dir = filepath.Join(dir, t.key)
	if err := os.MkdirAll(t.dir, 0o755); err != nil {
		return err
	}
	b, err := json.Marshal(meta{t.features, t.classes, t.train.docs != nil})
	if err == nil {
		err = os.WriteFile(filepath.Join(t.dir, "meta.json"), b, 0o644)
	}
	for name, p := range map[string]part{"train": t.train, "test": t.test} {
		labels := make([]byte, len(p.y))
		for i, c := range p.y {
			labels[i] = byte(c)
		}
		err = errors.Join(err, os.WriteFile(filepath.Join(t.dir, name+".u8"), labels, 0o644))
		if p.docs != nil {
			b, e := json.Marshal(p.docs)
			err = errors.Join(err, e, os.WriteFile(filepath.Join(t.dir, name+".json"), b, 0o644))
		} else {
			err = errors.Join(err, os.WriteFile(filepath.Join(t.dir, name+".f32"), floatBytes(p.x), 0o644))
		}
	}
	return err
}

// readTable reads what write wrote.
func readTable(dir string) (*table, error) {
	t := &table{key: filepath.Base(dir), dir: dir}
	var m meta
	b, err := os.ReadFile(filepath.Join(dir, "meta.json"))
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	if err != nil {
		return nil, err
	}
	t.features, t.classes = m.Features, m.Classes
	for name, p := range map[string]*part{"train": &t.train, "test": &t.test} {
		b, err := os.ReadFile(filepath.Join(dir, name+".u8"))
		if err != nil {
			return nil, err
		}
		for _, c := range b {
			p.y = append(p.y, int(c))
		}
		if m.Text {
			b, err = os.ReadFile(filepath.Join(dir, name+".json"))
			if err == nil {
				err = json.Unmarshal(b, &p.docs)
			}
		} else if b, err = os.ReadFile(filepath.Join(dir, name+".f32")); err == nil {
			p.x = floatsOf(b)
		}
		if err != nil {
			return nil, err
		}
	}
	return t, nil
}

func floatBytes(x []float32) []byte {
	b := make([]byte, 0, 4*len(x))
	for _, v := range x {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

// generatedTable makes train rows to learn and test rows to measure. It is
// made anew each time: drawing is quicker than checking a stored copy.
func generatedTable(key string, seed uint64, train, test int) *table {
	x, y := generate(seed, train+test)
	t := &table{key: key, features: generatedFeatures, classes: generatedClasses}
	t.text = fmt.Sprintf("%s: generated, %d + %d rows x %d, %d classes, seed %d", key, train, test, t.features, t.classes, seed)
	labels := make([]int, len(y))
	for i, c := range y {
		labels[i] = int(c)
	}
	cut := train * generatedFeatures
	t.train, t.test = part{x: x[:cut], y: labels[:train]}, part{x: x[cut:], y: labels[train:]}
	return t
}

// records reads a CSV file, gzipped if its name says so.
func records(path string) ([][]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var r io.Reader = bufio.NewReader(f)
	if filepath.Ext(path) == ".gz" {
		if r, err = gzip.NewReader(r); err != nil {
			return nil, err
		}
	}
	c := csv.NewReader(r)
	c.FieldsPerRecord = -1
	list, err := c.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return list, nil
}

// codes numbers the distinct texts of a column in the order of their names.
type codes struct {
	of    map[string]int
	names []string
}

func codesOf(list [][]string, column int) codes {
	c := codes{of: map[string]int{}}
	for _, r := range list {
		if _, ok := c.of[r[column]]; !ok {
			c.of[r[column]] = 0
			c.names = append(c.names, r[column])
		}
	}
	slices.Sort(c.names)
	for i, name := range c.names {
		c.of[name] = i
	}
	return c
}

// numeric makes a table of the rows of list: the columns keep, names to
// numbers where a column is text, and labels. Rows are shuffled with seed,
// limited to most, and 30 % are kept back.
func numeric(key string, list [][]string, keep []int, label func(r []string) int, classes, most int, seed uint64) *table {
	t := &table{key: key, features: len(keep), classes: classes}
	order := rand.New(rand.NewPCG(seed, 2)).Perm(len(list))
	// One row of each class comes first, so that all are there to be learnt.
	seen := map[int]bool{}
	for i, at := range order {
		if c := label(list[at]); !seen[c] {
			order[i], order[len(seen)] = order[len(seen)], at
			seen[c] = true
		}
	}
	order = order[:min(most, len(order))]
	x := make([]float32, len(order)*len(keep))
	y := make([]int, len(order))
	for j, column := range keep {
		var names codes
		for i, at := range order {
			v, err := strconv.ParseFloat(list[at][column], 64)
			if err != nil {
				if names.of == nil {
					names = codesOf(list, column)
				}
				v = float64(names.of[list[at][column]])
			}
			x[i*len(keep)+j] = float32(v)
		}
	}
	for i, at := range order {
		y[i] = label(list[at])
	}
	n := len(order) * 7 / 10
	t.train, t.test = part{x: x[:n*len(keep)], y: y[:n]}, part{x: x[n*len(keep):], y: y[n:]}
	return t
}

// attackGroups are the five classes of NSL-KDD, from KDD Cup 1999's task
// description; attacks that are not listed are probes, the rest of that list.
var attackGroups = map[string]int{
	"normal": 0,
	"back":   1, "land": 1, "neptune": 1, "pod": 1, "smurf": 1, "teardrop": 1,
	"ftp_write": 3, "guess_passwd": 3, "imap": 3, "multihop": 3, "phf": 3, "spy": 3, "warezclient": 3, "warezmaster": 3,
	"buffer_overflow": 4, "loadmodule": 4, "perl": 4, "rootkit": 4,
}

const attackProbe = 2

// nslKDD reads the real table of small trees.
func nslKDD(root string, most int) (*table, error) {
	list, err := records(filepath.Join(root, "flows", "nsl-kdd", "KDDTrain+_20Percent.txt.gz"))
	if err != nil {
		return nil, err
	}
	const features = 41
	keep := make([]int, features)
	for j := range keep {
		keep[j] = j
	}
	list = slices.DeleteFunc(list, func(r []string) bool { return len(r) < features+1 })
	t := numeric("K", list, keep, func(r []string) int {
		if c, ok := attackGroups[r[features]]; ok {
			return c
		}
		return attackProbe
	}, 5, most, 1)
	t.text = fmt.Sprintf("K: NSL-KDD, %d + %d rows x %d, 5 classes", t.train.rows(), t.test.rows(), t.features)
	return t, nil
}

// notFeatures are the columns of NF-v2 that name hosts or answers, and the
// two that are numbers glued together.
var notFeatures = map[string]bool{
	"IPV4_SRC_ADDR": true, "IPV4_DST_ADDR": true, "Label": true, "Attack": true, "Dataset": true,
	"SRC_TO_DST_SECOND_BYTES": true, "DST_TO_SRC_SECOND_BYTES": true,
}

// netflow reads the real table of flows.
func netflow(root string, most int) (*table, error) {
	list, err := records(filepath.Join(root, "flows", "nf-v2", "NF-BoT-IoT-v2.reduced.develop.csv.gz"))
	if err != nil {
		return nil, err
	}
	head := list[0]
	label := slices.Index(head, "Attack")
	if label < 0 {
		return nil, errors.New("nf-v2: no column \"Attack\"")
	}
	list = slices.DeleteFunc(list[1:], func(r []string) bool { return len(r) != len(head) })
	var keep []int
	for j, name := range head {
		if !notFeatures[name] {
			keep = append(keep, j)
		}
	}
	names := codesOf(list, label)
	t := numeric("B", list, keep, func(r []string) int { return names.of[r[label]] }, len(names.names), most, 1)
	t.text = fmt.Sprintf("B: NF-BoT-IoT-v2, %d + %d rows x %d, %d classes", t.train.rows(), t.test.rows(), t.features, t.classes)
	return t, nil
}

// alerts reads the real texts: what a detection says, and its level.
func alerts(root string) (*table, error) {
	list, err := records(filepath.Join(root, "text", "sigma-detections.csv"))
	if err != nil {
		return nil, err
	}
	text, level := slices.Index(list[0], "Payload_Description"), slices.Index(list[0], "Severity")
	if text < 0 || level < 0 {
		return nil, errors.New("sigma: no columns \"Payload_Description\" and \"Severity\"")
	}
	list = list[1:]
	names := codesOf(list, level)
	t := &table{key: "T", classes: len(names.names)}
	for i, at := range rand.New(rand.NewPCG(1, 2)).Perm(len(list)) {
		p := &t.train
		if i >= len(list)*7/10 {
			p = &t.test
		}
		p.docs = append(p.docs, list[at][text])
		p.y = append(p.y, names.of[list[at][level]])
	}
	t.text = fmt.Sprintf("T: Sigma detections, %d + %d texts, %d levels", t.train.rows(), t.test.rows(), t.classes)
	return t, nil
}

// missing says whether err is only that a folder of real data is not there.
func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
