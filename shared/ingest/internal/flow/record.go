package flow

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
	"slices"
	"strconv"

	"cloister/shared/frame"
	"cloister/shared/ingest/internal/capture"
)

const milli = 1_000_000

// span returns the duration in milliseconds between two times, each rounded
// down first, so that it equals the difference of the printed times.
func span(from, to int64) uint64 { return uint64(to/milli - from/milli) }

func (f *Flow) duration() uint64 { return span(f.Start, f.End) }

// rate returns bits per second: floor(8000 x bytes / (duration + 1)), the
// relation that holds in the rows of NF-*-v3.
func (f *Flow) rate(bytes uint64) uint64 { return 8000 * bytes / (f.duration() + 1) }

func (f *Flow) span(way int) uint64 { return span(f.First[way], f.Sides[way].Last) }

// least, mean and deviation of the gaps (of all of them, not of a sample),
// rounded down, 0 without a gap.
func (s *Side) least() uint64 {
	if s.Packets < 2 {
		return 0
	}
	return s.gapMin
}

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

// columns are all numeric fields that are made, in the order of
// Flow.numbers, without those that can be missing.
var columns = [...]string{
	frame.FlowStart, "FLOW_END_MILLISECONDS", frame.SrcPort, frame.DstPort,
	frame.Protocol, frame.InBytes, frame.InPackets, frame.OutBytes,
	frame.OutPackets, frame.TCPFlags, "CLIENT_TCP_FLAGS", "SERVER_TCP_FLAGS",
	frame.Duration, "DURATION_IN", "DURATION_OUT", "MIN_TTL",
	"MAX_TTL", "LONGEST_FLOW_PKT", "SHORTEST_FLOW_PKT", "MIN_IP_PKT_LEN",
	"MAX_IP_PKT_LEN", "RETRANSMITTED_IN_BYTES", "RETRANSMITTED_IN_PKTS", "RETRANSMITTED_OUT_BYTES",
	"RETRANSMITTED_OUT_PKTS", "SRC_TO_DST_AVG_THROUGHPUT", "DST_TO_SRC_AVG_THROUGHPUT", "NUM_PKTS_UP_TO_128_BYTES",
	"NUM_PKTS_128_TO_256_BYTES", "NUM_PKTS_256_TO_512_BYTES", "NUM_PKTS_512_TO_1024_BYTES", "NUM_PKTS_1024_TO_1514_BYTES",
	"TCP_WIN_MAX_IN", "TCP_WIN_MAX_OUT", "ICMP_TYPE", "ICMP_IPV4_TYPE",
	"DNS_QUERY_ID", "DNS_QUERY_TYPE", "DNS_TTL_ANSWER", "FTP_COMMAND_RET_CODE",
	"SRC_TO_DST_IAT_MIN", "SRC_TO_DST_IAT_MAX", "SRC_TO_DST_IAT_AVG", "SRC_TO_DST_IAT_STDDEV",
	"DST_TO_SRC_IAT_MIN", "DST_TO_SRC_IAT_MAX", "DST_TO_SRC_IAT_AVG", "DST_TO_SRC_IAT_STDDEV",
}

// numbers fills v with the values of columns.
func (f *Flow) numbers(v *[len(columns)]uint64) {
	in, out, ttl, r := &f.Sides[0], &f.Sides[1], f.ttls(), f.seldom()
	source, target := f.ports()
	var bins [sizes]uint64
	for i, n := range f.bins {
		bins[i] = r.wrapped[i]<<16 | uint64(n)
	}
	icmp4 := uint64(f.ICMP >> 8)
	if f.Key.IPv6 {
		icmp4 = 0
	}
	*v = [...]uint64{
		uint64(f.Start / milli), uint64(f.End / milli), uint64(source), uint64(target),
		uint64(f.Key.Protocol), in.Bytes, in.Packets, out.Bytes,
		out.Packets, uint64(f.Flags[0] | f.Flags[1]), uint64(f.Flags[0]), uint64(f.Flags[1]),
		f.duration(), f.span(0), f.span(1), uint64(ttl.MinTTL),
		uint64(ttl.MaxTTL), uint64(f.Longest), uint64(f.Shortest), uint64(f.Shortest),
		uint64(f.Longest), r.again[0].bytes, r.again[0].packets, r.again[1].bytes,
		r.again[1].packets, f.rate(in.Bytes), f.rate(out.Bytes), bins[0],
		bins[1], bins[2], bins[3], bins[4],
		uint64(in.Window), uint64(out.Window), uint64(f.ICMP), icmp4,
		uint64(f.DNSID), uint64(f.DNSType), uint64(f.DNSTTL), uint64(f.FTPCode),
		in.least(), in.gapMax, in.mean(), in.deviation(),
		out.least(), out.gapMax, out.mean(), out.deviation(),
	}
}

// optional are numbers that a flow may lack, and the unit that they are kept
// in, in the order of Flow.others.
var optional = [...]struct {
	name string
	unit float64
}{{frame.DNSCode, 1}, {frame.Entropy, 1000}, {frame.FirstPacket, 1}, {frame.LastPacket, 1}}

// others are the values of optional + 1, 0 when missing.
func (f *Flow) others() [len(optional)]uint64 {
	return [...]uint64{uint64(f.rcode), uint64(f.entropy), uint64(f.FirstPacket) + 1, uint64(f.LastPacket) + 1}
}

// textNames are the fields of the texts of an identity.
var textNames = [texts]string{
	textSNI: frame.ServerName, textALPN: frame.ALPN, textTLS: frame.TLSVersion, textJA3: frame.JA3, textJA4: frame.JA4,
	textQuery: frame.DNSQuery, textHost: frame.HTTPHost, textMethod: frame.HTTPMethod, textURL: frame.HTTPURL,
	textAgent: frame.HTTPAgent, textClient: frame.SSHClient, textServer: frame.SSHServer, textTunnel: frame.Tunnel,
}

// place returns the position of a field.
func place(name string) int {
	k, ok := frame.Flow.Index(name)
	if !ok {
		panic("flow: no field " + name) // a bug of these tables, found by every test
	}
	return k
}

// places are the positions of columns, optional and texts in the schema.
var places, optionalPlaces, textPlaces = func() (a, b, c []int) {
	for _, name := range columns {
		a = append(a, place(name))
	}
	for _, col := range optional {
		b = append(b, place(col.name))
	}
	for _, name := range textNames {
		c = append(c, place(name))
	}
	return a, b, c
}()

var srcPlace, dstPlace, communityPlace, vlanPlace = place(frame.SrcAddr), place(frame.DstAddr), place(frame.CommunityID), place(frame.VLAN)

// Has returns which fields of [frame.Flow] are made, parallel to its Fields.
func Has() []bool {
	has := make([]bool, len(frame.Flow.Fields))
	has[srcPlace], has[dstPlace], has[communityPlace], has[vlanPlace] = true, true, true, true
	for _, list := range [][]int{places, optionalPlaces, textPlaces} {
		for _, k := range list {
			has[k] = true
		}
	}
	return has
}

// Record is a finished flow as one row of [frame.Flow].
type Record struct {
	source, target [16]byte
	v6             bool
	vlan           uint32
	values         [len(columns)]uint64
	some           [len(optional)]uint64
	texts          *text // nil without; shared, never changed
}

// Record fills r with the row of f.
func (f *Flow) Record(r *Record) {
	r.source, r.target, r.v6, r.vlan = f.Key.A, f.Key.B, f.Key.IPv6, f.Key.VLAN
	if f.Reverse {
		r.source, r.target = r.target, r.source
	}
	f.numbers(&r.values)
	r.some = f.others()
	r.texts = f.texts
}

// FirstPacket returns the number of the flow's first packet in the file.
func (r *Record) FirstPacket() int64 { return int64(r.some[2]) - 1 }

// tunnelText names a tunnel: kind, id, ends.
func tunnelText(o *capture.Outer) string {
	s := o.Kind.String()
	if o.HasID {
		s += " " + strconv.FormatUint(uint64(o.ID), 10)
	}
	return s + " " + address(o.From, o.IPv6) + " > " + address(o.To, o.IPv6)
}

// vlanText writes the VLAN ids, the outer one first: "5", "3.5".
func vlanText(v uint32) string {
	switch {
	case v == 0:
		return ""
	case v>>16 == 0:
		return strconv.FormatUint(uint64(v), 10)
	}
	return strconv.FormatUint(uint64(v>>16), 10) + "." + strconv.FormatUint(uint64(v&0xffff), 10)
}

// Positions in columns that AppendTo needs again.
var atSource, atTarget, atProtocol, atICMP = at(frame.SrcPort), at(frame.DstPort), at(frame.Protocol), at("ICMP_TYPE")

func at(name string) int {
	return slices.Index(columns[:], name)
}

func (r *Record) community() string {
	size := 4
	if r.v6 {
		size = 16
	}
	v := &r.values
	return communityID(r.source[:size], r.target[:size], uint8(v[atProtocol]), uint16(v[atSource]), uint16(v[atTarget]), uint16(v[atICMP]))
}

// AppendTo appends records to the columns of dst, whose schema is [frame.Flow]
// with the fields of [Has]. Row and Offset are left to the caller.
func AppendTo(dst *frame.Frame, list []Record) {
	for i := range list {
		r := &list[i]
		dst.Texts[srcPlace] = append(dst.Texts[srcPlace], address(r.source, r.v6))
		dst.Texts[dstPlace] = append(dst.Texts[dstPlace], address(r.target, r.v6))
		dst.Texts[communityPlace] = append(dst.Texts[communityPlace], r.community())
		dst.Texts[vlanPlace] = append(dst.Texts[vlanPlace], vlanText(r.vlan))
	}
	for i, k := range places {
		n := len(dst.Numbers[k])
		dst.Numbers[k] = slices.Grow(dst.Numbers[k], len(list))[:n+len(list)]
		column := dst.Numbers[k][n:]
		for j := range column {
			column[j] = float64(list[j].values[i])
		}
	}
	for i, k := range optionalPlaces {
		for j := range list {
			v := math.NaN()
			if n := list[j].some[i]; n > 0 {
				v = float64(n-1) / optional[i].unit
			}
			dst.Numbers[k] = append(dst.Numbers[k], v)
		}
	}
	var columns [texts][]string
	for i, k := range textPlaces {
		n := len(dst.Texts[k])
		dst.Texts[k] = slices.Grow(dst.Texts[k], len(list))[:n+len(list)]
		clear(dst.Texts[k][n:])
		columns[i] = dst.Texts[k][n:]
	}
	for j := range list {
		for x := list[j].texts; x != nil; x = x.next {
			columns[x.which][j] = x.s
		}
	}
}

// AppendBinary appends r to b: the size of addresses, addresses, which values
// are not 0, these as variable-length numbers, which texts there are, and each
// with its length; about 110 bytes and the texts.
func (r *Record) AppendBinary(b []byte) []byte {
	size := byte(4)
	if r.v6 {
		size = 16
	}
	b = append(b, size)
	b = append(b, r.source[:size]...)
	b = append(b, r.target[:size]...)
	b = binary.AppendUvarint(b, uint64(r.vlan))
	mask := uint64(0)
	for i, v := range r.values {
		if v != 0 {
			mask |= 1 << i
		}
	}
	b = binary.LittleEndian.AppendUint64(b, mask)
	for ; mask != 0; mask &= mask - 1 {
		if v := r.values[bits.TrailingZeros64(mask)]; v < 0x80 {
			b = append(b, byte(v))
		} else {
			b = binary.AppendUvarint(b, v)
		}
	}
	for _, v := range r.some {
		b = binary.AppendUvarint(b, v)
	}
	for x := r.texts; x != nil; x = x.next {
		mask |= 1 << x.which
	}
	b = binary.AppendUvarint(b, mask)
	for x := r.texts; x != nil; x = x.next {
		b = binary.AppendUvarint(b, uint64(len(x.s)))
		b = append(b, x.s...)
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
	ok := true
	next := func() uint64 {
		v, n := binary.Uvarint(b)
		if ok = ok && n > 0; !ok {
			return 0
		}
		b = b[n:]
		return v
	}
	r.vlan = uint32(next())
	if len(b) < 8 {
		return r, nil, errRecord
	}
	full := binary.LittleEndian.Uint64(b)
	if full >= 1<<len(r.values) {
		return r, nil, errRecord
	}
	b = b[8:]
	for ; full != 0; full &= full - 1 {
		if r.values[bits.TrailingZeros64(full)] = next(); r.values[bits.TrailingZeros64(full)] == 0 {
			return r, nil, errRecord
		}
	}
	for i := range r.some {
		r.some[i] = next()
	}
	mask := next()
	if mask >= 1<<texts {
		return r, nil, errRecord
	}
	last := &r.texts
	for ; mask != 0; mask &= mask - 1 {
		n := next()
		if n == 0 || n > uint64(len(b)) {
			return r, nil, errRecord
		}
		*last = &text{which: uint8(bits.TrailingZeros64(mask)), s: string(b[:n])}
		last, b = &(*last).next, b[n:]
	}
	if !ok {
		return r, nil, errRecord
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
