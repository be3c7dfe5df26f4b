package capture_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"cloister/shared/ingest/internal/capture"
)

func cat(parts ...[]byte) []byte { return slices.Concat(parts...) }

func be(v ...uint16) (b []byte) {
	for _, v := range v {
		b = binary.BigEndian.AppendUint16(b, v)
	}
	return b
}

// ip4 is an IPv4 packet from 10.0.0.1 to 10.0.0.2.
func ip4(protocol byte, body []byte) []byte { return ip4Fragment(protocol, 0, 0, body) }

func ip4Fragment(protocol byte, id, word uint16, body []byte) []byte {
	return cat([]byte{0x45, 0}, be(uint16(20+len(body)), id, word), []byte{64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2}, body)
}

// ip6 is an IPv6 packet from ::9 to ::8.
func ip6(next byte, body []byte) []byte {
	h := cat([]byte{0x60, 0, 0, 0}, be(uint16(len(body))), []byte{next, 63}, make([]byte, 32), body)
	h[23], h[39] = 9, 8
	return h
}

func udp(from, to uint16, body string) []byte {
	return cat(be(from, to, uint16(8+len(body)), 0), []byte(body))
}

func tcp(flags byte) []byte {
	return cat(be(40000, 80), []byte{0, 0, 1, 0, 0, 0, 0, 0, 0x60, flags}, be(512, 0, 0, 0, 0), []byte("abc"))
}

func ether(kind uint16, body []byte) []byte { return cat(make([]byte, 12), be(kind), body) }

// wifi is an 802.11 frame whose head is filled up to size.
func wifi(kind, flags byte, size int, body []byte) []byte {
	next := be(0x800)
	if body[0]>>4 == 6 {
		next = be(0x86dd)
	}
	return cat([]byte{kind, flags}, make([]byte, size-2), []byte{0xaa, 0xaa, 3, 0, 0, 0}, next, body)
}

// text says what was decoded: protocol, ends in the direction of the packet, bytes, payload.
func text(p capture.Packet) string {
	a, b := fmt.Sprint(p.Key.A[0], ".", p.Key.A[3], ":", p.Key.PortA), fmt.Sprint(p.Key.B[0], ".", p.Key.B[3], ":", p.Key.PortB)
	if p.Key.IPv6 {
		a, b = fmt.Sprint("::", p.Key.A[15], ":", p.Key.PortA), fmt.Sprint("::", p.Key.B[15], ":", p.Key.PortB)
	}
	if p.Reverse {
		a, b = b, a
	}
	s := fmt.Sprintf("%d %s>%s %d/%d %q", p.Key.Protocol, a, b, p.Bytes, p.Length, p.Payload)
	if p.Key.VLAN > 0 {
		s += fmt.Sprintf(" vlan %x", p.Key.VLAN)
	}
	if (p.Key.Tunnel != 0) != (p.Outer != nil) {
		s += " with half a tunnel"
	}
	return s
}

func decode(d *capture.Decoder, link uint16, data []byte) string {
	var p capture.Packet
	if d.Decode(&capture.Frame{Link: link, Length: uint32(len(data)), Data: data}, &p) {
		return text(p)
	}
	for why := range d.Skipped() {
		return strings.TrimPrefix(why, "packet left out: ")
	}
	return "left out without a reason"
}

func TestDecoder_links(t *testing.T) {
	four, six := ip4(17, udp(5, 6, "hi")), ip6(17, udp(5, 6, "hi"))
	const four4, six6 = `17 10.1:5>10.2:6 30/2 "hi"`, `17 ::9:5>::8:6 50/2 "hi"`
	tests := []struct {
		name string
		link uint16
		data []byte
		want string
	}{
		{"Ethernet", 1, ether(0x800, four), four4},
		{"Ethernet with padding", 1, ether(0x800, cat(four, []byte("xxxx"))), four4},
		{"Ethernet 6", 1, ether(0x86dd, six), six6},
		{"SNAP", 1, ether(38, cat([]byte{0xaa, 0xaa, 3, 0, 0, 0}, be(0x800), four)), four4},
		{"802.3", 1, ether(38, four), "not IP (ARP, LLDP and the like)"},
		{"ARP", 1, ether(0x806, four), "not IP (ARP, LLDP and the like)"},
		{"short", 1, make([]byte, 13), "captured too short for its headers"},
		{"VLAN", 1, ether(0x8100, cat(be(0xe005, 0x800), four)), four4 + " vlan 5"},
		{"QinQ", 1, ether(0x88a8, cat(be(3, 0x8100, 5, 0x86dd), six)), six6 + " vlan 30005"},
		{"Arista, 64 bits", 1, ether(0xd28b, cat(be(1, 0x10, 1, 2, 3, 4, 0x800), four)), four4},
		{"Arista, 48 bits", 1, ether(0xd28b, cat(be(1, 0x20, 1, 2, 3, 0x800), four)), four4},
		{"Arista, other", 1, ether(0xd28b, be(1, 0x30, 1, 2, 3)), "not IP (ARP, LLDP and the like)"},
		{"VN-Tag", 1, ether(0x8926, cat(be(1, 2, 0x8100, 5, 0x800), four)), four4 + " vlan 5"},
		{"nine tags", 1, ether(0x8100, cat(slices.Repeat(be(1, 0x8100), 8), be(1, 0x800), four)), "more than 8 nested headers"},
		{"MPLS", 1, ether(0x8847, cat([]byte{0, 0, 0, 9, 0, 0, 1, 9}, four)), four4},
		{"MPLS to Ethernet", 1, ether(0x8847, []byte{0, 0, 1, 9, 0, 0, 0, 0}), "not IP (ARP, LLDP and the like)"},
		{"PPPoE", 1, ether(0x8864, cat([]byte{0x11, 0}, be(1, 52, 0x57), six)), six6},
		{"loopback, little", 0, cat([]byte{2, 0, 0, 0}, four), four4},
		{"loopback, big", 0, cat([]byte{0, 0, 0, 30}, six), six6},
		{"loopback of OpenBSD", 108, cat([]byte{0, 0, 0, 24}, six), six6},
		{"raw 12", 12, four, four4}, {"raw 14", 14, six, six6}, {"raw 101", 101, four, four4}, {"raw 228", 228, four, four4}, {"raw 229", 229, six, six6},
		{"raw 5", 101, []byte{0x50}, "not IP (ARP, LLDP and the like)"},
		{"PPP", 9, cat([]byte{0xff, 3, 0, 0x21}, four), four4},
		{"PPP, compressed", 9, cat([]byte{0x21}, four), four4},
		{"PPP with MPLS", 50, cat([]byte{0x02, 0x81, 0, 0, 1, 9}, six), six6},
		{"PPP that is Cisco HDLC", 50, cat([]byte{0x0f, 0}, be(0x800), four), four4},
		{"PPP control", 9, []byte{0xc0, 0x21, 1, 1}, "not IP (ARP, LLDP and the like)"},
		{"Cisco HDLC", 104, cat([]byte{0x0f, 0}, be(0x800), four), four4},
		{"cooked", 113, cat(make([]byte, 14), be(0x800), four), four4},
		{"cooked 2", 276, cat(be(0x86dd), make([]byte, 18), six), six6},
		{"802.11", 105, wifi(0x08, 0, 24, four), four4},
		{"802.11 QoS", 105, wifi(0x88, 1, 26, six), six6},
		{"802.11 QoS with HT control", 105, wifi(0x88, 0x81, 30, four), four4},
		{"802.11 with four addresses", 105, wifi(0x08, 3, 30, four), four4},
		{"802.11 of several packets", 105, func() []byte { b := wifi(0x88, 2, 40, four); b[24] = 0x80; return b }(), four4},
		{"802.11 beacon", 105, wifi(0x80, 0, 24, four), "not IP (ARP, LLDP and the like)"},
		{"802.11 without data", 105, wifi(0x48, 0, 24, four), "not IP (ARP, LLDP and the like)"},
		{"802.11 encrypted", 105, wifi(0x08, 0x41, 24, four), "encrypted IEEE 802.11 frame"},
		{"802.11 short", 105, wifi(0x08, 0, 24, four)[:23], "captured too short for its headers"},
		{"802.11 with QoS cut off", 105, wifi(0x88, 0, 26, four)[:25], "captured too short for its headers"},
		{"radiotap", 127, cat([]byte{0, 0, 8, 0, 0, 0, 0, 0}, wifi(0x08, 0, 24, four)), four4},
		{"radiotap with time and padding", 127, cat([]byte{0, 0, 18, 0, 3, 0, 0, 0}, make([]byte, 8), []byte{0x30, 0}, wifi(0x88, 0, 28, four)), four4},
		{"radiotap of three words, padding", 127, cat([]byte{0, 0, 17, 0, 2, 0, 0, 0x80, 0, 0, 0, 0x80, 0, 0, 0, 0, 0x20}, wifi(0x88, 0, 28, four)), four4},
		{"radiotap over its end", 127, []byte{0, 0, 8, 0, 0, 0, 0, 0x80, 1, 2, 3, 4}, "malformed IP header"},
		{"radiotap short", 127, []byte{0, 0, 9, 0, 0, 0, 0, 0}, "captured too short for its headers"},
		{"radiotap version", 127, []byte{1, 0, 8, 0, 0, 0, 0, 0}, "malformed IP header"},
		{"Prism", 119, cat([]byte{0x44, 0, 0, 0, 144, 0, 0, 0}, make([]byte, 136), wifi(0x08, 0, 24, four)), four4},
		{"AVS", 163, cat([]byte{0x80, 0x21, 0x10, 1, 0, 0, 0, 64}, make([]byte, 56), wifi(0x08, 0, 24, four)), four4},
		{"Prism endless", 119, []byte{0x44, 0, 0, 0, 255, 255, 255, 255}, "malformed IP header"},
		{"PPI of 802.11", 192, cat([]byte{0, 0, 12, 0, 105, 0, 0, 0, 1, 2, 3, 4}, wifi(0x08, 0, 24, four)), four4},
		{"PPI of Ethernet", 192, cat([]byte{0, 0, 8, 0, 1, 0, 0, 0}, ether(0x800, four)), four4},
		{"PPI of PPI", 192, cat([]byte{0, 0, 8, 0, 192, 0, 0, 0}, []byte{0, 0, 8, 0, 1, 0, 0, 0}, ether(0x800, four)), "per-packet information is not read"},
		{"PPI short", 192, []byte{0, 0, 9, 0, 1, 0, 0, 0}, "captured too short for its headers"},
		{"PKTAP of Ethernet", 258, cat([]byte{16, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 9, 9, 9, 9}, ether(0x800, four)), four4},
		{"PKTAP of raw IP", 258, cat([]byte{12, 0, 0, 0, 1, 0, 0, 0, 12, 0, 0, 0}, six), six6},
		{"PKTAP of loopback", 258, cat([]byte{12, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0}, []byte{2, 0, 0, 0}, four), four4},
		{"PKTAP short", 258, []byte{13, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0}, "captured too short for its headers"},
		{"NFLOG", 239, cat([]byte{2, 0, 0, 1, 8, 0, 1, 0, 1, 2, 3, 4, 5, 0, 7, 0, 9, 0, 0, 0, byte(4 + len(four)), 0, 9, 0}, four), four4},
		{"NFLOG, big", 239, cat([]byte{10, 0, 0, 1, 0, 8, 0, 1, 1, 2, 3, 4, 0, byte(4 + len(six)), 0, 9}, six), six6},
		{"NFLOG without packet", 239, []byte{2, 0, 0, 1, 8, 0, 1, 0, 1, 2, 3, 4}, "not IP (ARP, LLDP and the like)"},
		{"NFLOG of no length", 239, []byte{2, 0, 0, 1, 0, 0, 9, 0, 1, 2, 3, 4}, "malformed IP header"},
		{"Frame Relay", 107, cat([]byte{0x18, 0x41, 3, 0xcc}, four), four4},
		{"Frame Relay, long address and padding", 107, cat([]byte{0x18, 0x40, 0, 1, 3, 0, 0x8e}, six), six6},
		{"Frame Relay with SNAP", 107, cat([]byte{0x18, 0x41, 3, 0, 0x80, 0, 0, 0, 8, 0}, four), four4},
		{"Frame Relay with Ethernet", 107, cat([]byte{0x18, 0x41, 3, 0, 0x80, 0, 0x80, 0xc2, 0, 7}, ether(0x800, four)), four4},
		{"Frame Relay of Cisco", 107, cat([]byte{0x18, 0x41, 8, 0}, four), four4},
		{"Frame Relay with direction", 206, cat([]byte{1, 0x18, 0x41, 3, 0xcc}, four), four4},
		{"Frame Relay without end", 107, make([]byte, 9), "malformed IP header"},
		{"Frame Relay of something else", 107, []byte{0x18, 0x41, 3, 0x81, 0, 0}, "not IP (ARP, LLDP and the like)"},
		{"PPP with direction", 204, cat([]byte{1, 0xff, 3, 0, 0x21}, four), four4},
		{"Cisco HDLC with direction", 205, cat([]byte{1, 0x0f, 0}, be(0x800), four), four4},
		{"PPPoE link", 51, cat([]byte{0x11, 0}, be(1, 52, 0x57), six), six6},
		{"SLIP", 8, cat(make([]byte, 16), four), four4},
		{"encapsulation", 109, cat(make([]byte, 12), four), four4},
		{"pflog", 117, cat([]byte{61, 2, 0, 0}, make([]byte, 60), four), four4},
		{"pflog short", 117, []byte{1, 2, 0, 0}, "malformed IP header"},
		{"ipnet", 226, cat(make([]byte, 24), six), six6},
		{"FDDI", 10, cat(make([]byte, 13), []byte{0xaa, 0xaa, 3, 0, 0, 0}, be(0x800), four), four4},
		{"Token Ring", 6, cat(make([]byte, 14), []byte{0xaa, 0xaa, 3, 0, 0, 0}, be(0x800), four), four4},
		{"Token Ring with a route", 6, cat(make([]byte, 8), []byte{0x80, 0, 0, 0, 0, 0, 4, 0, 0, 0}, []byte{0xaa, 0xaa, 3, 0, 0, 0}, be(0x800), four), four4},
		{"Fibre Channel", 122, cat(make([]byte, 16), []byte{0xaa, 0xaa, 3, 0, 0, 0}, be(0x86dd), six), six6},
		{"ATM", 100, cat([]byte{0xaa, 0xaa, 3, 0, 0, 0}, be(0x800), four), four4},
		{"ATM of Linux without LLC", 106, four, four4},
		{"IP by its own access point", 100, cat([]byte{6, 6, 3}, four), four4},
		{"ARCNET", 7, cat([]byte{1, 2, 240}, four), four4},
		{"ARCNET of Linux", 129, cat([]byte{1, 2, 0, 0, 212, 0, 0, 1}, four), four4},
		{"ARCNET, exception", 129, cat([]byte{1, 2, 0, 0, 212, 0xff, 0xff, 0xff, 0xff, 0, 0, 1}, four), four4},
		{"ARCNET, split", 129, cat([]byte{1, 2, 0, 0, 212, 3, 0, 1}, four), "not IP (ARP, LLDP and the like)"},
		{"IEEE 1394", 138, cat(make([]byte, 16), be(0x800), four), four4},
		{"InfiniBand", 242, cat(make([]byte, 40), be(0x800, 0), four), four4},
		{"Broadcom tag", 281, cat(make([]byte, 12), []byte{0, 0, 0, 1}, be(0x800), four), four4},
		{"Broadcom tag before", 282, cat([]byte{0, 0, 0, 1}, ether(0x800, four)), four4},
		{"DSA", 284, cat(make([]byte, 12), []byte{0, 0, 0, 1}, be(0x800), four), four4},
		{"EDSA", 285, cat(make([]byte, 12), be(0xdada, 0), []byte{0, 0, 0, 1}, be(0x8100, 9, 0x800), four), four4 + " vlan 9"},
		{"cooked netlink", 113, cat(be(0, 824), make([]byte, 10), be(0x800), four), "not IP (ARP, LLDP and the like)"},
		{"cooked with LLC", 113, cat(make([]byte, 14), be(4), []byte{0xaa, 0xaa, 3, 0, 0, 0}, be(0x800), four), four4},
		{"cooked radiotap", 113, cat(be(0, 803), make([]byte, 12), []byte{0, 0, 8, 0, 0, 0, 0, 0}, wifi(0x08, 0, 24, four)), four4},
		{"unknown", 9999, four, "link type 9999 is not read"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := decode(&capture.Decoder{}, tt.link, tt.data); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestDecoder_headers(t *testing.T) {
	long := ip4(6, tcp(0x18))
	noLength := slices.Clone(long)
	noLength[2], noLength[3] = 0, 0
	jumbo := ip6(6, tcp(2))
	jumbo[4], jumbo[5] = 0, 0
	tests := []struct {
		name string
		data []byte
		want string
	}{
		{"TCP with options", long, `6 10.1:40000>10.2:80 47/3 "abc"`},
		{"snapped payload", long[:45], `6 10.1:40000>10.2:80 47/3 "a"`},
		{"snapped options", long[:41], `6 10.1:40000>10.2:80 47/3 ""`},
		{"snapped ports", long[:23], "captured too short for its headers"},
		{"no total length", noLength, `6 10.1:40000>10.2:80 47/3 "abc"`},
		{"no payload length", jumbo, `6 ::9:40000>::8:80 67/3 "abc"`},
		{"ICMP", ip4(1, []byte{3, 1, 0, 0}), `1 10.1:0>10.2:0 24/4 "\x03\x01\x00\x00"`},
		{"SCTP", ip4(132, cat(be(7, 8), make([]byte, 8), []byte("x"))), `132 10.1:7>10.2:8 33/1 "x"`},
		{"ESP", ip4(50, []byte("secret")), `50 10.1:0>10.2:0 26/6 "secret"`},
		{"hop by hop, destination", ip6(0, cat([]byte{60, 0, 1, 4, 0, 0, 0, 0}, []byte{17, 1}, make([]byte, 14), udp(1, 2, "z"))), `17 ::9:1>::8:2 73/1 "z"`},
		{"authentication", ip6(51, cat([]byte{17, 1}, make([]byte, 10), udp(1, 2, "z"))), `17 ::9:1>::8:2 61/1 "z"`},
		{"no next", ip6(59, nil), `59 ::9:0>::8:0 40/0 ""`},
		{"endless extensions", ip6(60, cat(slices.Repeat([]byte{60, 0, 1, 4, 0, 0, 0, 0}, 9))), "more than 8 nested headers"},
		{"extension over the end", ip6(60, []byte{17, 9, 1, 4, 0, 0, 0, 0}), "malformed IP header"},
		{"head of 16", cat([]byte{0x44}, long[1:]), "malformed IP header"},
		{"head over the total", cat([]byte{0x45, 0, 0, 19}, long[4:]), "malformed IP header"},
		{"UDP of 3", ip4(17, []byte{1, 2, 3}), "malformed IP header"},
		{"options cut", cat([]byte{0x4f, 0, 0, 99}, long[4:30]), "captured too short for its headers"},
		{"IPv6 cut", ip6(17, nil)[:39], "captured too short for its headers"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := decode(&capture.Decoder{}, 101, tt.data); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
	var p capture.Packet
	if new(capture.Decoder).Decode(&capture.Frame{Link: 101, Data: long, Time: 5}, &p); p.Flags != 0x18 || p.Window != 512 || p.Seq != 256 || p.TTL != 64 || p.Time != 5 || !p.Head || p.Reverse {
		t.Errorf("%+v", p)
	}
	back := slices.Clone(long)
	back[15], back[19] = 2, 1
	var q capture.Packet
	if new(capture.Decoder).Decode(&capture.Frame{Link: 101, Data: back}, &q); !q.Reverse {
		t.Error("not reversed")
	}
}

func TestDecoder_tunnels(t *testing.T) {
	inner := ip6(17, udp(5, 6, "hi"))
	const want = `17 ::9:5>::8:6 50/2 "hi"`
	frame := ether(0x86dd, inner)
	tests := []struct {
		name string
		data []byte
		want string
	}{
		{"6in4", ip4(41, inner), want},
		{"IP in IP", ip4(4, ip4(17, udp(5, 6, "hi"))), `17 10.1:5>10.2:6 30/2 "hi"`},
		{"GRE", ip4(47, cat(be(0, 0x86dd), inner)), want},
		{"GRE with key and Ethernet", ip4(47, cat(be(0x2000, 0x6558), make([]byte, 4), frame)), want},
		{"GRE of PPTP", ip4(47, cat(be(0x3081, 0x880b), make([]byte, 12), []byte{0xff, 3, 0, 0x57}, inner)), want},
		{"GRE with something else", ip4(47, be(0, 0x1234)), `47 10.1:0>10.2:0 24/4 "\x00\x00\x124"`},
		{"VXLAN", ip4(17, udp(9, 4789, string(cat([]byte{8, 0, 0, 0, 0, 0, 7, 0}, frame)))), want},
		{"VXLAN in VLAN", ip4(17, udp(9, 4789, string(cat([]byte{8, 0, 0, 0, 0, 0, 7, 0}, ether(0x8100, cat(be(4, 0x86dd), inner)))))), want + " vlan 4"},
		{"port of VXLAN, other flags", ip4(17, udp(9, 4789, string(cat(make([]byte, 8), frame)))), "17 10.1:9>10.2:4789 100/72"},
		{"port of VXLAN alone", ip4(17, udp(9, 4789, "x")), `17 10.1:9>10.2:4789 29/1 "x"`},
		{"VXLAN with ARP", ip4(17, udp(9, 4789, "\x08\x00\x00\x00\x00\x00\x07\x00"+string(ether(0x806, nil)))), `17 10.1:9>10.2:4789 50/22 "\b\x00\x00\x00\x00\x00\a\x00` + strings.Repeat(`\x00`, 12) + `\b\x06"`},
		{"Geneve", ip4(17, udp(9, 6081, string(cat([]byte{1, 0}, be(0x6558, 0, 7), make([]byte, 4), frame)))), want},
		{"GTP-U", ip4(17, udp(2152, 2152, string(cat([]byte{0x30, 255}, be(uint16(len(inner)), 0, 1), inner)))), want},
		{"GTP-U with extension", ip4(17, udp(2152, 2152, string(cat([]byte{0x34, 255}, be(0, 0, 1, 0, 0x85, 0x0110, 0x0900), inner)))), want},
		{"GTP-U echo", ip4(17, udp(2152, 2152, "\x32\x01\x00\x00\x00\x00\x00\x00")), `17 10.1:2152>10.2:2152 36/8 "2\x01\x00\x00\x00\x00\x00\x00"`},
		{"Teredo", ip4(17, udp(9, 3544, string(inner))), want},
		{"Teredo with indications", ip4(17, udp(3544, 9, string(cat([]byte{0, 1, 1, 2}, make([]byte, 12), make([]byte, 8), inner)))), want},
		{"GRE of ERSPAN I", ip4(47, cat(be(0, 0x88be), frame)), want},
		{"GRE of ERSPAN II", ip4(47, cat(be(0x1000, 0x88be, 0, 1, 0x1001, 0x0007, 0, 0), frame)), want},
		{"GRE of ERSPAN III", ip4(47, cat(be(0x1000, 0x22eb, 0, 1, 0x2001, 0x0007, 0, 0, 0, 0), frame)), want},
		{"GRE of ERSPAN III, longer", ip4(47, cat(be(0x1000, 0x22eb, 0, 1, 0x2001, 0x0007, 0, 0, 0, 1), make([]byte, 8), frame)), want},
		{"GRE of WCCP", ip4(47, cat(be(0, 0x883e, 1, 2), ip4(17, udp(5, 6, "hi")))), `17 10.1:5>10.2:6 30/2 "hi"`},
		{"GRE in UDP", ip4(17, udp(9, 4754, string(cat(be(0, 0x86dd), inner)))), want},
		{"GRE with 802.11", ip4(47, cat(be(0, 0x8200), wifi(0x08, 0, 24, inner))), want},
		{"GRE with a beacon", ip4(47, cat(be(0, 0x9000), wifi(0x80, 0, 24, inner))), "47 10.1:0>10.2:0 106/86"},
		{"Teredo between peers", func() []byte {
			b := ip6(17, udp(5, 6, "hi"))
			copy(b[8:], []byte{0x20, 1, 0, 0})
			return ip4(17, udp(9, 10, string(b)))
		}(), `17 ::9:5>::8:6 50/2 "hi"`},
		{"no Teredo without its addresses", ip4(17, udp(9, 10, string(inner))), "17 10.1:9>10.2:10 78/50"},
		{"EtherIP", ip4(97, cat([]byte{0x30, 0}, frame)), want},
		{"MPLS in IP", ip4(137, cat([]byte{0, 0, 0x11, 9}, inner)), want},
		{"MPLS in UDP", ip4(17, udp(9, 6635, string(cat([]byte{0, 0, 0x11, 9}, inner)))), want},
		{"VXLAN on the port of Linux", ip4(17, udp(9, 8472, string(cat([]byte{8, 0, 0, 0, 0, 0, 7, 0}, frame)))), want},
		{"VXLAN GPE", ip4(17, udp(9, 4790, string(cat([]byte{0x0c, 0, 0, 2, 0, 0, 7, 0}, inner)))), want},
		{"ten in each other", func() []byte {
			b := ip4(17, udp(5, 6, "hi"))
			for range 10 {
				b = ip4(4, b)
			}
			return b
		}(), "4 10.1:0>10.2:0 90/70"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := decode(&capture.Decoder{}, 101, tt.data); got != tt.want && (strings.Contains(tt.want, "\"") || !strings.HasPrefix(got, tt.want+" ")) {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestDecoder_fragments(t *testing.T) {
	var d capture.Decoder
	step := func(name string, data []byte, want string) {
		t.Helper()
		before := d.Skipped()
		var p capture.Packet
		got := ""
		if d.Decode(&capture.Frame{Link: 101, Length: uint32(len(data)), Data: data}, &p) {
			got = fmt.Sprint(text(p), " ", p.Head)
		} else {
			for why, n := range d.Skipped() {
				if n != before[why] {
					got = why
				}
			}
		}
		if !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	const orphan = "packet left out: fragment whose first part was not seen"
	step("first", ip4Fragment(17, 7, 0x2000, udp(5, 6, "hi")), `17 10.1:5>10.2:6 30/2 "hi" true`)
	step("middle", ip4Fragment(17, 7, 0x2001, []byte("12345678")), `17 10.1:5>10.2:6 28/0 "" false`)
	step("last", ip4Fragment(17, 7, 2, []byte("more")), `17 10.1:5>10.2:6 24/0 "" false`)
	if d.Joined() != 2 {
		t.Errorf("%d joined", d.Joined())
	}
	step("other id", ip4Fragment(17, 8, 2, []byte("more")), orphan)
	step("other protocol", ip4Fragment(6, 7, 2, []byte("more")), orphan)
	step("first of a tunnel", ip4Fragment(4, 9, 0x2000, ip4(17, udp(1, 2, "inside"))), `17 10.1:1>10.2:2 34/6 "inside" true`)
	step("later of a tunnel", ip4Fragment(4, 9, 4, []byte("inside")), "packet left out: later fragment of a tunnel")
	step("IPv6 first", ip6(44, cat([]byte{17, 0}, be(1), []byte{0, 0, 0, 5}, udp(5, 6, ""))), `17 ::9:5>::8:6 56/0 "" true`)
	step("IPv6 later", ip6(44, cat([]byte{17, 0}, be(8), []byte{0, 0, 0, 5}, []byte("more"))), `17 ::9:5>::8:6 52/0 "" false`)
	step("IPv6 alone", ip6(44, cat([]byte{17, 0}, be(0), []byte{0, 0, 0, 6}, udp(5, 6, ""))), `17 ::9:5>::8:6 56/0 "" true`)
	step("IPv6 later of alone", ip6(44, cat([]byte{17, 0}, be(8), []byte{0, 0, 0, 6}, []byte("more"))), orphan)
	for id := range uint16(4096) { // the table forgets the oldest
		step("filler", ip4Fragment(17, 1000+id, 0x2000, udp(5, 6, "hi")), "17")
	}
	step("forgotten", ip4Fragment(17, 7, 2, []byte("more")), orphan)
	step("kept", ip4Fragment(17, 5095, 2, []byte("more")), "17")
}

// Equal packets inside share a flow exactly when their tunnels are the same:
// two tenants with the same addresses never merge.
func TestOuter_tellsTunnelsApart(t *testing.T) {
	inner := ip4(17, udp(5, 6, "hi"))
	frame := string(ether(0x800, inner))
	vx := func(id byte) []byte { return ip4(17, udp(9, 4789, "\x08\x00\x00\x00\x00\x00"+string(id)+"\x00"+frame)) }
	gn := func(id byte) []byte { return ip4(17, udp(9, 6081, "\x00\x00\x65\x58\x00\x00"+string(id)+"\x00"+frame)) }
	key := func(id uint16) []byte { return ip4(47, cat(be(0x2000, 0x800, 0, id), inner)) }
	span := func(id uint16) []byte { return ip4(47, cat(be(0x1000, 0x88be, 0, 1, 0x1001, id, 0, 0), []byte(frame))) }
	// other moves the outer packet to 10.0.0.1 > 10.0.0.3, back turns its ends round.
	other := func(b []byte) []byte { b = slices.Clone(b); b[19] = 3; return b }
	back := func(b []byte) []byte { b = slices.Clone(b); b[15], b[19] = b[19], b[15]; return b }
	gtp := func(id uint16, inside ...[]byte) []byte {
		body := append(inside, inner)[0]
		return ip4(17, udp(2152, 2152, string(cat([]byte{0x30, 255}, be(uint16(len(body)), 0, id), body))))
	}
	tests := []struct {
		name string
		a, b []byte
		same bool
		kind capture.TunnelKind
		id   uint32
	}{
		{"VXLAN, same network", vx(7), vx(7), true, capture.VXLAN, 7},
		{"VXLAN, same network, other ends", vx(7), other(vx(7)), true, capture.VXLAN, 7},
		{"VXLAN, other network", vx(7), vx(8), false, capture.VXLAN, 7},
		{"VXLAN and Geneve", vx(7), gn(7), false, capture.VXLAN, 7},
		{"Geneve, other network", gn(7), gn(8), false, capture.Geneve, 7},
		{"GRE, same key", key(1), key(1), true, capture.GRE, 1},
		{"GRE, other key", key(1), key(2), false, capture.GRE, 1},
		{"GRE without key, other ends", ip4(47, cat(be(0, 0x800), inner)), other(ip4(47, cat(be(0, 0x800), inner))), false, capture.GRE, 0},
		{"GRE without key, back", ip4(47, cat(be(0, 0x800), inner)), back(ip4(47, cat(be(0, 0x800), inner))), true, capture.GRE, 0},
		{"ERSPAN, other session", span(1), span(2), false, capture.ERSPAN, 1},
		{"IP in IP, back", ip4(4, inner), back(ip4(4, inner)), true, capture.IPinIP, 0},
		{"IP in IP, other ends", ip4(4, inner), other(ip4(4, inner)), false, capture.IPinIP, 0},
		{"IP in IP in IP", ip4(4, inner), ip4(4, ip4(4, inner)), false, capture.IPinIP, 0},
		{"GTP-U, other direction", gtp(1), back(gtp(2, back(ip4(17, udp(6, 5, "hi"))))), true, capture.GTPU, 1},
		{"GTP-U, other user", gtp(1), gtp(2), false, capture.GTPU, 1},
		{"GTP-U, other gateway", gtp(1), other(gtp(1)), false, capture.GTPU, 1},
		{"tunnel and none", ip4(4, inner), inner, false, capture.IPinIP, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var d capture.Decoder
			var p, q capture.Packet
			if !d.Decode(&capture.Frame{Link: 101, Data: tt.a}, &p) || p.Outer == nil {
				t.Fatal("not decoded")
			}
			if p.Outer.Kind != tt.kind || p.Outer.ID != tt.id || p.Outer.From[0] != 10 || p.Outer.Kind.String() == "" {
				t.Errorf("outer %+v", *p.Outer)
			}
			if !d.Decode(&capture.Frame{Link: 101, Data: tt.b}, &q) || (p.Key == q.Key) != tt.same {
				t.Errorf("%+v and %+v", p.Key, q.Key)
			}
		})
	}
}

// unlikeGeneral says how the packet of an Ethernet frame differs from what the
// general way makes of it, which a link with four bytes before the frame takes.
func unlikeGeneral(f *capture.Frame, p *capture.Packet, ok bool) string {
	var d capture.Decoder
	var q capture.Packet
	g := *f
	g.Link, g.Data, g.Length = 282, cat(make([]byte, 4), f.Data), f.Length+4
	if f.Length > capture.MaxPacket-4 {
		return "" // four bytes more would be cut
	}
	if d.Decode(&g, &q) != ok {
		return fmt.Sprintf("decoded %v, and %v in general", ok, !ok)
	}
	if one, other := fmt.Sprintf("%+v", *p), fmt.Sprintf("%+v", q); ok && (p.Outer == nil) != (q.Outer == nil) || ok && p.Outer == nil && one != other {
		return fmt.Sprintf("%s, and in general %s", one, other)
	}
	return ""
}

// The short way that plain packets take gives what the general way gives,
// whatever bytes of their heads are changed or cut off.
func TestDecoder_plainPackets(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	used := capture.Packet{Reverse: true, TTL: 1, Flags: 2, Window: 3, Seq: 4, ICMP: 5, Length: 6, Payload: []byte("x"), Outer: &capture.Outer{}}
	used.Key.A[4], used.Key.B[15], used.Key.Tunnel, used.Key.VLAN, used.Key.IPv6 = 1, 2, 3, 4, true
	decoded := 0
	for i := range 15_000 {
		b := ether(0x800, ip4(6, cat(tcp(0x18), make([]byte, 30))))
		if i%2 == 0 {
			b = ether(0x800, ip4(17, udp(53, 9999, strings.Repeat("y", 50))))
		}
		if i%3 == 0 {
			b = ether(0x800, ip4(17, udp(9, 4789, "\x08\x00\x00\x00\x00\x00\x07\x00"+string(b))))
		}
		if i%7 == 0 {
			copy(b[30:34], b[26:30])
		}
		if i%14 == 0 { // to itself
			copy(b[36:38], b[34:36])
		}
		for range r.IntN(3) {
			b[12+r.IntN(40)] = byte(r.Uint32() >> (8 * r.IntN(2)) & 0xff)
		}
		if i%5 == 0 {
			b = b[:r.IntN(len(b)+1)]
		}
		f := capture.Frame{Number: 1, Time: 2, Link: 1, Length: uint32(len(b)), Data: b}
		var d capture.Decoder
		p := used
		ok := d.Decode(&f, &p)
		if why := unlikeGeneral(&f, &p, ok); why != "" {
			t.Fatalf("%x: %s", b, why)
		}
		if ok {
			decoded++
		}
	}
	if decoded < 3_000 {
		t.Errorf("only %d were decoded", decoded)
	}
}

func FuzzDecoder(f *testing.F) {
	f.Add(uint16(1), ether(0x8100, cat(be(5, 0x800), ip4(6, tcp(2)))), uint32(70))
	f.Add(uint16(101), ip6(44, cat([]byte{17, 0}, be(1), []byte{0, 0, 0, 5}, udp(5, 4789, "\x08\x00\x00\x00\x00\x00\x07\x00"))), uint32(60))
	f.Add(uint16(1), ether(0x800, ip4(6, tcp(0x18))), uint32(54))
	f.Add(uint16(1), ether(0x800, ip4(17, udp(53, 9, "a longer payload"))), uint32(60))
	f.Add(uint16(113), cat(make([]byte, 14), be(0x800), ip4(47, cat(be(0, 0x86dd), ip6(1, nil)))), uint32(60))
	for _, b := range corpus(f, "malformed", "encap", "linktypes") {
		var fr capture.Frame
		if r, err := capture.NewReader(bytes.NewReader(b)); err == nil && r.Next(&fr) == nil {
			f.Add(fr.Link, bytes.Clone(fr.Data), fr.Length)
		}
	}
	f.Fuzz(func(t *testing.T, link uint16, data []byte, length uint32) {
		var d capture.Decoder
		fr := capture.Frame{Link: link, Data: data[:min(len(data), capture.MaxPacket)], Length: length}
		var p, q capture.Packet
		first := d.Decode(&fr, &p)
		skipped := int64(0)
		for _, n := range d.Skipped() {
			skipped += n
		}
		if (skipped == 0) != first || skipped > 1 {
			t.Fatalf("decoded %v, skipped %v", first, d.Skipped())
		}
		if link == 1 {
			if why := unlikeGeneral(&fr, &p, first); why != "" {
				t.Fatal(why)
			}
		}
		if !first {
			return
		}
		if p.Bytes < 20 || p.Bytes > capture.MaxPacket || p.Length > p.Bytes || len(p.Payload) > len(data) || uint32(len(p.Payload)) > p.Bytes {
			t.Fatalf("%+v of %d bytes", p, len(data))
		}
		if a, b := p.Key.A, p.Key.B; slices.Compare(a[:], b[:]) > 0 || a == b && p.Key.PortA > p.Key.PortB {
			t.Fatalf("ends out of order: %+v", p.Key)
		}
		if !d.Decode(&fr, &q) || q.Key != p.Key || q.Bytes != p.Bytes {
			t.Fatalf("%+v, then %+v", p, q)
		}
	})
}
