package capture

// UDP ports of tunnels.
const (
	portGTPU      = 2152
	portTeredo    = 3544
	portGRE       = 4754
	portVXLAN     = 4789
	portVXLANGPE  = 4790
	portGeneve    = 6081
	portMPLS      = 6635
	portVXLANElse = 8472 // of Linux before RFC 7348
)

// TunnelKind says what a packet was carried in.
type TunnelKind uint8

// The kinds of tunnel.
const (
	NoTunnel TunnelKind = iota
	IPinIP
	SixInFour
	GRE
	ERSPAN
	VXLAN
	Geneve
	GTPU
	Teredo
	MPLSinUDP
	EtherIP
)

// String returns the name for people.
func (k TunnelKind) String() string {
	return [...]string{"", "IP in IP", "6in4", "GRE", "ERSPAN", "VXLAN", "Geneve", "GTP-U", "Teredo", "MPLS in UDP", "EtherIP"}[k]
}

// Outer is what carried a packet: the innermost tunnel around it.
type Outer struct {
	Kind     TunnelKind
	HasID    bool
	ID       uint32 // VNI, GRE key, ERSPAN session, TEID
	From, To [16]byte
	IPv6     bool
	key      uint64 // of the tunnels around this one
}

// flowKey returns what of the tunnel tells flows apart, never 0. Rule:
//
//   - VXLAN, Geneve, ERSPAN and GRE with a key: kind and id. Two tenants with
//     equal addresses stay apart, and a host that moves keeps its flows.
//   - Teredo: the kind alone. Its addresses are unique in the world, and a
//     relay may answer from another address.
//   - GTP-U: kind, both ends, and the bearer, a pair of TEIDs of which each
//     direction has one: see bearers.
//   - all others: kind and both ends, in either order.
//
// It is a hash of 64 bits (FNV-1a): two tunnels of one capture collide with a
// chance below 10^-9 up to 100,000 tunnels.
func (o *Outer) flowKey() uint64 {
	h := startHash.number(o.key).byte(byte(o.Kind))
	switch {
	case o.Kind == Teredo:
	case o.HasID && o.Kind != GTPU:
		h = h.number(uint64(o.ID))
	default:
		a, b := &o.From, &o.To
		for i := range a {
			if a[i] != b[i] {
				if a[i] > b[i] {
					a, b = b, a
				}
				break
			}
		}
		h = h.end(a).end(b)
	}
	return max(uint64(h), 1)
}

// hash is FNV-1a of 64 bits.
type hash uint64

const startHash hash = 14695981039346656037

func (h hash) byte(b byte) hash { return (h ^ hash(b)) * 1099511628211 }

func (h hash) number(v uint64) hash {
	for i := range 8 {
		h = h.byte(byte(v >> (8 * i)))
	}
	return h
}

func (h hash) end(a *[16]byte) hash {
	for _, c := range a {
		h = h.byte(c)
	}
	return h
}

// carried is what a tunnel holds: ether is 0 for no tunnel.
type carried struct {
	kind  TunnelKind
	ether uint16
	rest  []byte
	hasID bool
	id    uint32
}

// tunnelPorts reports whether UDP between two ports may be a tunnel by them.
func tunnelPorts(from, to uint16) bool {
	switch to {
	case portVXLAN, portVXLANElse, portVXLANGPE, portGeneve, portGTPU, portGRE, portMPLS, portTeredo:
		return true
	}
	return from == portTeredo
}

// tunnel takes the head of a tunnel off the payload of a transport. A port
// alone does not make a tunnel: the fixed bits of its head have to be there,
// and the caller takes the outer packet when the inside is no IP packet.
func tunnel(protocol uint8, from, to uint16, b []byte) carried {
	switch protocol {
	case protoIPIP:
		return carried{kind: IPinIP, ether: etherIPv4, rest: b}
	case protoIPv6:
		return carried{kind: SixInFour, ether: etherIPv6, rest: b}
	case protoGRE:
		return gre(b)
	case protoEtherIP:
		if len(b) >= 2 && b[0] == 0x30 && b[1] == 0 { // RFC 3378
			return carried{kind: EtherIP, ether: etherTEB, rest: b[2:]}
		}
	case protoMPLS:
		return carried{kind: MPLSinUDP, ether: etherMPLS, rest: b}
	case UDP:
		switch to {
		case portVXLAN, portVXLANElse:
			return vxlan(b)
		case portVXLANGPE:
			return vxlanGPE(b)
		case portGeneve:
			return geneve(b)
		case portGTPU:
			return gtpu(b)
		case portGRE: // RFC 8086
			return gre(b)
		case portMPLS: // RFC 7510
			return carried{kind: MPLSinUDP, ether: etherMPLS, rest: b}
		}
		if to == portTeredo || from == portTeredo {
			return teredo(b)
		}
		if len(b) >= 40 && b[0]>>4 == 6 && int(be16(b[4:])) == len(b)-40 && (be32(b[8:]) == teredoPrefix || be32(b[24:]) == teredoPrefix) {
			return carried{kind: Teredo, ether: etherIPv6, rest: b} // between clients and relays, on ports of their own
		}
	}
	return carried{}
}

// gre reads RFC 2784 and 2890, version 1 of PPTP (RFC 2637, section 4.1), and
// the copies of frames that switches send in it (ERSPAN types I, II and III).
func gre(b []byte) carried {
	if len(b) < 4 {
		return carried{}
	}
	bits, ether := be16(b), be16(b[2:])
	c := carried{kind: GRE, ether: ether}
	size := 4
	if bits&0x8000 != 0 { // checksum
		size += 4
	}
	key := size
	if bits&0x2000 != 0 {
		size += 4
	}
	if bits&0x1000 != 0 { // sequence
		size += 4
	}
	switch bits & 7 {
	case 0:
		if bits&0x4000 != 0 { // source routes of RFC 1701
			return carried{}
		}
	case 1:
		if bits&0x0080 != 0 { // acknowledgement
			size += 4
		}
	default:
		return carried{}
	}
	if len(b) < size {
		return carried{}
	}
	// In version 1 the key holds a length and a call, one for each direction.
	if bits&0x2000 != 0 && bits&7 == 0 {
		c.hasID, c.id = true, be32(b[key:])
	}
	c.rest = b[size:]
	if ether == 0x9000 || ether >= 0x8200 && ether <= 0x8210 { // 802.11 frames of Aruba's access points
		inner, rest, why := wireless(c.rest, false)
		if why != decoded {
			return carried{}
		}
		c.ether, c.rest = inner, rest
		return c
	}
	switch ether {
	case etherSPAN2, etherSPAN3:
		return erspan(c, bits&0x1000 != 0)
	case etherWCCP: // version 2 has a head of its own
		c.ether = etherIPv4
		if len(c.rest) >= 4 && c.rest[0]>>4 != 4 {
			c.rest = c.rest[4:]
		}
	}
	return c
}

// erspan reads draft-foschiano-erspan, sections 4.1 to 4.3: type I has no head,
// type II one of 8 bytes, type III one of 12 and, if its last bit says so, 8.
func erspan(c carried, sequenced bool) carried {
	b := c.rest
	size := 0
	switch {
	case c.ether == etherSPAN3:
		size = 12
		if len(b) >= 12 && b[11]&1 != 0 {
			size = 20
		}
	case sequenced:
		size = 8
	}
	if len(b) < size {
		return carried{}
	}
	c.kind, c.ether, c.rest = ERSPAN, etherTEB, b[size:]
	c.hasID, c.id = size > 0, 0
	if size > 0 {
		c.id = uint32(be16(b[2:]) & 0x3ff)
	}
	return c
}

// vxlan reads RFC 7348, section 5.
func vxlan(b []byte) carried {
	if len(b) < 8 || b[0] != 0x08 || b[7] != 0 {
		return carried{}
	}
	return carried{kind: VXLAN, ether: etherTEB, rest: b[8:], hasID: true, id: be32(b[4:]) >> 8}
}

// vxlanGPE reads draft-ietf-nvo3-vxlan-gpe, section 3.
func vxlanGPE(b []byte) carried {
	if len(b) < 8 || b[0]&0x0c != 0x0c || b[7] != 0 {
		return carried{}
	}
	c := carried{kind: VXLAN, rest: b[8:], hasID: true, id: be32(b[4:]) >> 8}
	switch b[3] {
	case 1:
		c.ether = etherIPv4
	case 2:
		c.ether = etherIPv6
	case 3:
		c.ether = etherTEB
	case 5:
		c.ether = etherMPLS
	}
	return c
}

// geneve reads RFC 8926, section 3.4.
func geneve(b []byte) carried {
	if len(b) < 8 || b[0]>>6 != 0 {
		return carried{}
	}
	size := 8 + int(b[0]&0x3f)*4
	if len(b) < size {
		return carried{}
	}
	return carried{kind: Geneve, ether: be16(b[2:]), rest: b[size:], hasID: true, id: be32(b[4:]) >> 8}
}

// gtpu reads packets of users in GTP version 1: 3GPP TS 29.281, section 5.1.
func gtpu(b []byte) carried {
	if len(b) < 8 || b[0]>>5 != 1 || b[0]&0x10 == 0 || b[1] != 255 {
		return carried{}
	}
	flags, id, next := b[0], be32(b[4:]), uint8(0)
	b = b[8:]
	if flags&7 != 0 { // sequence, N-PDU number, next extension
		if len(b) < 4 {
			return carried{}
		}
		if flags&4 != 0 {
			next = b[3]
		}
		b = b[4:]
	}
	for range maxHeaders {
		if next == 0 {
			break
		}
		if len(b) < 4 || b[0] == 0 || len(b) < int(b[0])*4 {
			return carried{}
		}
		size := int(b[0]) * 4
		next, b = b[size-1], b[size:]
	}
	ether, rest, why := version(b)
	if why != decoded {
		return carried{}
	}
	return carried{kind: GTPU, ether: ether, rest: rest, hasID: true, id: id}
}

// teredoPrefix starts the addresses of RFC 4380, section 2.6.
const teredoPrefix = 0x20010000

// teredo reads RFC 4380, section 5.1.1: authentication and origin indication
// may stand before the IPv6 packet.
func teredo(b []byte) carried {
	if len(b) >= 13 && b[0] == 0 && b[1] == 1 {
		size := 13 + int(b[2]) + int(b[3])
		if len(b) < size {
			return carried{}
		}
		b = b[size:]
	}
	if len(b) >= 8 && b[0] == 0 && b[1] == 0 {
		b = b[8:]
	}
	if len(b) < 40 || b[0]>>4 != 6 {
		return carried{}
	}
	return carried{kind: Teredo, ether: etherIPv6, rest: b}
}
