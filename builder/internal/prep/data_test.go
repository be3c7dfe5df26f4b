package prep_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"cloister/builder/internal/prep"
	"cloister/shared/frame"
)

// read reads texts as files a.csv, b.csv and so on.
func read(t *testing.T, texts ...string) *prep.Data {
	t.Helper()
	var files []prep.File
	for i, text := range texts {
		files = append(files, prep.File{Name: string(rune('a'+i)) + ".csv", ReaderAt: strings.NewReader(text), Size: int64(len(text))})
	}
	d, err := prep.Read(context.Background(), files, prep.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// sample reads the flow samples of the repository.
func sample(t *testing.T) *prep.Data {
	t.Helper()
	var texts []string
	for _, name := range []string{"lab.csv", "flows.csv"} {
		b, err := os.ReadFile("../../../models/sample/" + name)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(b))
	}
	return read(t, texts...)
}

const header = "FLOW_START_MILLISECONDS,IPV4_SRC_ADDR,IPV4_DST_ADDR,L4_SRC_PORT,L4_DST_PORT,PROTOCOL,IN_BYTES,OUT_BYTES,IN_PKTS,OUT_PKTS,TCP_FLAGS,FLOW_DURATION_MILLISECONDS,Attack\n"

const dirty = header +
	"1000,10.0.0.1,10.0.0.9,1,80,6,100,200,1,1,2,10,Benign\n" +
	"2000,10.0.0.2,10.0.0.9,2,80,6,100,200,1,1,2,10,DoS attacks-Hulk\n" + // the same features, another label
	"3000,10.0.0.2,10.0.0.9,3,80,6,100,200,1,1,2,10,DoS_attacks-Hulk\n" + // another spelling
	header + // a header in the middle
	"4000,10.0.0.3,10.0.0.9,4,443,6,,inf,2,2,18,4294000,Benign\n" +
	"4000,10.0.0.3,10.0.0.9,4,443,6,,inf,2,2,18,4294000,Benign\n" + // equal in every field
	"5000,10.0.0.3,10.0.0.9,5,443,6,-7,1,2,2,18,-5,\n" +
	"6000,10.0.0.4,10.0.0.9\n"

func TestProfile_dirt(t *testing.T) {
	d := read(t, dirty)
	p, err := d.Profile(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	f := p.Files[0]
	if p.Rows != 6 || f.Rows != 6 || f.NoLabel != 1 || p.NoLabel != 1 || fmt.Sprint(f.Rejected) != "map[column count:1 repeated header:1]" {
		t.Errorf("%d rows, file %+v", p.Rows, f)
	}
	wantRepairs := "map[duration wrapped at 2^32 us, unwrapped:2 empty cell, read as missing:2 infinite or NaN, read as missing:2 negative value, read as missing:2]"
	if got := fmt.Sprint(f.Repairs); got != wantRepairs {
		t.Errorf("repairs\n got %s\nwant %s", got, wantRepairs)
	}
	if got, want := p.Repeats, (prep.RowRepeats{Rows: 1, Vectors: 3, Repeated: 3, Groups: 1, Conflicting: 3}); got != want {
		t.Errorf("repeats %+v, want %+v", got, want)
	}
	if got := fmt.Sprint(d.Classes, d.Benign, d.Class); got != "[Benign DoS attacks-Hulk] 0 [0 1 1 0 0 -1]" {
		t.Errorf("classes %s", got)
	}
	if len(p.Spellings) != 3 || p.Spellings[2] != (prep.Spelling{Label: "DoS_attacks-Hulk", Class: "DoS attacks-Hulk", Rows: 1}) {
		t.Errorf("spellings %+v", p.Spellings)
	}
	for i, want := range []string{"{Benign 3 [3] 2 1 1", "{DoS attacks-Hulk 2 [2] 0 2 2"} {
		if got := fmt.Sprint(p.Classes[i]); !strings.HasPrefix(got, want) {
			t.Errorf("class %s, want %s", got, want)
		}
	}
	i := slices.IndexFunc(p.Fields, func(f prep.Field) bool { return f.Name == "IN_BYTES" })
	if got := p.Fields[i]; got.Missing != 3 || got.Distinct != 1 || !got.Constant || got.Numbers.Mean != 100 || got.Numbers.SD != 0 {
		t.Errorf("IN_BYTES %+v %+v", got, got.Numbers)
	}
}

// Cells are counted by column as they are written, also of a column that no
// field uses.
func TestProfile_columns(t *testing.T) {
	text := strings.ReplaceAll(header, ",Attack", ",Rate,Attack")
	for _, rate := range []string{"Infinity", "-inf", "1e999", "NaN", " ", "-3", "1.5", "0", "fast"} {
		text += "1000,10.0.0.1,10.0.0.9,1,80,6,inf,200,1,1,2,10," + rate + ",Benign\n"
	}
	text += "short\n" + strings.ReplaceAll(header, ",Attack", ",Rate,Attack") // no rows: not counted
	p, err := read(t, text).Profile(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	columns := p.Files[0].Columns
	want := map[string]prep.Column{
		"Rate":          {Name: "Rate", Empty: 1, Infinite: 3, NaN: 1, Negative: 1, Numbers: 2, Words: 1},
		"IN_BYTES":      {Name: "IN_BYTES", Infinite: 9},
		"OUT_BYTES":     {Name: "OUT_BYTES", Numbers: 9},
		"IPV4_DST_ADDR": {Name: "IPV4_DST_ADDR", Words: 9},
	}
	seen := 0
	for _, c := range columns {
		if w, ok := want[c.Name]; ok {
			seen++
			if c != w {
				t.Errorf("got %+v, want %+v", c, w)
			}
		}
	}
	if len(columns) != 14 || seen != len(want) {
		t.Fatalf("%d columns, %d of those looked at", len(columns), seen)
	}
	if kinds := []string{columns[12].Kind(), columns[6].Kind(), columns[1].Kind(), prep.Column{Empty: 1}.Kind()}; fmt.Sprint(kinds) != "[mixed number text empty]" {
		t.Errorf("kinds %v", kinds)
	}
	var page bytes.Buffer
	if _, err := p.Document(nil, nil).WriteTo(&page); err != nil {
		t.Fatal(err)
	}
	if row := "<th scope=\"row\">Rate</th><td>mixed</td><td class=\"n\">1</td><td class=\"n\">3</td>"; !strings.Contains(page.String(), row) {
		t.Errorf("the report has no %s", row)
	}
}

// Figures of IN_BYTES of flows.csv: pandas 2, describe() and quantile(
// interpolation="lower"), and the counts of values outside Tukey's fences; see
// testdata/profile.py.
func TestProfile_againstPandas(t *testing.T) {
	b, err := os.ReadFile("../../../models/sample/flows.csv")
	if err != nil {
		t.Fatal(err)
	}
	p, err := read(t, string(b)).Profile(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/profile.golden")
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for line := range strings.Lines(string(want)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		lines++
		var name string
		var missing, distinct, zero, low, high int
		var q [5]float64
		var mean, sd float64
		if _, err := fmt.Sscan(line, &name, &missing, &distinct, &zero, &q[0], &q[1], &q[2], &q[3], &q[4], &mean, &sd, &low, &high); err != nil {
			t.Fatal(line, err)
		}
		i := slices.IndexFunc(p.Fields, func(f prep.Field) bool { return f.Name == name })
		f := p.Fields[i]
		n := f.Numbers
		if f.Missing != missing || f.Distinct != distinct || n.Zero != zero || [5]float64{n.Min, n.Q1, n.Median, n.Q3, n.Max} != q || n.Low != low || n.High != high ||
			math.Abs(n.Mean-mean) > 1e-12*math.Abs(mean) || math.Abs(n.SD-sd) > 1e-9*sd {
			t.Errorf("%s: got %+v %+v", line, f, *n)
		}
		sum := 0.0
		for i := range n.Benign {
			sum += n.Benign[i] + n.Attack[i]
		}
		if int(sum) != p.Rows-missing || n.Edges[0] != n.Min || n.Edges[len(n.Edges)-1] < n.Max || !slices.IsSorted(n.Edges) {
			t.Errorf("%s: %v rows in bins %v", name, sum, n.Edges)
		}
	}
	if lines < 10 {
		t.Errorf("saw %d fields", lines)
	}
}

func TestRowHash(t *testing.T) {
	a, b := read(t, dirty), read(t, strings.ReplaceAll(dirty, "100,200", "100.0,2e2"))
	seen := map[prep.Hash]bool{}
	for i := range a.Len() {
		if a.RowHash(i) != b.RowHash(i) {
			t.Errorf("row %d: the hash depends on how a number is written", i)
		}
		seen[a.RowHash(i)] = true
	}
	if len(seen) != 5 {
		t.Errorf("%d hashes of 6 rows, two of which are equal", len(seen))
	}
	if a.VectorHash(0) != a.VectorHash(1) || a.VectorHash(0) == a.VectorHash(3) {
		t.Error("vectors do not leave out identity, or leave out features")
	}
}

func TestRead_failures(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	text := header
	if _, err := prep.Read(ctx, []prep.File{{Name: "x", ReaderAt: strings.NewReader(dirty), Size: int64(len(dirty))}}, prep.ReadOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := prep.Read(context.Background(), []prep.File{{Name: "x", ReaderAt: strings.NewReader(text), Size: int64(len(text))}}, prep.ReadOptions{}); err == nil {
		t.Error("a file without rows is accepted")
	}
	if _, err := sample(t).Profile(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled profile: %v", err)
	}
}

// The report names every field and holds nothing that a file could have put in
// as markup.
func TestProfile_document(t *testing.T) {
	d := read(t, strings.ReplaceAll(dirty, "Benign", "<b>x"), dirty)
	p, err := d.Profile(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	names, impossible := d.Schemes()
	var manifests []*prep.Manifest
	for _, name := range names {
		s, err := d.Split(name, prep.Shares{.7, .15, .15}, 1)
		if err != nil {
			t.Fatal(err)
		}
		manifests = append(manifests, d.Manifest(s))
	}
	var b bytes.Buffer
	if _, err := p.Document(manifests, impossible).WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, want := range append([]string{"repeated header", "unwrapped", "&lt;b&gt;x", "leave-dataset-out:b.csv", "Rows per class"}, "IN_BYTES", "TCP_FLAGS") {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in the report", want)
		}
	}
	if strings.Contains(text, "<b>") {
		t.Error("markup from a label is in the report")
	}
	if _, err := p.JSON(); err != nil {
		t.Error(err)
	}
}

// A column that only some files have is missing in the rows of the others.
func TestRead_columnsDiffer(t *testing.T) {
	a := "IN_BYTES,OUT_BYTES,IN_PKTS,OUT_PKTS,PROTOCOL,Attack\n1,2,3,4,6,Benign\n"
	b := "IPV4_SRC_ADDR,IPV4_DST_ADDR,IN_BYTES,OUT_BYTES,IN_PKTS,OUT_PKTS,TCP_FLAGS,Attack\n10.0.0.1,10.0.0.2,5,6,7,8,2,Bot\n"
	for _, d := range []*prep.Data{read(t, a, b), read(t, b, a)} {
		if d.Len() != 2 {
			t.Fatalf("%d rows", d.Len())
		}
		for i, f := range d.Schema.Fields {
			if d.Numbers[i] != nil && len(d.Numbers[i]) != 2 || d.Texts[i] != nil && len(d.Texts[i]) != 2 {
				t.Errorf("%s: %d numbers, %d texts", f.Name, len(d.Numbers[i]), len(d.Texts[i]))
			}
		}
		src, _ := d.Schema.Index(frame.SrcAddr)
		flags, _ := d.Schema.Index(frame.TCPFlags)
		with := d.File[0] // the file with addresses is the row of class Bot
		if d.Classes[d.Class[0]] != "Bot" {
			with = 1
		}
		if d.Texts[src][with] != "10.0.0.1" || d.Texts[src][1-with] != "" || d.Numbers[flags][with] != 2 || !math.IsNaN(d.Numbers[flags][1-with]) {
			t.Errorf("addresses %q, flags %v", d.Texts[src], d.Numbers[flags])
		}
	}
}
