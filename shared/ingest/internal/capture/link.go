package capture

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// Link types that are read.
//
// Source: https://www.tcpdump.org/linktypes.html
const (
	linkNull     = 0
	linkEthernet = 1
	linkPPP      = 9
	linkRaw12    = 12
	linkRaw14    = 14
	linkPPPHDLC  = 50
	linkRaw      = 101
	linkCisco    = 104
	linkLoop     = 108
	linkSLL      = 113
	linkIPv4     = 228
	linkIPv6     = 229
	linkSLL2     = 276
)

var linkNames = map[uint16]string{
	linkNull: "BSD loopback", linkEthernet: "Ethernet", linkPPP: "PPP", linkRaw12: "raw IP", linkRaw14: "raw IP",
	linkPPPHDLC: "PPP", linkRaw: "raw IP", linkCisco: "Cisco HDLC", linkLoop: "BSD loopback", linkSLL: "Linux cooked",
	linkIPv4: "raw IP", linkIPv6: "raw IP", linkSLL2: "Linux cooked",

	3: "AX.25", 6: "Token Ring", 7: "ARCNET", 8: "SLIP", 10: "FDDI", 51: "PPP over Ethernet", 99: "Symantec firewall",
	100: "ATM", 105: "IEEE 802.11", 107: "Frame Relay", 109: "OpenBSD encapsulation", 114: "LocalTalk", 117: "OpenBSD pflog",
	119: "IEEE 802.11 with Prism header", 122: "IP over Fibre Channel", 123: "SunATM", 127: "IEEE 802.11 with radiotap",
	129: "ARCNET of Linux", 138: "IP over IEEE 1394", 140: "MTP2", 141: "MTP3", 163: "IEEE 802.11 with AVS header",
	165: "BACnet MS/TP", 187: "Bluetooth HCI", 189: "USB of Linux", 192: "per-packet information", 195: "IEEE 802.15.4",
	201: "Bluetooth HCI", 220: "USB of Linux", 227: "SocketCAN", 230: "IEEE 802.15.4", 231: "D-Bus", 239: "NFLOG",
	242: "IP over InfiniBand", 249: "USBPcap", 251: "Bluetooth LE", 253: "Linux netlink", 258: "PKTAP", 271: "VSOCK",
}

// LinkName returns the name of a link type, or its number when it has none
// here.
func LinkName(link uint16) string {
	if name, ok := linkNames[link]; ok {
		return name
	}
	return fmt.Sprintf("link type %d", link)
}

// EtherTypes.
const (
	etherIPv4  = 0x0800
	etherTEB   = 0x6558
	etherVLAN  = 0x8100
	etherIPv6  = 0x86dd
	etherPPP   = 0x880b
	etherMPLS  = 0x8847
	etherMPLSm = 0x8848
	etherPPPoE = 0x8864
	etherQinQ  = 0x88a8
	etherQinQ9 = 0x9100
)

func be16(b []byte) uint16 { return binary.BigEndian.Uint16(b) }
func be32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }

// link takes the head of a link layer off. The rest is known by its EtherType,
// 0 when it is not IP in any form.
func link(kind uint16, b []byte) (ether uint16, rest []byte, why reason) {
	need := 1
	switch kind {
	case linkRaw, linkRaw12, linkRaw14, linkIPv4, linkIPv6:
	case linkPPP, linkPPPHDLC:
		need = 2
	case linkNull, linkLoop, linkCisco:
		need = 4
	case linkEthernet:
		need = 14
	case linkSLL:
		need = 16
	case linkSLL2:
		need = 20
	default:
		return 0, nil, badLink
	}
	if len(b) < need {
		return 0, nil, short
	}
	switch kind {
	case linkEthernet:
		return ethernet(b)
	case linkNull, linkLoop:
		family := binary.LittleEndian.Uint32(b)
		if family > 0xffff { // the byte order of the machine that captured
			family = bits.ReverseBytes32(family)
		}
		switch family {
		case 2:
			return etherIPv4, b[4:], decoded
		case 10, 24, 28, 30: // Linux, NetBSD and OpenBSD, FreeBSD, macOS
			return etherIPv6, b[4:], decoded
		}
		return 0, nil, notIP
	case linkPPP, linkPPPHDLC:
		return ppp(b)
	case linkCisco:
		return be16(b[2:]), b[4:], decoded
	case linkSLL:
		return be16(b[14:]), b[16:], decoded
	case linkSLL2:
		return be16(b), b[20:], decoded
	}
	return version(b)
}

// ethernet takes the head of an Ethernet frame off; IEEE 802.3 frames are read
// when they carry an EtherType in SNAP.
func ethernet(b []byte) (uint16, []byte, reason) {
	if len(b) < 14 {
		return 0, nil, short
	}
	ether := be16(b[12:])
	if ether >= 0x600 {
		return ether, b[14:], decoded
	}
	if len(b) >= 22 && string(b[14:20]) == "\xaa\xaa\x03\x00\x00\x00" {
		return be16(b[20:]), b[22:], decoded
	}
	return 0, nil, notIP
}

// ppp reads a PPP protocol number with or without address and control, of one
// or two bytes.
func ppp(b []byte) (uint16, []byte, reason) {
	if len(b) >= 2 && b[0] == 0xff && b[1] == 3 {
		b = b[2:]
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

// version tells IP packets apart by their first four bits.
func version(b []byte) (uint16, []byte, reason) {
	if len(b) == 0 {
		return 0, nil, short
	}
	switch b[0] >> 4 {
	case 4:
		return etherIPv4, b, decoded
	case 6:
		return etherIPv6, b, decoded
	}
	return 0, nil, notIP
}

// tags takes VLAN, MPLS and PPPoE heads off until an IP packet is there. The
// VLAN ids are shifted into vlan, so that the two innermost count.
func tags(ether uint16, b []byte, vlan *uint32) (uint16, []byte, reason) {
	for range maxHeaders {
		var why reason
		switch ether {
		case etherIPv4, etherIPv6:
			return ether, b, decoded
		case etherVLAN, etherQinQ, etherQinQ9:
			if len(b) < 4 {
				return 0, nil, short
			}
			*vlan = *vlan<<16 | uint32(be16(b)&0xfff)
			ether, b = be16(b[2:]), b[4:]
		case etherMPLS, etherMPLSm:
			for bottom := false; !bottom; b = b[4:] {
				if len(b) < 4 {
					return 0, nil, short
				}
				bottom = b[2]&1 == 1
			}
			if ether, b, why = version(b); why != decoded {
				return 0, nil, why
			}
		case etherPPPoE:
			if len(b) < 6 {
				return 0, nil, short
			}
			if ether, b, why = ppp(b[6:]); why != decoded {
				return 0, nil, why
			}
		case etherTEB:
			if ether, b, why = ethernet(b); why != decoded {
				return 0, nil, why
			}
		case etherPPP:
			if ether, b, why = ppp(b); why != decoded {
				return 0, nil, why
			}
		default:
			return 0, nil, notIP
		}
	}
	return 0, nil, tooDeep
}
