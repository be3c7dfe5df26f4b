package job

import (
	"encoding/json"
	"errors"
	"fmt"

	"cloister/shared/wire"
)

// Message is one unit on a [Pipe]: bytes made by this package, and the file
// that a score request hands over.
type Message struct {
	Data []byte
	File File // nil unless the message is a score request
}

// A Pipe carries messages in order, in both directions, between exactly two
// ends. Closing either end makes Receive return [io.EOF] at the other once
// the queue is empty.
type Pipe interface {
	// Send hands m over; it does not keep m.Data after it returns, and gives
	// the other end's messages a chance to arrive.
	Send(m Message) error
	// Receive waits for the next message.
	Receive() (Message, error)
	// Poll returns the next message if one is waiting.
	Poll() (Message, bool)
}

// kind is the first byte of a message after the version.
type kind uint8

const (
	kindLoad kind = iota + 1
	kindScore
	kindExplain
	kindCancel
	kindLoaded
	kindProgress
	kindBatch
	kindSummary
	kindRecord
	kindFailure
	kindAttribute
	kindAttributions
	kindPropose
	kindProposal
	kindProfile
	kindProfiled
	kindKeys
	kindKeyed
	kindExport
	kindPart
	kindExported
)

// maxMessage bounds one message; a bundle is at most 64 MiB (shared/bundle).
const maxMessage = 65 << 20

// maxPosition bounds row numbers and offsets: what JavaScript counts exactly.
const maxPosition = 1 << 53

// envelope is the header of every message: version, kind, request id.
type envelope struct {
	kind kind
	id   uint32
	body []byte
}

func seal(k kind, id uint32, body []byte) Message {
	b := make([]byte, 0, 6+len(body))
	b = append(b, Version, byte(k), byte(id), byte(id>>8), byte(id>>16), byte(id>>24))
	return Message{Data: append(b, body...)}
}

func sealJSON(k kind, id uint32, v any) Message {
	b, err := json.Marshal(v)
	if err != nil {
		// unreachable: every message type holds only encodable values;
		// Number covers NaN.
		return sealJSON(kindFailure, id, Failf("internal", "", "encode message %d: %v", k, err))
	}
	return seal(k, id, b)
}

func open(m Message) (envelope, error) {
	if len(m.Data) > maxMessage {
		return envelope{}, Failf("protocol", "", "message of %d bytes, at most %d", len(m.Data), maxMessage)
	}
	r := wire.NewReader(m.Data)
	version, k, id := r.U8(), kind(r.U8()), r.U32()
	body := r.Bytes(r.Left())
	if err := r.Close(); err != nil {
		return envelope{}, Failf("protocol", "", "message header: %v", err)
	}
	if version != Version {
		return envelope{}, Failf("protocol", "reload the page", "protocol version %d, this side speaks %d", version, Version)
	}
	return envelope{k, id, body}, nil
}

func decodeJSON(b []byte, v any) error {
	if err := json.Unmarshal(b, v); err != nil {
		return Failf("protocol", "", "message body: %v", err)
	}
	return nil
}

// Bits of a row in a batch.
const (
	flagAbstained = 1 << iota
	flagOutside
)

// AppendBinary appends the columns of b in wire form.
func (b *Batch) AppendBinary(dst []byte) []byte {
	var w wire.Writer
	w.Bytes(dst)
	n := len(b.Row)
	w.Count(n)
	for i := range n {
		w.Uvarint(uint64(b.Row[i]))
		w.U16(b.Class[i])
		w.F64(b.Probability[i])
		w.F64(b.Attack[i])
		w.F64(b.Anomaly[i])
		var flags uint8
		if b.Abstained[i] {
			flags |= flagAbstained
		}
		if b.Outside != nil && b.Outside[i] {
			flags |= flagOutside
		}
		w.U8(flags)
		severity := uint8(0)
		if b.Severity != nil {
			severity = b.Severity[i]
		}
		w.U8(severity)
	}
	b.appendHints(&w)
	w.Count(len(b.Columns))
	for _, c := range b.Columns {
		w.Text(c.Name)
		w.Text(c.Unit)
		if c.Numbers != nil {
			w.U8(0)
			for _, v := range c.Numbers {
				w.F64(v)
			}
			continue
		}
		w.U8(1)
		// texts repeat (addresses): a dictionary in order of first use
		index := map[string]int{}
		var words []string
		for _, s := range c.Texts {
			if _, ok := index[s]; !ok {
				index[s] = len(words)
				words = append(words, s)
			}
		}
		w.Count(len(words))
		for _, s := range words {
			w.Text(s)
		}
		for _, s := range c.Texts {
			w.Uvarint(uint64(index[s]))
		}
	}
	w.Count(len(b.Rejected))
	for _, r := range b.Rejected {
		w.Uvarint(uint64(r.Row))
		w.Uvarint(uint64(r.Offset))
		w.Text(r.Reason)
		w.Text(r.Detail)
	}
	return w.Finish()
}

// errBatch means that a batch is inconsistent.
var errBatch = errors.New("inconsistent batch")

// decodeBatch reads what [Batch.AppendBinary] wrote. It allocates at most
// some twenty times the bytes read, eight times without Hints.
func decodeBatch(b []byte) (*Batch, error) {
	const rowBytes = 1 + 2 + 3*8 + 2
	r := wire.NewReader(b)
	n := r.Count(rowBytes)
	out := &Batch{
		Row: make([]int64, n), Class: make([]uint16, n), Probability: make([]float64, n),
		Attack: make([]float64, n), Anomaly: make([]float64, n), Abstained: make([]bool, n),
		Outside: make([]bool, n), Severity: make([]uint8, n),
	}
	for i := range n {
		row := r.Uvarint()
		if row > maxPosition {
			r.Fail(errBatch)
		}
		out.Row[i], out.Class[i] = int64(row), r.U16()
		out.Probability[i], out.Attack[i], out.Anomaly[i] = r.F64(), r.F64(), r.F64()
		flags := r.U8()
		out.Severity[i] = r.U8()
		if flags > flagAbstained|flagOutside || int(out.Severity[i]) >= len(Severities) {
			r.Fail(errBatch)
		}
		out.Abstained[i], out.Outside[i] = flags&flagAbstained != 0, flags&flagOutside != 0
	}
	out.readHints(r, n)
	columns := r.Count(3)
	for range columns {
		c := Column{Name: r.Text(), Unit: r.Text()}
		switch r.U8() {
		case 0:
			if n > r.Left()/8 {
				r.Fail(wire.ErrCount)
				break
			}
			c.Numbers = make([]float64, n)
			for i := range c.Numbers {
				c.Numbers[i] = r.F64()
			}
		case 1:
			words := make([]string, r.Count(1))
			for i := range words {
				words[i] = r.Text()
			}
			if n > r.Left() {
				r.Fail(wire.ErrCount)
				break
			}
			c.Texts = make([]string, n)
			for i := range c.Texts {
				k := r.Uvarint()
				if k >= uint64(len(words)) {
					r.Fail(errBatch)
					break
				}
				c.Texts[i] = words[k]
			}
		default:
			r.Fail(errBatch)
		}
		if r.Err() != nil {
			break
		}
		out.Columns = append(out.Columns, c)
	}
	for range r.Count(4) {
		row, offset := r.Uvarint(), r.Uvarint()
		if row > maxPosition || offset > maxPosition {
			r.Fail(errBatch)
		}
		out.Rejected = append(out.Rejected, Reject{int64(row), int64(offset), r.Text(), r.Text()})
		if r.Err() != nil {
			break
		}
	}
	if err := r.Close(); err != nil {
		return nil, fmt.Errorf("batch: %w", err)
	}
	return out, nil
}
