package flow

import "cloister/shared/ingest/internal/capture"

// What a person recognises a flow by. It is read from the first bytes of each
// side; nothing of it is a feature of a model.
const (
	textSNI uint8 = iota
	textALPN
	textTLS
	textJA3
	textJA4
	textQuery
	textHost
	textMethod
	textURL
	textAgent
	textClient // of SSH
	textServer
	textTunnel // the last
	texts
)

// Limits of what is kept of a flow's texts.
const (
	// maxText is where a text is cut.
	maxText = 255
	// maxPending is how much of a hello or a request that spans segments is
	// collected; one that is longer gives what its first part holds.
	maxPending = 8 << 10
	// DefaultIdentity is the default of [Options.Identity].
	DefaultIdentity = 32 << 20
)

// text is one text of a flow, in a list in the order of which. Lists are short.
type text struct {
	s     string // not empty
	next  *text
	which uint8
}

// with returns the list with a text of a kind that it does not have.
func (x *text) with(which uint8, s string) *text {
	list := x
	at := &list
	for *at != nil && (*at).which < which {
		at = &(*at).next
	}
	*at = &text{s, *at, which}
	return list
}

// text returns a text of f, empty without.
func (f *Flow) text(which uint8) string {
	for x := f.texts; x != nil; x = x.next {
		if x.which == which {
			return x.s
		}
	}
	return ""
}

// pending is the beginning of a message that goes on in the next segment.
type pending struct {
	kind message
	b    []byte // nil without
	next uint32 // sequence number behind it
}

// message is what a payload starts with.
type message uint8

const (
	noMessage message = iota
	clientHello
	serverHello
	httpRequest
	sshBanner
	dnsStream
)

// once are the bits of Flow.found: a message is read once for each side that
// can send it.
func (m message) once(way int) uint16 {
	if m == clientHello || m == serverHello || m == httpRequest {
		way = 0
	}
	return 1 << (2*uint(m) + uint(way))
}

// starts are the bytes that a message other than of DNS can start with.
var starts = func() (s [256]bool) {
	s[0x16], s['S'] = true, true
	for _, m := range httpMethods {
		s[m[0]] = true
	}
	return s
}()

// recognise says what a payload starts with, by content and not by port, but
// for DNS, which has no mark of its own.
func recognise(b []byte, from, to uint16) message {
	if from == portDNS || to == portDNS {
		return dnsStream
	}
	if len(b) < 6 {
		return noMessage
	}
	switch b[0] {
	case 0x16: // a TLS handshake record with a hello
		switch {
		case b[1] != 3 || b[2] > 4:
		case b[5] == 1:
			return clientHello
		case b[5] == 2:
			return serverHello
		}
	case 'S':
		if string(b[:4]) == "SSH-" {
			return sshBanner
		}
	}
	if httpMethod(b) != "" {
		return httpRequest
	}
	return noMessage
}

// stream looks at a TCP segment with payload.
func (t *Table) stream(f *Flow, p *capture.Packet, way int, from, to uint16) {
	b := p.Payload
	whole := uint32(len(b)) == p.Length
	if f.rare != nil && f.rare.pending[way].b != nil {
		q := &f.rare.pending[way]
		switch late := int32(p.Seq - q.next); {
		case late < 0: // sent again
			return
		case late > 0: // one is missing
			t.finish(f, way, q.b, true)
			return
		}
		room := maxPending - len(q.b)
		b = b[:min(len(b), room)]
		if !t.take(f, len(b)) {
			t.finish(f, way, q.b, true)
			return
		}
		q.b = append(q.b, b...)
		q.next += p.Length
		t.finish(f, way, q.b, !whole || len(q.b) == maxPending)
		return
	}
	if !starts[b[0]] && from != portDNS && to != portDNS {
		return
	}
	kind := recognise(b, from, to)
	if kind == noMessage || f.found&kind.once(way) != 0 {
		return
	}
	if t.message(f, kind, way, b, !whole || len(b) >= maxPending) {
		f.found |= kind.once(way)
		return
	}
	if !t.take(f, len(b)) {
		t.message(f, kind, way, b, true)
		return
	}
	f.own().pending[way] = pending{kind: kind, b: append([]byte(nil), b...), next: p.Seq + p.Length}
}

// finish reads a collected message; if that needs more, and more may come, it
// goes on collecting.
func (t *Table) finish(f *Flow, way int, b []byte, last bool) {
	q := &f.rare.pending[way]
	if !t.message(f, q.kind, way, b, last) {
		return
	}
	f.found |= q.kind.once(way)
	t.held -= len(q.b)
	*q = pending{}
}

// message reads a message and reports whether it is done with it: with last
// set it always is.
func (t *Table) message(f *Flow, kind message, way int, b []byte, last bool) bool {
	switch kind {
	case clientHello, serverHello:
		t.scratch = handshake(t.scratch[:0], b)
		body, complete := helloBody(t.scratch, kind)
		if !complete && !last {
			return false
		}
		if kind == serverHello {
			t.set(f, textTLS, serverVersion(body))
		} else if complete {
			t.client(f, body, false)
		}
	case httpRequest:
		r, complete := readRequest(b)
		if !complete && !last {
			return false
		}
		t.set(f, textMethod, r.method)
		t.set(f, textURL, clean(r.url))
		t.set(f, textHost, clean(r.host))
		t.set(f, textAgent, clean(r.agent))
	case sshBanner:
		line, complete := firstLine(b)
		if !complete && !last {
			return false
		}
		if complete {
			t.set(f, textClient+uint8(way), clean(line))
		}
	case dnsStream:
		if len(b) < 2 {
			return last
		}
		size := int(b[0])<<8 | int(b[1])
		if len(b)-2 < size && !last {
			return false
		}
		t.question(f, b[2:min(2+size, len(b))])
	}
	return true
}

// take reserves n bytes for the texts of f and reports whether there was room.
func (t *Table) take(f *Flow, n int) bool {
	if t.held+n > t.o.Identity {
		if !f.cut {
			f.cut = true
			t.cut++
		}
		return false
	}
	t.held += n
	return true
}

// set keeps a text of f, unless it has one.
func (t *Table) set(f *Flow, which uint8, s string) {
	if s != "" && f.text(which) == "" && t.take(f, len(s)) {
		f.texts = f.texts.with(which, s)
	}
}

// clean makes a text of bytes off the wire: cut to maxText, and every byte
// that is not printable ASCII as \x and two digits.
func clean(b []byte) string {
	b = b[:min(len(b), maxText)]
	plain := true
	for _, c := range b {
		plain = plain && c >= ' ' && c <= '~'
	}
	if plain {
		return string(b)
	}
	const hex = "0123456789abcdef"
	out := make([]byte, 0, len(b)+16)
	for _, c := range b {
		if c >= ' ' && c <= '~' {
			out = append(out, c)
		} else {
			out = append(out, '\\', 'x', hex[c>>4], hex[c&15])
		}
	}
	return string(out)
}
