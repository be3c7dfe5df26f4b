package feature_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"cloister/shared/feature"
	"cloister/shared/frame"
)

// alerts returns a frame with the given descriptions, titles and types; a nil
// slice is a field that the file lacks.
func alertFrame(descriptions, titles, types []string) *frame.Frame {
	f := frame.New(frame.Alert, 0, make([]bool, len(frame.Alert.Fields)))
	for name, v := range map[string][]string{frame.AlertDescription: descriptions, frame.AlertTitle: titles, frame.AlertType: types} {
		i, _ := frame.Alert.Index(name)
		f.Texts[i] = v
	}
	for i := range descriptions {
		f.Row, f.Offset = append(f.Row, int64(i+1)), append(f.Offset, 0)
	}
	return f
}

func alertInput(t *testing.T) *feature.Input {
	t.Helper()
	p, err := feature.New(frame.Alert, []feature.Step{
		{Name: "web", Op: feature.OpIs, From: frame.AlertType, Value: "webserver", Help: "h"},
		{Name: "proxy", Op: feature.OpIs, From: frame.AlertType, Value: "Proxy", Help: "h"},
	})
	if err != nil {
		t.Fatal(err)
	}
	words, err := feature.FitTFIDF([]string{"a bad thing", "bad day"}, feature.TFIDFOptions{})
	if err != nil {
		t.Fatal(err)
	}
	chars, err := feature.FitTFIDF([]string{"bad"}, feature.TFIDFOptions{Chars: true, MinGram: 2, MaxGram: 2})
	if err != nil {
		t.Fatal(err)
	}
	in, err := feature.NewInput(frame.Alert, p, []feature.Text{
		{Name: "words", From: []string{frame.AlertTitle, frame.AlertDescription}, Help: "h", TFIDF: words},
		{Name: "chars", From: []string{frame.AlertDescription}, Help: "h", TFIDF: chars},
	})
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// Columns, then each text as Transform gives it; dense and compressed rows
// say the same, for any part of a frame.
func TestInput_rows(t *testing.T) {
	in := alertInput(t)
	f := alertFrame([]string{"bad bad thing", "", "unknown words"}, []string{"day", "thing", ""}, []string{"WebServer ", "never seen", ""})
	if in.Len() != 2+3+4 || in.Numbers() != 2 {
		t.Fatalf("%d columns, %d before the texts", in.Len(), in.Numbers())
	}
	all := in.Rows(nil, f, 0, 3)
	var want []float64
	for i := range 3 {
		numbers := [][]float64{{1, 0}, {0, 0}, {0, 0}}[i] // an unseen category is 0 in all
		want = append(want, numbers...)
		for b, x := range in.Texts() {
			s := &feature.Sparse{}
			if err := x.TFIDF.Transform(s, []string{in.Document(b, f, i)}); err != nil {
				t.Fatal(err)
			}
			dense := make([]float64, x.TFIDF.Len())
			index, value := s.Row(0)
			for k, j := range index {
				dense[j] = value[k]
			}
			want = append(want, dense...)
		}
	}
	if !slices.Equal(all, want) {
		t.Errorf("got %v, want %v", all, want)
	}
	if in.Document(0, f, 0) != "day bad bad thing" || in.Document(0, f, 1) != "thing" {
		t.Errorf("documents %q, %q", in.Document(0, f, 0), in.Document(0, f, 1))
	}
	d := in.Len()
	if part := in.Rows(slices.Repeat([]float64{7}, 99), f, 1, 2); !slices.Equal(part, all[d:2*d]) {
		t.Errorf("row 2 alone is %v", part)
	}
	s := in.Sparse(f)
	for i := range 3 {
		dense := make([]float64, d)
		index, value := s.Row(i)
		for k, j := range index {
			if dense[j] = value[k]; value[k] == 0 || k > 0 && j <= index[k-1] {
				t.Errorf("row %d: cell %d is %v", i, j, value[k])
			}
		}
		if !slices.Equal(dense, all[i*d:(i+1)*d]) {
			t.Errorf("compressed row %d: %v, want %v", i, dense, all[i*d:(i+1)*d])
		}
	}
}

func TestInput_lacking(t *testing.T) {
	in := alertInput(t)
	tests := []struct {
		name string
		f    *frame.Frame
		want string
	}{
		{"all", alertFrame([]string{"x"}, []string{"x"}, []string{"x"}), "[]"},
		{"no type", alertFrame([]string{"x"}, []string{"x"}, nil), "[web proxy]"},
		{"no title", alertFrame([]string{"x"}, nil, []string{"x"}), "[]"},
		{"no text", alertFrame(nil, nil, []string{"x"}), "[words chars]"},
	}
	for _, tt := range tests {
		if got := fmt.Sprint(in.Lacking(tt.f)); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	f := alertFrame([]string{"bad"}, nil, nil)
	if x := in.Rows(nil, f, 0, 1); !math.IsNaN(x[0]) || in.Sparse(f).Index[0] != 0 {
		t.Errorf("a missing field is %v, %v", x[0], in.Sparse(f))
	}
	if got := fmt.Sprint(in.Fields()); got != "[PAYLOAD_DESCRIPTION PAYLOAD_TYPE TITLE]" {
		t.Error(got)
	}
}

func TestInput_longDocument(t *testing.T) {
	in := alertInput(t)
	long := strings.Repeat("é", feature.MaxDocument/2) + "bad"
	f := alertFrame([]string{"x" + long}, nil, nil)
	if doc := in.Document(1, f, 0); len(doc) != feature.MaxDocument-1 || !strings.HasSuffix(doc, "é") {
		t.Errorf("%d bytes", len(doc))
	}
	in.Rows(nil, f, 0, 1) // is not refused
}

func TestDecodeTexts(t *testing.T) {
	in := alertInput(t)
	b, err := in.AppendTexts(nil)
	if err != nil {
		t.Fatal(err)
	}
	terms := map[string]*feature.TFIDF{"words": in.Texts()[0].TFIDF, "chars": in.Texts()[1].TFIDF}
	look := func(name string) (*feature.TFIDF, error) {
		if terms[name] == nil {
			return nil, errors.New("none")
		}
		return terms[name], nil
	}
	texts, err := feature.DecodeTexts(b, frame.Alert, look)
	if err != nil {
		t.Fatal(err)
	}
	again, err := feature.NewInput(frame.Alert, in.Pipeline(), texts)
	if err != nil || again.Len() != in.Len() {
		t.Fatalf("%v, %v", again, err)
	}
	for name, change := range map[string][2]string{
		"schema":      {`"alert"`, `"flow"`},
		"name":        {`"words"`, `"../x"`},
		"no terms":    {`"words"`, `"verbs"`},
		"not minimal": {`"from"`, ` "from"`},
		"more":        {`"help"`, `"hilf"`},
	} {
		bad := strings.Replace(string(b), change[0], change[1], 1)
		if bad == string(b) {
			t.Fatalf("%s: nothing to change", name)
		}
		if _, err := feature.DecodeTexts([]byte(bad), frame.Alert, look); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for i := range b {
		if _, err := feature.DecodeTexts(b[:i], frame.Alert, look); err == nil {
			t.Errorf("accepted the first %d bytes", i)
		}
	}
}

func TestNewInput_refuses(t *testing.T) {
	good := alertInput(t).Texts()[0]
	change := func(f func(*feature.Text)) []feature.Text { x := good; f(&x); return []feature.Text{x} }
	flow, err := feature.New(frame.Flow, []feature.Step{{Name: "a", Op: feature.OpNumber, From: frame.InBytes}})
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		p     *feature.Pipeline
		texts []feature.Text
	}{
		"nothing":          {nil, nil},
		"another schema":   {flow, []feature.Text{good}},
		"two of a name":    {nil, []feature.Text{good, good}},
		"no name":          {nil, change(func(x *feature.Text) { x.Name = "" })},
		"a path":           {nil, change(func(x *feature.Text) { x.Name = "a/b" })},
		"not fitted":       {nil, change(func(x *feature.Text) { x.TFIDF = nil })},
		"of nothing":       {nil, change(func(x *feature.Text) { x.From = nil })},
		"of a number":      {nil, change(func(x *feature.Text) { x.From = []string{frame.AlertTime} })},
		"of no field":      {nil, change(func(x *feature.Text) { x.From = []string{"x"} })},
		"of a field twice": {nil, change(func(x *feature.Text) { x.From = []string{frame.AlertTitle, frame.AlertTitle} })},
	}
	for name, tt := range tests {
		var step *feature.StepError
		if _, err := feature.NewInput(frame.Alert, tt.p, tt.texts); !errors.As(err, &step) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPipeline_hourAndOctet(t *testing.T) {
	p, err := feature.New(frame.Flow, []feature.Step{
		{Name: "Hour", Op: feature.OpHour, From: frame.FlowStart}, {Name: "Octet", Op: feature.OpOctet, From: frame.SrcAddr},
	})
	if err != nil {
		t.Fatal(err)
	}
	const day = 24 * 3600_000
	hours := []struct{ ms, want float64 }{
		{0, 0}, {3600_000 - 1, 0}, {3600_000, 1}, {day - 1, 23}, {day, 0}, {1518633543480, 18}, {-1, 23}, {-day, 0},
		{math.NaN(), math.NaN()}, {math.Inf(1), math.NaN()}, {math.Inf(-1), math.NaN()}, {math.MaxFloat64, math.NaN()},
	}
	octets := []struct {
		text string
		want float64
	}{
		{"10.0.0.7", 7}, {"0.0.0.0", 0}, {"255.255.255.255", 255}, {"1.2.3.256", -1}, {"1.2.3", -1}, {"1.2.3.4.5", -1}, {"1.2.3.", -1}, {".1.2.3", -1},
		{"fe80::1", -1}, {"", -1}, {"host", -1}, {"1.2.3.0007", -1}, {"999999999999999999999", -1}, {"1.2.3.-4", -1}, {"::ffff:1.2.3.4", -1},
	}
	start, _ := frame.Flow.Index(frame.FlowStart)
	addr, _ := frame.Flow.Index(frame.SrcAddr)
	check := func(name string, x []float64, j int, want float64) {
		if got := x[j]; got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	for _, tt := range hours {
		f := row(map[string]float64{frame.FlowStart: tt.ms})
		if len(f.Numbers[start]) != 1 {
			t.Fatal("no row")
		}
		// what no float holds exactly has some hour, or none
		if x := p.Matrix(nil, f); tt.ms < 1e300 || math.IsInf(tt.ms, 0) {
			check(fmt.Sprint("hour of ", tt.ms), x, 0, tt.want)
		} else if !(x[0] >= 0 && x[0] < 24) && !math.IsNaN(x[0]) {
			t.Errorf("hour of %v: %v", tt.ms, x[0])
		}
	}
	for _, tt := range octets {
		f := row(nil)
		f.Texts[addr] = []string{tt.text}
		check(tt.text, p.Matrix(nil, f), 1, tt.want)
	}
}

func TestSentence(t *testing.T) {
	golden := row(map[string]float64{
		frame.Protocol: 6, frame.DstPort: 22, frame.InBytes: 3148, frame.OutBytes: 3869, frame.InPackets: 23, frame.OutPackets: 23, frame.TCPFlags: 27, frame.Duration: 369,
	})
	tests := []struct {
		name string
		f    *frame.Frame
		want string
	}{
		{"golden row of NF v3", golden, "tcp flow to ssh, medium request, medium answer, some packets, short, flags fin syn psh ack, balanced"},
		{"a question", row(map[string]float64{frame.Protocol: 17, frame.DstPort: 53, frame.InBytes: 60, frame.OutBytes: 0, frame.InPackets: 1, frame.OutPackets: 0, frame.Duration: 0}),
			"udp flow to dns, tiny request, empty answer, single packet, instant, mostly sent"},
		{"limits belong above", row(map[string]float64{frame.InBytes: 128, frame.OutBytes: 1280, frame.InPackets: 1, frame.OutPackets: 1, frame.Duration: 1000}),
			"flow, small request, medium answer, few packets, seconds long, mostly received"},
		{"nothing known", row(nil), "flow"},
		{"odd numbers", row(map[string]float64{frame.Protocol: 132, frame.DstPort: -1, frame.InBytes: math.NaN(), frame.TCPFlags: 1e300, frame.Duration: math.Inf(1)}), "protocol 132 flow"},
	}
	for _, tt := range tests {
		if got := feature.Sentence(tt.f, 0); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
	// the label is never part of it
	label, _ := frame.Flow.Index(frame.Label)
	golden.Texts[label] = []string{"SSH-Bruteforce"}
	if got := feature.Sentence(golden, 0); got != tests[0].want {
		t.Errorf("with a label: %s", got)
	}
	f := feature.Sentences(golden)
	if f.Schema != frame.Alert || f.Len() != 1 {
		t.Fatalf("%+v", f)
	}
	for i, field := range frame.Alert.Fields {
		for _, v := range f.Texts[i] {
			if strings.Contains(strings.ToLower(v), "bruteforce") {
				t.Errorf("%s says the label", field.Name)
			}
		}
	}
	i, _ := frame.Alert.Index(frame.AlertDescription)
	j, _ := frame.Alert.Index(frame.Protocol)
	if f.Texts[i][0] != tests[0].want || f.Numbers[j][0] != 6 {
		t.Errorf("%q, protocol %v", f.Texts[i], f.Numbers[j])
	}
}
