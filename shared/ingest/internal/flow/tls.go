package flow

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
)

// TLS extensions that are read.
const (
	extServerName = 0
	extGroups     = 10
	extPoints     = 11
	extSignatures = 13
	extALPN       = 16
	extVersions   = 43
)

// handshake appends to dst what the handshake records at the start of b hold:
// RFC 8446, section 5.1.
func handshake(dst, b []byte) []byte {
	for len(b) >= 5 && b[0] == 0x16 {
		size := int(b[3])<<8 | int(b[4])
		b = b[5:]
		if size > len(b) {
			return append(dst, b...)
		}
		dst = append(dst, b[:size]...)
		b = b[size:]
	}
	return dst
}

// helloBody returns the hello that b starts with, and whether all of it is
// there.
func helloBody(b []byte, kind message) ([]byte, bool) {
	if len(b) < 4 || message(b[0]) != kind {
		return nil, false
	}
	size := int(b[1])<<16 | int(b[2])<<8 | int(b[3])
	b = b[4:]
	if size > len(b) {
		return b, false
	}
	return b[:size], true
}

// datagram keeps what a hello of DTLS says that is whole in one datagram: RFC
// 6347, sections 4.1 and 4.2.2, and OpenSSL's version 1.0 before it.
func (t *Table) datagram(f *Flow, b []byte) {
	const record, head = 13, 12
	if len(b) < record+head || b[0] != 0x16 || b[1] != 0xfe && (b[1] != 1 || b[2] != 0) || b[3] != 0 || b[4] != 0 {
		return
	}
	kind := message(b[record])
	if kind != clientHello && kind != serverHello || f.found&kind.once(0) != 0 {
		return
	}
	h := b[record:min(record+int(b[11])<<8+int(b[12]), len(b))]
	if len(h) < head || string(h[1:4]) != string(h[9:12]) || h[6] != 0 || h[7] != 0 || h[8] != 0 { // a part
		return
	}
	size := int(h[1])<<16 | int(h[2])<<8 | int(h[3])
	if h = h[head:]; len(h) < size {
		return
	}
	f.found |= kind.once(0)
	if kind == clientHello {
		t.client(f, h[:size], true)
	} else {
		t.set(f, textTLS, serverVersion(h[:size]))
	}
}

// cursor reads vectors with a length before them. Once something is missing,
// all that follows is empty.
type cursor struct {
	b  []byte
	ok bool
}

func (c *cursor) bytes(n int) []byte {
	if !c.ok || n > len(c.b) {
		c.b, c.ok = nil, false
		return nil
	}
	out := c.b[:n]
	c.b = c.b[n:]
	return out
}

// vector returns what a length of size bytes, 1 or 2, announces.
func (c *cursor) vector(size int) []byte {
	n := 0
	for _, x := range c.bytes(size) {
		n = n<<8 | int(x)
	}
	return c.bytes(n)
}

func (c *cursor) u16() uint16 {
	if b := c.bytes(2); c.ok {
		return uint16(b[0])<<8 | uint16(b[1])
	}
	return 0
}

// numbers are the 16-bit numbers of a vector without those of GREASE.
func numbers(b []byte) (list []uint16) {
	for ; len(b) >= 2; b = b[2:] {
		if v := uint16(b[0])<<8 | uint16(b[1]); !grease(v) {
			list = append(list, v)
		}
	}
	return list
}

// grease reports whether v is reserved to keep servers tolerant: RFC 8701.
func grease(v uint16) bool { return v&0x0f0f == 0x0a0a && v>>8 == v&0xff }

// hello is a ClientHello: RFC 8446, section 4.1.2.
type hello struct {
	version            uint16
	ciphers, kinds     []uint16 // kinds of extensions, in order
	groups, signatures []uint16
	points             []byte
	versions           []uint16
	name               []byte
	protocols          [][]byte
	named              bool
	datagram           bool // of DTLS
}

func readHello(b []byte, datagram bool) (h hello, ok bool) {
	c := cursor{b, true}
	h.version, h.datagram = c.u16(), datagram
	c.bytes(32)
	c.vector(1) // session
	if datagram {
		c.vector(1) // cookie
	}
	h.ciphers = numbers(c.vector(2))
	c.vector(1) // compression
	if !c.ok {
		return h, false
	}
	if len(c.b) == 0 { // before extensions
		return h, true
	}
	list := cursor{c.vector(2), c.ok}
	for len(list.b) > 0 {
		kind, body := list.u16(), cursor{list.vector(2), true}
		if !list.ok {
			return h, false
		}
		if !grease(kind) {
			h.kinds = append(h.kinds, kind)
		}
		switch kind {
		case extServerName:
			h.named = true
			names := cursor{body.vector(2), true}
			if names.bytes(1); names.ok {
				h.name = names.vector(2)
			}
		case extGroups:
			h.groups = numbers(body.vector(2))
		case extPoints:
			h.points = body.vector(1)
		case extSignatures:
			h.signatures = numbers(body.vector(2))
		case extALPN:
			for names := (cursor{body.vector(2), true}); len(names.b) > 0; {
				if name := names.vector(1); len(name) > 0 {
					h.protocols = append(h.protocols, name)
				}
			}
		case extVersions:
			h.versions = numbers(body.vector(1))
		}
	}
	return h, c.ok
}

// client keeps what a whole ClientHello says.
func (t *Table) client(f *Flow, body []byte, datagram bool) {
	h, ok := readHello(body, datagram)
	if !ok {
		return
	}
	t.set(f, textSNI, clean(h.name))
	var alpn []byte
	for i, p := range h.protocols {
		if i > 0 {
			alpn = append(alpn, ',')
		}
		alpn = append(alpn, p...)
	}
	t.set(f, textALPN, clean(alpn))
	if !datagram { // tools do not agree on one of DTLS
		t.set(f, textJA3, h.ja3())
	}
	t.set(f, textJA4, h.ja4())
}

// serverVersion returns the version that a ServerHello chose, "" if it is cut
// before that: supported_versions of RFC 8446, section 4.2.1, or the old field.
func serverVersion(b []byte) string {
	c := cursor{b, true}
	version := c.u16()
	c.bytes(32)
	c.vector(1)
	c.bytes(3)
	if !c.ok {
		return ""
	}
	list := cursor{c.vector(2), true}
	for len(list.b) > 0 {
		kind, body := list.u16(), list.vector(2)
		if kind == extVersions && len(body) == 2 {
			version = uint16(body[0])<<8 | uint16(body[1])
		}
	}
	switch version {
	case 0x0300:
		return "SSL 3.0"
	case 0xfeff:
		return "DTLS 1.0"
	case 0xfefd:
		return "DTLS 1.2"
	case 0xfefc:
		return "DTLS 1.3"
	case 0x0301, 0x0302, 0x0303, 0x0304:
		return "TLS 1." + string('0'+byte(version-0x0301))
	}
	return "0x" + strconv.FormatUint(uint64(version), 16)
}

// ja3 returns the MD5 of version, ciphers, extensions, groups and point
// formats in decimal.
//
// Source: https://github.com/salesforce/ja3, README, "How it works".
func (h *hello) ja3() string {
	b := strconv.AppendUint(nil, uint64(h.version), 10)
	for _, list := range [][]uint16{h.ciphers, h.kinds, h.groups} {
		b = append(b, ',')
		for i, v := range list {
			if i > 0 {
				b = append(b, '-')
			}
			b = strconv.AppendUint(b, uint64(v), 10)
		}
	}
	b = append(b, ',')
	for i, v := range h.points {
		if i > 0 {
			b = append(b, '-')
		}
		b = strconv.AppendUint(b, uint64(v), 10)
	}
	sum := md5.Sum(b)
	return hex.EncodeToString(sum[:])
}

// ja4 returns the fingerprint of a client of TLS or DTLS.
//
// Source: FoxIO, JA4 technical details, "JA4: TLS Client Fingerprint"
// (BSD-3-Clause); the other fingerprints of that family are not made.
func (h *hello) ja4() string {
	version := h.version
	for i, v := range h.versions {
		if i == 0 || v > version != h.datagram { // those of DTLS count down
			version = v
		}
	}
	b := []byte{'t'}
	if h.datagram {
		b[0] = 'd'
	}
	b = append(b, ja4Version(version)...)
	if h.named {
		b = append(b, 'd')
	} else {
		b = append(b, 'i')
	}
	for _, n := range []int{len(h.ciphers), len(h.kinds)} {
		n = min(n, 99)
		b = append(b, '0'+byte(n/10), '0'+byte(n%10))
	}
	b = append(b, h.ja4ALPN()...)
	b = append(b, '_')
	b = append(b, ja4Hash(hexList(nil, slices.Sorted(slices.Values(h.ciphers))))...)
	b = append(b, '_')
	kinds := slices.DeleteFunc(slices.Sorted(slices.Values(h.kinds)), func(v uint16) bool { return v == extServerName || v == extALPN })
	list := hexList(nil, kinds)
	if len(h.signatures) > 0 {
		list = hexList(append(list, '_'), h.signatures)
	}
	if len(h.kinds) == 0 {
		list = nil
	}
	return string(append(b, ja4Hash(list)...))
}

func ja4Version(v uint16) string {
	switch v {
	case 0x0304:
		return "13"
	case 0x0303:
		return "12"
	case 0x0302:
		return "11"
	case 0x0301:
		return "10"
	case 0x0300:
		return "s3"
	case 0x0002:
		return "s2"
	case 0xfeff:
		return "d1"
	case 0xfefd:
		return "d2"
	case 0xfefc:
		return "d3"
	}
	return "00"
}

// ja4ALPN returns the first and last character of the first protocol, of its
// hexadecimal form when one of them is neither letter nor digit.
func (h *hello) ja4ALPN() string {
	if len(h.protocols) == 0 {
		return "00"
	}
	p := h.protocols[0]
	first, last := p[0], p[len(p)-1]
	if !alphanumeric(first) || !alphanumeric(last) {
		const digits = "0123456789abcdef"
		first, last = digits[first>>4], digits[last&15]
	}
	return string([]byte{first, last})
}

func alphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// hexList appends numbers of four digits with commas between them.
func hexList(b []byte, list []uint16) []byte {
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = hex.AppendEncode(b, []byte{byte(v >> 8), byte(v)})
	}
	return b
}

// ja4Hash returns the first twelve digits of the SHA-256, zeros of nothing.
func ja4Hash(b []byte) string {
	if len(b) == 0 {
		return "000000000000"
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:6])
}
