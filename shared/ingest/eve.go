package ingest

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"

	"cloister/shared/frame"
)

// Suricata's EVE holds events of many kinds, one object each. Flow events make
// flows; netflow events, one per direction, only where there are no flow
// events; alert events make alerts.

const eveFrames = "Suricata counts Ethernet frames: IP bytes are made by taking 14 bytes a packet off, so padding of short frames stays and VLAN tags do. "

// eveFlow reads events of type flow. Names are paths without their dots.
var eveFlow = &dialect{
	name: "Suricata EVE flow events",
	rules: [][]rule{eveTuple, {
		{field: frame.FlowStart, from: []string{"flowstart"}},
		{field: flowEnd, from: []string{"flowend"}},
		{field: frame.Duration, from: []string{"flowend", "flowstart"}, read: []*reader{readTime, readTime}, say: "$1 - $2", make: difference},
		{field: frame.InBytes, from: []string{"flowbytestoserver", "flowpktstoserver"}, say: "$1 - 14 x $2", make: ethernetBytes},
		{field: frame.InPackets, from: []string{"flowpktstoserver"}},
		{field: frame.OutBytes, from: []string{"flowbytestoclient", "flowpktstoclient"}, say: "$1 - 14 x $2", make: ethernetBytes},
		{field: frame.OutPackets, from: []string{"flowpktstoclient"}},
		{field: frame.TCPFlags, from: []string{"proto", "tcptcpflags"}, read: []*reader{readProto, readHex}, say: "$2, 0 unless TCP", make: tcpOnly},
		{field: clientFlags, from: []string{"proto", "tcptcpflagsts"}, read: []*reader{readProto, readHex}, say: "$2, 0 unless TCP", make: tcpOnly},
		{field: serverFlags, from: []string{"proto", "tcptcpflagstc"}, read: []*reader{readProto, readHex}, say: "$2, 0 unless TCP", make: tcpOnly},
		{field: inThroughput, from: []string{"flowbytestoserver", "flowpktstoserver", "flowstart", "flowend"}, read: []*reader{readNumber, readNumber, readTime, readTime}, say: eveRateText, make: eveRate},
		{field: outThroughput, from: []string{"flowbytestoclient", "flowpktstoclient", "flowstart", "flowend"}, read: []*reader{readNumber, readNumber, readTime, readTime}, say: eveRateText, make: eveRate},
	}},
	known: []string{"src_ip", "src_port", "dest_ip", "dest_port", "proto", "icmp_type", "icmp_code", "flow.pkts_toserver", "flow.pkts_toclient", "flow.bytes_toserver", "flow.bytes_toclient",
		"flow.start", "flow.end", "tcp.tcp_flags", "tcp.tcp_flags_ts", "tcp.tcp_flags_tc"},
	note: eveFrames + "Packet sizes, TTLs, windows and gaps are missing.",
}

// eveNetFlow reads events of type netflow.
var eveNetFlow = &dialect{
	name: "Suricata EVE netflow events",
	rules: [][]rule{eveTuple, {
		{field: frame.FlowStart, from: []string{"netflowstart"}},
		{field: flowEnd, from: []string{"netflowend"}},
		{field: frame.Duration, from: []string{"netflowend", "netflowstart"}, read: []*reader{readTime, readTime}, say: "$1 - $2", make: difference},
		{field: frame.InBytes, from: []string{"netflowbytes", "netflowpkts"}, say: "$1 - 14 x $2", make: ethernetBytes},
		{field: frame.InPackets, from: []string{"netflowpkts"}},
		{field: clientFlags, from: []string{"proto", "tcptcpflags"}, read: []*reader{readProto, readHex}, say: "$2, 0 unless TCP", make: tcpOnly},
		{field: minTTL, from: []string{"netflowminttl"}},
		{field: maxTTL, from: []string{"netflowmaxttl"}},
		{field: inThroughput, from: []string{"netflowbytes", "netflowpkts", "netflowstart", "netflowend"}, read: []*reader{readNumber, readNumber, readTime, readTime}, say: eveRateText, make: eveRate},
	}},
	known: []string{"src_ip", "src_port", "dest_ip", "dest_port", "proto", "icmp_type", "icmp_code", "netflow.pkts", "netflow.bytes", "netflow.start", "netflow.end", "netflow.min_ttl", "netflow.max_ttl", "tcp.tcp_flags"},
	note:  eveFrames + "A netflow event is one direction: the answer is a row of its own, and OUT_ fields are missing.",
}

// eveTuple are the rules of who.
var eveTuple = []rule{
	{field: frame.SrcAddr, from: []string{"srcip"}},
	{field: frame.SrcPort, from: []string{"proto", "srcport"}, read: []*reader{readProto, readPort}, say: "$2, 0 for ICMP", make: portUnlessICMP},
	{field: frame.DstAddr, from: []string{"destip"}},
	{field: frame.DstPort, from: []string{"proto", "destport"}, read: []*reader{readProto, readPort}, say: "$2, 0 for ICMP", make: portUnlessICMP},
	{field: frame.Protocol, from: []string{"proto", "?srcip"}, read: []*reader{readProto, readIPv6}, make: protocolOf},
	{field: icmpType, from: []string{"proto", "icmptype", "icmpcode"}, read: []*reader{readProto, readNumber, readNumber}, say: "$2 x 256 + $3 for ICMP, else 0", make: icmpOf},
	{field: icmpIPv4Type, from: []string{"proto", "icmptype", "?srcip"}, read: []*reader{readProto, readNumber, readIPv6}, say: "$2 for ICMP, else 0", make: icmpTypeOf},
	{field: frame.CommunityID, from: []string{"communityid"}},
}

const eveRateText = "8000 x ($1 - 14 x $2) / (milliseconds from $3 to $4 + 1), rounded down"

func eveRate(v []float64, _ *[repairs]int64) float64 {
	var silent [repairs]int64 // counted once, with the bytes
	return rate(ethernetBytes(v[:2], &silent), micros(v[3]-v[2]))
}

// eveAlert reads events of type alert. Source and destination are those of the
// packet that set the alert off. Severity is the rule's priority in words.
var eveAlert = &dialect{
	name: "Suricata EVE alert events",
	rules: [][]rule{{
		{field: frame.AlertTime, from: []string{"timestamp"}},
		{field: frame.SrcAddr, from: []string{"srcip"}},
		{field: frame.SrcPort, from: []string{"srcport"}},
		{field: frame.DstAddr, from: []string{"destip"}},
		{field: frame.DstPort, from: []string{"destport"}},
		{field: frame.Protocol, from: []string{"proto", "?srcip"}, read: []*reader{readProto, readIPv6}, make: protocolOf},
		{field: frame.AlertType, from: []string{"alertcategory"}, read: []*reader{readText}},
		{field: frame.AlertTitle, from: []string{"alertsignature"}},
		{field: frame.AlertDescription, from: []string{"alertsignature", "?alertcategory"}, read: []*reader{readProse, readText}, say: "$1 ($2)", join: func(s []string) string {
			if s[1] == "" {
				return s[0]
			}
			return s[0] + " (" + s[1] + ")"
		}},
		{field: frame.AlertTechniques, from: []string{"alertmetadatamitretechniqueid"}, read: []*reader{readList}},
		{field: frame.AlertSeverity, from: []string{"alertseverity"}, read: []*reader{readText}, say: "$1: 1 High, 2 Medium, 3 Low, 4 Informational", join: func(s []string) string {
			return evePriority(s[0])
		}},
	}},
	known: []string{"timestamp", "src_ip", "src_port", "dest_ip", "dest_port", "proto", "alert.signature", "alert.category", "alert.severity", "alert.metadata.mitre_technique_id"},
	note:  "Severity is the priority of Suricata's rule in words; Suricata has no level above High.",
}

// evePriority is the word for a priority of Suricata's classification.config.
func evePriority(priority string) string {
	switch priority {
	case "1":
		return "High"
	case "2":
		return "Medium"
	case "3":
		return "Low"
	case "4":
		return "Informational"
	}
	return ""
}

// eveEvents counts the events at the start of an EVE file by kind, without
// taking them apart, and reports whether it saw the whole file. It stops early
// once it has seen both flows and alerts.
func eveEvents(in io.Reader) (kinds map[string]int64, whole bool, err error) {
	kinds = map[string]int64{}
	buf := make([]byte, chunk)
	held := 0
	for read := 0; read < eveBytes; {
		n, err := in.Read(buf[held:])
		read += n
		b := buf[:held+n]
		used := 0
		for {
			i := bytes.Index(b[used:], eveKey)
			if i < 0 {
				break
			}
			i += used + len(eveKey)
			if len(b)-i < eveKindBytes && err == nil {
				used = i - len(eveKey)
				break
			}
			if kind := eveKind(b[i:]); kind != "" && (kinds[kind] > 0 || len(kinds) < 16 || kind == "flow" || kind == "netflow" || kind == "alert") {
				kinds[kind]++
			}
			used = i
		}
		if errors.Is(err, io.EOF) {
			return kinds, true, nil
		}
		if err != nil {
			return kinds, false, err
		}
		if kinds["flow"] > 0 && kinds["alert"] > 0 {
			return kinds, false, nil
		}
		// Keep what may be the start of a key.
		used = max(used, len(b)-len(eveKey)-eveKindBytes)
		held = copy(buf, b[used:])
	}
	return kinds, false, nil
}

var eveKey = []byte(`"event_type"`)

const (
	eveBytes     = 16 << 20 // that are searched for kinds of events
	eveKindBytes = 64       // of a kind with what stands before it
)

// eveKind returns the string value after a key, "" if there is none nearby.
func eveKind(b []byte) string {
	b = bytes.TrimLeft(b[:min(len(b), eveKindBytes)], " \t\r\n")
	if len(b) == 0 || b[0] != ':' {
		return ""
	}
	b = bytes.TrimLeft(b[1:], " \t\r\n")
	if len(b) == 0 || b[0] != '"' {
		return ""
	}
	kind, _, ok := bytes.Cut(b[1:], []byte{'"'})
	if !ok {
		return ""
	}
	return strings.ToValidUTF8(string(kind), "\ufffd")
}

// eveOnly returns the filter of events of one kind.
func eveOnly(want string) func(string) string {
	names := map[string]string{}
	return func(kind string) string {
		if kind == want {
			return ""
		}
		name, ok := names[kind]
		if !ok {
			name = "event of type " + clip(kind) + ", not read"
			if len(names) < 64 {
				names[kind] = name
			}
		}
		return name
	}
}

// eveContent says what kinds of events there are, for people.
func eveContent(kinds map[string]int64) string {
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		parts = append(parts, clip(kind)+" "+grouped(kinds[kind]))
	}
	if len(parts) == 0 {
		return "no events"
	}
	return strings.Join(parts, ", ")
}
