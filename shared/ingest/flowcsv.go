package ingest

import (
	"bytes"
	"math"
	"strings"

	"cloister/shared/frame"
)

// openDialect has no rules of its own: NetFlow and CICFlowMeter headers, and
// records of any tool whose names promise their units.
var openDialect = &dialect{open: true}

// nfdump is the CSV of nfdump 1.6 and 1.7 in the long form (-o csv: ts, te,
// td, ...) and in the form that 1.7.2 and later print (firstSeen, duration,
// ...). Times are local to the machine that printed them and taken as UTC; td
// is in seconds; bytes are IP bytes; for ICMP the destination port holds type
// x 256 + code.
var nfdump = &dialect{
	name:  "nfdump CSV",
	rules: [][]rule{nfdumpRules},
	note:  nfdumpNote,
}

var nfdumpRules = []rule{
	{field: frame.FlowStart, from: []string{"ts|firstseen"}, read: []*reader{readEpoch}},
	{field: flowEnd, from: []string{"te|lastseen"}, read: []*reader{readEpoch}},
	{field: frame.SrcAddr, from: []string{"sa|srcaddr"}},
	{field: frame.SrcPort, from: []string{nfdumpProto, "sp|srcport"}, read: []*reader{readProto, readPort}, say: "$2, 0 for ICMP", make: portUnlessICMP},
	{field: frame.DstAddr, from: []string{"da|dstaddr"}},
	{field: frame.DstPort, from: []string{nfdumpProto, "dp|dstport"}, read: []*reader{readProto, readPort}, say: "$2, 0 for ICMP", make: portUnlessICMP},
	{field: frame.Protocol, from: []string{nfdumpProto, "?sa|srcaddr"}, read: []*reader{readProto, readIPv6}, make: protocolOf},
	{field: frame.InBytes, from: []string{"ibyt|byt|inbytes|bytes"}},
	{field: frame.InPackets, from: []string{"ipkt|pkt|inpackets|packets"}},
	{field: frame.OutBytes, from: []string{"obyt|outbytes"}},
	{field: frame.OutPackets, from: []string{"opkt|outpackets"}},
	{field: frame.TCPFlags, from: []string{nfdumpProto, "flg|flags|tcpflags"}, read: []*reader{readProto, readFlags}, say: "$2, 0 unless TCP", make: tcpOnly},
	{field: frame.Duration, from: []string{"td|duration"}, read: []*reader{readSeconds}},
	{field: inThroughput, from: []string{"ibyt|byt|inbytes|bytes", "td|duration"}, read: []*reader{readNumber, readSeconds}, say: rateText, make: rateOf},
	{field: outThroughput, from: []string{"obyt|outbytes", "td|duration"}, read: []*reader{readNumber, readSeconds}, say: rateText, make: rateOf},
	{field: icmpType, from: []string{nfdumpProto, "dp|dstport"}, read: []*reader{readProto, readPort}, say: "$2 for ICMP, else 0", make: func(v []float64, _ *[repairs]int64) float64 {
		if !isICMP(v[0]) {
			return zeroUnlessMissing(v[0])
		}
		return v[1]
	}},
	{field: icmpIPv4Type, from: []string{nfdumpProto, "dp|dstport", "?sa|srcaddr"}, read: []*reader{readProto, readPort, readIPv6}, say: "$2 / 256 for ICMP, else 0", make: func(v []float64, count *[repairs]int64) float64 {
		return icmpTypeOf([]float64{v[0], math.Floor(v[1] / 256), v[2]}, count)
	}},
}

// nfdumpOneWay is nfdump without the answers: its columns for them hold zeros
// that mean nothing.
var nfdumpOneWay = &dialect{
	name:  "nfdump CSV, one-way records",
	note:  nfdumpNote + " The answers are rows of their own (nfdump -B joins them), so OUT_ fields are missing.",
	rules: [][]rule{nfdumpRules}, oneWay: true,
}

const nfdumpNote = "nfdump prints local times, taken as UTC here. Packet sizes, TTLs, windows and gaps are missing."

const nfdumpProto = "pr|proto|protocol"

// oneWay reports whether the records at the start of an nfdump CSV are one-way:
// no row has an answer, and some row is the answer to another.
func oneWay(head []byte, header []string, delim byte) bool {
	at := map[string]int{}
	for i, h := range header {
		at[normalise(h)] = i
	}
	var columns [5]int
	for k, name := range []string{"sa", "da", "sp", "dp", "pr"} {
		i, ok := at[name]
		if !ok {
			return false
		}
		columns[k] = i
	}
	out, ok := at["opkt"]
	if !ok {
		return false
	}
	seen := map[string]bool{}
	found := false
	for len(head) > 0 {
		line, rest, whole := bytes.Cut(head, []byte{'\n'})
		head = rest
		cells := strings.Split(string(line), string(delim))
		if !whole || len(cells) != len(header) {
			continue
		}
		if strings.TrimSpace(cells[out]) != "0" {
			return false
		}
		key := func(order ...int) string {
			parts := make([]string, len(order))
			for i, k := range order {
				parts[i] = cells[columns[k]]
			}
			return strings.Join(parts, "\x00")
		}
		found = found || seen[key(1, 0, 3, 2, 4)]
		seen[key(0, 1, 2, 3, 4)] = true
	}
	return found
}

// argus is what ra prints with a title line, such as the .binetflow files of
// CTU-13. Dur is in seconds; bytes count frames. State tells flags per side
// for TCP, as in SPA_FSPA.
var argus = &dialect{
	name: "Argus CSV",
	rules: [][]rule{{
		{field: frame.FlowStart, from: []string{"starttime|stime"}, read: []*reader{readEpoch}},
		{field: flowEnd, from: []string{"lasttime|ltime"}, read: []*reader{readEpoch}},
		{field: flowEnd, from: []string{"starttime|stime", "dur"}, read: []*reader{readEpoch, readSeconds}, say: "$1 + $2", make: sum},
		{field: frame.SrcAddr, from: []string{"srcaddr|saddr"}},
		{field: frame.SrcPort, from: []string{"proto", "sport"}, read: []*reader{readProto, readPort}, say: "$2, 0 for ICMP", make: portUnlessICMP},
		{field: frame.SrcPort, from: []string{"sport"}},
		{field: frame.DstAddr, from: []string{"dstaddr|daddr"}},
		{field: frame.DstPort, from: []string{"proto", "dport"}, read: []*reader{readProto, readPort}, say: "$2, 0 for ICMP", make: portUnlessICMP},
		{field: frame.DstPort, from: []string{"dport"}},
		{field: frame.Protocol, from: []string{"proto", "?srcaddr|saddr"}, read: []*reader{readProto, readIPv6}, make: protocolOf},
		{field: frame.InBytes, from: []string{"srcbytes|sbytes", "srcpkts|spkts"}, say: "$1 - 14 x $2", make: ethernetBytes},
		{field: frame.InPackets, from: []string{"srcpkts|spkts"}},
		{field: frame.OutBytes, from: []string{"dstbytes|dbytes", "dstpkts|dpkts"}, say: "$1 - 14 x $2", make: ethernetBytes},
		{field: frame.OutBytes, from: []string{"totbytes|bytes", "srcbytes|sbytes", "totpkts|pkts", "srcpkts|spkts"}, say: "$1 - $2 - 14 x ($3 - $4)",
			make: func(v []float64, count *[repairs]int64) float64 {
				return ethernetBytes([]float64{v[0] - v[1], v[2] - v[3]}, count)
			}},
		{field: frame.OutPackets, from: []string{"dstpkts|dpkts"}},
		{field: frame.OutPackets, from: []string{"totpkts|pkts", "srcpkts|spkts"}, say: "$1 - $2", make: difference},
		{field: frame.TCPFlags, from: []string{"proto", "state", "state"}, read: []*reader{readProto, readSourceState, readTargetState}, say: "flags of both sides in $2, 0 unless TCP", make: argusFlags},
		{field: clientFlags, from: []string{"proto", "state"}, read: []*reader{readProto, readSourceState}, say: "flags before _ in $2, 0 unless TCP", make: argusFlags},
		{field: serverFlags, from: []string{"proto", "state"}, read: []*reader{readProto, readTargetState}, say: "flags after _ in $2, 0 unless TCP", make: argusFlags},
		{field: frame.Duration, from: []string{"dur"}, read: []*reader{readSeconds}},
		{field: inThroughput, from: []string{"srcbytes|sbytes", "srcpkts|spkts", "dur"}, read: []*reader{readNumber, readNumber, readSeconds}, say: "8000 x ($1 - 14 x $2) / ($3 in milliseconds + 1), rounded down",
			make: func(v []float64, _ *[repairs]int64) float64 {
				var silent [repairs]int64
				return rate(ethernetBytes(v[:2], &silent), v[2])
			}},
		{field: icmpType, from: []string{"proto", "sport"}, read: []*reader{readProto, readPort}, say: "low byte of $2 x 256 + high byte for ICMP, else 0", make: func(v []float64, _ *[repairs]int64) float64 {
			high := math.Floor(v[1] / 256)
			return icmpOf([]float64{v[0], v[1] - high*256, high}, nil)
		}},
		{field: icmpIPv4Type, from: []string{"proto", "sport", "?srcaddr|saddr"}, read: []*reader{readProto, readPort, readIPv6}, say: "low byte of $2 for ICMP, else 0", make: func(v []float64, _ *[repairs]int64) float64 {
			return icmpTypeOf([]float64{v[0], v[1] - math.Floor(v[1]/256)*256, v[2]}, nil)
		}},
		{field: "SRC_TO_DST_IAT_AVG", from: []string{"sintpkt"}},
		{field: "DST_TO_SRC_IAT_AVG", from: []string{"dintpkt"}},
		{field: frame.Label, from: []string{"attackcategory|label"}},
	}},
	note: "Argus counts whole frames: IP bytes are made by taking an Ethernet header of 14 bytes a packet off, which is wrong by that much for captures without one. Packet sizes, TTLs and windows are missing.",
}

// The flags of one side in a state of argus; notFlags for states that are none.
var (
	readSourceState = &reader{number: func(b []byte) (float64, bool) { return argusState(b, 0), true }}
	readTargetState = &reader{number: func(b []byte) (float64, bool) { return argusState(b, 1), true }}
)

const notFlags = 256

func argusState(b []byte, side int) float64 {
	source, target, ok := bytes.Cut(bytes.TrimSpace(b), []byte{'_'})
	if !ok {
		return notFlags
	}
	part := [2][]byte{source, target}[side]
	if len(part) == 0 {
		return 0
	}
	v, ok := parseFlagLetters(part)
	if !ok || v >= notFlags {
		return notFlags
	}
	return v
}

// argusFlags is the OR of the sides in v[1:] when the protocol v[0] is TCP.
func argusFlags(v []float64, _ *[repairs]int64) float64 {
	if v[0] != protocolTCP {
		return zeroUnlessMissing(v[0])
	}
	all := 0
	for _, side := range v[1:] {
		if math.IsNaN(side) || side >= notFlags {
			return math.NaN()
		}
		all |= int(side)
	}
	return float64(all)
}

// csvDialect chooses by the names of the columns.
func csvDialect(header []string) *dialect {
	names := map[string]bool{}
	for _, h := range header {
		names[normalise(h)] = true
	}
	has := func(list ...string) bool {
		for _, n := range list {
			if !names[n] {
				return false
			}
		}
		return true
	}
	switch {
	case has("sa", "da", "pr", "td"), has("firstseen", "srcaddr", "dstaddr", "proto"):
		return nfdump
	case has("srcaddr", "dstaddr", "dur"), has("saddr", "daddr", "dur", "state"):
		return argus
	}
	return openDialect
}

// csvName names an open dialect by its columns.
func csvName(header []string) string {
	for _, h := range header {
		if n := normalise(h); n == "totfwdpkts" || strings.HasPrefix(n, "totalfwdpacket") {
			return "CICFlowMeter CSV"
		}
	}
	return "NetFlow CSV"
}
