package flow

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"math"

	"cloister/shared/ingest/internal/capture"
)

// counterparts pairs ICMP types that answer each other; communityID treats
// them as ports.
var counterparts = [2]map[uint8]uint8{
	{8: 0, 0: 8, 13: 14, 14: 13, 15: 16, 16: 15, 17: 18, 18: 17, 10: 9, 9: 10},
	{128: 129, 129: 128, 133: 134, 134: 133, 135: 136, 136: 135, 130: 131, 131: 130, 139: 140, 140: 139, 144: 145, 145: 144},
}

// communityID returns the identifier by which tools name a flow: version 1,
// seed 0. icmp is type x 256 + code of the source's message.
//
// Source: https://github.com/corelight/community-id-spec.
func communityID(from, to []byte, protocol uint8, source, target, icmp uint16) string {
	ports, oneWay := true, false
	switch protocol {
	case capture.TCP, capture.UDP, capture.SCTP:
	case capture.ICMP, capture.ICMPv6:
		which := 0
		if protocol == capture.ICMPv6 {
			which = 1
		}
		other, ok := counterparts[which][uint8(icmp>>8)]
		source, target, oneWay = icmp>>8, uint16(other), !ok
		if oneWay {
			target = icmp & 0xff
		}
	default:
		ports = false
	}
	if c := bytes.Compare(from, to); !oneWay && (c > 0 || c == 0 && ports && source > target) {
		from, to, source, target = to, from, target, source
	}
	var room [64]byte
	b := append(room[:0], 0, 0)
	b = append(b, from...)
	b = append(b, to...)
	b = append(b, protocol, 0)
	if ports {
		b = binary.BigEndian.AppendUint16(b, source)
		b = binary.BigEndian.AppendUint16(b, target)
	}
	sum := sha1.Sum(b)
	var out [30]byte
	text := append(out[:0], "1:"...)
	return string(base64.StdEncoding.AppendEncode(text, sum[:]))
}

// entropyBytes is how much of a payload entropy looks at.
const entropyBytes = 256

// weights are n·log2(n) in units of 2^-20, so that sums are exact; steps are
// their differences, what one more byte of a kind adds.
var weights, steps = func() (w [entropyBytes + 1]uint32, s [entropyBytes]uint32) {
	for n := 2; n < len(w); n++ {
		w[n] = uint32(math.Round(float64(n) * math.Log2(float64(n)) * (1 << 20)))
	}
	for n := range s {
		s[n] = w[n+1] - w[n]
	}
	return w, s
}()

// entropy returns Shannon's entropy of the first 256 bytes of b in thousandths
// of a bit per byte, rounded down. n bytes cannot have more than log2(n) bits.
func entropy(b []byte) uint16 {
	b = b[:min(len(b), entropyBytes)]
	if len(b) < 2 {
		return 0
	}
	var count [256]uint8 // of a kind before this byte: at most 255
	sum := uint64(0)
	for _, c := range b {
		sum += uint64(steps[count[c]])
		count[c]++
	}
	n := uint64(len(b))
	return uint16((uint64(weights[n]) - sum) * 1000 / (n << 20))
}
