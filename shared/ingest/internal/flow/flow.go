// Package flow turns packets into bidirectional flows with the fields of
// NetFlow version 9 as the NF-* data sets define them. It hides the table of
// live flows, when a flow ends, and how each field is computed.
//
//	t := flow.NewTable(flow.Options{}, func(f *flow.Flow) { var rec flow.Record; f.Record(&rec); use(rec) })
//	t.Add(&packet)
//	t.Drain(t.Len())
//
// Limits: memory is bounded by [Options.Flows] at about 350 bytes each, and 150
// more for a retransmission or a message in several segments, plus
// [Options.Identity] for texts. Of the fields of [frame.Flow], L7_PROTO and the
// label are not made: README.md says why. Texts are read from TCP (TLS, HTTP/1,
// SSH, DNS) and UDP (DNS, DTLS); not from QUIC or HTTP/2, nor from segments out
// of order.
package flow

import (
	"math"
	"math/bits"

	"cloister/shared/ingest/internal/capture"
)

// Options set when flows end. A zero field means the default in its comment.
type Options struct {
	Idle   int64 // nanoseconds without a packet, default 60 s, as NF-CSE-CIC-IDS2018-v3 was cut
	Active int64 // nanoseconds since the first packet, default 120 s
	Flows  int   // live at once, default 131,072: one more ends that which was silent for longest

	// Identity bounds the bytes of names, hosts, fingerprints and the like of
	// all live flows, default 32 MiB. Flows beyond it go without and are counted.
	Identity int
}

// The defaults of [Options].
const (
	DefaultIdle   = 60_000_000_000
	DefaultActive = 120_000_000_000
	DefaultFlows  = 1 << 17
)

// Side is one direction of a flow.
type Side struct {
	Packets, Bytes     uint64 // IP bytes
	Last               int64  // nanoseconds, meaningful with a packet
	gapMin, gapMax     uint64 // whole milliseconds, rounded down
	gapSum, gapSquares float64
	next               uint32 // sequence number behind the last octet
	Window             uint16 // largest, not scaled
	MinTTL, MaxTTL     uint8
}

// sizes is how many bins packets are counted in by size: up to 128, 256, 512,
// 1024 and 1514 bytes.
const sizes = 5

// Flow is one bidirectional flow. Sides[0] is the source.
//
// Flows lie far apart in memory, so that its 64-byte lines are what a packet
// costs: it needs the first two and that of its side, hence the order.
type Flow struct {
	Key               capture.Key
	Shortest, Longest uint32 // IP packets in bytes

	Start, End int64 // nanoseconds since 1970 UTC
	LastPacket int64 // its number in the file
	texts      *text // nil without
	rare       *rare // nil without
	bins       [sizes]uint16
	Flags      [2]uint8 // of each side, OR of the TCP flags
	sequenced  [2]bool  // each side has a next
	Reverse    bool     // the source is Key.B
	watched    bool     // by protocol or ports, look reads each packet
	entropy    uint16   // + 1, 0 for none
	found      uint16   // messages that were read

	Sides [2]Side

	FirstPacket             int64    // its number in the file
	First                   [2]int64 // of each side, nanoseconds, meaningful with a packet
	DNSTTL                  uint32   // of the first A record of an answer
	DNSID, DNSType          uint16   // of the first message
	FTPCode                 uint16   // last reply code of an FTP server
	ICMP                    uint16   // type x 256 + code of the first packet that has one
	rcode                   uint16   // of DNS + 1, 0 for none
	asked, answered, pinged bool
	cut                     bool     // some text was left out
	_                       [22]byte // to the end of a line
}

// rare is what few flows have: seldom is a copy, own is to be changed.
type rare struct {
	again   [2]retransmissions
	wrapped [sizes]uint64 // how often a bin began again at 0
	pending [2]pending
}

// retransmissions are those of one side.
type retransmissions struct{ packets, bytes uint64 } // IP bytes

func (f *Flow) seldom() rare {
	if f.rare == nil {
		return rare{}
	}
	return *f.rare
}

func (f *Flow) own() *rare {
	if f.rare == nil {
		f.rare = new(rare)
	}
	return f.rare
}

// Table holds the live flows. It is not safe for concurrent use.
//
// A packet joins the live flow of its key unless it is more than Idle before
// or after the last packet of that flow, or Active or more after its first:
// then that flow ends and a new one starts. A packet stamped up to Idle before
// the last one of its flow counts as simultaneous with it, so that times in a
// flow never go back. The source is who sent the first packet of the flow, or
// its receiver when that is a SYN with ACK.
type Table struct {
	o             Options
	emit          func(*Flow)
	live          index
	blocks        [][]Flow // by place
	last          int64
	late, evicted int64
	held          int   // bytes of texts
	cut           int64 // flows that went without
	scratch       []byte
	touched       uint64 // of no meaning: what is read has to be of use
}

// NewTable returns an empty table. emit is called with each flow that ends;
// the flow is valid until emit returns.
func NewTable(o Options, emit func(*Flow)) *Table {
	if o.Idle <= 0 {
		o.Idle = DefaultIdle
	}
	if o.Active <= 0 {
		o.Active = DefaultActive
	}
	if o.Flows <= 0 {
		o.Flows = DefaultFlows
	}
	if o.Identity <= 0 {
		o.Identity = DefaultIdentity
	}
	return &Table{o: o, emit: emit, live: newIndex()}
}

// Len returns the number of live flows.
func (t *Table) Len() int { return t.live.n }

// Late returns how many packets were stamped before the last one of their flow.
func (t *Table) Late() int64 { return t.late }

// Evicted returns how many flows ended because the table was full.
func (t *Table) Evicted() int64 { return t.evicted }

// Cut returns how many flows went without some text because of
// [Options.Identity].
func (t *Table) Cut() int64 { return t.cut }

// Add counts one packet, in O(1), and returns its flow, valid until the next
// call. Flows that it shows to be over are emitted before it is counted.
func (t *Table) Add(p *capture.Packet) *Flow {
	return t.add(p, t.live.sum(&p.Key))
}

// batch is how many packets are looked up together: enough to wait for memory
// once, and few enough to be still in the cache then.
const batch = 32

// AddAll is Add for each packet, in order, and faster: it touches the flows of
// several packets before it counts the first, so that the processor fetches
// them at the same time.
func (t *Table) AddAll(list []capture.Packet) {
	var sums [batch]uint32
	var places [batch]int32
	for len(list) > 0 {
		part := list[:min(len(list), batch)]
		list = list[len(part):]
		for i := range part {
			sums[i] = t.live.sum(&part[i].Key)
			places[i] = t.live.head(sums[i]).at
		}
		if t.live.n > 0 {
			for _, at := range places[:len(part)] {
				f := t.at(at)
				t.touched += uint64(f.Shortest) + uint64(f.End) + f.Sides[0].Packets + f.Sides[1].Packets + uint64(t.live.cells[at].sum)
			}
		}
		for i := range part {
			t.add(&part[i], sums[i])
		}
	}
}

func (t *Table) add(p *capture.Packet, sum uint32) *Flow {
	// Two packets in a row have to agree that time has passed: one wrong stamp
	// in the future would end every flow.
	now := min(p.Time, t.last)
	t.last = p.Time
	for at := t.live.oldest(); at != nowhere && now-t.at(at).End > t.o.Idle; at = t.live.oldest() {
		t.end(at)
	}
	at := t.live.first(sum)
	for ; at != nowhere; at = t.live.next(at, sum) {
		if same(&t.at(at).Key, &p.Key) {
			break
		}
	}
	when := p.Time
	if at != nowhere {
		f := t.at(at)
		switch {
		case when-f.End > t.o.Idle, f.End-when > t.o.Idle, when-f.Start >= t.o.Active:
			t.end(at)
			at = nowhere
		case when < f.End:
			when = f.End
			t.late++
		}
	}
	if at == nowhere {
		at = t.start(p, sum)
	} else {
		t.live.unlink(at)
		t.live.link(at)
	}
	f := t.at(at)
	f.add(p, when)
	if !f.dull(p) {
		t.look(f, p)
	}
	return f
}

// Drain ends up to n flows, those which were silent for longest first.
func (t *Table) Drain(n int) {
	for n = min(n, t.live.n); n > 0; n -= batch {
		at := t.live.oldest()
		for range min(n, batch) { // as AddAll does
			t.touched += uint64(t.at(at).End)
			at = t.live.cells[at].newer
		}
		for range min(n, batch) {
			t.end(t.live.oldest())
		}
	}
}

// blockFlows is how many flows are allocated at once.
const blockFlows = 256

func (t *Table) at(place int32) *Flow {
	return &t.blocks[uint32(place)/blockFlows][uint32(place)%blockFlows]
}

func (t *Table) start(p *capture.Packet, sum uint32) int32 {
	if t.live.n >= t.o.Flows {
		t.evicted++
		t.end(t.live.oldest())
	}
	at := t.live.put(sum)
	if int(at)/blockFlows == len(t.blocks) {
		t.blocks = append(t.blocks, make([]Flow, blockFlows))
	}
	answer := p.Head && p.Key.Protocol == capture.TCP && p.Flags&(syn|ack) == syn|ack
	f := t.at(at)
	*f = Flow{}
	f.Key, f.Reverse = p.Key, p.Reverse != answer
	f.watched = watched(&p.Key)
	f.Start, f.End, f.Shortest, f.FirstPacket = p.Time, p.Time, p.Bytes, p.Number
	if p.Outer != nil {
		f.texts = f.texts.with(textTunnel, tunnelText(p.Outer)) // not counted in held
	}
	return at
}

func (t *Table) end(at int32) {
	f := t.at(at)
	t.live.drop(at)
	if f.rare != nil {
		for way := range f.rare.pending {
			if b := f.rare.pending[way].b; b != nil {
				t.finish(f, way, b, true)
			}
		}
	}
	for x := f.texts; x != nil && x.which != textTunnel; x = x.next {
		t.held -= len(x.s)
	}
	t.emit(f)
	f.texts, f.rare = nil, nil
}

// Flags of TCP.
const fin, syn, ack = 0x01, 0x02, 0x10

// add counts a packet that arrived at when, which is not before f.End.
func (f *Flow) add(p *capture.Packet, when int64) {
	f.End, f.LastPacket = when, p.Number
	f.Shortest, f.Longest = min(f.Shortest, p.Bytes), max(f.Longest, p.Bytes)
	if p.Bytes <= 1514 {
		bin := bits.Len32((max(p.Bytes, 1) - 1) >> 7) // 0 up to 128, 1 up to 256, ...
		if f.bins[bin]++; f.bins[bin] == 0 {
			f.own().wrapped[bin]++
		}
	}
	way := 0
	if p.Reverse != f.Reverse {
		way = 1
	}
	s := &f.Sides[way]
	if s.Packets == 0 {
		f.First[way], s.MinTTL, s.MaxTTL, s.gapMin = when, p.TTL, p.TTL, math.MaxUint64
	} else {
		gap := uint64(when-s.Last) / 1e6
		s.gapMin, s.gapMax = min(s.gapMin, gap), max(s.gapMax, gap)
		s.gapSum += float64(gap)
		s.gapSquares += float64(float64(gap) * float64(gap))
	}
	s.Last = when
	s.Packets++
	s.Bytes += uint64(p.Bytes)
	s.MinTTL, s.MaxTTL = min(s.MinTTL, p.TTL), max(s.MaxTTL, p.TTL)
	s.Window = max(s.Window, p.Window)
	f.Flags[way] |= p.Flags
	if p.Head && p.Key.Protocol == capture.TCP {
		if p.Seq == s.next && f.sequenced[way] && p.Flags&(fin|syn) == 0 { // as nearly always
			s.next += p.Length
		} else {
			f.sequence(p, way)
		}
	}
}

// sequence counts retransmissions: segments that take up sequence space, all
// of it sent before. A keep-alive (one octet or none before the next number)
// is not one.
func (f *Flow) sequence(p *capture.Packet, way int) {
	s, size := &f.Sides[way], p.Length
	if p.Flags&fin != 0 {
		size++
	}
	if p.Flags&syn != 0 {
		size++
	}
	if size == 0 {
		return
	}
	end := p.Seq + size
	switch {
	case !f.sequenced[way] || int32(end-s.next) > 0:
		s.next, f.sequenced[way] = end, true
	case p.Seq+1 == s.next && p.Flags&(fin|syn) == 0:
	default:
		again := &f.own().again[way]
		again.packets++
		again.bytes += uint64(p.Bytes)
	}
}
