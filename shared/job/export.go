package job

import (
	"errors"
	"slices"

	"cloister/shared/wire"
)

// Exported says what an export of packets holds.
type Exported struct {
	Format    string `json:"format"` // "pcap" or "pcapng"
	Flows     int64  `json:"flows"`
	Packets   int64  `json:"packets"`
	Cancelled bool   `json:"cancelled,omitempty"`
}

// An Exporter is a [Scorer] that writes flows back as packets.
type Exporter interface {
	Scorer
	// Export calls emit with the parts of a capture that holds the packets of
	// rows, ascending, of the file that Score read last. A part is valid until
	// emit returns, and may be empty; Progress.Rows counts packets written. It
	// stops with Exported.Cancelled when emit returns false. Rows of what is no
	// capture are a [*Failure] of kind "input".
	Export(rows []int64, emit func(part []byte, p Progress) bool) (Exported, error)
}

// appendRows appends ascending row numbers in wire form: their number, then
// the distance of each from the one before.
func appendRows(dst []byte, rows []int64) []byte {
	var w wire.Writer
	w.Bytes(dst)
	w.Count(len(rows))
	before := int64(0)
	for _, r := range rows {
		w.Uvarint(uint64(r - before))
		before = r
	}
	return w.Finish()
}

var errRows = errors.New("rows are not ascending")

// decodeRows reads what appendRows wrote.
func decodeRows(b []byte) ([]int64, error) {
	r := wire.NewReader(b)
	rows := make([]int64, 0, r.Count(1))
	at := uint64(0)
	for range cap(rows) {
		step := r.Uvarint()
		if step == 0 || step > maxPosition || at+step > maxPosition {
			r.Fail(errRows)
		}
		if r.Err() != nil {
			break
		}
		at += step
		rows = append(rows, int64(at))
	}
	if err := r.Close(); err != nil {
		return nil, Failf("protocol", "", "rows: %v", err)
	}
	return rows, nil
}

// export answers a request for packets. While it runs, cancel is answered and
// another run refused, as while a file is scored.
func (v *server) export(e envelope) error {
	s, ok := v.scorer.(Exporter)
	if !ok {
		return v.fail(e.id, errUnable("export packets"))
	}
	rows, err := decodeRows(e.body)
	if err != nil {
		return v.fail(e.id, err)
	}
	v.scoring, v.current, v.stop = true, e.id, false
	defer func() { v.scoring = false }()
	var broken error
	done, err := s.Export(rows, func(part []byte, p Progress) bool {
		var w wire.Writer
		w.Uvarint(uint64(p.Bytes))
		w.Uvarint(uint64(p.Total))
		w.Uvarint(uint64(p.Rows))
		w.Bytes(part)
		broken = v.pipe.Send(seal(kindPart, e.id, w.Finish()))
		if broken == nil {
			broken = v.listen()
		}
		return broken == nil && !v.stop
	})
	if broken != nil {
		return broken
	}
	return v.answer(kindExported, e.id, done, err)
}

// Export asks for the packets of rows of the capture that was scored last and
// calls each, on the goroutine of [Client.Run], with the parts in order and how
// far reading is; a part is the callee's. started receives the handle that
// cancels. rows need not be in order; each counts once.
func (c *Client) Export(rows []int64, started func(Run), each func(part []byte, p Progress)) (Exported, error) {
	rows = slices.Compact(slices.Sorted(slices.Values(rows)))
	var done Exported
	var fail error
	err := c.ask(func(id uint32) Message { return seal(kindExport, id, appendRows(nil, rows)) }, kindExported, &done,
		func(id uint32) {
			if started != nil {
				started(Run{c, id})
			}
		},
		func(e envelope) {
			if e.kind != kindPart {
				return
			}
			r := wire.NewReader(e.body)
			p := Progress{Bytes: int64(r.Uvarint() & (maxPosition - 1)), Total: int64(r.Uvarint() & (maxPosition - 1)), Rows: int64(r.Uvarint() & (maxPosition - 1))}
			part := r.Bytes(r.Left())
			if err := r.Close(); err != nil {
				fail = errors.Join(fail, Failf("protocol", "", "part of an export: %v", err))
				return
			}
			each(part, p)
		})
	if err == nil {
		err = fail
	}
	return done, err
}
