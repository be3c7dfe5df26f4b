package ingest

import (
	"fmt"
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

// alias is another spelling of a field, normalised, with the divisor that
// brings it to the schema's unit.
type alias struct {
	name string
	per  float64
}

// aliases lists other names per field. The field's own name always counts.
// Source of the CICFlowMeter names: headers of CSE-CIC-IDS2018 (short),
// CICIDS2017 and its improved release (long) and Python cicflowmeter.
var aliases = map[string][]alias{
	frame.FlowStart:         {{"timestamp", 1}, {"firstswitched", 1}},
	frame.SrcAddr:           {{"srcip", 1}, {"sourceip", 1}, {"ipv6srcaddr", 1}},
	frame.DstAddr:           {{"dstip", 1}, {"destinationip", 1}, {"ipv6dstaddr", 1}},
	frame.SrcPort:           {{"srcport", 1}, {"sourceport", 1}},
	frame.DstPort:           {{"dstport", 1}, {"destinationport", 1}},
	frame.InPackets:         {{"totfwdpkts", 1}, {"totalfwdpacket", 1}, {"totalfwdpackets", 1}},
	frame.OutPackets:        {{"totbwdpkts", 1}, {"totalbwdpackets", 1}, {"totalbackwardpackets", 1}},
	frame.Duration:          {{"flowduration", microseconds}},
	"SRC_TO_DST_IAT_MIN":    {{"fwdiatmin", microseconds}},
	"SRC_TO_DST_IAT_MAX":    {{"fwdiatmax", microseconds}},
	"SRC_TO_DST_IAT_AVG":    {{"fwdiatmean", microseconds}},
	"SRC_TO_DST_IAT_STDDEV": {{"fwdiatstd", microseconds}},
	"DST_TO_SRC_IAT_MIN":    {{"bwdiatmin", microseconds}},
	"DST_TO_SRC_IAT_MAX":    {{"bwdiatmax", microseconds}},
	"DST_TO_SRC_IAT_AVG":    {{"bwdiatmean", microseconds}},
	"DST_TO_SRC_IAT_STDDEV": {{"bwdiatstd", microseconds}},
	frame.Label:             {{"label", 1}},
}

// ipHeader is the length of an IPv4 header without options. CICFlowMeter
// counts payload and transport header apart and leaves the IP header out.
const ipHeader = 20

// formula computes a field from several columns when no column holds it.
type formula struct {
	field string
	from  [][]string // spellings per operand, normalised
	text  func(names []string) string
	make  func(v []float64, count *[repairs]int64) float64
}

var formulas = []formula{
	{frame.InBytes, [][]string{{"totlenfwdpkts", "totallengthoffwdpacket", "totallengthoffwdpackets"}, {"fwdheaderlen", "fwdheaderlength"}, {"totfwdpkts", "totalfwdpacket", "totalfwdpackets"}}, ipBytesText, ipBytes},
	{frame.OutBytes, [][]string{{"totlenbwdpkts", "totallengthofbwdpacket", "totallengthofbwdpackets"}, {"bwdheaderlen", "bwdheaderlength"}, {"totbwdpkts", "totalbwdpackets", "totalbackwardpackets"}}, ipBytesText, ipBytes},
	{frame.TCPFlags, [][]string{{"finflagcnt", "finflagcount"}, {"synflagcnt", "synflagcount"}, {"rstflagcnt", "rstflagcount"}, {"pshflagcnt", "pshflagcount"}, {"ackflagcnt", "ackflagcount"}, {"urgflagcnt", "urgflagcount"}, {"eceflagcnt", "eceflagcount"}, {"cweflagcount", "cwrflagcount", "cwrflagcnt"}}, tcpFlagsText, tcpFlags},
}

func ipBytesText(names []string) string {
	return fmt.Sprintf("%s + %s + %d x %s", names[0], names[1], ipHeader, names[2])
}

func ipBytes(v []float64, _ *[repairs]int64) float64 { return v[0] + v[1] + ipHeader*v[2] }

func tcpFlagsText(names []string) string {
	return "flags whose count is above 0, " + names[0] + " first"
}

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

// resolve finds where field comes from: its own name, an alias, a formula.
// byName maps normalised names to columns; add registers a column as input.
func resolve(field frame.Field, byName map[string]int, add func(int, reader) int) (output, func(header []string) string, How) {
	read := readNumber
	switch {
	case field.Kind == frame.Text:
		read = readText
	case field.Name == frame.FlowStart || field.Name == "FLOW_END_MILLISECONDS":
		read = readTime
	case field.Name == frame.Protocol:
		read = readProtocol
	}
	candidates := append([]alias{{normalise(field.Name), 1}}, aliases[field.Name]...)
	for _, a := range candidates {
		col, ok := byName[a.name]
		if !ok || field.Name == frame.Label && a.name == "label" && len(byName) > 0 && isNetFlow(byName) {
			continue
		}
		o := output{from: []int{add(col, read)}, per: a.per}
		if field.Name == frame.Duration && a.per == 1 {
			o.make = unwrap
		}
		return o, func(header []string) string { return header[col] }, Column
	}
	for _, f := range formulas {
		if f.field != field.Name {
			continue
		}
		var cols []int
		for _, spellings := range f.from {
			for _, s := range spellings {
				if col, ok := byName[s]; ok {
					cols = append(cols, col)
					break
				}
			}
		}
		if len(cols) != len(f.from) {
			continue
		}
		o := output{make: f.make}
		for _, col := range cols {
			o.from = append(o.from, add(col, readNumber))
		}
		return o, func(header []string) string {
			names := make([]string, len(cols))
			for i, col := range cols {
				names[i] = header[col]
			}
			return f.text(names)
		}, Computed
	}
	return output{}, nil, Missing
}

// isNetFlow reports whether the header is of an NF-* set, whose Label column
// is 0 or 1 and not a name.
func isNetFlow(byName map[string]int) bool {
	_, ok := byName[normalise(frame.InBytes)]
	return ok
}

// protocols are names that exports use for IANA numbers.
var protocols = map[string]float64{"icmp": 1, "igmp": 2, "tcp": 6, "udp": 17, "gre": 47, "esp": 50, "ipv6-icmp": 58, "icmpv6": 58, "icmp6": 58, "sctp": 132}

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
