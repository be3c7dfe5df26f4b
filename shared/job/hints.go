package job

import "cloister/shared/wire"

// appendHints writes the sets of techniques, and for each row which is its;
// nothing but a zero where there are none.
func (b *Batch) appendHints(w *wire.Writer) {
	w.Count(len(b.Hints))
	for _, set := range b.Hints {
		w.Count(len(set))
		for _, t := range set {
			hint := uint8(0)
			if t.Hint {
				hint = 1
			}
			w.U8(hint)
			for _, s := range [...]string{t.ID, t.Tactic, t.Confidence, t.Basis} {
				w.Text(s)
			}
		}
	}
	if len(b.Hints) > 0 {
		for i := range b.Row {
			w.Uvarint(uint64(b.Hint[i]))
		}
	}
}

// readHints reads what appendHints wrote for n rows.
func (b *Batch) readHints(r *wire.Reader, n int) {
	sets := r.Count(1)
	if sets == 0 || r.Err() != nil {
		return
	}
	for range sets {
		var set []Technique
		for range r.Count(5) {
			hint := r.U8()
			if hint > 1 {
				r.Fail(errBatch)
			}
			set = append(set, Technique{Hint: hint == 1, ID: r.Text(), Tactic: r.Text(), Confidence: r.Text(), Basis: r.Text()})
		}
		if r.Err() != nil {
			return
		}
		b.Hints = append(b.Hints, set)
	}
	if n > r.Left() {
		r.Fail(wire.ErrCount)
		return
	}
	b.Hint = make([]uint32, n)
	for i := range b.Hint {
		k := r.Uvarint()
		if k >= uint64(sets) {
			r.Fail(errBatch)
			return
		}
		b.Hint[i] = uint32(k)
	}
}
