package flow_test

import (
	"bufio"
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"cloister/shared/frame"
	"cloister/shared/ingest/internal/capture"
	"cloister/shared/ingest/internal/flow"
)

// between makes a key with its ends in order, and whether the packet goes back.
func between(protocol uint8, from, to string, source, target uint16) (k capture.Key, reverse bool) {
	a, b := netip.MustParseAddr(from), netip.MustParseAddr(to)
	k = capture.Key{Protocol: protocol, IPv6: a.Is6(), PortA: source, PortB: target}
	copy(k.A[:], a.AsSlice())
	copy(k.B[:], b.AsSlice())
	if c := slices.Compare(k.A[:], k.B[:]); c > 0 || c == 0 && source > target {
		k.A, k.B, k.PortA, k.PortB = k.B, k.A, target, source
		return k, true
	}
	return k, false
}

// Community IDs are those of pycommunityid (testdata/community.py says which
// version and when) and of the specification's own example flows.
func TestRecord_communityID(t *testing.T) {
	in, err := os.Open("testdata/community.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	lines := []string{
		"6\t128.232.110.120\t66.35.250.204\t34855\t80\t1:LQU9qZlK+B5F3KDmev6m5PMibrg=",
		"6\t66.35.250.204\t128.232.110.120\t80\t34855\t1:LQU9qZlK+B5F3KDmev6m5PMibrg=",
		"17\t192.168.1.52\t8.8.8.8\t54585\t53\t1:d/FP5EW3wiY1vCndhwleRRKHowQ=",
		"1\t192.168.0.89\t192.168.0.1\t8\t0\t1:X0snYXpgwiv9TZtqg64sgzUn6Dk=",
	}
	for s := bufio.NewScanner(in); s.Scan(); {
		if !strings.HasPrefix(s.Text(), "#") {
			lines = append(lines, s.Text())
		}
	}
	for _, line := range lines {
		c := strings.Split(line, "\t")
		protocol, _ := strconv.ParseUint(c[0], 10, 8)
		x, _ := strconv.ParseUint(c[3], 10, 16)
		y, _ := strconv.ParseUint(c[4], 10, 16)
		p := capture.Packet{Bytes: 40, Head: true}
		switch protocol {
		case 1, 58:
			p.ICMP = uint16(x<<8 | y)
			x, y = 0, 0
		}
		p.Key, p.Reverse = between(uint8(protocol), c[1], c[2], uint16(x), uint16(y))
		f, _ := meter(flow.Options{}, p)
		if got := cells(f, 0, frame.CommunityID); got != c[5] {
			t.Errorf("%s: got %s", line, got)
		}
	}
	if len(lines) < 90 {
		t.Errorf("%d flows", len(lines))
	}
}

// stream makes TCP segments of one connection; each side's numbers go on.
type stream struct {
	next [2]uint32
	list []capture.Packet
	port uint16
}

func (s *stream) send(back bool, payload string) *stream {
	way := 0
	if back {
		way = 1
	}
	p := packet(int64(len(s.list)), back, uint32(40+len(payload)), 0x18)
	p.Key.PortB, p.Seq, p.Length, p.Payload, p.Number = s.port, s.next[way], uint32(len(payload)), []byte(payload), int64(len(s.list)+1)
	s.next[way] += p.Length
	s.list = append(s.list, p)
	return s
}

func conversation(port uint16) *stream {
	return &stream{port: port, next: [2]uint32{math.MaxUint32 - 3, 9}}
}

func vec(size int, b ...byte) []byte {
	if size == 1 {
		return append([]byte{byte(len(b))}, b...)
	}
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)
}

func words(v ...uint16) (b []byte) {
	for _, v := range v {
		b = binary.BigEndian.AppendUint16(b, v)
	}
	return b
}

func extension(kind uint16, body []byte) []byte { return append(words(kind), vec(2, body...)...) }

// record wraps a handshake message in records of at most size bytes.
func record(kind byte, body []byte, size int) string {
	b := append([]byte{kind, 0, byte(len(body) >> 8), byte(len(body))}, body...)
	out := ""
	for part := range slices.Chunk(b, size) {
		out += "\x16\x03\x01" + string(vec(2, part...))
	}
	return out
}

func clientHello(name string, alpn ...string) []byte {
	var protocols []byte
	for _, p := range alpn {
		protocols = append(protocols, vec(1, []byte(p)...)...)
	}
	extensions := slices.Concat(
		extension(0x3a3a, nil),
		extension(0, vec(2, append([]byte{0}, vec(2, []byte(name)...)...)...)),
		extension(10, vec(2, words(0x7a7a, 29, 23)...)),
		extension(11, vec(1, 0)),
		extension(13, vec(2, words(0x0403, 0x0804)...)),
		extension(16, vec(2, protocols...)),
		extension(43, vec(1, words(0x0a0a, 0x0304, 0x0303)...)))
	return slices.Concat(words(0x0303), make([]byte, 32), vec(1), vec(2, words(0x1a1a, 0x1302, 0x1301, 0xc02b)...), vec(1, 0), vec(2, extensions...))
}

func serverHello(version uint16, extensions ...byte) []byte {
	return slices.Concat(words(version), make([]byte, 32), vec(1), words(0x1301), []byte{0}, vec(2, extensions...))
}

var tlsFields = []string{frame.ServerName, frame.ALPN, frame.TLSVersion, frame.JA4}

// The numbers in the fingerprints: 3 ciphers and 6 extensions without GREASE,
// the hashes of "1301,1302,c02b" and of "000a,000b,000d,002b_0403,0804" by
// sha256sum, and the MD5 of the JA3 string.
const (
	fullJA4 = "t13d0306h2_5559582ccdc4_fb71836bce29"
	fullJA3 = "771,4866-4865-49195,0-10-11-13-16-43,29-23,0"
)

func TestFlow_tls(t *testing.T) {
	whole := record(1, clientHello("www.example.org", "h2", "http/1.1"), 1<<14)
	answer := record(2, serverHello(0x0303, extension(43, words(0x0304))...), 1<<14)
	split := record(1, clientHello("www.example.org", "h2", "http/1.1"), 40)
	want := "www.example.org h2,http/1.1 TLS 1.3 " + fullJA4
	tests := []struct {
		name string
		s    *stream
		want string
	}{
		{"on any port", conversation(1234).send(false, whole).send(true, answer), want},
		{"behind a request to encrypt", conversation(25).send(true, "220 mail\r\n").send(false, "STARTTLS\r\n").send(false, whole).send(true, answer), want},
		{"in two segments", conversation(443).send(false, whole[:70]).send(false, whole[70:]).send(true, answer), want},
		{"in many records and segments", conversation(443).send(false, split[:50]).send(false, split[50:90]).send(false, split[90:]).send(true, answer[:30]).send(true, answer[30:]), want},
		{"client sent second", conversation(443).send(true, "x").send(false, whole), "www.example.org h2,http/1.1  " + fullJA4},
		{"old server", conversation(443).send(true, record(2, serverHello(0x0301), 99)), "  TLS 1.0 "},
		{"SSL", conversation(443).send(true, record(2, serverHello(0x0300), 99)), "  SSL 3.0 "},
		{"unknown version", conversation(443).send(true, record(2, serverHello(0x7f12), 99)), "  0x7f12 "},
		{"cut for good", conversation(443).send(false, whole[:70]), "   "},
		{"length beyond the hello", conversation(443).send(false, "\x16\x03\x01\x00\x20\x01\x00\x00\x02\x03\x03"), "   "},
		{"no handshake", conversation(443).send(false, "\x17\x03\x03\x00\x02\x01\x00"), "   "},
		{"hello of nothing", conversation(443).send(false, record(1, nil, 99)), "   "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, _ := meter(flow.Options{}, tt.s.list...)
			if got := cells(f, 0, tlsFields...); got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
	f, _ := meter(flow.Options{}, conversation(443).send(false, whole).list...)
	sum := md5.Sum([]byte(fullJA3))
	if got := cells(f, 0, frame.JA3); got != hex.EncodeToString(sum[:]) {
		t.Errorf("JA3 %s", got)
	}
	// Cut anywhere, nothing but the whole gives a fingerprint.
	for n := range whole {
		f, _ := meter(flow.Options{}, conversation(443).send(false, whole[:n]).list...)
		if got := cells(f, 0, frame.JA3, frame.JA4, frame.ServerName); got != "  " {
			t.Fatalf("cut to %d: %q", n, got)
		}
	}
	// So does a segment that was captured in part.
	s := conversation(443).send(false, whole)
	s.list[0].Payload = s.list[0].Payload[:60]
	s.send(false, whole)
	if f, _ := meter(flow.Options{}, s.list...); cells(f, 0, frame.ServerName) != "" {
		t.Error("a snapped hello was read")
	}
}

// Sequence decides what a message goes on with.
func TestFlow_segmentsOutOfOrder(t *testing.T) {
	whole := record(1, clientHello("a.example", "h2"), 1<<14)
	name := func(order ...int) string {
		s := conversation(443).send(false, whole[:50]).send(false, whole[50:100]).send(false, whole[100:])
		var list []capture.Packet
		for _, i := range order {
			list = append(list, s.list[i])
		}
		f, _ := meter(flow.Options{}, list...)
		return cells(f, 0, frame.ServerName)
	}
	if got := name(0, 0, 1, 0, 1, 2); got != "a.example" {
		t.Errorf("with segments sent again: %q", got)
	}
	if got := name(0, 2, 1); got != "" {
		t.Errorf("with one missing: %q", got)
	}
	// What comes behind a missing part does not stand in for it.
	s := conversation(80).send(false, "GET /one").send(false, "/two").send(false, "/three HTTP/1.1\r\nHost: h\r\n\r\n")
	f, _ := meter(flow.Options{}, s.list[0], s.list[2])
	if got := cells(f, 0, frame.HTTPURL, frame.HTTPHost); got != " " {
		t.Errorf("with one missing and more behind: %q", got)
	}
	if f, _ = meter(flow.Options{}, s.list...); cells(f, 0, frame.HTTPURL) != "/one/two/three" {
		t.Errorf("with all: %q", cells(f, 0, frame.HTTPURL))
	}
}

func TestFlow_http(t *testing.T) {
	fields := []string{frame.HTTPMethod, frame.HTTPHost, frame.HTTPURL, frame.HTTPAgent}
	get := "GET /a%20b?c=d HTTP/1.1\r\nhost:  example.org \r\nUSER-AGENT: curl/8\r\n\r\n"
	long := strings.Repeat("x", 300)
	tests := []struct {
		name string
		s    *stream
		want string
	}{
		{"request", conversation(8080).send(false, get), "GET example.org /a%20b?c=d curl/8"},
		{"the first counts", conversation(80).send(false, get).send(false, "POST / HTTP/1.1\r\n\r\n"), "GET example.org /a%20b?c=d curl/8"},
		{"byte by byte", func() *stream {
			s := conversation(80)
			s.send(false, get[:9])
			for i := 9; i < len(get); i++ {
				s.send(false, get[i:i+1])
			}
			return s
		}(), "GET example.org /a%20b?c=d curl/8"},
		{"first of two hosts", conversation(80).send(false, "HEAD / HTTP/1.0\nHost: a\nHost: b\nno field\n\n"), "HEAD a / "},
		{"cut in a field", conversation(80).send(false, "PUT /x HTTP/1.1\r\nHost: exam"), "PUT  /x "},
		{"a method that starts like SSH", conversation(80).send(false, "SEARCH / HTTP/1.1\r\nHost: h\r\n\r\n"), "SEARCH h / "},
		{"HTTP/0.9", conversation(80).send(false, "GET /a/b\r\n").send(false, "more\r\n\r\n"), "GET  /a/b "},
		{"HTTP/0.9 asks for a path", conversation(80).send(false, "GET a/b\r\n"), "   "},
		{"HTTP/0.9 has GET alone", conversation(80).send(false, "POST /a\r\n"), "   "},
		{"cut in its line", conversation(80).send(false, "GET /abc"), "   "},
		{"proxy", conversation(3128).send(false, "CONNECT a:443 HTTP/1.1\r\n\r\n"), "CONNECT  a:443 "},
		{"not HTTP", conversation(80).send(false, "GET me out of here\r\n\r\n"), "   "},
		{"no target", conversation(80).send(false, "GET HTTP/1.1\r\n\r\n"), "   "},
		{"hostile bytes", conversation(80).send(false, "GET /\x00\x1b<\xff HTTP/1.1\r\n\r\n"), `GET  /\x00\x1b<\xff `},
		{"long", conversation(80).send(false, "GET /"+long+" HTTP/1.1\r\nHost: h\r\n\r\n"), "GET h /" + long[:254] + " "},
		{"head without end", conversation(80).send(false, "GET / HTTP/1.1\r\nHost: h\r\n"+strings.Repeat("A: b\r\n", 2000)), "GET h / "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, _ := meter(flow.Options{}, tt.s.list...)
			if got := cells(f, 0, fields...); got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestFlow_ssh(t *testing.T) {
	s := conversation(2222).send(true, "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n").send(false, "SSH-2.0-paramiko").send(false, "_2.12.0\r\nxyz")
	if f, _ := meter(flow.Options{}, s.list[1:]...); cells(f, 0, frame.SSHClient, frame.SSHServer) != "SSH-2.0-paramiko_2.12.0 " {
		t.Errorf("%q", cells(f, 0, frame.SSHClient, frame.SSHServer))
	}
	// Whoever sends first is the source.
	if f, _ := meter(flow.Options{}, s.list...); cells(f, 0, frame.SSHClient, frame.SSHServer) != "SSH-2.0-OpenSSH_9.2p1 Debian-2 SSH-2.0-paramiko_2.12.0" {
		t.Errorf("%q", cells(f, 0, frame.SSHClient, frame.SSHServer))
	}
	if f, _ := meter(flow.Options{}, conversation(22).send(false, "SSH-2.0-cut").list...); cells(f, 0, frame.SSHClient) != "" {
		t.Error("a banner without end was read")
	}
}

func TestFlow_dnsNames(t *testing.T) {
	name := func(labels ...string) (b []byte) {
		for _, l := range labels {
			b = append(b, vec(1, []byte(l)...)...)
		}
		return append(b, 0)
	}
	ask := func(flags uint16, labels ...string) []byte {
		return dnsMessage(7, flags, 1, 0, append(name(labels...), 0, 1, 0, 1)...)
	}
	over := func(port uint16, back bool, b []byte) capture.Packet {
		p := packet(0, back, uint32(28+len(b)), 0)
		p.Key.PortB, p.Key.Protocol, p.Payload, p.Length = port, capture.UDP, b, uint32(len(b))
		return p
	}
	tcp := func(parts ...[]byte) *stream {
		s := conversation(53)
		for i, b := range parts {
			s.send(i%2 == 1, string(vec(2, b...)))
		}
		return s
	}
	whole := string(vec(2, ask(0x0100, "www", "example")...))
	tests := []struct {
		name string
		list []capture.Packet
		want string
	}{
		{"query", []capture.Packet{over(53, false, ask(0x0100, "www", "example"))}, "www.example NaN"},
		{"answer", []capture.Packet{over(53, false, ask(0x0100, "www", "example")), over(53, true, ask(0x8183, "www", "example"))}, "www.example 3"},
		{"answer alone", []capture.Packet{over(53, true, ask(0x8180, "a"))}, "a 0"},
		{"first answer counts", []capture.Packet{over(53, true, ask(0x8182, "a")), over(53, true, ask(0x8180, "b"))}, "a 2"},
		{"root", []capture.Packet{over(53, false, ask(0x0100))}, ". NaN"},
		{"multicast", []capture.Packet{over(5353, false, ask(0, "_http", "_tcp", "local"))}, "_http._tcp.local NaN"},
		{"LLMNR", []capture.Packet{over(5355, false, ask(0, "printer"))}, "printer NaN"},
		{"other port", []capture.Packet{over(54, false, ask(0, "printer"))}, " NaN"},
		{"update", []capture.Packet{over(53, false, ask(0x2800, "zone"))}, " NaN"},
		{"hostile label", []capture.Packet{over(53, false, ask(0x0100, "a\x00\"\xfe", "b"))}, `a\x00"\xfe.b NaN`},
		{"pointer to itself", []capture.Packet{over(53, false, dnsMessage(7, 0x100, 1, 0, 0xc0, 12, 0, 1, 0, 1))}, " NaN"},
		{"pointer into the head", []capture.Packet{over(53, false, dnsMessage(7, 0x100, 1, 0, 0xc0, 2, 0, 1, 0, 1))}, " NaN"},
		{"name without end", []capture.Packet{over(53, false, dnsMessage(7, 0x100, 1, 0, 3, 'w', 'w'))}, " NaN"},
		{"too long", []capture.Packet{over(53, false, ask(0x100, "y", strings.Repeat("x", 63), strings.Repeat("x", 63), strings.Repeat("x", 63), strings.Repeat("x", 63)))}, " NaN"},
		{"TCP", tcp(ask(0x0100, "www", "example"), ask(0x8183, "www", "example")).list, "www.example 3"},
		{"TCP in two segments", conversation(53).send(false, whole[:2]).send(false, whole[2:]).list, "www.example NaN"},
		{"TCP of one byte", conversation(53).send(false, whole[:1]).send(false, whole[1:]).list, "www.example NaN"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, _ := meter(flow.Options{}, tt.list...)
			if got := cells(f, 0, frame.DNSQuery, frame.DNSCode); got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

// Entropy against the formula, summed in another way.
func TestFlow_entropy(t *testing.T) {
	of := func(b []byte) string {
		p := packet(0, false, 900, 0)
		p.Payload, p.Length = b, uint32(len(b))
		f, _ := meter(flow.Options{}, p)
		return cells(f, 0, frame.Entropy)
	}
	all := make([]byte, 512)
	for i := range all {
		all[i] = byte(i)
	}
	for name, tt := range map[string]struct{ in, want string }{
		"nothing": {"", "NaN"}, "one byte": {"a", "0"}, "all the same": {strings.Repeat("a", 900), "0"},
		"two kinds": {"abababab", "1"}, "all kinds": {string(all), "8"}, "only the first 256 count": {strings.Repeat("ab", 128) + string(all), "1"},
	} {
		if got := of([]byte(tt.in)); got != tt.want {
			t.Errorf("%s: got %s, want %s", name, got, tt.want)
		}
	}
	text := []byte("GET /index.html HTTP/1.1\r\nHost: example.org\r\n\r\n")
	count := map[byte]float64{}
	for _, c := range text {
		count[c]++
	}
	want := 0.0
	for c := range 256 {
		if n := count[byte(c)]; n > 0 {
			want -= n / float64(len(text)) * math.Log2(n/float64(len(text)))
		}
	}
	if got := of(text); got != fmt.Sprintf("%.3f", math.Floor(want*1000)/1000) {
		t.Errorf("got %s, want %v", got, want)
	}
	// The first payload counts, not the first packet.
	f, _ := meter(flow.Options{}, conversation(1).send(false, "").send(true, "ab").send(false, "aaaa").list...)
	if got := cells(f, 0, frame.Entropy, frame.FirstPacket, frame.LastPacket); got != "1 1 3" {
		t.Errorf("got %s", got)
	}
}

// Texts of live flows are bounded: flows beyond go without and are counted,
// and the room comes back when flows end.
func TestTable_identityIsBounded(t *testing.T) {
	var list []capture.Packet
	for i := range 10 {
		s := conversation(80).send(false, "GET /12345678 HTTP/1.1\r\n\r\n") // 12 bytes kept
		s.list[0].Key.PortA = uint16(i)
		list = append(list, s.list...)
	}
	count := func(o flow.Options) (n int, cut int64) {
		f, table := meter(o, list...)
		for i := range f.Len() {
			if cells(f, i, frame.HTTPURL) != "" {
				n++
			}
		}
		return n, table.Cut()
	}
	if n, cut := count(flow.Options{}); n != 10 || cut != 0 {
		t.Errorf("%d with texts, %d cut", n, cut)
	}
	if n, cut := count(flow.Options{Identity: 48}); n != 3 && n != 4 || cut != int64(10-n) {
		t.Errorf("%d with texts, %d cut", n, cut)
	}
	if n, cut := count(flow.Options{Identity: 48, Flows: 1}); n != 10 || cut != 0 {
		t.Errorf("one at a time: %d with texts, %d cut", n, cut)
	}
	// What was collected for a message gives its room back.
	var parts []capture.Packet
	for i := range 50 {
		s := conversation(80).send(false, "GET /12345").send(false, "678 HTTP/1.1\r\n\r\n")
		for _, p := range s.list {
			p.Key.PortA = uint16(i)
			parts = append(parts, p)
		}
	}
	if f, table := meter(flow.Options{Identity: 60, Flows: 1}, parts...); f.Len() != 50 || table.Cut() != 0 || cells(f, 49, frame.HTTPURL) != "/12345678" {
		t.Errorf("%d flows, %d cut", f.Len(), table.Cut())
	}
	// Unfinished messages count too.
	half := conversation(443).send(false, record(1, clientHello("a", "h2"), 999)[:60])
	if f, table := meter(flow.Options{Identity: 40}, half.list...); table.Cut() != 1 || f.Len() != 1 {
		t.Errorf("%d cut", table.Cut())
	}
}

// What was around a flow is said, and tells flows apart.
func TestRecord_tunnelAndVLAN(t *testing.T) {
	p := packet(0, false, 40, 2)
	p.Key.Tunnel, p.Key.VLAN = 5, 3<<16|7
	p.Outer = &capture.Outer{Kind: capture.VXLAN, HasID: true, ID: 77, From: [16]byte{192, 0, 2, 1}, To: [16]byte{192, 0, 2, 2}}
	q := packet(1, false, 40, 2)
	q.Key.Tunnel, q.Key.VLAN = 6, 7
	q.Outer = &capture.Outer{Kind: capture.SixInFour, From: [16]byte{192, 0, 2, 1}, To: [16]byte{192, 0, 2, 2}}
	f, _ := meter(flow.Options{}, p, q, packet(2, false, 40, 2))
	want := []string{"3.7 VXLAN 77 192.0.2.1 > 192.0.2.2", "7 6in4 192.0.2.1 > 192.0.2.2", " "}
	for i, want := range want {
		if got := cells(f, i, frame.VLAN, frame.Tunnel); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if f.Len() != 3 {
		t.Errorf("%d flows", f.Len())
	}
}

// FuzzStream cuts a conversation into segments anywhere: what is known of the
// flow never depends on where, unless a snapped or lost segment hides it.
// FuzzDatagram hands datagrams to a flow of UDP: what the first one says stays,
// and a second look at the same one adds nothing.
func FuzzDatagram(f *testing.F) {
	client := slices.Concat(words(0xfefd), make([]byte, 32), vec(1), vec(1), vec(2, words(0xc02b)...), vec(1, 0), vec(2, extension(16, vec(2, vec(1, []byte("x")...)...))...))
	f.Add(datagram(0xfeff, 1, client), uint16(4433))
	f.Add(datagram(0xfefd, 2, client), uint16(4433))
	f.Add(dnsMessage(7, 0x8183, 1, 1, 1, 'a', 0, 0, 1, 0, 1, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 1, 2, 3, 4), uint16(53))
	f.Add(dnsMessage(7, 0x100, 1, 0, 0xc0, 12, 0, 1, 0, 1), uint16(5353))
	f.Fuzz(func(t *testing.T, in []byte, port uint16) {
		p := packet(0, false, uint32(28+len(in)), 0)
		p.Key.PortB, p.Key.Protocol, p.Payload, p.Length = port, capture.UDP, in, uint32(len(in))
		once, _ := meter(flow.Options{}, p)
		twice, _ := meter(flow.Options{}, p, p)
		for i, c := range once.Texts {
			if len(c) > 0 && (c[0] != twice.Texts[i][0] || len(c[0]) > 4*255) {
				t.Fatalf("%s is %q, then %q", frame.Flow.Fields[i].Name, c[0], twice.Texts[i][0])
			}
		}
		names := []string{"DNS_QUERY_ID", "DNS_QUERY_TYPE", "DNS_TTL_ANSWER", frame.DNSCode, frame.Entropy}
		if a, b := cells(once, 0, names...), cells(twice, 0, names...); a != b {
			t.Fatalf("%s, then %s", a, b)
		}
	})
}

func FuzzStream(f *testing.F) {
	f.Add([]byte(record(1, clientHello("www.example.org", "h2"), 60)), []byte(record(2, serverHello(0x0303), 99)), uint16(443), uint8(7))
	f.Add([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), []byte("HTTP/1.1 200\r\n\r\n"), uint16(80), uint8(3))
	f.Add([]byte("SSH-2.0-x\r\n"), []byte("SSH-2.0-y\n"), uint16(22), uint8(6))
	f.Add(vec(2, dnsMessage(7, 0x8183, 1, 0, 1, 'a', 0, 0, 1, 0, 1)...), []byte("\x00"), uint16(53), uint8(1))
	f.Fuzz(func(t *testing.T, client, server []byte, port uint16, step uint8) {
		client, server = client[:min(len(client), 4000)], server[:min(len(server), 4000)]
		text := func(step int) string {
			s := conversation(port)
			for i, b := range [2][]byte{client, server} {
				// Recognising needs six bytes, as in any real stack.
				first := min(len(b), max(step, 6))
				s.send(i == 1, string(b[:first]))
				for part := range slices.Chunk(b[first:], max(step, 1)) {
					s.send(i == 1, string(part))
				}
			}
			fr, _ := meter(flow.Options{}, s.list...)
			for i, c := range fr.Texts {
				if len(c) > 0 && len(c[0]) > 4*255 {
					t.Fatalf("%s has %d bytes", frame.Flow.Fields[i].Name, len(c[0]))
				}
			}
			return cells(fr, 0, frame.ServerName, frame.ALPN, frame.JA3, frame.JA4, frame.TLSVersion, frame.SSHClient, frame.SSHServer)
		}
		// A message that starts later in the stream may start in the middle of a
		// segment of the whole: only what stands at the start is the same.
		if whole, parts := text(1<<16), text(int(step)); whole != parts && strings.TrimSpace(whole) != "" && atStart(client) && atStart(server) {
			t.Fatalf("whole %q, in parts %q", whole, parts)
		}
	})
}

// atStart reports whether b starts with its only message.
func atStart(b []byte) bool {
	return strings.Count(string(b), "\x16\x03") <= 1 && strings.Count(string(b), "SSH-") <= 1 && (len(b) == 0 || b[0] == 0x16 || b[0] == 'S')
}

// datagram wraps a hello in a record of DTLS: its first octets are version.
func datagram(version uint16, kind byte, hello []byte) []byte {
	n := len(hello)
	size := []byte{byte(n >> 16), byte(n >> 8), byte(n)}
	b := slices.Concat([]byte{kind}, size, []byte{0, 0, 0, 0, 0}, size, hello)
	return slices.Concat([]byte{0x16}, words(version), make([]byte, 8), words(uint16(len(b))), b)
}

// Hellos of DTLS, whole in one datagram, give what those of TLS give but JA3.
func TestFlow_dtls(t *testing.T) {
	client := slices.Concat(words(0xfefd), make([]byte, 32), vec(1), vec(1, 1, 2, 3), vec(2, words(0xc02b, 0x2a2a, 0xc02c)...), vec(1, 0),
		vec(2, slices.Concat(
			extension(0, vec(2, slices.Concat([]byte{0}, vec(2, []byte("vpn.example.org")...))...)),
			extension(16, vec(2, vec(1, []byte("webrtc")...)...)),
			extension(43, vec(1, words(0xfefc, 0xfefd)...)))...))
	server := slices.Concat(words(0xfefd), make([]byte, 32), vec(1), words(0xc02b), []byte{0})
	send := func(back bool, b []byte) capture.Packet {
		p := packet(0, back, uint32(28+len(b)), 0)
		p.Key.Protocol, p.Payload, p.Length = capture.UDP, b, uint32(len(b))
		return p
	}
	whole := datagram(0xfeff, 1, client)
	fields := []string{frame.ServerName, frame.ALPN, frame.TLSVersion, frame.JA3, frame.JA4}
	for _, tt := range []struct {
		name    string
		packets []capture.Packet
		want    string
	}{
		{"both hellos", []capture.Packet{send(false, whole), send(true, datagram(0xfefd, 2, server))}, "vpn.example.org webrtc DTLS 1.2  dd3d0203wc_"},
		{"asked twice, the first counts", []capture.Packet{send(false, whole), send(false, datagram(0xfefd, 1, slices.Concat(words(0xfeff), client[2:len(client)-7])))}, "vpn.example.org webrtc   dd3d0203wc_"},
		{"without versions", []capture.Packet{send(false, datagram(0xfeff, 1, slices.Concat(words(0xfeff), make([]byte, 32), vec(1), vec(1), vec(2, words(1)...), vec(1, 0))))}, "    dd1i010000_"},
		{"of OpenSSL's forerunner", []capture.Packet{send(false, datagram(0x0100, 1, slices.Concat(words(0x0100), make([]byte, 32), vec(1), vec(1), vec(2, words(1)...), vec(1, 0))))}, "    d00i010000_"},
		{"encrypted", []capture.Packet{send(false, slices.Concat(whole[:4], []byte{1}, whole[5:]))}, "    "},
		{"a later part", []capture.Packet{send(false, slices.Concat(whole[:21], []byte{1}, whole[22:]))}, "    "},
		{"the first of several parts", []capture.Packet{send(false, slices.Concat(whole[:24], []byte{whole[24] - 1}, whole[25:]))}, "    "},
		{"another record", []capture.Packet{send(false, slices.Concat([]byte{23}, whole[1:]))}, "    "},
		{"another version", []capture.Packet{send(false, slices.Concat([]byte{22, 3, 3}, whole[3:]))}, "    "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, _ := meter(flow.Options{}, tt.packets...)
			if got := cells(f, 0, fields...); !strings.HasPrefix(got, tt.want) || tt.want == "    " && got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	for n := range whole {
		f, _ := meter(flow.Options{}, send(false, whole[:n]))
		if got := cells(f, 0, fields...); got != "    " {
			t.Fatalf("cut to %d bytes: %q", n, got)
		}
	}
}
