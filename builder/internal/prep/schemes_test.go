package prep_test

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"

	"cloister/builder/internal/prep"
	"cloister/shared/frame"
)

var shares = prep.Shares{.7, .15, .15}

// Every scheme keeps its promise on real flows.
func TestSplit_promises(t *testing.T) {
	d := sample(t)
	names, impossible := d.Schemes()
	if len(impossible) != 0 || len(names) < 4+10+2 {
		t.Fatalf("schemes %q, impossible %v", names, impossible)
	}
	src, _ := d.Schema.Index(frame.SrcAddr)
	start, _ := d.Schema.Index(frame.FlowStart)
	for _, name := range names {
		s, err := d.Split(name, shares, 7)
		if err != nil {
			t.Fatal(err)
		}
		again, err := d.Split(name, shares, 7)
		if err != nil || !slices.Equal(s.Parts, again.Parts) {
			t.Errorf("%s: not the same twice", name)
		}
		other, err := d.Split(name, shares, 8)
		if err != nil || slices.Equal(s.Parts, other.Parts) != (name == prep.Temporal) {
			t.Errorf("%s: the seed does the wrong thing", name)
		}
		var n [4]int
		keys := map[string]prep.Part{}
		last := map[int][3]float64{}
		for i, p := range s.Parts {
			n[p]++
			key := ""
			switch scheme, left, _ := strings.Cut(name, ":"); scheme {
			case prep.Grouped:
				key = d.VectorHash(i).String()
			case prep.HostDisjoint:
				key = d.Texts[src][i]
			case prep.Temporal:
				at := d.Numbers[start][i]
				l, ok := last[d.Class[i]]
				if !ok {
					l = [3]float64{math.Inf(-1), math.Inf(-1), math.Inf(-1)}
				}
				l[p] = max(l[p], at)
				last[d.Class[i]] = l
			case prep.LeaveClassOut:
				if out := d.Classes[d.Class[i]] == left; out && p != prep.Holdout {
					t.Fatalf("%s: row %d is in %s", name, i, p)
				}
			case prep.LeaveDatasetOut:
				if out := d.Files[d.File[i]].Name == left; out != (p == prep.Holdout) {
					t.Fatalf("%s: row %d is in %s", name, i, p)
				}
			}
			if key != "" {
				if q, ok := keys[key]; ok && p != q {
					t.Fatalf("%s: %s is in %s and %s", name, key, p, q)
				}
				keys[key] = p
			}
		}
		for i, p := range s.Parts { // no training row of a class is later than a later part begins
			if name == prep.Temporal && p == prep.Holdout && d.Numbers[start][i] < last[d.Class[i]][prep.Train] {
				t.Fatalf("held-out row %d is older than a training row of its class", i)
			}
		}
		if n[prep.Train] == 0 || n[prep.Validation] == 0 || n[prep.Holdout] == 0 || n[prep.Out] != 0 {
			t.Errorf("%s: %v rows a part", name, n)
		}
		if name == prep.Random || name == prep.Grouped || name == prep.Temporal {
			if got := float64(n[prep.Train]) / float64(d.Len()); math.Abs(got-.7) > .02 {
				t.Errorf("%s: %.3f of the rows train", name, got)
			}
		}
	}
}

func TestSplit_impossible(t *testing.T) {
	d := read(t, "IN_BYTES,OUT_BYTES,IN_PKTS,OUT_PKTS,PROTOCOL,Attack\n1,2,3,4,6,Benign\n1,2,3,4,17,Bot\n1,1,1,1,1,\n")
	names, impossible := d.Schemes()
	if !slices.Equal(names, []string{prep.Random, prep.Grouped}) || len(impossible) != 4 {
		t.Errorf("%q, %v", names, impossible)
	}
	for _, name := range []string{prep.Temporal, prep.HostDisjoint, prep.LeaveClassOut + ":Bot", prep.LeaveDatasetOut + ":a.csv", "", "x"} {
		if _, err := d.Split(name, shares, 1); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	s, err := d.Split(prep.Random, shares, 1)
	if err != nil || s.Parts[2] != prep.Out || len(s.Notes) == 0 {
		t.Errorf("%+v, %v: want the row without label out, and notes on empty parts", s, err)
	}
}

func TestManifest_rebuilds(t *testing.T) {
	d := sample(t)
	for _, scheme := range []string{prep.Random, prep.Grouped, prep.LeaveDatasetOut + ":a.csv"} {
		s, err := d.Split(scheme, shares, 3)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if _, err := d.Manifest(s).WriteTo(&b); err != nil {
			t.Fatal(err)
		}
		text := b.String()
		m, err := prep.Load(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		again, err := m.Rebuild(d)
		if err != nil || !slices.Equal(again.Parts, s.Parts) {
			t.Errorf("%s: %v", scheme, err)
		}
		b.Reset()
		if _, err := m.WriteTo(&b); err != nil || b.String() != text {
			t.Errorf("%s: a manifest read and written is another", scheme)
		}
		// what is not the same is noticed
		if _, err := m.Rebuild(read(t, dirty)); err == nil {
			t.Error("other files are accepted")
		}
		for _, change := range [][2]string{
			{`"seed": 3`, `"seed": 4`}, {`"parts": "`, `"parts": "-`}, {d.Manifest(s).Digests["train"][:8], "00000000"},
		} {
			bad := strings.Replace(text, change[0], change[1], 1)
			if change[0] == `"parts": "` { // the same length, one letter changed
				i := strings.Index(text, change[0]) + len(change[0])
				letter := "t"
				if text[i] == 't' {
					letter = "v"
				}
				bad = text[:i] + letter + text[i+1:]
			}
			m, err := prep.Load(strings.NewReader(bad))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := m.Rebuild(d); err == nil {
				t.Errorf("%s: %s is not noticed", scheme, change[0])
			}
		}
	}
}

func TestLoad_refuses(t *testing.T) {
	good := `{"format":"cloister split 1","scheme":"random","seed":1,"shares":[0.7,0.15,0.15],"schema":"flow","files":[{"name":"a","sha256":"","rows":2,"parts":"t-"}],"classes":null,"counts":null,"digests":null}`
	if _, err := prep.Load(strings.NewReader(good)); err != nil {
		t.Fatal(err)
	}
	for _, change := range [][2]string{{"split 1", "split 2"}, {`"seed"`, `"sead"`}, {`"t-"`, `"t"`}, {`"t-"`, `"tx"`}, {"null}", "null}x"}, {"{", ""}} {
		if _, err := prep.Load(strings.NewReader(strings.Replace(good, change[0], change[1], 1))); err == nil {
			t.Errorf("%s instead of %s is accepted", change[1], change[0])
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(`{"format":"cloister split 1","files":[{"rows":1,"parts":"t"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := prep.Load(bytes.NewReader(b))
		if err != nil {
			return
		}
		var one, two bytes.Buffer
		if _, err := m.WriteTo(&one); err != nil {
			t.Fatal(err)
		}
		again, err := prep.Load(bytes.NewReader(one.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := again.WriteTo(&two); err != nil || !bytes.Equal(one.Bytes(), two.Bytes()) {
			t.Fatalf("%s\n%s", one.Bytes(), two.Bytes())
		}
	})
}
