package capture

import (
	"bytes"
	"encoding/binary"
)

// Protocol numbers.
const (
	ICMP   = 1 // of IPv4
	TCP    = 6
	UDP    = 17
	ICMPv6 = 58
	SCTP   = 132

	protoIPIP    = 4
	protoIPv6    = 41
	protoGRE     = 47
	protoEtherIP = 97
	protoMPLS    = 137
)

// Key says which packets belong together in both directions. A is the lower
// end: by address, then by port. IPv4 addresses take the first four bytes.
//
// The fields leave no gaps, so that a key is compared and hashed in one go.
type Key struct {
	A, B         [16]byte
	Tunnel       uint64 // tells tunnels apart, 0 without: see Outer
	VLAN         uint32 // the innermost two ids, 0 without
	PortA, PortB uint16 // 0 except for TCP, UDP and SCTP
	Protocol     uint8
	IPv6         bool
}

// Packet is what a flow needs of one packet. With a tunnel it is the inner
// packet. Lengths come from the IP head and not from what was captured, so
// that neither padding nor snapping changes them.
type Packet struct {
	Key     Key
	Reverse bool  // from Key.B to Key.A
	Number  int64 // as [Frame.Number]
	Time    int64 // as [Frame.Time]
	Bytes   uint32
	TTL     uint8 // IPv6: hop limit
	Flags   uint8 // of TCP
	Window  uint16
	Seq     uint32
	ICMP    uint16 // type x 256 + code
	Head    bool   // the transport head is here: false for a later fragment
	Length  uint32 // of the transport's payload
	Payload []byte // what was captured of it, valid as long as the frame's data
	Outer   *Outer // the innermost tunnel, nil without; valid until the next call of Decode
}

// reason says why a packet gave nothing.
type reason uint8

const (
	decoded reason = iota
	badLink
	notIP
	short
	malformed
	tooDeep
	orphan
	carrier
	encrypted
	reasons
)

var reasonNames = [reasons]string{
	notIP:     "packet left out: not IP (ARP, LLDP and the like)",
	short:     "packet left out: captured too short for its headers",
	malformed: "packet left out: malformed IP header",
	tooDeep:   "packet left out: more than 8 nested headers",
	orphan:    "packet left out: fragment whose first part was not seen",
	carrier:   "packet left out: later fragment of a tunnel's outer packet, counted with the inner one",
	encrypted: "packet left out: encrypted IEEE 802.11 frame",
}

// maxHeaders bounds each chain: tags before IP, extension headers, tunnels.
const maxHeaders = 8

// maxFragments is how many fragmented packets are remembered; the oldest is
// forgotten first.
const maxFragments = 4096

// Decoder walks the headers of packets. The zero value is ready. It is not
// safe for concurrent use.
//
// Rule for fragments: the first one carries the ports and is remembered by
// addresses, protocol, VLAN, tunnel and id; later ones join its flow with
// their own IP length and are counted in Joined. Those that come before the
// first one are held, at most 256 of at most 1 MiB together, and join when it
// comes: see Early. Others are left out and counted. Nothing is put together,
// so a payload ends with the first fragment.
//
// Rule for tunnels (GRE, ERSPAN, IP in IP, 6in4, EtherIP, VXLAN, Geneve, GTP-U,
// Teredo, MPLS in UDP): the inner packet counts, if there is an IP packet
// inside; otherwise the outer. What tells tunnels apart is in [Outer], and
// how the two directions of GTP-U find each other in bearers.
//
// Rule for duplicates: a packet that was captured twice counts twice. The file
// does not say whether a copy came from a mirror port or from the wire; copies
// of TCP segments show as retransmissions.
type Decoder struct {
	skipped   [reasons]int64
	links     map[uint16]int64
	fragments map[fragment]owner
	ring      []fragment
	oldest    int
	joined    int64
	outer     Outer
	bearers   bearers
	held      held
	frame     *Frame // of this call
}

// fragment identifies the fragments of one packet.
type fragment struct {
	from, to [16]byte
	tunnel   uint64
	id, vlan uint32
	protocol uint8
}

// owner is the flow of a fragmented packet.
type owner struct {
	key     Key
	outer   *Outer
	reverse bool
	carrier bool
}

// Decode fills p from f and reports whether there was an IP packet. What was
// left out is counted in Skipped. It costs O(headers) and keeps nothing of f
// but the ports of fragmented packets and held fragments. When f is the first
// fragment of a packet of which later ones are held, f and p become the
// earliest of these, and Early gives the others and f: call it until it
// reports false.
func (d *Decoder) Decode(f *Frame, p *Packet) bool {
	if f.Link == linkEthernet && d.plain(f, p) {
		return true
	}
	*p = Packet{Number: f.Number, Time: f.Time}
	d.frame = f
	ether, rest, why := link(f.Link, f.Data)
	if why == decoded {
		wire := int(min(f.Length, MaxPacket)) - (len(f.Data) - len(rest))
		why = d.walk(ether, rest, max(wire, len(rest)), p, 0)
	}
	if why == badLink {
		if d.links == nil {
			d.links = map[uint16]int64{}
		}
		d.links[f.Link]++
	}
	d.skipped[why]++
	if len(d.held.ready) > 0 {
		d.held.ready = append(d.held.ready, early{frame: *f, packet: *p})
		return d.Early(f, p) // the first fragment was decoded: it released them
	}
	return why == decoded
}

// Fill reads at most len(dst) packets of r into dst, those that Decode and Early
// give, and returns how many these are, 0 when all that it read was left out.
// They are valid until the next call, all of them, so it stops early where r has
// to read on, and behind a packet inside a tunnel. f is what Decode would be
// given. The error is that of [Reader.Next]; there are no packets beside it.
func (d *Decoder) Fill(r *Reader, f *Frame, dst []Packet) (n int, err error) {
	for range dst {
		p := &dst[n]
		ok := d.Early(f, p)
		if !ok {
			if n == 0 {
				err = r.Next(f)
			} else if !r.nextAhead(f) {
				break
			}
			if err != nil {
				return 0, err
			}
			ok = d.Decode(f, p)
		}
		if ok {
			if n++; p.Outer != nil {
				break
			}
		}
	}
	return n, nil
}

// plain is Decode of the most usual packet: TCP or UDP over IPv4 without
// options over Ethernet without tags, whole, and on no port of a tunnel. It
// reports false for any other and leaves it to the general way, which gives
// the same.
func (d *Decoder) plain(f *Frame, p *Packet) bool {
	b := f.Data
	if len(b) < 14+20+20 || b[12] != 0x08 || b[13] != 0 || b[14] != 0x45 || b[20]&0x3f != 0 || b[21] != 0 {
		return false
	}
	total := int(be16(b[16:]))
	from, to := be16(b[34:]), be16(b[36:])
	head := 8
	switch b[23] {
	case TCP:
		head = int(b[46]>>4) * 4
		if total < 20+20 {
			return false
		}
		p.Seq, p.Flags, p.Window = be32(b[38:]), b[47], be16(b[48:])
	case UDP:
		if total < 20+8 || tunnelPorts(from, to) || len(b) >= 42+40 && b[42]>>4 == 6 {
			return false
		}
		p.Seq, p.Flags, p.Window = 0, 0, 0
	default:
		return false
	}
	p.Number, p.Time = f.Number, f.Time
	p.Bytes, p.TTL, p.ICMP, p.Head, p.Outer = uint32(total), b[22], 0, true, nil
	p.Length = uint32(max(total-20-head, 0))
	end := min(14+total, len(b))
	p.Payload = b[min(34+head, end):end]
	k := &p.Key
	k.Tunnel, k.VLAN, k.Protocol, k.IPv6 = 0, 0, b[23], false
	// Which end is the lower one is a toss, so that no branch depends on it.
	source := uint64(be32(b[26:]))<<16 | uint64(from)
	target := uint64(be32(b[30:]))<<16 | uint64(to)
	low, high := min(source, target), max(source, target)
	p.Reverse = source > target
	k.PortA, k.PortB = uint16(low), uint16(high)
	be := binary.BigEndian
	be.PutUint64(k.A[:], low>>16<<32)
	be.PutUint64(k.A[8:], 0)
	be.PutUint64(k.B[:], high>>16<<32)
	be.PutUint64(k.B[8:], 0)
	d.skipped[decoded]++
	return true
}

// Joined returns how many later fragments were counted with the flow of their
// first one.
func (d *Decoder) Joined() int64 { return d.joined }

// Skipped returns how many packets were left out so far, by reason. The map is
// a copy.
func (d *Decoder) Skipped() map[string]int64 {
	out := map[string]int64{}
	for why, name := range reasonNames {
		if n := d.skipped[why]; n > 0 && name != "" {
			out[name] = n
		}
	}
	for link, n := range d.links {
		out["packet left out: "+LinkName(link)+" is not read"] += n
	}
	return out
}

// walk goes from an EtherType to the transport. wire is the length of b before
// the capture cut it.
func (d *Decoder) walk(ether uint16, b []byte, wire int, p *Packet, depth int) reason {
	if depth == maxHeaders {
		return tooDeep
	}
	ether, rest, why := tags(ether, b, &p.Key.VLAN)
	if why != decoded {
		return why
	}
	wire -= len(b) - len(rest)
	var h ipHead
	if ether == etherIPv4 {
		why = h.four(rest, wire)
	} else {
		why = h.six(rest, wire)
	}
	if why != decoded {
		return why
	}
	return d.transport(&h, p, depth)
}

// ipHead is an IP head with its extensions.
type ipHead struct {
	from, to    [16]byte
	v6          bool // IPv6
	protocol    uint8
	ttl         uint8
	total       int    // bytes of the IP packet
	length      int    // bytes behind the heads
	body        []byte // what was captured of them
	id          uint32
	first, late bool // fragments
}

func (h *ipHead) four(b []byte, wire int) reason {
	if len(b) < 20 {
		return short
	}
	head, total := int(b[0]&15)*4, int(be16(b[2:]))
	if total == 0 { // left to the network card to fill in
		total = wire
	}
	if b[0]>>4 != 4 || head < 20 || total < head {
		return malformed
	}
	if len(b) < head {
		return short
	}
	copy(h.from[:], b[12:16])
	copy(h.to[:], b[16:20])
	h.ttl, h.protocol = b[8], b[9]
	h.total, h.length, h.body = total, total-head, b[head:min(total, len(b))]
	h.id = uint32(be16(b[4:]))
	word := be16(b[6:])
	h.late = word&0x1fff != 0
	h.first = !h.late && word&0x2000 != 0
	return decoded
}

func (h *ipHead) six(b []byte, wire int) reason {
	if len(b) < 40 {
		return short
	}
	if b[0]>>4 != 6 {
		return malformed
	}
	copy(h.from[:], b[8:24])
	copy(h.to[:], b[24:40])
	h.v6, h.protocol, h.ttl = true, b[6], b[7]
	h.total = int(be16(b[4:])) + 40
	if h.total == 40 && h.protocol != 59 && wire > 40 {
		h.total = wire // a jumbogram, or left to the network card
	}
	h.length, h.body = h.total-40, b[40:min(h.total, len(b))]
	for range maxHeaders {
		size := 8
		switch h.protocol {
		case 0, 43, 60, 135, 139, 140:
			if len(h.body) >= 2 {
				size += int(h.body[1]) * 8
			}
		case 51:
			if len(h.body) >= 2 {
				size += int(h.body[1]) * 4
			}
		case 44:
		default:
			return decoded
		}
		switch {
		case h.length < size:
			return malformed
		case len(h.body) < size:
			return short
		}
		if h.protocol == 44 {
			word := be16(h.body[2:])
			h.late = word&0xfff8 != 0
			h.first = !h.late && word&1 == 1
			h.id = be32(h.body[4:])
		}
		h.protocol = h.body[0]
		h.length, h.body = h.length-size, h.body[size:]
		if h.late {
			return decoded
		}
	}
	return tooDeep
}

// transport fills p from what is behind an IP head.
func (d *Decoder) transport(h *ipHead, p *Packet, depth int) reason {
	p.Bytes, p.TTL = uint32(h.total), h.ttl
	if h.late {
		name := h.fragment(p)
		o, ok := d.fragments[name]
		switch {
		case !ok:
			d.held.hold(name, d.frame, p)
			return orphan
		case o.carrier:
			return carrier
		}
		p.Key, p.Reverse, p.Outer = o.key, o.reverse, o.outer
		d.joined++
		return decoded
	}
	var from, to uint16
	b, head := h.body, 0
	switch h.protocol {
	case TCP, UDP, SCTP:
		switch {
		case h.length < 4:
			return malformed
		case len(b) < 4:
			return short
		}
		from, to = be16(b), be16(b[2:])
		head = 8
		switch {
		case h.protocol == SCTP:
			head = 12
		case h.protocol == TCP && len(b) >= 16:
			head = int(b[12]>>4) * 4
			p.Seq, p.Flags, p.Window = be32(b[4:]), b[13], be16(b[14:])
		case h.protocol == TCP:
			head = 20
		}
	case ICMP, ICMPv6:
		if len(b) >= 2 {
			p.ICMP = be16(b)
		}
	}
	p.Head = true
	p.Length = uint32(max(h.length-head, 0))
	p.Payload = b[min(head, len(b)):]
	p.Key.Protocol, p.Key.IPv6 = h.protocol, h.v6
	p.Key.A, p.Key.B, p.Key.PortA, p.Key.PortB = h.from, h.to, from, to
	if c := bytes.Compare(h.from[:], h.to[:]); c > 0 || c == 0 && from > to {
		p.Key.A, p.Key.B, p.Key.PortA, p.Key.PortB, p.Reverse = h.to, h.from, to, from, true
	}
	name := fragment{}
	if h.first { // before the tunnel of this packet counts
		name = h.fragment(p)
	}
	if p.Outer != nil && p.Outer.Kind == GTPU {
		p.Key.Tunnel = d.bearers.join(p)
	}
	inner := false
	if c := tunnel(h.protocol, from, to, p.Payload); c.ether != 0 {
		q := Packet{Number: p.Number, Time: p.Time, Key: Key{VLAN: p.Key.VLAN}}
		before := d.outer
		d.outer = Outer{Kind: c.kind, HasID: c.hasID, ID: c.id, From: h.from, To: h.to, IPv6: h.v6, key: p.Key.Tunnel}
		q.Key.Tunnel, q.Outer = d.outer.flowKey(), &d.outer
		wire := int(p.Length) - (len(p.Payload) - len(c.rest))
		switch why := d.walk(c.ether, c.rest, max(wire, len(c.rest)), &q, depth+1); why {
		case decoded:
			*p, inner = q, true
		case orphan, carrier:
			return why
		default:
			d.outer = before
		}
	}
	if h.first {
		o := owner{key: p.Key, reverse: p.Reverse, carrier: inner}
		if p.Outer != nil {
			o.outer = new(*p.Outer)
		}
		d.remember(name, o)
		d.release(name, o)
	}
	return decoded
}

// fragment names what p is a fragment of.
func (h *ipHead) fragment(p *Packet) fragment {
	return fragment{h.from, h.to, p.Key.Tunnel, h.id, p.Key.VLAN, h.protocol}
}

// remember keeps the flow of a fragmented packet.
func (d *Decoder) remember(name fragment, o owner) {
	if d.fragments == nil {
		d.fragments = map[fragment]owner{}
	}
	if _, ok := d.fragments[name]; !ok {
		if len(d.ring) < maxFragments {
			d.ring = append(d.ring, name)
		} else {
			delete(d.fragments, d.ring[d.oldest])
			d.ring[d.oldest] = name
			d.oldest = (d.oldest + 1) % maxFragments
		}
	}
	d.fragments[name] = o
}
