package job

import (
	"bytes"
	"slices"
	"testing"
)

func sample() *Batch {
	return &Batch{
		Row: []int64{1, 3}, Class: []uint16{0, 2}, Probability: []float64{.5, 1}, Attack: []float64{0, .25}, Anomaly: []float64{.1, .9}, Abstained: []bool{false, true}, Outside: []bool{true, false}, Severity: []uint8{4, 1},
		Hints: [][]Technique{nil, {{ID: "T1046", Tactic: "TA0007", Confidence: "low", Basis: "analytic", Hint: true}, {ID: "T1110", Tactic: "TA0006", Confidence: "high", Basis: "published"}}}, Hint: []uint32{1, 0},
		Columns:  []Column{{Name: "n", Unit: "u", Numbers: []float64{1, 2}}, {Name: "t", Texts: []string{"a", "a"}}},
		Rejected: []Reject{{Row: 2, Offset: 77, Reason: "r", Detail: "d"}},
	}
}

func TestDecodeBatch_everyPrefixAndTrailingByte(t *testing.T) {
	b := sample().AppendBinary(nil)
	if _, err := decodeBatch(b); err != nil {
		t.Fatal(err)
	}
	for i := range b {
		if _, err := decodeBatch(b[:i]); err == nil {
			t.Errorf("accepted the first %d of %d bytes", i, len(b))
		}
	}
	if _, err := decodeBatch(append(bytes.Clone(b), 0)); err == nil {
		t.Error("accepted a trailing byte")
	}
}

// FuzzDecodeBatch checks that what decodes encodes to something that decodes
// to the same, and that nothing panics or allocates beyond the input.
func FuzzDecodeBatch(f *testing.F) {
	f.Add(sample().AppendBinary(nil))
	f.Add((&Batch{}).AppendBinary(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := decodeBatch(b)
		if err != nil {
			return
		}
		again := v.AppendBinary(nil)
		w, err := decodeBatch(again)
		if err != nil {
			t.Fatalf("cannot read what was written: %v", err)
		}
		if !bytes.Equal(w.AppendBinary(nil), again) {
			t.Error("encoding is not stable")
		}
	})
}

func TestBatch_decisions(t *testing.T) {
	b := sample()
	got, err := decodeBatch(b.AppendBinary(nil))
	if err != nil || !slices.Equal(got.Outside, b.Outside) || !slices.Equal(got.Severity, b.Severity) || !slices.Equal(got.Abstained, b.Abstained) {
		t.Errorf("%+v, %v", got, err)
	}
	b.Outside, b.Severity = nil, nil
	got, err = decodeBatch(b.AppendBinary(nil))
	if err != nil || !slices.Equal(got.Outside, []bool{false, false}) || !slices.Equal(got.Severity, []uint8{0, 0}) {
		t.Errorf("without: %+v, %v", got, err)
	}
	// row 1: number, class, three figures, flags, severity
	at := 1 + 1 + 2 + 24
	good := sample().AppendBinary(nil)
	if good[at] != flagOutside || good[at+1] != 4 {
		t.Fatalf("the layout is another: % x", good[:at+2])
	}
	for i, bad := range map[int]byte{at: 4, at + 1: uint8(len(Severities))} {
		text := bytes.Clone(good)
		text[i] = bad
		if _, err := decodeBatch(text); err == nil {
			t.Errorf("byte %d may be %d", i, bad)
		}
	}
}

func TestBatch_hints(t *testing.T) {
	b := sample()
	got, err := decodeBatch(b.AppendBinary(nil))
	if err != nil || !slices.Equal(got.Hint, b.Hint) || len(got.Hints) != 2 || got.Hints[0] != nil || !slices.Equal(got.Hints[1], b.Hints[1]) {
		t.Fatalf("%+v, %v", got, err)
	}
	b.Hint[1] = 2 // a set that is not there
	if _, err := decodeBatch(b.AppendBinary(nil)); err == nil {
		t.Error("a row may have set 2 of 2")
	}
	b.Hints, b.Hint = nil, nil
	got, err = decodeBatch(b.AppendBinary(nil))
	if err != nil || got.Hints != nil || got.Hint != nil {
		t.Errorf("without: %+v, %v", got, err)
	}
}
