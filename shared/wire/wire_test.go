package wire_test

import (
	"errors"
	"math"
	"testing"

	"cloister/shared/wire"
)

func TestReader_roundTrip(t *testing.T) {
	var w wire.Writer
	w.U8(200)
	w.U16(65000)
	w.U32(4e9)
	w.U64(math.MaxUint64)
	w.F32(float32(math.Inf(-1)))
	w.F64(math.Copysign(0, -1))
	for _, v := range []uint64{0, 127, 128, math.MaxUint64} {
		w.Uvarint(v)
	}
	w.Text("héllo")
	w.Count(2)
	w.U16(1)
	w.U16(2)
	b := w.Finish()

	r := wire.NewReader(b)
	if r.U8() != 200 || r.U16() != 65000 || r.U32() != 4e9 || r.U64() != math.MaxUint64 {
		t.Error("fixed integers differ")
	}
	if !math.IsInf(float64(r.F32()), -1) {
		t.Error("F32 differs")
	}
	if v := r.F64(); v != 0 || !math.Signbit(v) {
		t.Error("negative zero lost")
	}
	for _, want := range []uint64{0, 127, 128, math.MaxUint64} {
		if got := r.Uvarint(); got != want {
			t.Errorf("Uvarint: got %d, want %d", got, want)
		}
	}
	if got := r.Text(); got != "héllo" {
		t.Errorf("Text: got %q", got)
	}
	if n := r.Count(2); n != 2 || r.U16() != 1 || r.U16() != 2 {
		t.Error("counted values differ")
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestReader_refuses(t *testing.T) {
	tests := []struct {
		name   string
		in     []byte
		read   func(*wire.Reader)
		want   error
		offset int
	}{
		{"short fixed value", []byte{1, 2, 3}, func(r *wire.Reader) { r.U8(); r.U32() }, wire.ErrShort, 1},
		{"short varint", []byte{0x80}, func(r *wire.Reader) { r.Uvarint() }, wire.ErrShort, 0},
		{"long form of zero", []byte{0x80, 0}, func(r *wire.Reader) { r.Uvarint() }, wire.ErrVarint, 0},
		{"varint over 64 bits", []byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 2}, func(r *wire.Reader) { r.Uvarint() }, wire.ErrVarint, 0},
		{"count one too many", []byte{3, 0, 0, 0, 0}, func(r *wire.Reader) { r.Count(2) }, wire.ErrCount, 1},
		{"huge count", []byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 1}, func(r *wire.Reader) { r.Count(1) }, wire.ErrCount, 10},
		{"trailing byte", []byte{1, 2}, func(r *wire.Reader) { r.U8() }, wire.ErrTrailing, 1},
		{"negative length", []byte{1}, func(r *wire.Reader) { r.Bytes(-1) }, wire.ErrShort, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := wire.NewReader(tt.in)
			tt.read(r)
			err := r.Close()
			var at *wire.OffsetError
			if !errors.Is(err, tt.want) || !errors.As(err, &at) || at.Offset != tt.offset {
				t.Errorf("got %v, want %v at byte %d", err, tt.want, tt.offset)
			}
			if r.U64() != 0 || r.Left() != 0 || r.Bytes(0) != nil {
				t.Error("a failed reader went on reading")
			}
		})
	}
}

func TestReader_countAtTheLimit(t *testing.T) {
	r := wire.NewReader([]byte{2, 0, 0, 0, 0})
	if n := r.Count(2); n != 2 || r.Err() != nil {
		t.Errorf("got %d, %v", n, r.Err())
	}
}
