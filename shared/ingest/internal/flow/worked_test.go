package flow_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"cloister/shared/frame"
	"cloister/shared/ingest/internal/capture"
	"cloister/shared/ingest/internal/flow"
)

// workedOut computes the numeric fields of a flow from all its packets, as
// FLOWS of NF-*-v3 define them and in the plainest way: lists, sorting, two
// passes. Packets are in order and of one flow; times are milliseconds.
func workedOut(packets []capture.Packet) map[string]float64 {
	milli := func(p capture.Packet) float64 { return float64(p.Time / 1e6) }
	source := packets[0].Reverse
	if p := packets[0]; p.Key.Protocol == capture.TCP && p.Head && p.Flags&0x12 == 0x12 {
		source = !source
	}
	var sides [2][]capture.Packet
	var sizes []float64
	for _, p := range packets {
		way := 0
		if p.Reverse != source {
			way = 1
		}
		sides[way] = append(sides[way], p)
		sizes = append(sizes, float64(p.Bytes))
	}
	duration := milli(packets[len(packets)-1]) - milli(packets[0])
	out := map[string]float64{
		frame.FlowStart: milli(packets[0]), "FLOW_END_MILLISECONDS": milli(packets[len(packets)-1]), frame.Duration: duration,
		frame.Protocol: float64(packets[0].Key.Protocol), frame.SrcPort: float64(packets[0].Key.PortA), frame.DstPort: float64(packets[0].Key.PortB),
		"LONGEST_FLOW_PKT": slices.Max(sizes), "SHORTEST_FLOW_PKT": slices.Min(sizes), "MAX_IP_PKT_LEN": slices.Max(sizes), "MIN_IP_PKT_LEN": slices.Min(sizes),
	}
	if source {
		out[frame.SrcPort], out[frame.DstPort] = out[frame.DstPort], out[frame.SrcPort]
	}
	for name, ends := range map[string][2]float64{"UP_TO_128": {0, 128}, "128_TO_256": {128, 256}, "256_TO_512": {256, 512}, "512_TO_1024": {512, 1024}, "1024_TO_1514": {1024, 1514}} {
		n := 0
		for _, s := range sizes {
			if s > ends[0] && s <= ends[1] || s == 0 && ends[0] == 0 {
				n++
			}
		}
		out["NUM_PKTS_"+name+"_BYTES"] = float64(n)
	}
	ttls := sides[0]
	if len(ttls) == 0 {
		ttls = sides[1]
	}
	var hops []float64
	for _, p := range ttls {
		hops = append(hops, float64(p.TTL))
	}
	out["MIN_TTL"], out["MAX_TTL"] = slices.Min(hops), slices.Max(hops)
	all := 0.0
	for way, side := range sides {
		in, client, iat, rate := "IN", "CLIENT", "SRC_TO_DST", "SRC_TO_DST_AVG_THROUGHPUT"
		if way == 1 {
			in, client, iat, rate = "OUT", "SERVER", "DST_TO_SRC", "DST_TO_SRC_AVG_THROUGHPUT"
		}
		bytes, flags, window, span := 0.0, uint8(0), 0.0, 0.0
		var gaps []float64
		for i, p := range side {
			bytes += float64(p.Bytes)
			flags |= p.Flags
			window = max(window, float64(p.Window))
			if i > 0 {
				gaps = append(gaps, float64((p.Time-side[i-1].Time)/1e6))
			}
		}
		if len(side) > 0 {
			span = milli(side[len(side)-1]) - milli(side[0])
		}
		out[in+"_BYTES"], out[in+"_PKTS"], out[client+"_TCP_FLAGS"], out["DURATION_"+in], out["TCP_WIN_MAX_"+in] = bytes, float64(len(side)), float64(flags), span, window
		out[rate] = math.Floor(8000 * bytes / (duration + 1))
		all = float64(uint8(all) | flags)
		low, high, mean, spread := 0.0, 0.0, 0.0, 0.0
		if len(gaps) > 0 {
			low, high = slices.Min(gaps), slices.Max(gaps)
			for _, g := range gaps {
				mean += g / float64(len(gaps))
			}
			for _, g := range gaps {
				spread += (g - mean) * (g - mean) / float64(len(gaps))
			}
		}
		out[iat+"_IAT_MIN"], out[iat+"_IAT_MAX"], out[iat+"_IAT_AVG"], out[iat+"_IAT_STDDEV"] = low, high, mean, math.Sqrt(spread)
		again, octets := resent(side)
		out["RETRANSMITTED_"+in+"_PKTS"], out["RETRANSMITTED_"+in+"_BYTES"] = again, octets
	}
	out[frame.TCPFlags] = all
	return out
}

// resent counts the packets of a side all of whose octets were sent before, in
// numbers that do not wrap: SYN and FIN are octets, a keep-alive is none.
func resent(side []capture.Packet) (packets, octets float64) {
	end, seen := int64(0), false
	for _, p := range side {
		from := int64(p.Seq)
		to := from + int64(p.Length)
		for _, flag := range []uint8{1, 2} {
			if p.Flags&flag != 0 {
				to++
			}
		}
		switch {
		case p.Key.Protocol != capture.TCP || to == from:
		case !seen || to > end:
			end, seen = to, true
		case from == end-1 && p.Length <= 1 && p.Flags&3 == 0:
		default:
			packets++
			octets += float64(p.Bytes)
		}
	}
	return packets, octets
}

// Every numeric field of random flows has the value that the plainest
// computation gives. Means and deviations are rounded down, so sums in another
// order may differ by one where they are whole.
func TestRecord_equalsThePlainestComputation(t *testing.T) {
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 7))
		at, seq := int64(1_700_000_000_000_000_000), [2]uint32{r.Uint32N(1 << 30), r.Uint32N(1 << 30)}
		var packets []capture.Packet
		for range 1 + r.IntN(60) {
			at += r.Int64N([]int64{1000, 2_000_000, 900_000_000}[r.IntN(3)])
			way := r.IntN(2)
			p := capture.Packet{Time: at, Reverse: way == 1, TTL: uint8(r.Uint32()), Flags: uint8(r.Uint32()), Window: uint16(r.Uint32()), Head: true}
			p.Key = capture.Key{A: [16]byte{1}, B: [16]byte{2}, PortA: 1000, PortB: 9, Protocol: []uint8{6, 6, 17}[seed%3]}
			if p.Key.Protocol != capture.TCP {
				p.Flags, p.Window = 0, 0
			}
			p.Length = []uint32{0, 1, 50, 1460}[r.IntN(4)]
			p.Bytes = 40 + p.Length + r.Uint32N(3)*100
			switch r.IntN(4) {
			case 0: // again, or a keep-alive
				p.Seq = seq[way] - min(r.Uint32N(200), 1<<20)
			default:
				p.Seq = seq[way]
				seq[way] += p.Length
			}
			packets = append(packets, p)
		}
		f, _ := meter(flow.Options{Idle: math.MaxInt64, Active: math.MaxInt64}, packets...)
		if f.Len() != 1 {
			t.Fatalf("seed %d: %d flows", seed, f.Len())
		}
		want := workedOut(packets)
		if len(want) != 42 {
			t.Fatalf("%d fields were worked out", len(want))
		}
		for name, v := range want {
			k, ok := f.Schema.Index(name)
			if !ok {
				t.Fatalf("no field %s", name)
			}
			got := f.Numbers[k][0]
			if got != v && (got != math.Floor(v+1e-6) && got != math.Floor(v-1e-6)) {
				t.Errorf("seed %d, %d packets: %s is %v, worked out %v", seed, len(packets), name, got, v)
			}
		}
	}
}

// Flows that are interleaved are what they are one after the other.
func TestTable_interleavedFlows(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	const flows, each = 50, 30
	var list [flows][]capture.Packet
	var mixed []capture.Packet
	for step := range each {
		for _, i := range r.Perm(flows) {
			p := packet(int64(step*1000+len(mixed)%1000), r.IntN(2) == 0, uint32(40+r.IntN(1400)), uint8(r.Uint32())&^2)
			p.Key.PortA, p.Key.PortB = uint16(10_000+i), uint16(i%3)
			p.Seq, p.Length = r.Uint32(), p.Bytes-40
			list[i] = append(list[i], p)
			mixed = append(mixed, p)
		}
	}
	slices.SortStableFunc(mixed, func(a, b capture.Packet) int { return int(a.Time - b.Time) })
	together, _ := meter(flow.Options{}, mixed...)
	if together.Len() != flows {
		t.Fatalf("%d flows", together.Len())
	}
	row := map[string]int{}
	for i := range together.Len() {
		row[fmt.Sprint(numberOf(together, i, frame.SrcPort)+numberOf(together, i, frame.DstPort))] = i
	}
	numbers := []string{}
	for _, field := range frame.Flow.Fields {
		if field.Kind != frame.Text && field.Name != frame.Label && field.Name != "L7_PROTO" {
			numbers = append(numbers, field.Name)
		}
	}
	for i := range list {
		slices.SortStableFunc(list[i], func(a, b capture.Packet) int { return int(a.Time - b.Time) })
		alone, _ := meter(flow.Options{}, list[i]...)
		k, ok := row[fmt.Sprint(float64(10_000+i+i%3))]
		if !ok || alone.Len() != 1 {
			t.Fatalf("flow %d: %d flows alone, found %v", i, alone.Len(), ok)
		}
		if a, b := cells(alone, 0, numbers...), cells(together, k, numbers...); a != b {
			t.Errorf("flow %d:\nalone    %s\ntogether %s", i, a, b)
		}
	}
}

func numberOf(f *frame.Frame, row int, name string) float64 {
	k, _ := f.Schema.Index(name)
	return f.Numbers[k][row]
}
