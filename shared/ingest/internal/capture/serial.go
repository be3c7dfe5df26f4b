package capture

import (
	"encoding/binary"
	"math/bits"
)

// ppp reads a PPP protocol number with or without address and control, of one
// or two bytes.
func ppp(b []byte) (uint16, []byte, reason) {
	switch {
	case len(b) < 2:
		return 0, nil, short
	case b[0] == 0xff && b[1] == 3:
		b = b[2:]
	case (b[0] == 0x0f || b[0] == 0x8f) && b[1] == 0: // Cisco HDLC under the number of PPP
		return typed(b, 4)
	}
	if len(b) < 2 {
		return 0, nil, short
	}
	protocol, rest := be16(b), b[2:]
	if b[0]&1 == 1 { // RFC 1661, section 2: compressed to one byte
		protocol, rest = uint16(b[0]), b[1:]
	}
	switch protocol {
	case 0x0021:
		return etherIPv4, rest, decoded
	case 0x0057:
		return etherIPv6, rest, decoded
	case 0x0281:
		return etherMPLS, rest, decoded
	}
	return 0, nil, notIP
}

// frameRelay reads RFC 2427: an address of two to four bytes, then a network
// layer id, or Cisco's EtherType.
func frameRelay(b []byte) (uint16, []byte, reason) {
	size := 2
	for size <= 4 && len(b) >= size && b[size-1]&1 == 0 {
		size++
	}
	if size > 4 {
		return 0, nil, malformed
	}
	if len(b) < size+2 {
		return 0, nil, short
	}
	if b[size] != 3 {
		return typed(b, size+2)
	}
	b = b[size+1:]
	if len(b) > 1 && b[0] == 0 { // padding
		b = b[1:]
	}
	switch b[0] {
	case 0xcc:
		return etherIPv4, b[1:], decoded
	case 0x8e:
		return etherIPv6, b[1:], decoded
	case 0x80:
		if len(b) < 6 {
			return 0, nil, short
		}
		if b[1] == 0 && b[2] == 0 && b[3] == 0 {
			return be16(b[4:]), b[6:], decoded
		}
		if string(b[1:6]) == "\x00\x80\xc2\x00\x07" { // Ethernet without its check sequence
			return etherTEB, b[6:], decoded
		}
	}
	return 0, nil, notIP
}

// loopback reads the address family that BSD writes before a packet, in the
// byte order of the machine that captured.
func loopback(b []byte) (uint16, []byte, reason) {
	if len(b) < 4 {
		return 0, nil, short
	}
	family := binary.LittleEndian.Uint32(b)
	if family > 0xffff {
		family = bits.ReverseBytes32(family)
	}
	switch family {
	case 2:
		return etherIPv4, b[4:], decoded
	case 10, 24, 28, 30: // Linux, NetBSD and OpenBSD, FreeBSD, macOS
		return etherIPv6, b[4:], decoded
	}
	return 0, nil, notIP
}
