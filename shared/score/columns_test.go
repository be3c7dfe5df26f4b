package score_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"cloister/shared/job"
	"cloister/shared/score"
	"cloister/shared/sign"
)

// unknown is the lab's flow file under column names that nobody knows, and
// those names.
func unknown(t *testing.T) (content string, names, fields []string) {
	t.Helper()
	head, rest, ok := strings.Cut(string(read(t, "../../models/sample/lab.csv")), "\n")
	if !ok {
		t.Fatal("no heading")
	}
	fields = strings.Split(strings.TrimSpace(head), ",")
	for i := range fields {
		names = append(names, fmt.Sprintf("zz%d", i))
	}
	return strings.Join(names, ",") + "\n" + rest, names, fields
}

// rowsOf returns a line for every row.
func rowsOf(t *testing.T, s *score.Scorer, f job.File, o job.Options) (out []string, sum job.Summary) {
	t.Helper()
	sum, err := s.Score(f, o, func(_ job.Progress, b *job.Batch) bool {
		for i, row := range b.Row {
			out = append(out, fmt.Sprint(row, " ", b.Class[i], " ", b.Probability[i], " ", b.Anomaly[i]))
		}
		return true
	})
	if err != nil || sum.Stopped != "" {
		t.Fatal(err, sum.Stopped)
	}
	return out, sum
}

// A file that is refused for its names is scored by a profile, to the bits that
// it has under known names.
func TestScore_byProfile(t *testing.T) {
	s, _ := loaded(t)
	content, names, fields := unknown(t)
	var failure *job.Failure
	if _, err := s.Score(text(content), job.Options{}, nil); !errors.As(err, &failure) || !failure.Columns {
		t.Fatalf("unknown names: %+v", err)
	}
	proposal, err := s.Propose(text(content))
	if err != nil || proposal.Schema != "flow" || len(proposal.Columns) != len(names) || len(proposal.Columns[3].Samples) == 0 || proposal.Rows != 200 {
		t.Fatalf("%+v, %v", proposal, err)
	}
	known := map[string]job.ProposedField{}
	needed := 0
	for _, f := range proposal.Fields {
		known[f.Field] = f
		if f.Needed {
			needed++
		}
	}
	if needed < 10 || known["IN_BYTES"].Unit != "bytes" || !known["IPV4_SRC_ADDR"].IsText {
		t.Errorf("%d needed; %+v", needed, known["IN_BYTES"])
	}
	p := job.Profile{Name: "by hand", Schema: "flow"}
	for i, f := range fields {
		if _, ok := known[f]; ok {
			p.Fields = append(p.Fields, job.ProfileField{Field: f, Column: names[i]})
		}
	}
	p, err = s.Profile(p)
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.Profile(job.Profile{Text: p.Text})
	if err != nil || again.Name != "by hand" || len(again.Fields) != len(p.Fields) || again.Text != p.Text {
		t.Errorf("read again: %+v, %v", again, err)
	}
	want, _ := rowsOf(t, s, file{bytes.NewReader(read(t, "../../models/sample/lab.csv"))}, job.Options{})
	got, sum := rowsOf(t, s, text(content), job.Options{Profile: p.Text})
	if len(want) != 1989 || !slices.Equal(got, want) {
		t.Errorf("%d verdicts by profile, want the %d of the known names", len(got), len(want))
	}
	if sum.Note == "" || sum.Capture || !strings.Contains(sum.Format, "by hand") {
		t.Errorf("%+v", sum)
	}
	for name, o := range map[string]job.Options{"malformed": {Profile: "{}"}, "another file's": {Profile: strings.Replace(p.Text, `"zz2"`, `"zz999"`, 1)}} {
		if _, err := s.Score(text(content), o, nil); !errors.As(err, &failure) || failure.Kind != "input" || !strings.Contains(err.Error(), "profile") {
			t.Errorf("%s profile: %v", name, err)
		}
	}
	if _, err := s.Profile(job.Profile{Name: "n", Schema: "telemetry", Fields: []job.ProfileField{{Field: "m00", Column: "x"}}}); err == nil {
		t.Error("a profile of another schema is accepted")
	}
	if _, err := score.New().Propose(text(content)); err == nil {
		t.Error("a proposal without a bundle")
	}
}

// Columns in other units are told by checks, and the refusal of a file that
// lacks too much says how much.
func TestScore_saysWhatIsOdd(t *testing.T) {
	s, _ := loaded(t)
	sample := string(read(t, "../../models/sample/lab.csv"))
	if _, sum := rowsOf(t, s, text(sample), job.Options{}); len(sum.Checks) > 3 {
		t.Errorf("checks of a sound file: %+v", sum.Checks)
	}
	_, names, fields := unknown(t)
	content, _, _ := unknown(t)
	p := job.Profile{Name: "wrong unit", Schema: "flow"}
	for i, f := range fields {
		if f == "Label" || f == "Attack" {
			continue
		}
		field := job.ProfileField{Field: f, Column: names[i]}
		if f == "IN_BYTES" {
			field.Factor = 0.001
		}
		p.Fields = append(p.Fields, field)
	}
	p, err := s.Profile(p)
	if err != nil {
		t.Fatal(err)
	}
	_, sum := rowsOf(t, s, text(content), job.Options{Profile: p.Text})
	i := slices.IndexFunc(sum.Checks, func(c job.Check) bool { return strings.HasPrefix(c.What, "fewer than 20 source bytes") })
	if i < 0 || sum.Checks[i].Odd < sum.Checks[i].Rows/2 || sum.Checks[i].Rows < 1000 {
		t.Errorf("checks: %+v", sum.Checks)
	}
	var f *job.Failure
	if _, err := s.Score(text("L4_DST_PORT,L4_SRC_PORT,IPV4_SRC_ADDR,IPV4_DST_ADDR\n1,2,a,b\n"), job.Options{}, nil); !errors.As(err, &f) || !f.Columns || f.Lacking < 0.5 || f.Lacking > 1 {
		t.Errorf("%+v", err)
	}
}

func TestKeys_areTrustedWhenAsked(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := sign.NewKey("Ann", &private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	signed := resigned(t, private, nil)
	pem := append([]byte("Ann\n"), public.PEM()...)
	s := score.New()
	for _, step := range []struct {
		trust bool
		state string
	}{{false, "unknown key"}, {true, "verified"}} {
		keys, err := s.Keys(pem, step.trust)
		if err != nil || len(keys) != 1 || keys[0] != (job.Key{Name: "Ann", Fingerprint: public.Fingerprint()}) {
			t.Fatalf("%+v, %v", keys, err)
		}
		if info, err := s.Load(signed); err != nil || info.Trust != step.state {
			t.Errorf("trust %v: %q, %v", step.trust, info.Trust, err)
		}
	}
	for name, bad := range map[string]string{"none": "# nothing\n", "private": "-----BEGIN EC PRIVATE KEY-----\nAA==\n-----END EC PRIVATE KEY-----\n", "prose": "Dear sir,\nplease find"} {
		if _, err := s.Keys([]byte(bad), true); err == nil {
			t.Errorf("%s is taken for a key", name)
		}
	}
}

// What is exported is read again as the same flows with the same verdicts.
func TestExport_readsAgain(t *testing.T) {
	s, _ := loaded(t)
	capture := file{bytes.NewReader(read(t, "../../models/sample/lab.pcap.gz"))}
	before, sum := rowsOf(t, s, capture, job.Options{})
	if !sum.Capture || len(before) != 1989 {
		t.Fatalf("%d verdicts, %+v", len(before), sum)
	}
	tail := func(lines []string, rows []int64) (out []string) {
		for i, l := range lines {
			if rows == nil || slices.Contains(rows, int64(i+1)) {
				_, rest, _ := strings.Cut(l, " ")
				out = append(out, rest)
			}
		}
		slices.Sort(out)
		return out
	}
	for _, rows := range [][]int64{{17}, {1, 2, 3, 500, 1989}} {
		var out bytes.Buffer
		done, err := s.Export(rows, func(part []byte, p job.Progress) bool {
			out.Write(part)
			if p.Total != capture.Size() || p.Bytes > p.Total {
				t.Errorf("progress %+v of %d bytes", p, capture.Size())
			}
			return true
		})
		if err != nil || done.Format != "pcap" || done.Flows != int64(len(rows)) || done.Packets == 0 || done.Cancelled {
			t.Fatalf("%+v, %v", done, err)
		}
		again, _ := loaded(t)
		after, _ := rowsOf(t, again, file{bytes.NewReader(out.Bytes())}, job.Options{})
		if got, want := tail(after, nil), tail(before, rows); !slices.Equal(got, want) {
			t.Errorf("rows %v: read again as\n%s\nwant\n%s", rows, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	if done, err := s.Export([]int64{1, 1989}, func([]byte, job.Progress) bool { return false }); err != nil || !done.Cancelled {
		t.Errorf("%+v, %v", done, err)
	}
	if _, err := s.Export([]int64{2000}, nil); err == nil {
		t.Error("a row that was not scored is exported")
	}
	rowsOf(t, s, file{bytes.NewReader(read(t, sampleFile))}, job.Options{})
	if _, err := s.Export([]int64{1}, nil); err == nil || !strings.Contains(err.Error(), "only the flows of a capture") {
		t.Errorf("of a CSV: %v", err)
	}
	if _, err := score.New().Export([]int64{1}, nil); err == nil {
		t.Error("an export without a file")
	}
}

// Readers that come from outside are used.
func TestScorer_zstdFromOutside(t *testing.T) {
	s, _ := loaded(t)
	packed := append([]byte("\x28\xb5\x2f\xfd"), read(t, sampleFile)...)
	if _, err := s.Score(file{bytes.NewReader(packed)}, job.Options{}, nil); err == nil || !strings.Contains(err.Error(), "zstd") {
		t.Errorf("without a reader: %v", err)
	}
	s.Zstd = func(r io.Reader) (io.Reader, error) {
		_, err := io.CopyN(io.Discard, r, 4)
		return r, err
	}
	if got, _ := rowsOf(t, s, file{bytes.NewReader(packed)}, job.Options{}); len(got) != 557 {
		t.Errorf("%d verdicts", len(got))
	}
}

// A file of another kind of rows names the kind, for a bundle that reads it.
func TestScore_namesTheSchemaOfTheFile(t *testing.T) {
	s, _ := loaded(t)
	for name, want := range map[string]string{"telemetry.csv.gz": "telemetry", "alerts.csv": "alert"} {
		var f *job.Failure
		if _, err := s.Score(file{bytes.NewReader(read(t, "../../models/sample/"+name))}, job.Options{}, nil); !errors.As(err, &f) || f.Schema != want || f.Columns {
			t.Errorf("%s: %+v", name, err)
		}
	}
}
