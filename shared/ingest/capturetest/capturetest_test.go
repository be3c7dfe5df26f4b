package capturetest_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"cloister/shared/frame"
	"cloister/shared/ingest"
	"cloister/shared/ingest/capturetest"
)

// The same seed gives the same bytes everywhere: figures of different days and
// machines are of the same capture.
func TestWrite_sameBytes(t *testing.T) {
	h := sha256.New()
	packets, size, err := capturetest.Write(h, 2_000_000, rand.New(rand.NewPCG(1, 2)))
	if err != nil || packets != 9310 || size < 2_000_000 || size >= 2_001_600 {
		t.Errorf("%d packets, %d bytes, %v", packets, size, err)
	}
	if got, want := hex.EncodeToString(h.Sum(nil)), "23b458aa924dad5a4fd5b6b3a15689e8fdc74e733c0fff2ad1b2196d010d12d8"; got != want {
		t.Errorf("sha256 %s, want %s", got, want)
	}
}

// All packets of a made capture are read, and they are what was promised.
func TestWrite_isRead(t *testing.T) {
	var file bytes.Buffer
	packets, size, err := capturetest.Write(&file, 2_000_000, rand.New(rand.NewPCG(3, 4)))
	if err != nil || size != int64(file.Len()) {
		t.Fatal(size, file.Len(), err)
	}
	s, err := ingest.Open(bytes.NewReader(file.Bytes()), size, ingest.Limits{})
	sum, tcp, names := 0.0, 0, map[string]int{}
	for err == nil {
		var f *frame.Frame
		if f, err = s.Next(); err != nil {
			break
		}
		column := func(name string) int { k, _ := f.Schema.Index(name); return k }
		for i := range f.Len() {
			sum += f.Numbers[column(frame.InPackets)][i] + f.Numbers[column(frame.OutPackets)][i]
			if f.Numbers[column(frame.Protocol)][i] == 6 {
				tcp++
			}
			names[f.Texts[column(frame.DNSQuery)][i]+f.Texts[column(frame.HTTPHost)][i]]++
		}
	}
	if !errors.Is(err, io.EOF) || int64(sum) != packets || len(s.Repairs()) > 0 {
		t.Errorf("%v of %d packets, %v, %v", sum, packets, s.Repairs(), err)
	}
	if tcp < 1500 || names["www"] < 100 || names["www.example.org"] < 100 {
		t.Errorf("%d of TCP, %v", tcp, names)
	}
}

// An error of the writer is returned.
func TestWrite_fails(t *testing.T) {
	for _, room := range []int{0, 1 << 20, 3 << 19} {
		if _, _, err := capturetest.Write(&full{room}, 2_000_000, rand.New(rand.NewPCG(1, 2))); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("room for %d: %v", room, err)
		}
	}
}

type full struct{ room int }

func (f *full) Write(b []byte) (int, error) {
	if len(b) > f.room {
		return 0, io.ErrShortWrite
	}
	f.room -= len(b)
	return len(b), nil
}
