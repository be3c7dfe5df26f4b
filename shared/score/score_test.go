package score_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"hash"
	"math"
	"os"
	"strings"
	"testing"

	"cloister/shared/bundle"
	"cloister/shared/job"
	"cloister/shared/score"
	"cloister/shared/sign"
)

const (
	bundleFile = "../../models/flows/1.bundle"
	sampleFile = "../../models/sample/flows.csv"
)

var update = flag.Bool("update", false, "rewrite the goldens, natively only")

type file struct {
	*bytes.Reader
}

func (file) Name() string { return "x.csv" }

func text(s string) file { return file{bytes.NewReader([]byte(s))} }

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func loaded(t *testing.T) (*score.Scorer, job.Bundle) {
	t.Helper()
	s := score.New()
	info, err := s.Load(read(t, bundleFile))
	if err != nil {
		t.Fatal(err)
	}
	return s, info
}

func hashFloats(h hash.Hash, values ...float64) {
	for _, v := range values {
		var b [8]byte
		for i := range b {
			b[i] = byte(math.Float64bits(v) >> (8 * i))
		}
		h.Write(b[:])
	}
}

// TestScore_sameBitsEverywhere hashes every verdict of both samples and the
// explanation of each tenth row. The golden was written natively on amd64;
// `make test-wasm` runs this test under js/wasm in Node, so equality there is
// equality of bits.
func TestScore_sameBitsEverywhere(t *testing.T) {
	s, _ := loaded(t)
	h := sha256.New()
	for _, name := range []string{sampleFile, "../../models/sample/lab.csv"} {
		rows := 0
		sum, err := s.Score(file{bytes.NewReader(read(t, name))}, job.Options{}, func(_ job.Progress, b *job.Batch) bool {
			for i := range b.Row {
				fmt.Fprintf(h, "%d %d %v ", b.Row[i], b.Class[i], b.Abstained[i])
				hashFloats(h, b.Probability[i], b.Attack[i], b.Anomaly[i])
				fmt.Fprint(h, b.Hints[b.Hint[i]])
				rows++
			}
			return true
		})
		if err != nil || rows < 500 || sum.Rejected != 0 {
			t.Fatalf("%s: %d rows, %+v, %v", name, rows, sum, err)
		}
		for row := int64(1); row <= int64(rows); row += 10 {
			rec, err := s.Explain(row)
			if err != nil {
				t.Fatal(err)
			}
			hashFloats(h, rec.Base, rec.Margin)
			fmt.Fprint(h, rec.Attack)
			for _, a := range rec.Attributions {
				fmt.Fprint(h, a.Feature)
				hashFloats(h, a.SHAP, float64(a.Percentile))
			}
		}
	}
	got := hex.EncodeToString(h.Sum(nil))
	const golden = "testdata/sample.sha256"
	if *update {
		if err := os.WriteFile(golden, []byte(got+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := strings.TrimSpace(string(read(t, golden))); got != want {
		t.Errorf("verdicts hash to %s, want %s", got, want)
	}
}

func TestExplain_addsUp(t *testing.T) {
	s, info := loaded(t)
	var probability, attack []float64
	if _, err := s.Score(file{bytes.NewReader(read(t, sampleFile))}, job.Options{}, func(_ job.Progress, b *job.Batch) bool {
		probability, attack = append(probability, b.Probability...), append(attack, b.Attack...)
		return true
	}); err != nil {
		t.Fatal(err)
	}
	checked := 0
	for row := int64(1); row <= int64(len(probability)); row += 7 {
		rec, err := s.Explain(row)
		if err != nil {
			t.Fatal(err)
		}
		sum, shares := rec.Base, 0.0
		for _, a := range rec.Attributions {
			sum += a.SHAP
		}
		for _, c := range rec.Classes {
			shares += c.Probability
		}
		if math.Abs(sum-rec.Margin) > 1e-9 || rec.Additivity > rec.Tolerance || rec.Unit != "log-odds" {
			t.Errorf("row %d: base and attributions give %v, the model says %v %s", row, sum, rec.Margin, rec.Unit)
		}
		if rec.Classes[0].Probability != probability[row-1] {
			t.Errorf("row %d: probability %v, the verdict says %v", row, rec.Classes[0].Probability, probability[row-1])
		}
		if math.Abs(shares-1) > 1e-12 || len(rec.Attributions) != len(info.Features) || rec.Classes[0].Class != rec.Class {
			t.Errorf("row %d: probabilities sum to %v, %d attributions", row, shares, len(rec.Attributions))
		}
		if attack[row-1] < 0 || attack[row-1] > 1 || !strings.Contains(rec.Sentence, fmt.Sprint("ow ", row)) || len(rec.Fields) < 15 {
			t.Errorf("row %d: attack %v, %q, %d fields", row, attack[row-1], rec.Sentence, len(rec.Fields))
		}
		checked++
	}
	if checked < 50 {
		t.Errorf("only %d rows checked", checked)
	}
	if _, err := s.Explain(1 << 40); err == nil {
		t.Error("explained a row that does not exist")
	}
}

const head = "IN_BYTES,OUT_BYTES,IN_PKTS,OUT_PKTS,PROTOCOL,L4_DST_PORT,FLOW_DURATION_MILLISECONDS,TCP_FLAGS\n"
const good = "3148,3869,23,21,6,22,369,27\n"

func TestScore_refusesWithAdvice(t *testing.T) {
	s, _ := loaded(t)
	tests := []struct{ name, in, text, help string }{
		{"empty", "", "the file is empty", "header line"},
		{"header only", head, "the file is empty", "header line"},
		{"prose", "Dear sir,\nhello\n", "no reader recognises this file", "first line names flow columns"},
		{"binary", "\x00\x01\x02", "NUL at byte 0", "first line"},
		{"Parquet", "PAR1\x15\x04", "Parquet file", "capture"},
		{"capture, cut in its head", "\xd4\xc3\xb2\xa1", "pcap: byte 0: cut short", "complete"},
		{"10,000 columns", strings.Repeat("IN_BYTES,", 9999) + "X\n1\n", "columns: 10000 is over the limit of 2000", "split"},
		{"too few features", "L4_DST_PORT,L4_SRC_PORT,IPV4_SRC_ADDR,IPV4_DST_ADDR\n1,2,a,b\n", "20 of the bundle's 21 features", "export the missing columns"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := s.Score(text(tt.in), job.Options{}, func(job.Progress, *job.Batch) bool { return true })
			var f *job.Failure
			if !errors.As(err, &f) || f.Kind != "input" || !strings.Contains(f.Text, tt.text) || !strings.Contains(f.Help, tt.help) {
				t.Errorf("got %v (%+v), want %q with help %q", err, f, tt.text, tt.help)
			}
		})
	}
	// what was scored before can still be explained
	if _, err := s.Score(text(head+good), job.Options{}, func(job.Progress, *job.Batch) bool { return true }); err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		if _, err := s.Score(text(tt.in), job.Options{}, nil); err == nil {
			t.Errorf("%s: scored", tt.name)
		}
		if rec, err := s.Explain(1); err != nil || rec.Row != 1 {
			t.Errorf("after %s: %v", tt.name, err)
		}
	}
	if _, err := score.New().Score(text(head+good), job.Options{}, nil); err == nil || !strings.Contains(err.Error(), "no bundle is loaded") {
		t.Errorf("without a bundle: %v", err)
	}
}

func TestScore_keepsWhatWasScored(t *testing.T) {
	s, _ := loaded(t)
	t.Run("cut in the middle", func(t *testing.T) {
		rows := 0
		sum, err := s.Score(text(head+strings.Repeat(good, 10)+"3148,38"), job.Options{}, func(_ job.Progress, b *job.Batch) bool {
			rows += len(b.Row)
			return true
		})
		if err != nil || rows != 10 || sum.Scored != 10 || sum.Rejected != 1 || sum.Reasons["cut short"] != 1 || sum.Rejects[0].Row != 11 {
			t.Errorf("%d rows, %+v, %v", rows, sum, err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		rows := 0
		sum, err := s.Score(text(head+strings.Repeat(good, 20_000)), job.Options{}, func(_ job.Progress, b *job.Batch) bool {
			rows += len(b.Row)
			return false
		})
		if err != nil || !sum.Cancelled || rows == 0 || rows >= 20_000 || sum.Scored != int64(rows) {
			t.Errorf("%d rows, %+v, %v", rows, sum, err)
		}
	})
	t.Run("mostly rubbish", func(t *testing.T) {
		in := head + strings.Repeat(good+"x\n", 20_000)
		sum, err := s.Score(text(in), job.Options{}, func(job.Progress, *job.Batch) bool { return true })
		if err != nil || !strings.Contains(sum.Stopped, "more than 10 %") || sum.Scored == 0 || sum.Rows >= 40_000 || len(sum.Rejects) != 20 {
			t.Errorf("%d of %d rows, stopped %q, %v", sum.Scored, sum.Rows, sum.Stopped, err)
		}
		sum, err = s.Score(text(in), job.Options{MaxRejectShare: 1}, func(job.Progress, *job.Batch) bool { return true })
		if err != nil || sum.Stopped != "" || sum.Scored != 20_000 || sum.Rejected != 20_000 {
			t.Errorf("at any share: %+v, %v", sum, err)
		}
	})
}

func TestLoad_refuses(t *testing.T) {
	b := read(t, bundleFile)
	s := score.New()
	for name, bad := range map[string][]byte{
		"nothing":  nil,
		"a CSV":    []byte(head + good),
		"cut":      b[:len(b)/2],
		"one bit":  flip(b, len(b)/2),
		"trailing": append(bytes.Clone(b), 0),
	} {
		_, err := s.Load(bad)
		var f *job.Failure
		if !errors.As(err, &f) || f.Kind != "bundle" || f.Help == "" {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func flip(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 1
	return b
}

func BenchmarkScore(b *testing.B) {
	bundle, err := os.ReadFile(bundleFile)
	if err != nil {
		b.Fatal(err)
	}
	sample, err := os.ReadFile(sampleFile)
	if err != nil {
		b.Fatal(err)
	}
	header, rows, _ := bytes.Cut(sample, []byte("\n"))
	big := append(append(bytes.Clone(header), '\n'), bytes.Repeat(rows, 100)...)
	s := score.New()
	if _, err := s.Load(bundle); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(big)))
	n := int64(0)
	for b.Loop() {
		sum, err := s.Score(file{bytes.NewReader(big)}, job.Options{}, func(job.Progress, *job.Batch) bool { return true })
		if err != nil {
			b.Fatal(err)
		}
		n += sum.Scored
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkExplain(b *testing.B) {
	bundle, err := os.ReadFile(bundleFile)
	if err != nil {
		b.Fatal(err)
	}
	sample, err := os.ReadFile(sampleFile)
	if err != nil {
		b.Fatal(err)
	}
	s := score.New()
	if _, err := s.Load(bundle); err != nil {
		b.Fatal(err)
	}
	if _, err := s.Score(file{bytes.NewReader(sample)}, job.Options{}, func(job.Progress, *job.Batch) bool { return true }); err != nil {
		b.Fatal(err)
	}
	row := int64(0)
	for b.Loop() {
		row = row%500 + 1
		if _, err := s.Explain(row); err != nil {
			b.Fatal(err)
		}
	}
}

// resigned returns the published bundle with changes, an entry of nil being
// taken out, and its signature by key over what it was before them.
func resigned(t *testing.T, key *ecdsa.PrivateKey, changes map[string][]byte) []byte {
	t.Helper()
	b, err := bundle.Decode(read(t, bundleFile), bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	a, err := bundle.Open(read(t, bundleFile), bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, name := range b.Names() {
		if name != bundle.ManifestName {
			files[name], _ = b.File(name)
		}
	}
	if files[bundle.SignatureName], err = sign.Sign(key, "flows", a.Digests()); err != nil {
		t.Fatal(err)
	}
	for name, content := range changes {
		if files[name] = content; content == nil {
			delete(files, name)
		}
	}
	file, err := bundle.Encode(b.Manifest(), files, bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// Three states load, a signature that does not hold never does.
func TestScorer_trust(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := sign.NewKey("Example", &key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	signed := resigned(t, key, nil)
	s := score.New()
	state := func(file []byte, trust, name, fingerprint string) {
		t.Helper()
		info, err := s.Load(file)
		if err != nil || info.Trust != trust || info.Key != name || info.KeyFingerprint != fingerprint {
			t.Errorf("%q by %q %q, want %q by %q: %v", info.Trust, info.Key, info.KeyFingerprint, trust, name, err)
		}
	}
	state(resigned(t, key, map[string][]byte{"model.sig": nil}), "unsigned", "", "")
	state(signed, "unknown key", "", public.Fingerprint())
	for name, changes := range map[string]map[string][]byte{
		"changed":   {"CARD.md": []byte("# Trust me")},
		"added":     {"NOTICE": []byte("x")},
		"malformed": {"model.sig": []byte("{}")},
	} {
		for _, known := range []bool{false, true} {
			s := score.New()
			if known {
				s.Trust(public)
			}
			_, err := s.Load(resigned(t, key, changes))
			var failure *job.Failure
			if !errors.As(err, &failure) || failure.Kind != "bundle" {
				t.Errorf("%s, key known: %v: %v", name, known, err)
			}
			if _, err := s.Score(text(head+good), job.Options{}, nil); err == nil {
				t.Errorf("%s, key known: %v: it scores", name, known)
			}
		}
	}
	s.Trust(public)
	state(signed, "verified", "Example", public.Fingerprint())
	if _, err := s.Load(resigned(t, key, map[string][]byte{"CARD.md": []byte("# Trust me")})); err == nil || !strings.Contains(err.Error(), "changed after signing") {
		t.Errorf("changed: %v", err)
	}
	if _, err := s.Score(text(head+good), job.Options{}, func(job.Progress, *job.Batch) bool { return true }); err != nil {
		t.Errorf("the verified bundle is gone: %v", err)
	}
}
