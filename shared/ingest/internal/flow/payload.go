package flow

import (
	"encoding/binary"

	"cloister/shared/ingest/internal/capture"
)

// Ports whose payload is looked at.
const (
	portFTP = 21
	portDNS = 53
)

// Ports on which names are asked for like on that of DNS.
const (
	portMulticastDNS = 5353
	portLLMNR        = 5355
)

// watched reports whether every packet of a key may hold what look reads: by
// its protocol or by a port.
func watched(k *capture.Key) bool {
	return k.Protocol != capture.TCP || k.PortA == portFTP || k.PortB == portFTP || k.PortA == portDNS || k.PortB == portDNS
}

// dull reports whether look would find nothing in a packet, as in most: there
// is no message that it could start or go on with.
func (f *Flow) dull(p *capture.Packet) bool {
	if !p.Head || len(p.Payload) == 0 {
		return !p.Head || !f.watched
	}
	return !f.watched && f.entropy != 0 && f.rare == nil && !starts[p.Payload[0]]
}

// look reads what the fields need of a payload.
func (t *Table) look(f *Flow, p *capture.Packet) {
	from, to := p.Key.PortA, p.Key.PortB
	if p.Reverse {
		from, to = to, from
	}
	if f.entropy == 0 && len(p.Payload) > 0 && p.Length > 0 {
		f.entropy = entropy(p.Payload) + 1
	}
	switch p.Key.Protocol {
	case capture.ICMP, capture.ICMPv6:
		if !f.pinged {
			f.ICMP, f.pinged = p.ICMP, true
		}
	case capture.UDP:
		switch {
		case from == portDNS || to == portDNS:
			f.dns(p.Payload)
			t.question(f, p.Payload)
		case to == portMulticastDNS || from == portLLMNR || to == portLLMNR:
			t.question(f, p.Payload)
		default:
			t.datagram(f, p.Payload)
		}
	case capture.TCP:
		if from == portFTP {
			f.ftp(p.Payload)
		}
		if len(p.Payload) > 0 {
			way := 0
			if p.Reverse != f.Reverse {
				way = 1
			}
			t.stream(f, p, way, from, to)
		}
	}
}

// ftp reads the code that starts a reply: RFC 959, section 4.2.
func (f *Flow) ftp(b []byte) {
	if len(b) < 4 || b[3] != ' ' && b[3] != '-' || b[0] < '1' || b[0] > '6' {
		return
	}
	code := uint16(0)
	for _, c := range b[:3] {
		if c < '0' || c > '9' {
			return
		}
		code = code*10 + uint16(c-'0')
	}
	f.FTPCode = code
}

// dns reads id, type of the first question and TTL of the first A record:
// RFC 1035, section 4.1.
func (f *Flow) dns(b []byte) {
	const answer, typeA, classIN = 0x8000, 1, 1
	if len(b) < 12 {
		return
	}
	flags, questions, answers := binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint16(b[4:]), binary.BigEndian.Uint16(b[6:])
	first := !f.asked
	if first {
		f.DNSID, f.asked = binary.BigEndian.Uint16(b), true
	}
	rest := b[12:]
	for i := range questions {
		if rest = skipName(rest); len(rest) < 4 {
			return
		}
		if i == 0 && first {
			f.DNSType = binary.BigEndian.Uint16(rest)
		}
		rest = rest[4:]
	}
	if flags&answer == 0 || f.answered {
		return
	}
	for range answers {
		if rest = skipName(rest); len(rest) < 10 {
			return
		}
		if binary.BigEndian.Uint16(rest) == typeA && binary.BigEndian.Uint16(rest[2:])&0x7fff == classIN {
			f.DNSTTL, f.answered = binary.BigEndian.Uint32(rest[4:]), true
			return
		}
		size := 10 + int(binary.BigEndian.Uint16(rest[8:]))
		if len(rest) < size {
			return
		}
		rest = rest[size:]
	}
}

// skipName returns what follows a domain name, nil when b ends before that.
func skipName(b []byte) []byte {
	for len(b) > 0 {
		n := int(b[0])
		switch {
		case n == 0:
			return b[1:]
		case n >= 0xc0: // a pointer ends a name
			if len(b) < 2 {
				return nil
			}
			return b[2:]
		case n > 63 || len(b) < 1+n:
			return nil
		}
		b = b[1+n:]
	}
	return nil
}

// question keeps the name of the first question of a DNS message, and the code
// of the first answer. It costs little once both are there.
func (t *Table) question(f *Flow, b []byte) {
	const answer = 0x8000
	if len(b) < 12 {
		return
	}
	flags := binary.BigEndian.Uint16(b[2:])
	if flags&0x7800 != 0 { // no query: status, notify, update
		return
	}
	if flags&answer != 0 && f.rcode == 0 {
		f.rcode = flags&15 + 1
	}
	if f.text(textQuery) != "" || binary.BigEndian.Uint16(b[4:]) == 0 {
		return
	}
	var room [maxText]byte
	if name, ok := readName(room[:0], b, 12); ok {
		t.set(f, textQuery, clean(name))
	}
}

// readName appends the domain name at an offset of a message, with dots
// between labels, "." for the root, and reports whether all of it was there.
// Pointers lead back only, so it ends.
func readName(dst, b []byte, at int) ([]byte, bool) {
	limit := at
	for at < len(b) {
		n := int(b[at])
		switch {
		case n == 0:
			if len(dst) == 0 {
				dst = append(dst, '.')
			}
			return dst, true
		case n >= 0xc0:
			if at+2 > len(b) {
				return dst, false
			}
			next := (n&0x3f)<<8 | int(b[at+1])
			if next >= limit || next < 12 {
				return dst, false
			}
			at, limit = next, next
			continue
		case n > 63 || at+1+n > len(b) || len(dst)+n+1 > maxText:
			return dst, false
		}
		if len(dst) > 0 {
			dst = append(dst, '.')
		}
		dst = append(dst, b[at+1:at+1+n]...)
		at += 1 + n
	}
	return dst, false
}
