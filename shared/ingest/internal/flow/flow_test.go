package flow_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"cloister/shared/frame"
	"cloister/shared/ingest/internal/capture"
	"cloister/shared/ingest/internal/flow"
)

const second = 1_000_000_000

// meter runs packets through a table and returns the flows as one frame.
func meter(o flow.Options, packets ...capture.Packet) (*frame.Frame, *flow.Table) {
	f := frame.New(frame.Flow, 16, flow.Has())
	t := flow.NewTable(o, func(fl *flow.Flow) {
		var rec flow.Record
		fl.Record(&rec)
		flow.AppendTo(f, []flow.Record{rec})
		f.Row = append(f.Row, int64(len(f.Row)+1))
	})
	for i := range packets {
		t.Add(&packets[i])
	}
	t.Drain(t.Len())
	return f, t
}

// cells are "name=value" of a row.
func cells(f *frame.Frame, row int, names ...string) string {
	var out []string
	for _, name := range names {
		k, ok := f.Schema.Index(name)
		switch {
		case !ok:
			panic(name)
		case f.Texts[k] != nil:
			out = append(out, f.Texts[k][row])
		default:
			out = append(out, fmt.Sprint(f.Numbers[k][row]))
		}
	}
	return strings.Join(out, " ")
}

// packet goes from 10.0.0.1:1000 to 10.0.0.2:80, or back, at a time in milliseconds.
func packet(ms int64, back bool, size uint32, flags uint8) capture.Packet {
	return capture.Packet{
		Key:     capture.Key{A: [16]byte{10, 0, 0, 1}, B: [16]byte{10, 0, 0, 2}, PortA: 1000, PortB: 80, Protocol: capture.TCP},
		Reverse: back, Time: ms * 1_000_000, Bytes: size, TTL: 60, Flags: flags, Head: true,
	}
}

func TestRecord_coversTheSchema(t *testing.T) {
	var missing []string
	for i, has := range flow.Has() {
		if !has {
			missing = append(missing, frame.Flow.Fields[i].Name)
		}
	}
	if !slices.Equal(missing, []string{"L7_PROTO", frame.Label}) {
		t.Errorf("missing: %q", missing)
	}
	f, _ := meter(flow.Options{}, packet(0, false, 40, 2))
	for i, c := range f.Numbers {
		if flow.Has()[i] && len(c)+len(f.Texts[i]) != 1 {
			t.Errorf("%s has %d values", frame.Flow.Fields[i].Name, len(c))
		}
	}
}

// All values of one small flow, worked out by hand.
func TestRecord_values(t *testing.T) {
	a, b, c, d, e := packet(1000, false, 60, 2), packet(1010, true, 1500, 0x12), packet(1016, false, 129, 0x18), packet(1046, false, 2000, 0x11), packet(1050, true, 256, 4)
	a.Time += 999_999 // fractions of a millisecond are dropped
	a.Window, b.Window, c.TTL, b.TTL = 100, 300, 61, 9
	f, _ := meter(flow.Options{}, a, b, c, d, e)
	want := map[string]string{
		frame.FlowStart: "1000", "FLOW_END_MILLISECONDS": "1050", frame.Duration: "50", "DURATION_IN": "46", "DURATION_OUT": "40",
		frame.SrcAddr: "10.0.0.1", frame.DstAddr: "10.0.0.2", frame.SrcPort: "1000", frame.DstPort: "80", frame.Protocol: "6",
		frame.InBytes: "2189", frame.OutBytes: "1756", frame.InPackets: "3", frame.OutPackets: "2",
		frame.TCPFlags: "31", "CLIENT_TCP_FLAGS": "27", "SERVER_TCP_FLAGS": "22", "MIN_TTL": "60", "MAX_TTL": "61",
		"LONGEST_FLOW_PKT": "2000", "SHORTEST_FLOW_PKT": "60", "MIN_IP_PKT_LEN": "60", "MAX_IP_PKT_LEN": "2000",
		"SRC_TO_DST_AVG_THROUGHPUT": "343372", "DST_TO_SRC_AVG_THROUGHPUT": "275450",
		"NUM_PKTS_UP_TO_128_BYTES": "1", "NUM_PKTS_128_TO_256_BYTES": "2", "NUM_PKTS_256_TO_512_BYTES": "0", "NUM_PKTS_512_TO_1024_BYTES": "0", "NUM_PKTS_1024_TO_1514_BYTES": "1",
		"TCP_WIN_MAX_IN": "100", "TCP_WIN_MAX_OUT": "300",
		// gaps of 15.000001 and 30 ms
		"SRC_TO_DST_IAT_MIN": "15", "SRC_TO_DST_IAT_MAX": "30", "SRC_TO_DST_IAT_AVG": "22", "SRC_TO_DST_IAT_STDDEV": "7",
		"DST_TO_SRC_IAT_MIN": "40", "DST_TO_SRC_IAT_MAX": "40", "DST_TO_SRC_IAT_AVG": "40", "DST_TO_SRC_IAT_STDDEV": "0",
	}
	for name, want := range want {
		if got := cells(f, 0, name); strings.TrimSuffix(got, ".0") != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

// Every size falls in the bin that its name says, at both ends.
func TestRecord_bins(t *testing.T) {
	names := []string{"NUM_PKTS_UP_TO_128_BYTES", "NUM_PKTS_128_TO_256_BYTES", "NUM_PKTS_256_TO_512_BYTES", "NUM_PKTS_512_TO_1024_BYTES", "NUM_PKTS_1024_TO_1514_BYTES"}
	for size, want := range map[uint32]string{
		0: "1 0 0 0 0", 1: "1 0 0 0 0", 127: "1 0 0 0 0", 128: "1 0 0 0 0", 129: "0 1 0 0 0", 256: "0 1 0 0 0", 257: "0 0 1 0 0", 512: "0 0 1 0 0",
		513: "0 0 0 1 0", 1024: "0 0 0 1 0", 1025: "0 0 0 0 1", 1514: "0 0 0 0 1", 1515: "0 0 0 0 0", 2049: "0 0 0 0 0", 262_144: "0 0 0 0 0", math.MaxUint32: "0 0 0 0 0",
	} {
		f, _ := meter(flow.Options{}, packet(0, false, size, 2))
		if got := cells(f, 0, names...); got != want {
			t.Errorf("%d bytes: got %s, want %s", size, got, want)
		}
	}
}

// A bin has room for 2^16 packets and counts on after them.
func TestRecord_binsCountOn(t *testing.T) {
	var got []string
	table := flow.NewTable(flow.Options{}, func(f *flow.Flow) {
		var rec flow.Record
		f.Record(&rec)
		dst := frame.New(frame.Flow, 1, flow.Has())
		flow.AppendTo(dst, []flow.Record{rec})
		got = append(got, cells(dst, 0, "NUM_PKTS_128_TO_256_BYTES", "NUM_PKTS_256_TO_512_BYTES", frame.InPackets))
	})
	var want []string
	for _, n := range []int{1<<16 - 1, 1 << 16, 1<<16 + 1, 3<<16 + 5} {
		p := packet(0, false, 300, 0)
		for range n {
			table.Add(&p)
		}
		p.Bytes = 200
		table.Add(&p)
		table.Drain(1)
		want = append(want, fmt.Sprint(1, n, n+1))
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTable_cuts(t *testing.T) {
	udp := func(p capture.Packet) capture.Packet { p.Key.Protocol = capture.UDP; return p }
	vlan := func(p capture.Packet) capture.Packet { p.Key.VLAN = 7; return p }
	tests := []struct {
		name    string
		o       flow.Options
		packets []capture.Packet
		want    []string // start, source port, packets in and out
		late    int64
	}{
		{"both ways", flow.Options{}, []capture.Packet{packet(0, false, 40, 2), packet(5, true, 40, 0x12)}, []string{"0 1000 1 1"}, 0},
		{"answer first", flow.Options{}, []capture.Packet{packet(0, true, 40, 0x12), packet(5, false, 40, 0x10)}, []string{"0 1000 1 1"}, 0},
		{"server first", flow.Options{}, []capture.Packet{packet(0, true, 40, 0x10), packet(5, false, 40, 0x10)}, []string{"0 80 1 1"}, 0},
		{"idle, just", flow.Options{}, []capture.Packet{packet(0, false, 40, 2), packet(60000, false, 40, 2)}, []string{"0 1000 2 0"}, 0},
		{"idle, over", flow.Options{}, []capture.Packet{packet(0, false, 40, 2), packet(60001, false, 40, 2)}, []string{"0 1000 1 0", "60001 1000 1 0"}, 0},
		{"idle of 1 s", flow.Options{Idle: second}, []capture.Packet{packet(0, false, 40, 2), packet(1001, false, 40, 2)}, []string{"0 1000 1 0", "1001 1000 1 0"}, 0},
		{"active, before", flow.Options{Active: 2 * second}, []capture.Packet{packet(0, false, 40, 2), packet(1999, false, 40, 2)}, []string{"0 1000 2 0"}, 0},
		{"active, at", flow.Options{Active: 2 * second}, []capture.Packet{packet(0, false, 40, 2), packet(2000, false, 40, 2)}, []string{"0 1000 1 0", "2000 1000 1 0"}, 0},
		{"protocol and VLAN", flow.Options{}, []capture.Packet{packet(0, false, 40, 2), udp(packet(1, false, 40, 0)), vlan(packet(2, false, 40, 2))}, []string{"0 1000 1 0", "1 1000 1 0", "2 1000 1 0"}, 0},
		{"late", flow.Options{}, []capture.Packet{packet(90_000, false, 40, 2), packet(30_000, true, 40, 2), packet(90_001, true, 40, 2)}, []string{"90000 1000 1 2"}, 1},
		{"a clock set back", flow.Options{}, []capture.Packet{packet(90_000, false, 40, 2), packet(29_999, true, 40, 2), packet(30_000, false, 40, 2)}, []string{"90000 1000 1 0", "29999 80 1 1"}, 0},
		{"one stamp from the future ends no other flow", flow.Options{}, []capture.Packet{packet(0, false, 40, 2), udp(packet(1e9, false, 40, 0)), packet(3, true, 40, 2)}, []string{"1e+09 1000 1 0", "0 1000 1 1"}, 0},
		{"silence ends other flows", flow.Options{}, []capture.Packet{packet(0, false, 40, 2), udp(packet(70_000, false, 40, 0)), udp(packet(70_001, false, 40, 0)), packet(70_002, true, 40, 2)}, []string{"0 1000 1 0", "70000 1000 2 0", "70002 80 1 0"}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, table := meter(tt.o, tt.packets...)
			var got []string
			for i := range f.Len() {
				got = append(got, cells(f, i, frame.FlowStart, frame.SrcPort, frame.InPackets, frame.OutPackets))
			}
			if !slices.Equal(got, tt.want) || table.Late() != tt.late {
				t.Errorf("got  %q, %d late\nwant %q, %d late", got, table.Late(), tt.want, tt.late)
			}
		})
	}
}

func TestTable_evictsTheLongestSilent(t *testing.T) {
	var packets []capture.Packet
	for i := range 5 {
		p := packet(int64(i), false, 40, 2)
		p.Key.PortA = uint16(i)
		packets = append(packets, p)
	}
	again := packets[0]
	again.Time = 2_500_000
	packets = slices.Insert(packets, 3, again)
	f, table := meter(flow.Options{Flows: 3}, packets...)
	var got []string
	for i := range f.Len() {
		got = append(got, cells(f, i, frame.SrcPort))
	}
	if want := []string{"1", "2", "0", "3", "4"}; !slices.Equal(got, want) || table.Evicted() != 2 || table.Len() != 0 {
		t.Errorf("got %q, want %q; %d evicted", got, want, table.Evicted())
	}
}

func TestFlow_retransmissions(t *testing.T) {
	seg := func(seq, length uint32, flags uint8, head bool) capture.Packet {
		p := packet(0, false, 40+length, flags)
		p.Seq, p.Length, p.Head = seq, length, head
		return p
	}
	f, _ := meter(flow.Options{},
		seg(0xffffff00, 0, 2, true), seg(0xffffff00, 0, 2, true), // SYN twice: 40
		seg(0xffffff01, 0x200, 0x18, true), seg(0x101, 100, 0x18, true), // over the wrap
		seg(0xffffff01, 0x200, 0x18, true),                                              // again: 552
		seg(0x100, 150, 0x18, true),                                                     // partly new
		seg(0x195, 1, 0x10, true), seg(0x195, 0, 0x10, true), seg(0x196, 0, 0x10, true), // keep-alives, ACK
		seg(5, 9, 0, false),                                  // a fragment has no sequence number
		seg(0x196, 0, 0x11, true), seg(0x196, 0, 0x11, true)) // FIN twice: 40
	if got := cells(f, 0, "RETRANSMITTED_IN_PKTS", "RETRANSMITTED_IN_BYTES", "RETRANSMITTED_OUT_PKTS"); got != "3 632 0" {
		t.Errorf("got %s", got)
	}
}

// Sequence numbers start anywhere, at 0 as well.
func TestFlow_retransmissionsFromZero(t *testing.T) {
	p := packet(0, false, 50, 0x18)
	p.Length = 10
	f, _ := meter(flow.Options{}, p, p, p)
	if got := cells(f, 0, "RETRANSMITTED_IN_PKTS", "RETRANSMITTED_IN_BYTES"); got != "2 100" {
		t.Errorf("got %s", got)
	}
}

func dnsMessage(id, flags uint16, questions, answers uint16, rest ...byte) []byte {
	var b []byte
	for _, v := range []uint16{id, flags, questions, answers, 0, 0} {
		b = binary.BigEndian.AppendUint16(b, v)
	}
	return append(b, rest...)
}

func TestFlow_payloads(t *testing.T) {
	dns := func(back bool, b []byte) capture.Packet {
		p := packet(0, back, uint32(28+len(b)), 0)
		p.Key.PortB, p.Key.Protocol, p.Payload = 53, capture.UDP, b
		return p
	}
	question := []byte{3, 'w', 'w', 'w', 0, 0, 28, 0, 1}
	cname := []byte{0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 2, 0xc0, 12}
	a := []byte{0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 1, 2, 3, 4}
	whole := dnsMessage(7, 0x8180, 1, 2, slices.Concat(question, cname, a)...)
	f, _ := meter(flow.Options{}, dns(false, dnsMessage(7, 0x100, 1, 0, question...)), dns(true, whole), dns(false, dnsMessage(8, 0x100, 1, 0, 0, 0, 1, 0, 1)))
	if got := cells(f, 0, "DNS_QUERY_ID", "DNS_QUERY_TYPE", "DNS_TTL_ANSWER"); got != "7 28 300" {
		t.Errorf("DNS: %s", got)
	}
	two := dnsMessage(7, 0x100, 2, 1, slices.Concat(question, []byte{0, 0, 15, 0, 1}, a)...) // a query has no answers
	again := dnsMessage(7, 0x8180, 1, 1, slices.Concat(question, a[:9], []byte{7, 0, 4, 1, 2, 3, 4})...)
	f, _ = meter(flow.Options{}, dns(false, two), dns(true, whole), dns(true, again))
	if got := cells(f, 0, "DNS_QUERY_ID", "DNS_QUERY_TYPE", "DNS_TTL_ANSWER"); got != "7 28 300" {
		t.Errorf("DNS with two questions and two answers: %s", got)
	}
	f, _ = meter(flow.Options{}, dns(false, two))
	if got := cells(f, 0, "DNS_QUERY_TYPE", "DNS_TTL_ANSWER"); got != "28 0" {
		t.Errorf("a query with an answer: %s", got)
	}
	for n := range whole { // cut anywhere: no panic, and never another value
		f, _ := meter(flow.Options{}, dns(true, whole[:n]))
		if got := cells(f, 0, "DNS_TTL_ANSWER"); got != "0" && n < len(whole)-6 {
			t.Errorf("cut to %d: %s", n, got)
		}
	}
	ftp := func(back bool, text string) capture.Packet {
		p := packet(0, back, 99, 0x18)
		p.Key.PortB, p.Payload = 21, []byte(text)
		return p
	}
	f, _ = meter(flow.Options{}, ftp(false, "999 no"), ftp(true, "220 hello\r\n"), ftp(true, "530 Login incorrect.\r\n"), ftp(true, "530x"), ftp(true, "7a0 "), ftp(true, "23"))
	if got := cells(f, 0, "FTP_COMMAND_RET_CODE"); got != "530" {
		t.Errorf("FTP: %s", got)
	}
	ping := packet(0, false, 84, 0)
	ping.Key.Protocol, ping.ICMP = capture.ICMP, 0x0301
	other := ping
	other.ICMP = 0x0b00
	f, _ = meter(flow.Options{}, ping, other)
	if got := cells(f, 0, "ICMP_TYPE", "ICMP_IPV4_TYPE"); got != "769 3" {
		t.Errorf("ICMP: %s", got)
	}
	ping.Key.Protocol, ping.Key.IPv6, ping.ICMP = capture.ICMPv6, true, 0x8000
	f, _ = meter(flow.Options{}, ping)
	if got := cells(f, 0, "ICMP_TYPE", "ICMP_IPV4_TYPE"); got != "32768 0" {
		t.Errorf("ICMPv6: %s", got)
	}
}

func TestRecord_addresses(t *testing.T) {
	tests := []struct {
		in   [8]uint16
		want string
	}{
		{[8]uint16{}, "::"},
		{[8]uint16{7: 1}, "::1"},
		{[8]uint16{0: 0xfe80}, "fe80::"},
		{[8]uint16{0x2001, 0xdb8, 0, 0, 1, 0, 0, 1}, "2001:db8::1:0:0:1"},
		{[8]uint16{0x2001, 0, 1, 0, 0, 0, 1, 0}, "2001:0:1::1:0"},
		{[8]uint16{1, 0, 2, 3, 4, 5, 6, 7}, "1:0:2:3:4:5:6:7"},
		{[8]uint16{5: 0xffff, 6: 0x102, 7: 0x304}, "::ffff:102:304"},
	}
	for _, tt := range tests {
		p := packet(0, false, 40, 0)
		p.Key.IPv6 = true
		for i, w := range tt.in {
			binary.BigEndian.PutUint16(p.Key.A[2*i:], w)
		}
		f, _ := meter(flow.Options{}, p)
		if got := cells(f, 0, frame.SrcAddr); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

// relations checks what holds for every flow.
func relations(f *frame.Frame, row int) error {
	v := func(name string) float64 {
		k, _ := f.Schema.Index(name)
		return f.Numbers[k][row]
	}
	for name, ok := range map[string]bool{
		"end - start = duration": v("FLOW_END_MILLISECONDS")-v(frame.FlowStart) == v(frame.Duration),
		"throughput in":          v("SRC_TO_DST_AVG_THROUGHPUT") == math.Floor(8000*v(frame.InBytes)/(v(frame.Duration)+1)),
		"throughput out":         v("DST_TO_SRC_AVG_THROUGHPUT") == math.Floor(8000*v(frame.OutBytes)/(v(frame.Duration)+1)),
		"flags are the OR":       uint8(v(frame.TCPFlags)) == uint8(v("CLIENT_TCP_FLAGS"))|uint8(v("SERVER_TCP_FLAGS")),
		"sides within the flow":  max(v("DURATION_IN"), v("DURATION_OUT")) <= v(frame.Duration),
		"TTL in order":           v("MIN_TTL") <= v("MAX_TTL"),
		"sizes in order":         v("SHORTEST_FLOW_PKT") <= v("LONGEST_FLOW_PKT"),
		"gaps in order in":       v("SRC_TO_DST_IAT_MIN") <= v("SRC_TO_DST_IAT_AVG") && v("SRC_TO_DST_IAT_AVG") <= v("SRC_TO_DST_IAT_MAX"),
		"gaps in order out":      v("DST_TO_SRC_IAT_MIN") <= v("DST_TO_SRC_IAT_AVG") && v("DST_TO_SRC_IAT_AVG") <= v("DST_TO_SRC_IAT_MAX"),
		"deviation":              v("SRC_TO_DST_IAT_STDDEV") <= v("SRC_TO_DST_IAT_MAX") && v("DST_TO_SRC_IAT_STDDEV") <= v("DST_TO_SRC_IAT_MAX"),
		"bins sum to packets": v("LONGEST_FLOW_PKT") > 1514 || v(frame.InPackets)+v(frame.OutPackets) ==
			v("NUM_PKTS_UP_TO_128_BYTES")+v("NUM_PKTS_128_TO_256_BYTES")+v("NUM_PKTS_256_TO_512_BYTES")+v("NUM_PKTS_512_TO_1024_BYTES")+v("NUM_PKTS_1024_TO_1514_BYTES"),
		"retransmitted at most all": v("RETRANSMITTED_IN_BYTES") <= v(frame.InBytes) && v("RETRANSMITTED_OUT_PKTS") <= v(frame.OutPackets),
	} {
		if !ok {
			return fmt.Errorf("%s does not hold", name)
		}
	}
	return nil
}

// Each 12 bytes of the input are one packet.
func FuzzTable(f *testing.F) {
	f.Add([]byte("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKL"), uint8(3))
	f.Add(binary.LittleEndian.AppendUint64([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 1, 2, 3, 4}, math.MaxUint64), uint8(0))
	f.Fuzz(func(t *testing.T, in []byte, flows uint8) {
		if len(in) > 1<<16 {
			return
		}
		o := flow.Options{Idle: 100_000_000, Active: 300_000_000, Flows: int(flows%8) + 1}
		out := frame.New(frame.Flow, 16, flow.Has())
		var packets, bytes, counted, octets float64
		table := flow.NewTable(o, func(fl *flow.Flow) {
			var rec flow.Record
			fl.Record(&rec)
			b := rec.AppendBinary([]byte(nil))
			again, rest, err := flow.DecodeRecord(append(b, 9))
			if err != nil || len(rest) != 1 || string(again.AppendBinary(nil)) != string(b) {
				t.Fatalf("%+v became %+v, %v", rec, again, err)
			}
			if _, _, err := flow.DecodeRecord(b[:len(b)-1]); err == nil {
				t.Fatal("a cut record was read")
			}
			out.Reset()
			flow.AppendTo(out, []flow.Record{again})
			if err := relations(out, 0); err != nil {
				t.Fatalf("%v: %+v", err, *fl)
			}
			counted += float64(fl.Sides[0].Packets + fl.Sides[1].Packets)
			octets += float64(fl.Sides[0].Bytes + fl.Sides[1].Bytes)
		})
		for at := int64(1e9); len(in) >= 12; in = in[12:] {
			at = max(at+int64(int16(binary.LittleEndian.Uint16(in)))*20_000, 0)
			p := packet(0, in[2]&1 == 1, uint32(binary.LittleEndian.Uint16(in[3:])), in[5])
			p.Time, p.Key.PortA, p.TTL, p.Seq, p.Head, p.Payload = at, uint16(in[6]%16), in[7], uint32(in[8])<<24, in[2]&2 == 0, in[:12]
			p.Length = uint32(in[9])
			p.Key.Protocol = []uint8{6, 17, 1, 58}[in[10]%4]
			p.Key.PortB = []uint16{21, 53, 80, 0}[in[11]%4]
			table.Add(&p)
			packets++
			bytes += float64(p.Bytes)
			if table.Len() > o.Flows {
				t.Fatalf("%d flows are live", table.Len())
			}
		}
		table.Drain(table.Len())
		if counted != packets || octets != bytes || table.Len() != 0 {
			t.Fatalf("%v of %v packets, %v of %v bytes", counted, packets, octets, bytes)
		}
	})
}

// Of some ports and protocols every packet is read, whichever end they are at
// and whatever came before; of a fragment without its head, nothing.
func TestFlow_readsEveryPacketOfSome(t *testing.T) {
	segment := func(protocol uint8, port uint16, back, turned bool, text string) capture.Packet {
		p := packet(0, back, 99, 0x18)
		p.Key.Protocol, p.Key.PortB, p.Payload, p.Length = protocol, port, []byte(text), uint32(len(text))
		if turned {
			p.Key.A, p.Key.B, p.Key.PortA, p.Key.PortB, p.Reverse = p.Key.B, p.Key.A, p.Key.PortB, p.Key.PortA, !p.Reverse
		}
		return p
	}
	name := string(dnsMessage(7, 0x8183, 1, 0, 3, 'w', 'w', 'w', 0, 0, 1, 0, 1))
	tests := []struct {
		name     string
		protocol uint8
		port     uint16
		text     string
		want     string // code of FTP, name and code of DNS
	}{
		{"FTP", capture.TCP, 21, "230 in\r\n", "230  NaN"},
		{"DNS over TCP", capture.TCP, 53, "\x00" + string(rune(len(name))) + name, "0 www 3"},
		{"DNS over UDP", capture.UDP, 53, name, "0 www 3"},
		{"another port", capture.TCP, 22, "230 in\r\n", "0  NaN"},
	}
	for _, tt := range tests {
		for _, turned := range []bool{false, true} {
			f, _ := meter(flow.Options{}, segment(tt.protocol, tt.port, false, turned, "\x00\x00\x80"), segment(tt.protocol, tt.port, true, turned, tt.text))
			if got := cells(f, 0, "FTP_COMMAND_RET_CODE", frame.DNSQuery, frame.DNSCode); got != tt.want {
				t.Errorf("%s, turned %v: got %q, want %q", tt.name, turned, got, tt.want)
			}
		}
	}
	part, ping := packet(0, false, 99, 0), packet(1, false, 99, 0)
	part.Head, part.Key.Protocol, ping.Key.Protocol, ping.ICMP = false, capture.ICMP, capture.ICMP, 0x0800
	f, _ := meter(flow.Options{}, part, ping)
	if got := cells(f, 0, "ICMP_TYPE", frame.Entropy); got != "2048 NaN" {
		t.Errorf("a fragment, then its head: %q", got)
	}
}
