package flow

import (
	"encoding/binary"
	"errors"
	"math"
	"strconv"

	"cloister/shared/frame"
)

// column is one numeric field and how it is made.
type column struct {
	name string
	of   func(*Flow) uint64
}

const milli = 1_000_000

// span returns the duration in milliseconds between two times, each rounded
// down first, so that it equals the difference of the printed times.
func span(from, to int64) uint64 { return uint64(to/milli - from/milli) }

func (f *Flow) duration() uint64 { return span(f.Start, f.End) }

// rate returns bits per second: floor(8000 x bytes / (duration + 1)), the
// relation that holds in the rows of NF-*-v3.
func (f *Flow) rate(bytes uint64) uint64 { return 8000 * bytes / (f.duration() + 1) }

func (s *Side) span() uint64 { return span(s.First, s.Last) }

// mean and deviation of the gaps (of all of them, not of a sample), rounded
// down, 0 without a gap.
func (s *Side) mean() uint64 {
	if s.Packets < 2 {
		return 0
	}
	return uint64(s.gapSum / float64(s.Packets-1))
}

func (s *Side) deviation() uint64 {
	if s.Packets < 2 {
		return 0
	}
	n := float64(s.Packets - 1)
	m := s.gapSum / n
	return uint64(math.Sqrt(max(s.gapSquares/n-float64(m*m), 0)))
}

// ttls is the side whose TTL counts: the source, as in the rows that the
// bundles learn from, or the other when the source sent nothing.
func (f *Flow) ttls() *Side {
	if f.Sides[0].Packets == 0 {
		return &f.Sides[1]
	}
	return &f.Sides[0]
}

func (f *Flow) ports() (source, target uint16) {
	if f.Reverse {
		return f.Key.PortB, f.Key.PortA
	}
	return f.Key.PortA, f.Key.PortB
}

// columns are all numeric fields that are made.
var columns = []column{
	{frame.FlowStart, func(f *Flow) uint64 { return uint64(f.Start / milli) }},
	{"FLOW_END_MILLISECONDS", func(f *Flow) uint64 { return uint64(f.End / milli) }},
	{frame.SrcPort, func(f *Flow) uint64 { p, _ := f.ports(); return uint64(p) }},
	{frame.DstPort, func(f *Flow) uint64 { _, p := f.ports(); return uint64(p) }},
	{frame.Protocol, func(f *Flow) uint64 { return uint64(f.Key.Protocol) }},
	{frame.InBytes, func(f *Flow) uint64 { return f.Sides[0].Bytes }},
	{frame.InPackets, func(f *Flow) uint64 { return f.Sides[0].Packets }},
	{frame.OutBytes, func(f *Flow) uint64 { return f.Sides[1].Bytes }},
	{frame.OutPackets, func(f *Flow) uint64 { return f.Sides[1].Packets }},
	{frame.TCPFlags, func(f *Flow) uint64 { return uint64(f.Sides[0].Flags | f.Sides[1].Flags) }},
	{"CLIENT_TCP_FLAGS", func(f *Flow) uint64 { return uint64(f.Sides[0].Flags) }},
	{"SERVER_TCP_FLAGS", func(f *Flow) uint64 { return uint64(f.Sides[1].Flags) }},
	{frame.Duration, (*Flow).duration},
	{"DURATION_IN", func(f *Flow) uint64 { return f.Sides[0].span() }},
	{"DURATION_OUT", func(f *Flow) uint64 { return f.Sides[1].span() }},
	{"MIN_TTL", func(f *Flow) uint64 { return uint64(f.ttls().MinTTL) }},
	{"MAX_TTL", func(f *Flow) uint64 { return uint64(f.ttls().MaxTTL) }},
	{"LONGEST_FLOW_PKT", func(f *Flow) uint64 { return uint64(f.Longest) }},
	{"SHORTEST_FLOW_PKT", func(f *Flow) uint64 { return uint64(f.Shortest) }},
	{"MIN_IP_PKT_LEN", func(f *Flow) uint64 { return uint64(f.Shortest) }},
	{"MAX_IP_PKT_LEN", func(f *Flow) uint64 { return uint64(f.Longest) }},
	{"RETRANSMITTED_IN_BYTES", func(f *Flow) uint64 { return f.Sides[0].RetransBytes }},
	{"RETRANSMITTED_IN_PKTS", func(f *Flow) uint64 { return f.Sides[0].RetransPackets }},
	{"RETRANSMITTED_OUT_BYTES", func(f *Flow) uint64 { return f.Sides[1].RetransBytes }},
	{"RETRANSMITTED_OUT_PKTS", func(f *Flow) uint64 { return f.Sides[1].RetransPackets }},
	{"SRC_TO_DST_AVG_THROUGHPUT", func(f *Flow) uint64 { return f.rate(f.Sides[0].Bytes) }},
	{"DST_TO_SRC_AVG_THROUGHPUT", func(f *Flow) uint64 { return f.rate(f.Sides[1].Bytes) }},
	{"NUM_PKTS_UP_TO_128_BYTES", func(f *Flow) uint64 { return f.Bins[0] }},
	{"NUM_PKTS_128_TO_256_BYTES", func(f *Flow) uint64 { return f.Bins[1] }},
	{"NUM_PKTS_256_TO_512_BYTES", func(f *Flow) uint64 { return f.Bins[2] }},
	{"NUM_PKTS_512_TO_1024_BYTES", func(f *Flow) uint64 { return f.Bins[3] }},
	{"NUM_PKTS_1024_TO_1514_BYTES", func(f *Flow) uint64 { return f.Bins[4] }},
	{"TCP_WIN_MAX_IN", func(f *Flow) uint64 { return uint64(f.Sides[0].Window) }},
	{"TCP_WIN_MAX_OUT", func(f *Flow) uint64 { return uint64(f.Sides[1].Window) }},
	{"ICMP_TYPE", func(f *Flow) uint64 { return uint64(f.ICMP) }},
	{"ICMP_IPV4_TYPE", func(f *Flow) uint64 {
		if f.Key.IPv6 {
			return 0
		}
		return uint64(f.ICMP >> 8)
	}},
	{"DNS_QUERY_ID", func(f *Flow) uint64 { return uint64(f.DNSID) }},
	{"DNS_QUERY_TYPE", func(f *Flow) uint64 { return uint64(f.DNSType) }},
	{"DNS_TTL_ANSWER", func(f *Flow) uint64 { return uint64(f.DNSTTL) }},
	{"FTP_COMMAND_RET_CODE", func(f *Flow) uint64 { return uint64(f.FTPCode) }},
	{"SRC_TO_DST_IAT_MIN", func(f *Flow) uint64 { return f.Sides[0].GapMin }},
	{"SRC_TO_DST_IAT_MAX", func(f *Flow) uint64 { return f.Sides[0].GapMax }},
	{"SRC_TO_DST_IAT_AVG", func(f *Flow) uint64 { return f.Sides[0].mean() }},
	{"SRC_TO_DST_IAT_STDDEV", func(f *Flow) uint64 { return f.Sides[0].deviation() }},
	{"DST_TO_SRC_IAT_MIN", func(f *Flow) uint64 { return f.Sides[1].GapMin }},
	{"DST_TO_SRC_IAT_MAX", func(f *Flow) uint64 { return f.Sides[1].GapMax }},
	{"DST_TO_SRC_IAT_AVG", func(f *Flow) uint64 { return f.Sides[1].mean() }},
	{"DST_TO_SRC_IAT_STDDEV", func(f *Flow) uint64 { return f.Sides[1].deviation() }},
}

// places are the positions of columns in the schema.
var places = func() []int {
	out := make([]int, len(columns))
	for i, c := range columns {
		k, ok := frame.Flow.Index(c.name)
		if !ok {
			panic("flow: no field " + c.name) // a bug of this table, found by every test
		}
		out[i] = k
	}
	return out
}()

var srcPlace, dstPlace = func() (int, int) {
	s, _ := frame.Flow.Index(frame.SrcAddr)
	d, _ := frame.Flow.Index(frame.DstAddr)
	return s, d
}()

// Has returns which fields of [frame.Flow] are made, parallel to its Fields.
func Has() []bool {
	has := make([]bool, len(frame.Flow.Fields))
	has[srcPlace], has[dstPlace] = true, true
	for _, k := range places {
		has[k] = true
	}
	return has
}

// Record is a finished flow as one row of [frame.Flow]: all values are whole
// numbers.
type Record struct {
	source, target [16]byte
	v6             bool
	values         [48]uint64 // parallel to columns
}

// Record returns the row of f.
func (f *Flow) Record() Record {
	r := Record{source: f.Key.A, target: f.Key.B, v6: f.Key.IPv6}
	if f.Reverse {
		r.source, r.target = r.target, r.source
	}
	for i, c := range columns {
		r.values[i] = c.of(f)
	}
	return r
}

// AppendTo appends r to the columns of dst, whose schema is [frame.Flow] with
// the fields of [Has]. Row and Offset are left to the caller.
func (r *Record) AppendTo(dst *frame.Frame) {
	dst.Texts[srcPlace] = append(dst.Texts[srcPlace], address(r.source, r.v6))
	dst.Texts[dstPlace] = append(dst.Texts[dstPlace], address(r.target, r.v6))
	for i, k := range places {
		dst.Numbers[k] = append(dst.Numbers[k], float64(r.values[i]))
	}
}

// AppendBinary appends r to b: version, addresses, then the values as
// variable-length numbers, about 100 bytes.
func (r *Record) AppendBinary(b []byte) []byte {
	size := byte(4)
	if r.v6 {
		size = 16
	}
	b = append(b, size)
	b = append(b, r.source[:size]...)
	b = append(b, r.target[:size]...)
	for _, v := range r.values {
		b = binary.AppendUvarint(b, v)
	}
	return b
}

// errRecord means that bytes are not those of AppendBinary.
var errRecord = errors.New("flow: malformed record")

// DecodeRecord reads what [Record.AppendBinary] wrote and returns the rest.
func DecodeRecord(b []byte) (Record, []byte, error) {
	var r Record
	if len(b) == 0 || b[0] != 4 && b[0] != 16 || len(b) < 1+2*int(b[0]) {
		return r, nil, errRecord
	}
	size := int(b[0])
	r.v6 = size == 16
	copy(r.source[:], b[1:1+size])
	copy(r.target[:], b[1+size:1+2*size])
	b = b[1+2*size:]
	for i := range r.values {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return r, nil, errRecord
		}
		r.values[i], b = v, b[n:]
	}
	return r, b, nil
}

// address writes an address: dotted, or for IPv6 as RFC 5952, section 4.
func address(a [16]byte, v6 bool) string {
	b := make([]byte, 0, 39)
	if !v6 {
		for i, x := range a[:4] {
			if i > 0 {
				b = append(b, '.')
			}
			b = strconv.AppendUint(b, uint64(x), 10)
		}
		return string(b)
	}
	var words [8]uint16
	for i := range words {
		words[i] = binary.BigEndian.Uint16(a[2*i:])
	}
	from, to := 8, 8 // the longest run of zeros, the first among equals
	for i := 0; i < 8; i++ {
		k := i
		for k < 8 && words[k] == 0 {
			k++
		}
		if k-i >= 2 && k-i > to-from {
			from, to = i, k
		}
		i = max(i, k-1)
	}
	for i := 0; i < 8; i++ {
		if i == from {
			b = append(b, ':', ':')
			i = to - 1
			continue
		}
		if i > 0 && i != to {
			b = append(b, ':')
		}
		b = strconv.AppendUint(b, uint64(words[i]), 16)
	}
	return string(b)
}
