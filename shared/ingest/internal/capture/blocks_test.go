package capture_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

// bigTime is the time of ticks by exact arithmetic: rounded down to
// nanoseconds and moved to the ends of what is kept.
func bigTime(ticks uint64, resolution byte, offset int64) string {
	n := new(big.Int).SetUint64(ticks)
	n.Mul(n, big.NewInt(1_000_000_000))
	base := big.NewInt(10)
	if resolution&0x80 != 0 {
		base = big.NewInt(2)
	}
	n.Quo(n, new(big.Int).Exp(base, big.NewInt(int64(resolution&0x7f)), nil))
	most := big.NewInt(1<<63 - 1)
	if n.Cmp(most) > 0 {
		n = most
	}
	n = new(big.Int).Add(n, new(big.Int).Mul(big.NewInt(offset), big.NewInt(1_000_000_000)))
	switch {
	case n.Sign() < 0:
		return "0"
	case n.Cmp(most) > 0:
		return most.String()
	}
	return n.String()
}

// Files of random blocks, in sections of either byte order, are read as they
// were written: interfaces belong to their section, times to their interface,
// and what is unknown is passed over.
func TestReader_randomBlocks(t *testing.T) {
	r := rand.New(rand.NewPCG(17, 18))
	total := 0
	for round := range 300 {
		out := &file{order: binary.LittleEndian}
		var want []string
		last := "0"
		for range 1 + r.IntN(3) {
			out.order = []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian}[r.IntN(2)]
			out.section()
			type device struct {
				link       uint16
				snap       uint32
				resolution byte
				offset     int64
			}
			var devices []device
			for range r.IntN(30) {
				switch kind := r.IntN(6); {
				case kind == 0 || len(devices) == 0:
					d := device{link: uint16(r.IntN(300)), snap: []uint32{0, 0, 40}[r.IntN(3)], resolution: 6}
					out.device(d.link, d.snap, func(b *file) {
						b.u16(2, 5).u32(0x61626364, 0x65000000) // a name
						if r.IntN(2) == 0 {
							d.resolution = byte(r.Uint32())
							b.u16(9, 1)
							b.Write([]byte{d.resolution, 0, 0, 0})
						}
						if r.IntN(3) == 0 {
							d.offset = r.Int64N(4_000_000_000) - 2_000_000_000
							b.u16(14, 8)
							b.Write(b.order.AppendUint64(nil, uint64(d.offset)))
						}
					})
					devices = append(devices, d)
				case kind == 1: // of no interest
					out.block([]uint32{4, 5, 0xbad, 0x80000001}[r.IntN(4)], func(b *file) { b.Write(make([]byte, 4*r.IntN(50))) })
				case kind == 2: // a simple packet: of the first interface, with the time of the packet before
					data := make([]byte, r.IntN(60))
					kept := data
					if snap := devices[0].snap; snap > 0 && len(data) > int(snap) {
						kept = data[:snap]
					}
					out.block(3, func(b *file) {
						b.u32(uint32(len(data)))
						b.Write(kept)
					})
					want = append(want, fmt.Sprintf("%d %s %d %s", devices[0].link, last, len(data), kept))
				default:
					i := r.IntN(len(devices))
					d := devices[i]
					ticks := r.Uint64() >> r.IntN(64)
					data := fmt.Sprint("packet ", r.IntN(1000))
					out.packet(uint32(i), ticks, data)
					last = bigTime(ticks, d.resolution, d.offset)
					want = append(want, fmt.Sprintf("%d %s %d %s", d.link, last, len(data)+1, data))
				}
			}
		}
		got, err := packets(out.Bytes())
		if !errors.Is(err, io.EOF) || !slices.Equal(got, want) {
			i := 0
			for i < min(len(got), len(want)) && got[i] == want[i] {
				i++
			}
			t.Fatalf("round %d: %v, %d of %d packets, first unlike:\ngot  %q\nwant %q", round, err, len(got), len(want), got[i:min(i+1, len(got))], want[i:min(i+1, len(want))])
		}
		total += len(got)
	}
	if total < 2000 {
		t.Errorf("%d packets", total)
	}
}
