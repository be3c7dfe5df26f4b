package capture

import (
	"encoding/binary"
	"fmt"
)

// Link types that are read.
//
// Source: https://www.tcpdump.org/linktypes.html
const (
	linkNull       = 0
	linkEthernet   = 1
	linkTokenRing  = 6
	linkARCNET     = 7
	linkSLIP       = 8
	linkPPP        = 9
	linkFDDI       = 10
	linkRaw12      = 12
	linkRaw14      = 14
	linkPPPHDLC    = 50
	linkPPPoE      = 51
	linkATM        = 100
	linkRaw        = 101
	linkCisco      = 104
	link80211      = 105
	linkATMLinux   = 106
	linkFrameRelay = 107
	linkLoop       = 108
	linkENC        = 109
	linkSLL        = 113
	linkPFLOG      = 117
	linkPrism      = 119
	linkFC         = 122
	linkRadiotap   = 127
	linkARCNET2    = 129 // of Linux
	linkFireWire   = 138
	linkAVS        = 163
	linkPPI        = 192
	linkPPPDir     = 204
	linkCiscoDir   = 205
	linkFrameDir   = 206
	linkIPNET      = 226
	linkIPv4       = 228
	linkIPv6       = 229
	linkNFLOG      = 239
	linkIPoIB      = 242
	linkPKTAP      = 258
	linkSLL2       = 276
	linkBRCM       = 281
	linkBRCMBefore = 282
	linkDSA        = 284
	linkEDSA       = 285
)

var linkNames = map[uint16]string{
	linkNull: "BSD loopback", linkEthernet: "Ethernet", linkTokenRing: "Token Ring", linkARCNET: "ARCNET", linkSLIP: "SLIP",
	linkPPP: "PPP", linkFDDI: "FDDI", linkRaw12: "raw IP", linkRaw14: "raw IP", linkPPPHDLC: "PPP", linkPPPoE: "PPP over Ethernet",
	linkATM: "ATM", linkRaw: "raw IP", linkCisco: "Cisco HDLC", link80211: "IEEE 802.11", linkATMLinux: "ATM of Linux",
	linkFrameRelay: "Frame Relay", linkLoop: "BSD loopback", linkENC: "OpenBSD encapsulation", linkSLL: "Linux cooked",
	linkPFLOG: "OpenBSD pflog", linkPrism: "IEEE 802.11 with Prism header", linkFC: "IP over Fibre Channel",
	linkRadiotap: "IEEE 802.11 with radiotap", linkARCNET2: "ARCNET of Linux", linkFireWire: "IP over IEEE 1394",
	linkAVS: "IEEE 802.11 with AVS header", linkPPI: "per-packet information", linkPPPDir: "PPP with direction",
	linkCiscoDir: "Cisco HDLC with direction", linkFrameDir: "Frame Relay with direction", linkIPNET: "Solaris ipnet",
	linkIPv4: "raw IP", linkIPv6: "raw IP", linkNFLOG: "NFLOG", linkIPoIB: "IP over InfiniBand", linkPKTAP: "PKTAP",
	linkSLL2: "Linux cooked", linkBRCM: "Ethernet with Broadcom tag", linkBRCMBefore: "Ethernet behind Broadcom tag",
	linkDSA: "Ethernet with DSA tag", linkEDSA: "Ethernet with EDSA tag",

	3: "AX.25", 99: "Symantec firewall", 114: "LocalTalk", 123: "SunATM", 140: "MTP2", 141: "MTP3",
	165: "BACnet MS/TP", 178: "Juniper Ethernet", 187: "Bluetooth HCI", 189: "USB of Linux", 195: "IEEE 802.15.4",
	201: "Bluetooth HCI", 220: "USB of Linux", 227: "SocketCAN", 230: "IEEE 802.15.4", 231: "D-Bus",
	249: "USBPcap", 251: "Bluetooth LE", 252: "Wireshark's exported packets", 253: "Linux netlink", 271: "VSOCK",
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
	etherWCCP  = 0x883e
	etherSPAN2 = 0x88be
	etherSPAN3 = 0x22eb
	etherTEB   = 0x6558
	etherVLAN  = 0x8100
	etherIPv6  = 0x86dd
	etherPPP   = 0x880b
	etherMPLS  = 0x8847
	etherMPLSm = 0x8848
	etherPPPoE = 0x8864
	etherQinQ  = 0x88a8
	etherQinQ9 = 0x9100
	etherArist = 0xd28b
	etherVNTag = 0x8926
)

func be16(b []byte) uint16 { return binary.BigEndian.Uint16(b) }
func be32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }

// link takes the head of a link layer off. The rest is known by its EtherType,
// 0 when it is not IP in any form.
func link(kind uint16, b []byte) (ether uint16, rest []byte, why reason) {
	switch kind {
	case linkEthernet:
		return ethernet(b)
	case linkRaw, linkRaw12, linkRaw14, linkIPv4, linkIPv6:
		return version(b)
	case linkPPI:
		return ppi(b)
	case linkPKTAP:
		return pktap(b)
	}
	return plainLink(kind, b)
}

// typed returns what follows an EtherType that ends a head of size bytes.
func typed(b []byte, size int) (uint16, []byte, reason) {
	if len(b) < size {
		return 0, nil, short
	}
	return be16(b[size-2:]), b[size:], decoded
}

// behind applies next to what follows a head of size bytes.
func behind(b []byte, size int, next func([]byte) (uint16, []byte, reason)) (uint16, []byte, reason) {
	if len(b) < size {
		return 0, nil, short
	}
	return next(b[size:])
}

// plainLink reads the links that hold no other link.
func plainLink(kind uint16, b []byte) (uint16, []byte, reason) {
	switch kind {
	case linkNull, linkLoop:
		return loopback(b)
	case linkPPP, linkPPPHDLC:
		return ppp(b)
	case linkPPPDir:
		return behind(b, 1, ppp)
	case linkPPPoE:
		return etherPPPoE, b, decoded
	case linkCisco:
		return typed(b, 4)
	case linkCiscoDir:
		return typed(b, 5)
	case linkFrameRelay:
		return frameRelay(b)
	case linkFrameDir:
		return behind(b, 1, frameRelay)
	case linkSLIP: // a byte of direction, then the compressed head of the line
		return behind(b, 16, version)
	case linkSLL:
		return cooked(b)
	case linkSLL2:
		if len(b) < 20 {
			return 0, nil, short
		}
		return be16(b), b[20:], decoded
	case linkNFLOG:
		return nflog(b)
	case linkENC:
		return behind(b, 12, version)
	case linkPFLOG:
		return pflog(b)
	case linkIPNET:
		return behind(b, 24, version)
	case link80211:
		return wireless(b, false)
	case linkRadiotap:
		return radiotap(b)
	case linkPrism, linkAVS:
		return prism(b)
	case linkFDDI:
		return behind(b, 13, llc)
	case linkTokenRing:
		return tokenRing(b)
	case linkFC:
		return behind(b, 16, llc)
	case linkATM, linkATMLinux:
		return atm(b)
	case linkARCNET:
		return arcnet(b, 2)
	case linkARCNET2:
		return arcnet(b, 4)
	case linkFireWire:
		return typed(b, 18)
	case linkIPoIB:
		if len(b) < 44 {
			return 0, nil, short
		}
		return be16(b[40:]), b[44:], decoded
	case linkBRCM, linkDSA:
		return switchTag(b, 4)
	case linkEDSA:
		return switchTag(b, 8)
	case linkBRCMBefore:
		return behind(b, 4, ethernet)
	}
	return 0, nil, badLink
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
	return llc(b[14:])
}

// llc reads IEEE 802.2: an EtherType in SNAP, or IP by its own access point.
func llc(b []byte) (uint16, []byte, reason) {
	switch {
	case len(b) < 3:
		return 0, nil, short
	case string(b[:3]) == "\x06\x06\x03":
		return etherIPv4, b[3:], decoded
	case string(b[:3]) != "\xaa\xaa\x03":
		return 0, nil, notIP
	case len(b) < 8:
		return 0, nil, short
	case b[3] != 0 || b[4] != 0 || b[5] != 0 && b[5] != 0xf8: // RFC 1042, IEEE 802.1H
		return 0, nil, notIP
	}
	return be16(b[6:]), b[8:], decoded
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
		case etherArist: // a time that a switch put in: subtype, version, 8 or 6 bytes
			if len(b) < 4 {
				return 0, nil, short
			}
			size := 12
			switch be16(b[2:]) {
			case 0x10, 0x110:
				size = 14
			case 0x20, 0x120:
			default:
				return 0, nil, notIP
			}
			if ether, b, why = typed(b, size); why != decoded {
				return 0, nil, why
			}
		case etherVNTag: // IEEE 802.1BR's forerunner, between switches
			if ether, b, why = typed(b, 6); why != decoded {
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
