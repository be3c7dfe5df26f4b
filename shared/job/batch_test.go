package job

import (
	"bytes"
	"testing"
)

func sample() *Batch {
	return &Batch{
		Row: []int64{1, 3}, Class: []uint16{0, 2}, Probability: []float64{.5, 1}, Attack: []float64{0, .25}, Anomaly: []float64{.1, .9}, Abstained: []bool{false, true},
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
