package ingest

import "math"

// Numbers that rules of several tools make.

const (
	protocolICMP   = 1
	protocolTCP    = 6
	protocolUDP    = 17
	protocolICMPv6 = 58
)

func isICMP(protocol float64) bool { return protocol == protocolICMP || protocol == protocolICMPv6 }

// protocolOf is v[0], but ICMPv6 when a tool writes ICMP for it too and v[1]
// says that the address is an IPv6 one.
func protocolOf(v []float64, _ *[repairs]int64) float64 {
	if v[0] == protocolICMP && v[1] == 1 {
		return protocolICMPv6
	}
	return v[0]
}

// portUnlessICMP is port v[1] of protocol v[0]: ICMP has none, and the tools
// put type and code in its place.
func portUnlessICMP(v []float64, _ *[repairs]int64) float64 {
	if isICMP(v[0]) {
		return 0
	}
	return v[1]
}

// icmpOf is type x 256 + code of protocol v[0], 0 for others, as in the rows
// of NF-*.
func icmpOf(v []float64, _ *[repairs]int64) float64 {
	if !isICMP(v[0]) {
		return zeroUnlessMissing(v[0])
	}
	return v[1]*256 + v[2]
}

// paired are the ICMP and ICMPv6 types that ask or answer another type. Zeek
// names that other type where the code stands otherwise; their code is 0.
const paired = "\x00\x08\x09\x0a\x0d\x0e\x0f\x10\x11\x12\x80\x81\x82\x83\x85\x86\x87\x88\x8b\x8c\x90\x91"

// zeekICMP is icmpOf of what Zeek puts in the place of the ports.
func zeekICMP(v []float64, count *[repairs]int64) float64 {
	for i := range len(paired) {
		if v[1] == float64(paired[i]) {
			v[2] = 0
		}
	}
	return icmpOf(v, count)
}

// icmpTypeOf is the type alone, of IPv4 only: v[2] is 1 for IPv6.
func icmpTypeOf(v []float64, _ *[repairs]int64) float64 {
	if v[0] != protocolICMP || v[2] == 1 {
		return zeroUnlessMissing(v[0])
	}
	return v[1]
}

// zeroUnlessMissing is 0, but missing when v is.
func zeroUnlessMissing(v float64) float64 {
	if math.IsNaN(v) {
		return v
	}
	return 0
}

// tcpOnly is v[1] when the protocol v[0] is TCP, else 0.
func tcpOnly(v []float64, _ *[repairs]int64) float64 {
	if v[0] != protocolTCP {
		return zeroUnlessMissing(v[0])
	}
	return v[1]
}

// later and earlier points in time, and counts less counts.
func sum(v []float64, _ *[repairs]int64) float64        { return micros(v[0] + v[1]) }
func difference(v []float64, _ *[repairs]int64) float64 { return micros(v[0] - v[1]) }

// micros rounds milliseconds to the microsecond, below which sums of points in
// time are noise.
func micros(millis float64) float64 { return math.Round(millis*1000) / 1000 }

// rate is floor(8000 x bytes / (duration + 1)) with whole milliseconds, the
// relation that holds in the rows of NF-*-v3.
func rate(bytes, millis float64) float64 {
	return math.Floor(8000 * bytes / (math.Floor(millis) + 1))
}

func rateOf(v []float64, _ *[repairs]int64) float64 { return rate(v[0], v[1]) }

const rateText = "8000 x bytes / (milliseconds + 1) from $1 and $2, rounded down"

// ethernetHeader is what argus and Suricata count per packet beside the IP
// bytes, on Ethernet without VLAN.
const ethernetHeader = 14

// ethernetBytes is v[0] bytes of frames less the headers of v[1] packets. Less
// than an IP header a packet means that they were no Ethernet frames.
func ethernetBytes(v []float64, count *[repairs]int64) float64 {
	b := v[0] - ethernetHeader*v[1]
	if b < ipHeader*v[1] {
		count[repairFrameBytes]++
		return math.NaN()
	}
	return b
}
