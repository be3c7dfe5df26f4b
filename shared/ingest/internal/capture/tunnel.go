package capture

// UDP ports of tunnels.
const (
	portGTPU   = 2152
	portTeredo = 3544
	portVXLAN  = 4789
	portGeneve = 6081
)

// tunnel takes the head of a tunnel off the payload of a transport and returns
// the EtherType of what is inside, 0 for no tunnel. A port alone does not make
// a tunnel: the fixed bits of its head have to be there, and the caller takes
// the outer packet when the inside is no IP packet.
func tunnel(protocol uint8, from, to uint16, b []byte) (uint16, []byte) {
	switch protocol {
	case protoIPIP:
		return etherIPv4, b
	case protoIPv6:
		return etherIPv6, b
	case protoGRE:
		return gre(b)
	case UDP:
		switch {
		case to == portVXLAN:
			return vxlan(b)
		case to == portGeneve:
			return geneve(b)
		case to == portGTPU:
			return gtpu(b)
		case to == portTeredo || from == portTeredo:
			return teredo(b)
		}
	}
	return 0, nil
}

// gre reads RFC 2784 and 2890, and version 1 of PPTP (RFC 2637, section 4.1).
func gre(b []byte) (uint16, []byte) {
	if len(b) < 4 {
		return 0, nil
	}
	bits, ether := be16(b), be16(b[2:])
	size := 4
	for _, bit := range []uint16{0x8000, 0x2000, 0x1000} { // checksum, key, sequence
		if bits&bit != 0 {
			size += 4
		}
	}
	switch bits & 7 {
	case 0:
		if bits&0x4000 != 0 { // source routes of RFC 1701
			return 0, nil
		}
	case 1:
		if bits&0x0080 != 0 { // acknowledgement
			size += 4
		}
	default:
		return 0, nil
	}
	if len(b) < size {
		return 0, nil
	}
	return ether, b[size:]
}

// vxlan reads RFC 7348, section 5.
func vxlan(b []byte) (uint16, []byte) {
	if len(b) < 8 || b[0] != 0x08 || b[7] != 0 {
		return 0, nil
	}
	return etherTEB, b[8:]
}

// geneve reads RFC 8926, section 3.4.
func geneve(b []byte) (uint16, []byte) {
	if len(b) < 8 || b[0]>>6 != 0 {
		return 0, nil
	}
	size := 8 + int(b[0]&0x3f)*4
	if len(b) < size {
		return 0, nil
	}
	return be16(b[2:]), b[size:]
}

// gtpu reads packets of users in GTP version 1: 3GPP TS 29.281, section 5.1.
func gtpu(b []byte) (uint16, []byte) {
	if len(b) < 8 || b[0]>>5 != 1 || b[0]&0x10 == 0 || b[1] != 255 {
		return 0, nil
	}
	flags, next := b[0], uint8(0)
	b = b[8:]
	if flags&7 != 0 { // sequence, N-PDU number, next extension
		if len(b) < 4 {
			return 0, nil
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
			return 0, nil
		}
		size := int(b[0]) * 4
		next, b = b[size-1], b[size:]
	}
	ether, rest, why := version(b)
	if why != decoded {
		return 0, nil
	}
	return ether, rest
}

// teredo reads RFC 4380, section 5.1.1: authentication and origin indication
// may stand before the IPv6 packet.
func teredo(b []byte) (uint16, []byte) {
	if len(b) >= 13 && b[0] == 0 && b[1] == 1 {
		size := 13 + int(b[2]) + int(b[3])
		if len(b) < size {
			return 0, nil
		}
		b = b[size:]
	}
	if len(b) >= 8 && b[0] == 0 && b[1] == 0 {
		b = b[8:]
	}
	if len(b) < 40 || b[0]>>4 != 6 {
		return 0, nil
	}
	return etherIPv6, b
}
