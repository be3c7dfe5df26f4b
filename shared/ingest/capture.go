package ingest

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"cloister/shared/frame"
	"cloister/shared/ingest/internal/capture"
	"cloister/shared/ingest/internal/flow"
)

// captureTable reads packet captures and yields the flows in them, in the
// order in which they end. The row of a flow is its number in that order, and
// so is its offset: a flow lies at no single place of the file.
type captureTable struct {
	flowMeter
	reopen  func() (io.Reader, error)
	options flow.Options
	mapping []Mapped
	kept    kept
	most    int           // rows of the next frame
	queue   []flow.Record // ended, not returned yet
	row     int64
	frame   *frame.Frame
	room    []capture.Packet // for steps
}

// flowMeter joins the three steps from bytes to flows.
type flowMeter struct {
	packets *capture.Reader
	decoder *capture.Decoder
	flows   *flow.Table
	frame   capture.Frame // of the last step
	packet  capture.Packet
	joined  *flow.Flow // that took it, nil if none did
	err     error      // that ended the packets
}

// firstRows is how many rows the first frame has at most; each has twice as many
// as the one before, up to frameRows. The first verdicts come early, and who
// shows them has little to do while its code is still cold.
const firstRows = 512

// stepPackets is after how many packets next returns, with or without flows,
// so that progress is shown and cancel heard.
const stepPackets = 1 << 16

// stepTogether is how many packets are counted together.
const stepTogether = 32

func newFlowMeter(in io.Reader, o flow.Options, emit func(*flow.Flow)) (flowMeter, error) {
	packets, err := capture.NewReader(in)
	if err != nil {
		return flowMeter{}, captureError(err)
	}
	return flowMeter{packets: packets, decoder: &capture.Decoder{}, flows: flow.NewTable(o, emit)}, nil
}

// step reads one packet, or takes one that the decoder held back, and reports
// whether there was one.
func (m *flowMeter) step() bool {
	if m.err != nil {
		return false
	}
	if m.decoder.Early(&m.frame, &m.packet) {
		m.joined = m.flows.Add(&m.packet)
		return true
	}
	if err := m.packets.Next(&m.frame); err != nil {
		m.err = captureError(err)
		return false
	}
	m.joined = nil
	if m.decoder.Decode(&m.frame, &m.packet) {
		m.joined = m.flows.Add(&m.packet)
	}
	return true
}

// steps is step for as many packets as list has room for, without joined.
func (m *flowMeter) steps(list []capture.Packet) {
	n, err := m.decoder.Fill(m.packets, &m.frame, list)
	if err != nil {
		m.err = captureError(err)
	}
	m.flows.AddAll(list[:n])
}

// captureError turns an error of package capture into one of this package.
func captureError(err error) error {
	e, ok := errors.AsType[*capture.Error](err)
	if !ok {
		return err
	}
	f := &FormatError{Format: e.Format, Offset: e.Offset, What: e.What}
	if cause := e.Unwrap(); cause != nil {
		return &cutError{f, cause}
	}
	return f
}

func newCaptureTable(reopen func() (io.Reader, error), lim Limits) (*captureTable, error) {
	t := &captureTable{reopen: reopen, most: firstRows, room: make([]capture.Packet, stepTogether), kept: kept{limit: lim.KeptBytes}, options: flow.Options{Idle: int64(lim.FlowIdle), Active: int64(lim.FlowActive), Flows: lim.Flows}}
	in, err := reopen()
	if err != nil {
		return nil, err
	}
	if t.flowMeter, err = newFlowMeter(in, t.options, func(f *flow.Flow) {
		t.queue = slices.Grow(t.queue, 1)[:len(t.queue)+1]
		f.Record(&t.queue[len(t.queue)-1])
	}); err != nil {
		return nil, err
	}
	has := flow.Has()
	t.frame = frame.New(frame.Flow, frameRows, has)
	for i, field := range frame.Flow.Fields {
		m := Mapped{Field: field.Name}
		if has[i] {
			m.From, m.How = "packets", Computed
		}
		t.mapping = append(t.mapping, m)
	}
	// The first step decides what the file is called and whether it is of use.
	t.meter()
	if len(t.queue) == 0 && t.err != nil {
		return nil, t.end()
	}
	return t, nil
}

// end returns the error that ends reading: of a whole file without flows, why
// there is none.
func (t *captureTable) end() error {
	switch {
	case t.row > 0 || !errors.Is(t.err, io.EOF):
		return t.err
	case t.packets.Packets() == 0:
		return ErrEmpty
	}
	return &FormatError{Format: t.packets.Format(), What: t.nothing()}
}

// nothing says why there is no flow.
func (t *captureTable) nothing() string {
	s := fmt.Sprintf("no flow in %s packets of %s", grouped(t.packets.Packets()), t.packets.Links())
	skipped := t.decoder.Skipped()
	for _, why := range slices.Sorted(maps.Keys(skipped)) {
		s += fmt.Sprintf("; %s: %s", why, grouped(skipped[why]))
	}
	return s
}

// meter reads packets until a frame of flows has ended, or for one step, or to
// the end of the file, where all flows end.
func (t *captureTable) meter() {
	for left := int64(stepPackets); left > 0 && len(t.queue) < t.most && t.err == nil; {
		before := t.packets.Packets()
		t.steps(t.room[:min(left, int64(len(t.room)))])
		left -= t.packets.Packets() - before
	}
	if t.err != nil {
		t.flows.Drain(t.most - len(t.queue))
	}
}

// next implements [Source.Next].
func (t *captureTable) next() (*frame.Frame, error) {
	t.meter()
	t.frame.Reset()
	n := min(len(t.queue), t.most)
	if n == 0 && t.err != nil {
		return nil, t.end()
	}
	list := t.queue[:n]
	flow.AppendTo(t.frame, list)
	for i := range list {
		t.row++
		t.kept.add(&list[i])
		t.frame.Row = append(t.frame.Row, t.row)
		t.frame.Offset = append(t.frame.Offset, t.row)
	}
	if n == t.most {
		t.most = min(2*t.most, frameRows)
	}
	t.queue = t.queue[:copy(t.queue, t.queue[n:])]
	return t.frame, nil
}

// at implements [Source.At] with offset the number of a flow. Flows that are
// no longer kept cost reading the capture up to their end.
func (t *captureTable) at(number int64) (*frame.Frame, error) {
	if number < 1 || number > t.row {
		return nil, &FormatError{Format: t.packets.Format(), Offset: number, What: "no flow of this number was read"}
	}
	rec, ok, err := t.kept.get(number)
	if err != nil {
		return nil, err
	}
	if !ok {
		if rec, err = t.reread(number); err != nil {
			return nil, err
		}
	}
	f := frame.New(frame.Flow, 1, flow.Has())
	flow.AppendTo(f, []flow.Record{rec})
	f.Row, f.Offset = append(f.Row, number), append(f.Offset, number)
	return f, nil
}

// reread meters the capture again until the flow of this number ends: the same
// packets end the same flows.
func (t *captureTable) reread(number int64) (flow.Record, error) {
	in, err := t.reopen()
	if err != nil {
		return flow.Record{}, err
	}
	var found flow.Record
	seen := int64(0)
	m, err := newFlowMeter(in, t.options, func(f *flow.Flow) {
		if seen++; seen == number {
			f.Record(&found)
		}
	})
	if err != nil {
		return flow.Record{}, err
	}
	for seen < number && m.step() {
	}
	m.flows.Drain(int(number - seen))
	if seen < number { // the file has changed
		return flow.Record{}, m.err
	}
	return found, nil
}

func (t *captureTable) fields() []Mapped { return t.mapping }

func (t *captureTable) rest() []string { return nil }

// mended counts what was left out, by reason. Packets are no rows, so they
// are not among the rejects: rows and rejects share one numbering.
func (t *captureTable) mended() map[string]int64 {
	out := t.decoder.Skipped()
	for name, n := range map[string]int64{
		"packet stamped before the last one of its flow, taken as simultaneous": t.flows.Late(),
		"later fragment, counted with the flow of its first one":                t.decoder.Joined(),
		"flow without some of its names: too many texts at once":                t.flows.Cut(),
		"flow ended early: too many at once":                                    t.flows.Evicted(),
	} {
		if n > 0 {
			out[name] = n
		}
	}
	return out
}

// describe names the container, the link and how far reading has come.
func (t *captureTable) describe() string {
	s := fmt.Sprintf("%s capture, %s, %s packets", t.packets.Format(), t.packets.Links(), grouped(t.packets.Packets()))
	if t.err == nil {
		s += " so far"
	}
	return s
}

// grouped writes n with commas between thousands.
func grouped(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// keptBlock is how many flows are decoded to reach one.
const keptBlock = 64

// kept holds the first flows of a capture, encoded.
type kept struct {
	blocks [][]byte // of keptBlock flows each, the last may have fewer
	flows  int64
	bytes  int
	limit  int
}

// add keeps r, unless the room is used up.
func (k *kept) add(r *flow.Record) {
	if k.bytes >= k.limit {
		return
	}
	if k.flows%keptBlock == 0 {
		if n := len(k.blocks); n > 0 {
			k.blocks[n-1] = slices.Clip(slices.Clone(k.blocks[n-1]))
		}
		k.blocks = append(k.blocks, nil)
	}
	last := &k.blocks[len(k.blocks)-1]
	before := len(*last)
	*last = r.AppendBinary(*last)
	k.bytes += len(*last) - before
	k.flows++
}

// get returns the flow of a number, 1 or more, and whether it is kept.
func (k *kept) get(number int64) (r flow.Record, ok bool, err error) {
	if number > k.flows {
		return r, false, nil
	}
	i := number - 1
	b := k.blocks[i/keptBlock]
	for range i%keptBlock + 1 {
		if r, b, err = flow.DecodeRecord(b); err != nil {
			return r, false, err
		}
	}
	return r, true, nil
}
