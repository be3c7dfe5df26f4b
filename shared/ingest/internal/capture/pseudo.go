package capture

import "encoding/binary"

// Heads that a capturing system puts before a packet, and local networks other
// than Ethernet.

// cooked reads LINKTYPE_LINUX_SLL. The type is no EtherType for devices that
// hand over something else than Ethernet.
func cooked(b []byte) (uint16, []byte, reason) {
	const netlink, radio = 824, 803
	if len(b) < 16 {
		return 0, nil, short
	}
	switch be16(b[2:]) {
	case netlink:
		return 0, nil, notIP
	case radio:
		return radiotap(b[16:])
	}
	if be16(b[14:]) == 4 { // IEEE 802.2
		return llc(b[16:])
	}
	return be16(b[14:]), b[16:], decoded
}

// nflog reads the attributes of a netfilter log message: the ninth kind is the
// packet. Lengths are in the byte order of the machine that captured.
func nflog(b []byte) (uint16, []byte, reason) {
	const payload = 9
	if len(b) < 4 {
		return 0, nil, short
	}
	if b[1] != 0 {
		return 0, nil, malformed
	}
	b = b[4:]
	for len(b) >= 4 {
		size, kind := int(binary.LittleEndian.Uint16(b)), binary.LittleEndian.Uint16(b[2:])
		if size < 4 || kind > 0xff && kind&0xff == 0 {
			size, kind = int(be16(b)), be16(b[2:])
		}
		switch {
		case size < 4:
			return 0, nil, malformed
		case kind == payload:
			return version(b[4:max(min(size, len(b)), 4)])
		}
		b = b[min((size+3)&^3, len(b)):]
	}
	return 0, nil, notIP
}

// pktap reads Apple's head: its length, the kind of record, and the link type
// of what follows.
func pktap(b []byte) (uint16, []byte, reason) {
	if len(b) < 12 {
		return 0, nil, short
	}
	size, inner := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[8:])
	switch {
	case size < 12 || inner > 0xffff:
		return 0, nil, malformed
	case uint64(len(b)) < uint64(size):
		return 0, nil, short
	case inner == linkEthernet:
		return ethernet(b[size:])
	case inner == linkRaw, inner == linkRaw12, inner == linkRaw14:
		return version(b[size:])
	}
	return plainLink(uint16(inner), b[size:])
}

// pflog reads the head of the OpenBSD firewall's log, whose first byte is its
// length.
func pflog(b []byte) (uint16, []byte, reason) {
	if len(b) < 4 {
		return 0, nil, short
	}
	size := (int(b[0]) + 3) &^ 3
	if size < 48 {
		return 0, nil, malformed
	}
	return behind(b, size, version)
}

// atm reads LLC over ATM, or an IP packet without it: RFC 2684.
func atm(b []byte) (uint16, []byte, reason) {
	if ether, rest, why := llc(b); why == decoded {
		return ether, rest, why
	}
	return version(b)
}

// tokenRing reads IEEE 802.5 with source routes.
func tokenRing(b []byte) (uint16, []byte, reason) {
	if len(b) < 16 {
		return 0, nil, short
	}
	size := 14
	if b[8]&0x80 != 0 {
		size += int(b[14] & 0x1f)
	}
	return behind(b, size, llc)
}

// arcnet reads the two ways to carry IP: RFC 1201, unless it is split over
// several frames, and RFC 1051. kind is where the protocol byte stands.
func arcnet(b []byte, kind int) (uint16, []byte, reason) {
	if len(b) < kind+1 {
		return 0, nil, short
	}
	switch rest := b[kind+1:]; b[kind] {
	case 240:
		return etherIPv4, rest, decoded
	case 212, 196: // RFC 1201: IPv4, IPv6
		size := 3
		if len(rest) > 0 && rest[0] == 0xff { // exception frame
			size = 7
		}
		if len(rest) < size {
			return 0, nil, short
		}
		if rest[0] != 0 && rest[0] != 0xff { // one part of several
			return 0, nil, notIP
		}
		return version(rest[size:])
	}
	return 0, nil, notIP
}

// switchTag reads Ethernet with a tag of size bytes behind the addresses, for
// the ports of a switch.
func switchTag(b []byte, size int) (uint16, []byte, reason) {
	if len(b) < 14+size {
		return 0, nil, short
	}
	return be16(b[12+size:]), b[14+size:], decoded
}
