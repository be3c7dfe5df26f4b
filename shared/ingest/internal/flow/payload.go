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

// look reads what the fields need of ICMP, DNS over UDP and FTP replies.
func (f *Flow) look(p *capture.Packet, way int) {
	from, to := p.Key.PortA, p.Key.PortB
	if p.Reverse {
		from, to = to, from
	}
	switch p.Key.Protocol {
	case capture.ICMP, capture.ICMPv6:
		if !f.pinged {
			f.ICMP, f.pinged = p.ICMP, true
		}
	case capture.UDP:
		if from == portDNS || to == portDNS {
			f.dns(p.Payload)
		}
	case capture.TCP:
		if from == portFTP {
			f.ftp(p.Payload)
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
