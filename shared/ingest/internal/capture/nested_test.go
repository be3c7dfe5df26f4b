package capture_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"cloister/shared/ingest/internal/capture"
)

// layer wraps a packet in another; inner is 4 or 6 for an IP packet, 2 for an
// Ethernet frame.
type layer struct {
	name    string
	takes   int // what it wraps
	makes   int // what comes of it
	tunnel  capture.TunnelKind
	wrap    func(id uint16, b []byte) []byte
	vlan    bool
	hasID   bool
	counted bool // among the eight nested IP heads
}

func ipType(b []byte) uint16 {
	if b[0]>>4 == 6 {
		return 0x86dd
	}
	return 0x800
}

// layers are the ways to nest a packet. Those that take 4 take IPv6 as well.
var layers = []layer{
	{name: "Ethernet", takes: 4, makes: 2, wrap: func(_ uint16, b []byte) []byte { return ether(ipType(b), b) }},
	{name: "VLAN", takes: 4, makes: 2, vlan: true, wrap: func(id uint16, b []byte) []byte { return ether(0x8100, cat(be(id, ipType(b)), b)) }},
	{name: "QinQ", takes: 4, makes: 2, vlan: true, wrap: func(id uint16, b []byte) []byte { return ether(0x88a8, cat(be(id, ipType(b)), b)) }},
	{name: "MPLS", takes: 4, makes: 2, wrap: func(_ uint16, b []byte) []byte { return ether(0x8847, cat([]byte{0, 1, 0, 9, 0, 2, 1, 9}, b)) }},
	{name: "PPPoE", takes: 4, makes: 2, wrap: func(_ uint16, b []byte) []byte {
		proto := uint16(0x21)
		if b[0]>>4 == 6 {
			proto = 0x57
		}
		return ether(0x8864, cat([]byte{0x11, 0, 0, 9}, be(uint16(len(b)+2), proto), b))
	}},
	{name: "IP in IP", takes: 4, makes: 4, tunnel: capture.IPinIP, counted: true, wrap: func(_ uint16, b []byte) []byte {
		if b[0]>>4 == 6 {
			return ip4(41, b)
		}
		return ip4(4, b)
	}},
	{name: "GRE", takes: 4, makes: 4, tunnel: capture.GRE, counted: true, wrap: func(_ uint16, b []byte) []byte { return ip4(47, cat(be(0, ipType(b)), b)) }},
	{name: "GRE with key", takes: 4, makes: 4, tunnel: capture.GRE, hasID: true, counted: true, wrap: func(id uint16, b []byte) []byte { return ip4(47, cat(be(0x2000, ipType(b), 0, id), b)) }},
	{name: "GRE over IPv6", takes: 4, makes: 4, tunnel: capture.GRE, counted: true, wrap: func(_ uint16, b []byte) []byte { return ip6(47, cat(be(0, ipType(b)), b)) }},
	{name: "GTP-U", takes: 4, makes: 4, tunnel: capture.GTPU, hasID: true, counted: true, wrap: func(id uint16, b []byte) []byte {
		return ip4(17, udp(2152, 2152, string(cat([]byte{0x30, 255}, be(uint16(len(b)), 0, id), b))))
	}},
	{name: "VXLAN", takes: 2, makes: 4, tunnel: capture.VXLAN, hasID: true, counted: true, wrap: func(id uint16, b []byte) []byte {
		return ip4(17, udp(9, 4789, string(cat([]byte{8, 0, 0, 0, 0}, be(id), []byte{0}, b))))
	}},
	{name: "Geneve", takes: 2, makes: 4, tunnel: capture.Geneve, hasID: true, counted: true, wrap: func(id uint16, b []byte) []byte {
		return ip6(17, udp(9, 6081, string(cat([]byte{0, 0, 0x65, 0x58, 0}, be(id), []byte{0}, b))))
	}},
	{name: "EtherIP", takes: 2, makes: 4, tunnel: capture.EtherIP, counted: true, wrap: func(_ uint16, b []byte) []byte { return ip4(97, cat([]byte{0x30, 0}, b)) }},
}

// However a packet is wrapped, the flow is that of the innermost one, with the
// two innermost VLAN ids and the innermost tunnel as context; more than eight
// IP heads are refused by name.
func TestDecoder_nestedInAnyWay(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	decoded, refused := 0, 0
	for range 5000 {
		b := ip4(17, udp(5, 6, "hi"))
		if r.IntN(2) == 0 {
			b = ip6(6, tcp(0x18))
		}
		kind, heads, names := 4, 1, []string{"UDP over IPv4"}
		if b[0]>>4 == 6 {
			names[0] = "TCP over IPv6"
		}
		inner := bytes.Clone(b)
		var vlans []uint32
		var outer capture.TunnelKind
		var id uint32
		hasID := false
		for range r.IntN(14) {
			l := layers[r.IntN(len(layers))]
			if l.takes != kind || len(b) > 1200 {
				continue
			}
			n := uint16(1 + r.IntN(4000))
			b, kind = l.wrap(n, b), l.makes
			names = append(names, l.name)
			if l.vlan {
				vlans = append(vlans, uint32(n))
			}
			if l.counted {
				heads++
			}
			if outer == capture.NoTunnel && l.tunnel != capture.NoTunnel {
				outer, id, hasID = l.tunnel, uint32(n), l.hasID
				if l.name == "IP in IP" && inner[0]>>4 == 6 {
					outer = capture.SixInFour
				}
			}
		}
		link := uint16(101)
		if kind == 2 {
			link = 1
		}
		var d capture.Decoder
		var p capture.Packet
		ok := d.Decode(&capture.Frame{Link: link, Length: uint32(len(b)), Data: b}, &p)
		what := strings.Join(names, " < ")
		if heads > 8 {
			// The outermost eight are walked; then the innermost of them counts.
			refused++
			continue
		}
		if !ok {
			t.Fatalf("%s: %v", what, d.Skipped())
		}
		decoded++
		wantKey, wantBytes := "17 5>6", uint32(len(inner))
		if inner[0]>>4 == 6 {
			var alone capture.Packet
			var e capture.Decoder
			e.Decode(&capture.Frame{Link: 101, Length: uint32(len(inner)), Data: inner}, &alone)
			wantKey = fmt.Sprintf("6 %d>%d", alone.Key.PortA, alone.Key.PortB)
		}
		if got := fmt.Sprintf("%d %d>%d", p.Key.Protocol, p.Key.PortA, p.Key.PortB); got != wantKey || p.Bytes != wantBytes || p.Key.IPv6 != (inner[0]>>4 == 6) {
			t.Fatalf("%s: got %s of %d bytes, want %s of %d", what, got, p.Bytes, wantKey, wantBytes)
		}
		wantVLAN := uint32(0)
		for i := min(len(vlans), 2) - 1; i >= 0; i-- { // the innermost was wrapped first
			wantVLAN = wantVLAN<<16 | vlans[i]
		}
		if p.Key.VLAN != wantVLAN {
			t.Fatalf("%s: VLAN %x, want %x", what, p.Key.VLAN, wantVLAN)
		}
		switch {
		case (p.Outer == nil) != (outer == capture.NoTunnel) || (p.Key.Tunnel == 0) != (outer == capture.NoTunnel):
			t.Fatalf("%s: outer %+v", what, p.Outer)
		case p.Outer != nil && (p.Outer.Kind != outer || p.Outer.HasID != hasID || hasID && p.Outer.ID != id):
			t.Fatalf("%s: outer %+v, want %v %d", what, *p.Outer, outer, id)
		}
	}
	if decoded < 4000 {
		t.Errorf("%d decoded, %d too deep", decoded, refused)
	}
}

// Whatever of a packet is missing or changed, it is decoded or counted once
// under a reason, and what is decoded has its ends in order.
func TestDecoder_damagedAnywhere(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 16))
	tries := 0
	try := func(link uint16, b []byte, what string, i int) {
		tries++
		var d capture.Decoder
		var p capture.Packet
		ok := d.Decode(&capture.Frame{Link: link, Length: uint32(len(b)), Data: b}, &p)
		left := int64(0)
		for _, n := range d.Skipped() {
			left += n
		}
		if ok != (left == 0) || left > 1 || ok && bytes.Compare(p.Key.A[:], p.Key.B[:]) > 0 || len(p.Payload) > len(b) {
			t.Fatalf("%s, at %d: decoded %v, %v, %+v", what, i, ok, d.Skipped(), p)
		}
	}
	for _, seed := range corpus(t, "linktypes", "encap") {
		rd, err := capture.NewReader(bytes.NewReader(seed))
		var f capture.Frame
		for n := 0; err == nil && n < 2; n++ {
			if err = rd.Next(&f); err != nil {
				break
			}
			for i := range min(len(f.Data), 120) {
				try(f.Link, f.Data[:i], "cut", i)
				b := bytes.Clone(f.Data)
				b[i] ^= 1 << r.IntN(8)
				try(f.Link, b, "flipped", i)
			}
		}
	}
	if tries < 5000 {
		t.Errorf("%d tries", tries)
	}
}
