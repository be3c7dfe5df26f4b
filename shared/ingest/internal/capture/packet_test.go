package capture_test

import (
	"encoding/binary"
	"fmt"
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
		{"PPP control", 9, []byte{0xc0, 0x21, 1, 1}, "not IP (ARP, LLDP and the like)"},
		{"Cisco HDLC", 104, cat([]byte{0x0f, 0}, be(0x800), four), four4},
		{"cooked", 113, cat(make([]byte, 14), be(0x800), four), four4},
		{"cooked 2", 276, cat(be(0x86dd), make([]byte, 18), six), six6},
		{"802.11", 105, four, "IEEE 802.11 is not read"},
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
	step("late first", ip4Fragment(17, 7, 1, []byte("more")), orphan)
	step("first", ip4Fragment(17, 7, 0x2000, udp(5, 6, "hi")), `17 10.1:5>10.2:6 30/2 "hi" true`)
	step("middle", ip4Fragment(17, 7, 0x2001, []byte("12345678")), `17 10.1:5>10.2:6 28/0 "" false`)
	step("last", ip4Fragment(17, 7, 2, []byte("more")), `17 10.1:5>10.2:6 24/0 "" false`)
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

func FuzzDecoder(f *testing.F) {
	f.Add(uint16(1), ether(0x8100, cat(be(5, 0x800), ip4(6, tcp(2)))), uint32(70))
	f.Add(uint16(101), ip6(44, cat([]byte{17, 0}, be(1), []byte{0, 0, 0, 5}, udp(5, 4789, "\x08\x00\x00\x00\x00\x00\x07\x00"))), uint32(60))
	f.Add(uint16(113), cat(make([]byte, 14), be(0x800), ip4(47, cat(be(0, 0x86dd), ip6(1, nil)))), uint32(60))
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
