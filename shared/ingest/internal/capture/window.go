package capture

import "io"

// firstWindow is how much is read at once, until a packet needs more: little
// enough to stay in the processor's cache while packets are taken out of it,
// and enough for few calls. Who reads from a slow place reads further ahead.
const firstWindow = 64 << 10

// window is a stretch of the input that was read ahead, so that packets are
// used where they lie.
type window struct {
	in       io.Reader
	failed   error  // of in
	buf      []byte // buf[from:to] is ahead
	from, to int
	at       int64  // offset of buf[from]
	spare    []byte // a packet in a block that does not fit
}

// peek returns the next n bytes, at most [MaxPacket], without passing them;
// they are valid until bytes beyond them are asked for. At the end of the input
// it returns what there is and io.EOF.
func (w *window) peek(n int) ([]byte, error) {
	if w.to-w.from < n {
		if err := w.fill(n); err != nil {
			return w.buf[w.from:w.to], err
		}
	}
	return w.buf[w.from : w.from+n], nil
}

// fill reads until n bytes, at most [MaxPacket], are ahead.
func (w *window) fill(n int) error {
	w.to = copy(w.buf, w.buf[w.from:w.to])
	w.from = 0
	for idle := 0; w.to < n; {
		if w.failed != nil {
			return w.failed
		}
		if w.to == len(w.buf) {
			w.buf = append(w.buf, make([]byte, len(w.buf))...)
		}
		got := 0
		got, w.failed = w.in.Read(w.buf[w.to:])
		w.to += got
		if idle++; got > 0 {
			idle = 0
		} else if idle == 100 { // as bufio does
			w.failed = io.ErrNoProgress
		}
	}
	return nil
}

// pass passes n bytes that are ahead.
func (w *window) pass(n int) {
	w.from += n
	w.at += int64(n)
}

// read returns the next n bytes and passes them. It returns io.EOF only when
// there is none.
func (w *window) read(n int) ([]byte, error) {
	b, err := w.peek(n)
	w.pass(len(b))
	if err == io.EOF && len(b) > 0 {
		err = io.ErrUnexpectedEOF
	}
	return b, err
}

// skip passes over n bytes.
func (w *window) skip(n int64) error {
	for n > 0 {
		b, err := w.read(int(min(n, int64(max(w.to-w.from, 1)))))
		if err != nil {
			return err
		}
		n -= int64(len(b))
	}
	return nil
}

// packet returns n bytes of packet data, of which the first [MaxPacket] are
// kept, and passes them. They stay valid while the rest bytes behind them are
// passed.
func (w *window) packet(n, rest int64) ([]byte, error) {
	if n+rest <= MaxPacket {
		if _, err := w.peek(int(n + rest)); err != nil {
			return nil, err
		}
		b, err := w.read(int(n))
		return b[:n:n], err
	}
	b, err := w.read(int(min(n, MaxPacket)))
	if err != nil {
		return nil, err
	}
	w.spare = append(w.spare[:0], b...)
	return w.spare, w.skip(n - int64(len(b)))
}
