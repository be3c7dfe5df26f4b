package ingest

import (
	"errors"
	"fmt"
	"io"

	"cloister/shared/ingest/internal/capture"
	"cloister/shared/ingest/internal/flow"
)

// Export writes packets of chosen flows as a capture of their own: pcap of a
// pcap file, pcapng of a pcapng file. It is not safe for concurrent use, and
// independent of the [Source.Next] of its source.
//
//	e, err := s.Export(offsets)
//	for {
//		part, err := e.Next()      // io.EOF at the end
//		use(part)                  // may be empty: time to show progress
//	}
type Export struct {
	m       flowMeter
	meter   *meter
	writer  *capture.Writer
	firsts  map[int64]bool // packets that start a flow that is wanted
	begun   bool
	packets int64
	buf     []byte
}

// exportPart is after how many bytes Next returns.
const exportPart = 256 << 10

// ErrNoCapture means that the file has no packets to export.
var ErrNoCapture = errors.New("only the flows of a capture can be exported as packets")

// Export prepares to write the packets of the flows at offsets, as
// [frame.Frame.Offset] gave them; all of them must have been returned by Next.
// Flows that are kept (Limits.KeptBytes) cost nothing, for others the capture
// is read once up to the last of them. It returns [ErrNoCapture], or a
// [*FormatError] for an offset that names no flow.
//
// Read again with the same limits, the export has the same flows with the
// same fields, but for their numbers and those of their packets. It lacks
// packets that count for no flow, and so a later fragment is lost when the
// first one belongs to a flow that is not exported.
func (s *Source) Export(offsets []int64) (*Export, error) {
	t, ok := s.table.(*captureTable)
	if !ok {
		return nil, ErrNoCapture
	}
	before := s.meter
	defer func() { s.meter = before }()
	firsts, err := t.firsts(offsets)
	if err != nil {
		return nil, err
	}
	in, err := t.reopen()
	if err != nil {
		return nil, err
	}
	e := &Export{firsts: firsts, meter: s.meter}
	if e.m, err = newFlowMeter(in, t.options, func(f *flow.Flow) { delete(e.firsts, f.FirstPacket) }); err != nil {
		return nil, err
	}
	e.writer = capture.NewWriter(e.m.packets)
	return e, nil
}

// Format returns "pcap" or "pcapng", which is also the usual end of the name.
func (e *Export) Format() string { return e.m.packets.Format() }

// Packets returns how many packets have been written.
func (e *Export) Packets() int64 { return e.packets }

// Consumed returns how many bytes of the source's file have been read.
func (e *Export) Consumed() int64 { return e.meter.n }

// Next returns the next bytes of the export, valid until the next call, or
// [io.EOF]. It reads at most 65,536 packets, so a part may be empty. An error
// of the capture itself ends the export like its end: the packets before it
// are there, as they are for [Source.Next].
func (e *Export) Next() ([]byte, error) {
	e.buf = e.buf[:0]
	if !e.begun {
		e.begun = true
		e.buf = e.writer.AppendHead(e.buf)
	}
	for n := 0; n < stepPackets && len(e.buf) < exportPart && len(e.firsts) > 0 && e.m.step(); n++ {
		if e.m.joined != nil && e.firsts[e.m.joined.FirstPacket] {
			e.buf = e.writer.AppendPacket(e.buf, &e.m.frame)
			e.packets++
		}
	}
	if len(e.buf) == 0 && (len(e.firsts) == 0 || e.m.err != nil) {
		return nil, io.EOF
	}
	return e.buf, nil
}

// WriteTo writes the whole export to w.
func (e *Export) WriteTo(w io.Writer) (int64, error) {
	total := int64(0)
	for {
		part, err := e.Next()
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err // unreachable: Next has no other error
		}
		n, err := w.Write(part)
		if total += int64(n); err != nil {
			return total, err
		}
	}
}

// firsts returns the first packets of flows by number.
func (t *captureTable) firsts(numbers []int64) (map[int64]bool, error) {
	out, ask, last := map[int64]bool{}, map[int64]bool{}, int64(0)
	for _, n := range numbers {
		if n < 1 || n > t.row {
			return nil, &FormatError{Format: t.packets.Format(), Offset: n, What: "no flow of this number was read"}
		}
		rec, ok, err := t.kept.get(n)
		switch {
		case err != nil:
			return nil, err
		case ok:
			out[rec.FirstPacket()] = true
		default:
			ask[n], last = true, max(last, n)
		}
	}
	if len(ask) == 0 {
		return out, nil
	}
	in, err := t.reopen()
	if err != nil {
		return nil, err
	}
	seen := int64(0)
	m, err := newFlowMeter(in, t.options, func(f *flow.Flow) {
		if seen++; ask[seen] {
			out[f.FirstPacket] = true
		}
	})
	if err != nil {
		return nil, err
	}
	for seen < last && m.step() {
	}
	m.flows.Drain(int(max(last-seen, 0)))
	if seen < last {
		return nil, fmt.Errorf("the file has changed: %w", m.err)
	}
	return out, nil
}

// IsCapture reports whether the file is a capture: its flows were made from
// packets, all their numbers but the entropy are whole, and they can be
// exported.
func (s *Source) IsCapture() bool {
	_, ok := s.table.(*captureTable)
	return ok
}
