package job

import (
	"encoding/json"
	"errors"
	"io"
)

// Scorer does the work behind [Serve]. It is used from one goroutine, but
// Explain may be called from within emit.
type Scorer interface {
	// Load verifies and decodes a bundle and replays its vectors.
	Load(bundle []byte) (Bundle, error)
	// Score reads f and calls emit with progress and, when rows are ready,
	// verdicts. It stops with Summary.Cancelled when emit returns false.
	Score(f File, o Options, emit func(Progress, *Batch) bool) (Summary, error)
	// Explain explains a row of the file that Score read last.
	Explain(row int64) (Record, error)
}

// Serve answers the requests that arrive on p with s until the pipe ends, and
// returns nil when it was closed. While a file is scored, explain and cancel
// are answered between batches; load and another score are refused as busy.
// Serve starts no goroutine.
func Serve(p Pipe, s Scorer) error {
	v := &server{pipe: p, scorer: s}
	for {
		m, err := p.Receive()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := v.handle(m); err != nil {
			return err
		}
	}
}

type server struct {
	pipe    Pipe
	scorer  Scorer
	scoring bool
	current uint32 // id of the run
	stop    bool
}

// handle answers one message; the error is the pipe's.
func (v *server) handle(m Message) error {
	e, err := open(m)
	if err != nil {
		return v.fail(e.id, err)
	}
	switch e.kind {
	case kindLoad:
		if v.scoring {
			return v.fail(e.id, Failf("busy", "cancel the run or wait for it", "a file is being scored"))
		}
		b, err := v.scorer.Load(e.body)
		return v.answer(kindLoaded, e.id, b, err)
	case kindScore:
		if v.scoring {
			return v.fail(e.id, Failf("busy", "cancel the run or wait for it", "a file is being scored"))
		}
		return v.score(m, e)
	case kindExplain:
		var row int64
		if err := json.Unmarshal(e.body, &row); err != nil {
			return v.fail(e.id, Failf("protocol", "", "row: %v", err))
		}
		r, err := v.scorer.Explain(row)
		return v.answer(kindRecord, e.id, r, err)
	case kindAttribute:
		var rows []int64
		if err := json.Unmarshal(e.body, &rows); err != nil || len(rows) > MaxAttribute {
			return v.fail(e.id, Failf("protocol", "", "rows: %d, %v", len(rows), err))
		}
		a, err := attribute(v.scorer, rows)
		if err != nil {
			return v.fail(e.id, err)
		}
		return v.pipe.Send(seal(kindAttributions, e.id, a.AppendBinary(nil)))
	case kindCancel:
		if v.scoring && e.id == v.current {
			v.stop = true
		}
		return nil
	}
	if e.kind == kindExport || e.kind == kindPropose {
		if v.scoring {
			return v.fail(e.id, Failf("busy", "cancel the run or wait for it", "a file is being read"))
		}
	}
	if e.kind == kindExport {
		return v.export(e)
	}
	if ours, err := v.columns(m, e); ours {
		return err
	}
	return v.fail(e.id, Failf("protocol", "", "unknown request kind %d", e.kind))
}

func (v *server) score(m Message, e envelope) error {
	var o Options
	if err := decodeJSON(e.body, &o); err != nil {
		return v.fail(e.id, err)
	}
	if m.File == nil {
		return v.fail(e.id, Failf("protocol", "", "score request without a file"))
	}
	v.scoring, v.current, v.stop = true, e.id, false
	defer func() { v.scoring = false }()
	var broken error
	sum, err := v.scorer.Score(m.File, o, func(p Progress, b *Batch) bool {
		if b != nil {
			broken = v.pipe.Send(seal(kindBatch, e.id, b.AppendBinary(nil)))
		}
		if broken == nil {
			broken = v.pipe.Send(sealJSON(kindProgress, e.id, p))
		}
		if broken == nil {
			broken = v.listen()
		}
		return broken == nil && !v.stop
	})
	if broken != nil {
		return broken
	}
	return v.answer(kindSummary, e.id, sum, err)
}

// listen answers what has come while a run goes on.
func (v *server) listen() error {
	for {
		m, ok := v.pipe.Poll()
		if !ok {
			return nil
		}
		if err := v.handle(m); err != nil {
			return err
		}
	}
}

func (v *server) answer(k kind, id uint32, body any, err error) error {
	if err != nil {
		return v.fail(id, err)
	}
	return v.pipe.Send(sealJSON(k, id, body))
}

func (v *server) fail(id uint32, err error) error {
	var f *Failure
	if !errors.As(err, &f) {
		f = &Failure{Kind: "input", Text: err.Error()}
	}
	return v.pipe.Send(sealJSON(kindFailure, id, f))
}
