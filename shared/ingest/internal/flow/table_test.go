package flow_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"cloister/shared/frame"
	"cloister/shared/ingest/internal/capture"
	"cloister/shared/ingest/internal/flow"
)

// slowFlow and slowTable are what Table documents, written down once more
// without any thought of speed.
type slowFlow struct {
	key        capture.Key
	start, end int64
	packets    [2]int // from Key.A, from Key.B
	source     int
}

type slowTable struct {
	o        flow.Options
	live     []*slowFlow // by last packet
	before   int64
	out      []string
	evicted  int64
	backward int64
}

func (s *slowTable) end(i int) {
	f := s.live[i]
	s.live = slices.Delete(s.live, i, i+1)
	s.out = append(s.out, fmt.Sprint(f.key.PortA, f.key.PortB, f.key.Protocol, f.key.VLAN, f.key.Tunnel, f.key.A, " ", f.start, f.end, f.packets[f.source], f.packets[1-f.source]))
}

func (s *slowTable) add(p *capture.Packet) {
	now := min(s.before, p.Time)
	s.before = p.Time
	for len(s.live) > 0 && now-s.live[0].end > s.o.Idle {
		s.end(0)
	}
	way := 0
	if p.Reverse {
		way = 1
	}
	when := p.Time
	i := slices.IndexFunc(s.live, func(f *slowFlow) bool { return f.key == p.Key })
	if i >= 0 {
		switch f := s.live[i]; {
		case when-f.end > s.o.Idle || f.end-when > s.o.Idle || when-f.start >= s.o.Active:
			s.end(i)
			i = -1
		case when < f.end:
			when = f.end
			s.backward++
		}
	}
	if i < 0 {
		if len(s.live) == s.o.Flows {
			s.evicted++
			s.end(0)
		}
		source := way
		if p.Flags&0x12 == 0x12 && p.Key.Protocol == capture.TCP {
			source = 1 - way
		}
		s.live = append(s.live, &slowFlow{key: p.Key, start: when, source: source})
		i = len(s.live) - 1
	}
	f := s.live[i]
	f.end = when
	f.packets[way]++
	s.live = append(slices.Delete(s.live, i, i+1), f)
}

// Whatever the packets, the table gives the flows of a table that looks at all
// flows for each packet, in the same order, however many come at once.
func TestTable_equalsASlowOne(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 1))
		o := flow.Options{Idle: 1 + r.Int64N(200), Active: 1 + r.Int64N(600), Flows: 1 + r.IntN(60)}
		slow := &slowTable{o: o}
		var got []string
		table := flow.NewTable(o, func(f *flow.Flow) {
			got = append(got, fmt.Sprint(f.Key.PortA, f.Key.PortB, f.Key.Protocol, f.Key.VLAN, f.Key.Tunnel, f.Key.A, " ", f.Start, f.End, f.Sides[0].Packets, f.Sides[1].Packets))
		})
		at := int64(1000)
		var waiting []capture.Packet
		together := 1 + int(seed%3)*20
		for range 3000 {
			switch r.IntN(20) {
			case 0:
				at = max(at-r.Int64N(300), 0)
			case 1:
				at += r.Int64N(300)
			default:
				at += r.Int64N(4)
			}
			p := capture.Packet{Time: at, Bytes: 40, Head: true, Reverse: r.IntN(2) == 0, Flags: uint8(r.Uint32())}
			p.Key = capture.Key{PortA: uint16(r.IntN(8)), PortB: uint16(r.IntN(3)), Protocol: []uint8{6, 17}[r.IntN(2)], IPv6: r.IntN(4) == 0}
			switch r.IntN(8) {
			case 0:
				p.Key.VLAN = 1 + r.Uint32N(2)
			case 1:
				p.Key.Tunnel = r.Uint64() & 0x0000000100000001
			case 2:
				p.Key.A[r.IntN(4)] = 1
			case 3:
				if p.Key.IPv6 {
					p.Key.A[r.IntN(16)] = 1
				}
			}
			slow.add(&p)
			if waiting = append(waiting, p); len(waiting) < together {
				continue
			}
			if together == 1 {
				table.Add(&p)
			} else {
				table.AddAll(waiting)
			}
			waiting, together = waiting[:0], 1+r.IntN(100)*r.IntN(2)
			if table.Len() != len(slow.live) {
				t.Fatalf("seed %d: %d flows are live, %d of the slow one", seed, table.Len(), len(slow.live))
			}
		}
		table.AddAll(waiting)
		table.Drain(table.Len())
		for len(slow.live) > 0 {
			slow.end(0)
		}
		if !slices.Equal(got, slow.out) || table.Evicted() != slow.evicted || table.Late() != slow.backward || len(got) < 100 {
			t.Fatalf("seed %d: %d and %d flows, %d and %d evicted, %d and %d late", seed, len(got), len(slow.out), table.Evicted(), slow.evicted, table.Late(), slow.backward)
		}
	}
}

// Thousands of flows at a time, so that the index grows, end and start again:
// none is lost, merged or cut.
func TestTable_manyFlows(t *testing.T) {
	const flows, rounds = 20_000, 3
	ended := map[uint32]uint64{}
	table := flow.NewTable(flow.Options{}, func(f *flow.Flow) {
		ended[uint32(f.Key.PortA)<<16|uint32(f.Key.PortB)] += f.Sides[0].Packets
	})
	for round := range rounds {
		for i := range uint32(flows) {
			p := packet(int64(round), false, 40, 2)
			p.Key.PortA, p.Key.PortB = uint16(i), uint16(i>>16)
			table.Add(&p)
		}
		if table.Len() != flows {
			t.Fatalf("%d flows are live", table.Len())
		}
		if round == 1 {
			table.Drain(flows / 2)
			if len(ended) != flows/2 || table.Len() != flows/2 {
				t.Fatalf("%d flows ended, %d are live", len(ended), table.Len())
			}
		}
	}
	table.Drain(flows)
	if len(ended) != flows {
		t.Fatalf("%d flows", len(ended))
	}
	for k, n := range ended {
		if n != rounds {
			t.Fatalf("flow %x has %d packets", k, n)
		}
	}
}

// Draining ends as many flows as asked for, none twice, and no more than live,
// in the order of their last packets.
func TestTable_drains(t *testing.T) {
	var ended []uint16
	table := flow.NewTable(flow.Options{}, func(f *flow.Flow) { ended = append(ended, f.Key.PortA) })
	table.Drain(3)
	for i := range uint16(100) {
		p := packet(int64(i), false, 40, 2)
		p.Key.PortA = i
		table.Add(&p)
	}
	want := 0
	for _, n := range []int{0, -5, 1, 31, 32, 33, 0, 1, 1000, 1000} {
		table.Drain(n)
		want = min(want+max(n, 0), 100)
		if len(ended) != want || table.Len() != 100-want {
			t.Fatalf("after %d more: %d ended, %d live, want %d ended", n, len(ended), table.Len(), want)
		}
	}
	if !slices.IsSorted(ended) {
		t.Errorf("in the order %v", ended)
	}
}

// The places of flows that ended are used again: once it has held the most, a
// table allocates nothing for flows without names.
func TestTable_allocatesOnce(t *testing.T) {
	table := flow.NewTable(flow.Options{Flows: 3000}, func(*flow.Flow) {})
	at := int64(0)
	if n := testing.AllocsPerRun(5, func() {
		for range 10_000 {
			at++
			p := packet(at, false, 40, 2)
			p.Key.PortA, p.Key.PortB = uint16(at), uint16(at>>16)
			table.Add(&p)
		}
		table.Drain(3000)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// Which end has the lower address is nothing that a flow's fields depend on:
// with all addresses turned round they are the same, but for the addresses.
func TestRecord_sameFromTheOtherEnd(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	var packets, mirrored []capture.Packet
	for i := range 400 {
		p := packet(int64(i)*3, r.IntN(2) == 0, uint32(40+r.IntN(1500)), uint8(r.Uint32())&^2)
		p.TTL, p.Window, p.Seq, p.Length = uint8(r.Uint32()), uint16(r.Uint32()), r.Uint32(), p.Bytes-40
		p.Key.PortA = uint16(1000 + i%7)
		p.Number = int64(i + 1)
		packets = append(packets, p)
		p.Key.A, p.Key.B, p.Key.PortA, p.Key.PortB, p.Reverse = p.Key.B, p.Key.A, p.Key.PortB, p.Key.PortA, !p.Reverse
		mirrored = append(mirrored, p)
	}
	a, _ := meter(flow.Options{}, packets...)
	b, _ := meter(flow.Options{}, mirrored...)
	var names []string
	for i, f := range frame.Flow.Fields {
		if flow.Has()[i] {
			names = append(names, f.Name)
		}
	}
	if a.Len() != 7 || b.Len() != a.Len() {
		t.Fatalf("%d and %d flows", a.Len(), b.Len())
	}
	for i := range a.Len() {
		if one, other := cells(a, i, names...), cells(b, i, names...); one != other || strings.Count(one, " ") < 60 {
			t.Errorf("flow %d:\n%s\n%s", i, one, other)
		}
	}
}

// Two captures that were one have its packets: whatever the place of the cut,
// flows only fall in two there.
func TestTable_cutInTwo(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	var packets []capture.Packet
	for i := range 600 {
		p := packet(int64(i), r.IntN(2) == 0, uint32(40+r.IntN(900)), 0x10)
		p.Key.PortA = uint16(r.IntN(9))
		packets = append(packets, p)
	}
	sums := func(parts ...[]capture.Packet) string {
		total := map[string][4]uint64{}
		flows := 0
		for _, part := range parts {
			table := flow.NewTable(flow.Options{}, func(f *flow.Flow) {
				flows++
				k := fmt.Sprint(f.Key)
				s := total[k]
				a, b := &f.Sides[0], &f.Sides[1]
				if f.Reverse {
					a, b = b, a
				}
				s[0], s[1], s[2], s[3] = s[0]+a.Packets, s[1]+a.Bytes, s[2]+b.Packets, s[3]+b.Bytes
				total[k] = s
			})
			for i := range part {
				table.Add(&part[i])
			}
			table.Drain(table.Len())
		}
		if flows > len(total)*len(parts) {
			t.Errorf("%d flows of %d ends in %d parts", flows, len(total), len(parts))
		}
		return fmt.Sprint(total)
	}
	whole := sums(packets)
	for _, at := range []int{0, 1, 299, 599, 600} {
		if got := sums(packets[:at], packets[at:]); got != whole {
			t.Errorf("cut at %d:\n%s\n%s", at, got, whole)
		}
	}
}
