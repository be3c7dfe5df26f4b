package capture

import "encoding/binary"

// wireless reads a data frame of IEEE 802.11-2020, section 9.3.2. Of several
// packets in one frame (A-MSDU) the first counts. padded says that the head is
// filled up to four bytes.
func wireless(b []byte, padded bool) (uint16, []byte, reason) {
	const data, noData, qos = 0x08, 0x40, 0x80
	const protected, order = 0x40, 0x80
	if len(b) < 24 {
		return 0, nil, short
	}
	kind, flags := b[0], b[1]
	if kind&0x03 != 0 || kind&0x0c != data || kind&noData != 0 {
		return 0, nil, notIP // management, control, no data
	}
	if flags&protected != 0 {
		return 0, nil, encrypted
	}
	size, several := 24, false
	if flags&3 == 3 { // between access points: a fourth address
		size += 6
	}
	if kind&qos != 0 {
		if len(b) < size+2 {
			return 0, nil, short
		}
		several = b[size]&0x80 != 0
		size += 2
		if flags&order != 0 {
			size += 4
		}
	}
	if padded {
		size = (size + 3) &^ 3
	}
	if several {
		size += 14 // addresses and length of the first
	}
	return behind(b, size, llc)
}

// radiotap reads the head whose fields a bit mask lists: of them only the
// flags matter, which say whether the next head is padded.
//
// Source: radiotap.org, sections "Base fields", "TSFT" and "Flags".
func radiotap(b []byte) (uint16, []byte, reason) {
	const padding = 0x20
	if len(b) < 8 {
		return 0, nil, short
	}
	size := int(binary.LittleEndian.Uint16(b[2:]))
	switch {
	case b[0] != 0 || size < 8:
		return 0, nil, malformed
	case len(b) < size:
		return 0, nil, short
	}
	present := binary.LittleEndian.Uint32(b[4:])
	at := 8
	for more := present; more&(1<<31) != 0; at += 4 {
		if at+4 > size {
			return 0, nil, malformed
		}
		more = binary.LittleEndian.Uint32(b[at:])
	}
	if present&1 != 0 {
		at = (at+7)&^7 + 8
	}
	return wireless(b[size:], present&2 != 0 && at < size && b[at]&padding != 0)
}

// prism reads the heads of Prism and AVS, which drivers put before IEEE 802.11.
func prism(b []byte) (uint16, []byte, reason) {
	if len(b) < 8 {
		return 0, nil, short
	}
	size := binary.LittleEndian.Uint32(b[4:])
	if be32(b)&0xfffff000 == 0x80211000 { // AVS says its version first
		size = be32(b[4:])
	}
	switch {
	case size < 8 || size > 4096:
		return 0, nil, malformed
	case len(b) < int(size):
		return 0, nil, short
	}
	return wireless(b[size:], false)
}

// ppi reads CACE's per-packet information, which names the link type of what
// follows.
func ppi(b []byte) (uint16, []byte, reason) {
	if len(b) < 8 {
		return 0, nil, short
	}
	size, inner := int(binary.LittleEndian.Uint16(b[2:])), binary.LittleEndian.Uint32(b[4:])
	switch {
	case b[0] != 0 || size < 8 || inner > 0xffff:
		return 0, nil, malformed
	case len(b) < size:
		return 0, nil, short
	case inner == linkEthernet:
		return ethernet(b[size:])
	}
	return plainLink(uint16(inner), b[size:])
}
