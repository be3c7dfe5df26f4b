package ingest

import (
	"math"
	"strings"

	"cloister/shared/frame"
)

// normalise returns the lower-case letters and digits of a column name, so
// that "Tot Fwd Pkts", "tot_fwd_pkts" and " Tot Fwd Pkts" are one.
func normalise(name string) string {
	var b strings.Builder
	for _, c := range name {
		switch {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			b.WriteRune(c)
		case c >= 'A' && c <= 'Z':
			b.WriteRune(c + 'a' - 'A')
		}
	}
	return b.String()
}

// microseconds is the divisor from CICFlowMeter's microseconds to ms.
const microseconds = 1000

// openRules are the names that all tools share, per schema. A field's own name
// counts before them. Only names whose unit is certain stand here; for others
// there is the proposal of a mapping ([Propose]). Sources: headers of
// CSE-CIC-IDS2018 (short), CICIDS2017 and its improved release (long), Python
// cicflowmeter, nfdump 1.7 JSON (in_bytes counts IP bytes), FLOWS.md B.1 and
// Sigma's levels for the alerts.
var openRules = map[string][][]rule{
	"flow":  {flowNames, formulas},
	"alert": {alertNames},
}

var flowNames = []rule{
	{field: frame.FlowStart, from: []string{"timestamp|firstswitched|starttime|first"}, read: []*reader{readEpoch}},
	{field: flowEnd, from: []string{"lastswitched|endtime|last"}, read: []*reader{readEpoch}},
	{field: frame.SrcAddr, from: []string{"srcip|sourceip|ipv6srcaddr|srcaddr|sourceaddress|idorigh"}},
	{field: frame.DstAddr, from: []string{"dstip|destinationip|ipv6dstaddr|destip|dstaddr|destinationaddress|idresph"}},
	{field: frame.SrcPort, from: []string{"srcport|sourceport|idorigp"}},
	{field: frame.DstPort, from: []string{"dstport|destinationport|destport|idrespp"}},
	{field: frame.Protocol, from: []string{"proto"}},
	{field: frame.InPackets, from: []string{"totfwdpkts|totalfwdpacket|totalfwdpackets|inpackets"}},
	{field: frame.OutPackets, from: []string{"totbwdpkts|totalbwdpackets|totalbackwardpackets|outpackets"}},
	{field: frame.Duration, from: []string{"flowduration"}, div: microseconds},
	{field: frame.Duration, from: []string{"durationms|durationmilliseconds"}},
	{field: frame.Duration, from: []string{"durationseconds|durationsec"}, read: []*reader{readSeconds}},
	{field: "SRC_TO_DST_IAT_MIN", from: []string{"fwdiatmin"}, div: microseconds},
	{field: "SRC_TO_DST_IAT_MAX", from: []string{"fwdiatmax"}, div: microseconds},
	{field: "SRC_TO_DST_IAT_AVG", from: []string{"fwdiatmean"}, div: microseconds},
	{field: "SRC_TO_DST_IAT_STDDEV", from: []string{"fwdiatstd"}, div: microseconds},
	{field: "DST_TO_SRC_IAT_MIN", from: []string{"bwdiatmin"}, div: microseconds},
	{field: "DST_TO_SRC_IAT_MAX", from: []string{"bwdiatmax"}, div: microseconds},
	{field: "DST_TO_SRC_IAT_AVG", from: []string{"bwdiatmean"}, div: microseconds},
	{field: "DST_TO_SRC_IAT_STDDEV", from: []string{"bwdiatstd"}, div: microseconds},
	{field: frame.Label, from: []string{"label"}},
}

var alertNames = []rule{
	{field: frame.AlertTime, from: []string{"timestamp|time|ts|date"}, read: []*reader{readEpoch}},
	{field: frame.SrcAddr, from: []string{"sourceip|srcip|sourceaddress|src"}},
	{field: frame.DstAddr, from: []string{"destinationip|destip|dstip|destinationaddress|dst"}},
	{field: frame.SrcPort, from: []string{"srcport|sourceport"}},
	{field: frame.DstPort, from: []string{"dstport|destport|destinationport"}},
	{field: frame.Protocol, from: []string{"proto"}},
	{field: frame.AlertType, from: []string{"category|classification|alerttype"}},
	{field: frame.AlertTitle, from: []string{"signature|rule|rulename|alertname"}},
	{field: frame.AlertDescription, from: []string{"description|payload|message|msg"}},
	{field: frame.AlertTechniques, from: []string{"technique|techniqueid|mitretechniqueid|attack"}},
	{field: frame.AlertSeverity, from: []string{"level|priority"}},
}

// Flow fields that rules name and package frame has no constant for.
const (
	flowEnd       = "FLOW_END_MILLISECONDS"
	clientFlags   = "CLIENT_TCP_FLAGS"
	serverFlags   = "SERVER_TCP_FLAGS"
	inThroughput  = "SRC_TO_DST_AVG_THROUGHPUT"
	outThroughput = "DST_TO_SRC_AVG_THROUGHPUT"
	icmpType      = "ICMP_TYPE"
	icmpIPv4Type  = "ICMP_IPV4_TYPE"
	minTTL        = "MIN_TTL"
	maxTTL        = "MAX_TTL"
)

// ipHeader is the length of an IPv4 header without options. CICFlowMeter
// counts payload and transport header apart and leaves the IP header out.
const ipHeader = 20

// formulas compute a field from several columns of an open dialect when no
// column holds it.
var formulas = []rule{
	{field: frame.InBytes, from: []string{"totlenfwdpkts|totallengthoffwdpacket|totallengthoffwdpackets", "fwdheaderlen|fwdheaderlength", "totfwdpkts|totalfwdpacket|totalfwdpackets"}, say: ipBytesText, make: ipBytes},
	{field: frame.OutBytes, from: []string{"totlenbwdpkts|totallengthofbwdpacket|totallengthofbwdpackets", "bwdheaderlen|bwdheaderlength", "totbwdpkts|totalbwdpackets|totalbackwardpackets"}, say: ipBytesText, make: ipBytes},
	{field: frame.TCPFlags, from: []string{"finflagcnt|finflagcount", "synflagcnt|synflagcount", "rstflagcnt|rstflagcount", "pshflagcnt|pshflagcount", "ackflagcnt|ackflagcount", "urgflagcnt|urgflagcount", "eceflagcnt|eceflagcount", "cweflagcount|cwrflagcount|cwrflagcnt"}, say: "flags whose count is above 0, $1 first", make: tcpFlags},
	{field: frame.SrcAddr, from: []string{"src4addr|src6addr", "?src6addr"}, say: "$1 or $2", join: either},
	{field: frame.DstAddr, from: []string{"dst4addr|dst6addr", "?dst6addr"}, say: "$1 or $2", join: either},
	{field: icmpType, from: []string{"icmptype", "icmpcode"}, say: "$1 x 256 + $2", make: func(v []float64, _ *[repairs]int64) float64 { return v[0]*256 + v[1] }},
}

const ipBytesText = "$1 + $2 + 20 x $3"

// either is the first text that is not empty.
func either(s []string) string {
	if s[0] != "" {
		return s[0]
	}
	return s[1]
}

func ipBytes(v []float64, _ *[repairs]int64) float64 { return v[0] + v[1] + ipHeader*v[2] }

// tcpFlags ORs the flags that occurred; operands are in bit order.
func tcpFlags(v []float64, _ *[repairs]int64) float64 {
	sum := 0.0
	for bit, count := range v {
		switch {
		case math.IsNaN(count):
			return count
		case count > 0:
			sum += float64(int(1) << bit)
		}
	}
	return sum
}

// The largest duration that a 32-bit microsecond counter holds, in ms, and
// the value above which NF-BoT-IoT-v2 durations are such a counter run
// backwards: 91 % of its rows hold 4294967 - duration.
const (
	wrapMillis    = 4294967
	wrapThreshold = 4.29e6
)

func unwrap(v []float64, count *[repairs]int64) float64 {
	if v[0] > wrapThreshold && v[0] <= wrapMillis {
		count[repairWrap]++
		return wrapMillis - v[0]
	}
	return v[0]
}

// protocols are names that exports use for IANA numbers. RTP and RTCP are what
// argus calls UDP that looks like them.
var protocols = map[string]float64{"icmp": 1, "igmp": 2, "tcp": 6, "udp": 17, "rtp": 17, "rtcp": 17, "gre": 47, "esp": 50, "ipv6-icmp": 58, "icmpv6": 58, "icmp6": 58, "ospf": 89, "pim": 103, "sctp": 132}

func parseProtocol(b []byte) (float64, bool) {
	if v, ok := parseNumber(b); ok {
		return v, true
	}
	if len(b) > 16 {
		return 0, false
	}
	v, ok := protocols[strings.ToLower(strings.TrimSpace(string(b)))]
	return v, ok
}
