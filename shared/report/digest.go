package report

import (
	"encoding/binary"
	"math/bits"
)

// digest returns the SHA-1 of b, which UUIDs of version 5 are made of; nothing
// here rests on its strength. The standard library's brings its whole module of
// ciphers, 50 kB of every download.
//
// Source: FIPS 180-4, section 6.1.
func digest(b []byte) [20]byte {
	padded := append(append([]byte(nil), b...), 0x80)
	for len(padded)%64 != 56 {
		padded = append(padded, 0)
	}
	padded = binary.BigEndian.AppendUint64(padded, uint64(len(b))*8)
	h := [5]uint32{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0}
	var w [80]uint32
	for ; len(padded) > 0; padded = padded[64:] {
		for t := range w {
			if t < 16 {
				w[t] = binary.BigEndian.Uint32(padded[4*t:])
			} else {
				w[t] = bits.RotateLeft32(w[t-3]^w[t-8]^w[t-14]^w[t-16], 1)
			}
		}
		a, b, c, d, e := h[0], h[1], h[2], h[3], h[4]
		for t, x := range w {
			var f, k uint32
			switch t / 20 {
			case 0:
				f, k = b&c|^b&d, 0x5a827999
			case 1:
				f, k = b^c^d, 0x6ed9eba1
			case 2:
				f, k = b&c|b&d|c&d, 0x8f1bbcdc
			default:
				f, k = b^c^d, 0xca62c1d6
			}
			a, b, c, d, e = bits.RotateLeft32(a, 5)+f+e+k+x, a, bits.RotateLeft32(b, 30), c, d
		}
		h[0], h[1], h[2], h[3], h[4] = h[0]+a, h[1]+b, h[2]+c, h[3]+d, h[4]+e
	}
	var out [20]byte
	for i, v := range h {
		binary.BigEndian.PutUint32(out[4*i:], v)
	}
	return out
}
