package flow

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strconv"

	"cloister/shared/frame"
	"cloister/shared/ingest/internal/capture"
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

// columns are all numeric fields that are made, without those that can be
// missing.
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

// optional are numbers that a flow may lack: value + 1, 0 when missing.
var optional = []struct {
	column
	unit float64
}{
	{column{frame.DNSCode, func(f *Flow) uint64 { return uint64(f.rcode) }}, 1},
	{column{frame.Entropy, func(f *Flow) uint64 { return uint64(f.entropy) }}, 1000},
	{column{frame.FirstPacket, func(f *Flow) uint64 { return uint64(f.FirstPacket) + 1 }}, 1},
	{column{frame.LastPacket, func(f *Flow) uint64 { return uint64(f.LastPacket) + 1 }}, 1},
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
	for _, col := range columns {
		a = append(a, place(col.name))
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
	values         [48]uint64     // parallel to columns
	some           [4]uint64      // parallel to optional
	texts          *[texts]string // nil without; shared, never changed
}

// Record fills r with the row of f.
func (f *Flow) Record(r *Record) {
	r.source, r.target, r.v6, r.vlan = f.Key.A, f.Key.B, f.Key.IPv6, f.Key.VLAN
	if f.Reverse {
		r.source, r.target = r.target, r.source
	}
	for i, c := range columns {
		r.values[i] = c.of(f)
	}
	for i, c := range optional {
		r.some[i] = c.of(f)
	}
	r.texts = nil
	if f.outer != nil && f.id == nil {
		f.id = &identity{}
	}
	if f.id != nil {
		r.texts = &f.id.texts
	}
	if f.outer != nil {
		r.texts[textTunnel] = tunnelText(f.outer)
	}
}

// noTexts are those of a flow without an identity.
var noTexts [texts]string

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
	return slices.IndexFunc(columns, func(c column) bool { return c.name == name })
}

func (r *Record) community() string {
	size := 4
	if r.v6 {
		size = 16
	}
	v := &r.values
	return communityID(r.source[:size], r.target[:size], uint8(v[atProtocol]), uint16(v[atSource]), uint16(v[atTarget]), uint16(v[atICMP]))
}

// AppendTo appends r to the columns of dst, whose schema is [frame.Flow] with
// the fields of [Has]. Row and Offset are left to the caller.
func (r *Record) AppendTo(dst *frame.Frame) {
	dst.Texts[srcPlace] = append(dst.Texts[srcPlace], address(r.source, r.v6))
	dst.Texts[dstPlace] = append(dst.Texts[dstPlace], address(r.target, r.v6))
	dst.Texts[communityPlace] = append(dst.Texts[communityPlace], r.community())
	dst.Texts[vlanPlace] = append(dst.Texts[vlanPlace], vlanText(r.vlan))
	for i, k := range places {
		dst.Numbers[k] = append(dst.Numbers[k], float64(r.values[i]))
	}
	for i, k := range optionalPlaces {
		v := math.NaN()
		if n := r.some[i]; n > 0 {
			v = float64(n-1) / optional[i].unit
		}
		dst.Numbers[k] = append(dst.Numbers[k], v)
	}
	list := r.texts
	if list == nil {
		list = &noTexts
	}
	for i, k := range textPlaces {
		dst.Texts[k] = append(dst.Texts[k], list[i])
	}
}

// AppendBinary appends r to b: version, addresses, the values as
// variable-length numbers, which texts there are, and each with its length;
// about 120 bytes and the texts.
func (r *Record) AppendBinary(b []byte) []byte {
	size := byte(4)
	if r.v6 {
		size = 16
	}
	b = append(b, size)
	b = append(b, r.source[:size]...)
	b = append(b, r.target[:size]...)
	b = binary.AppendUvarint(b, uint64(r.vlan))
	for _, v := range r.values {
		b = binary.AppendUvarint(b, v)
	}
	for _, v := range r.some {
		b = binary.AppendUvarint(b, v)
	}
	if r.texts == nil {
		return append(b, 0)
	}
	mask := uint64(0)
	for i, s := range r.texts {
		if s != "" {
			mask |= 1 << i
		}
	}
	b = binary.AppendUvarint(b, mask)
	for _, s := range r.texts {
		if s != "" {
			b = binary.AppendUvarint(b, uint64(len(s)))
			b = append(b, s...)
		}
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
	for i := range r.values {
		r.values[i] = next()
	}
	for i := range r.some {
		r.some[i] = next()
	}
	mask := next()
	if mask >= 1<<texts {
		return r, nil, errRecord
	}
	if mask > 0 {
		r.texts = new([texts]string)
	}
	for i := range texts {
		if mask&(1<<i) == 0 {
			continue
		}
		n := next()
		if n == 0 || n > uint64(len(b)) {
			return r, nil, errRecord
		}
		r.texts[i], b = string(b[:n]), b[n:]
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
