// Package capturetest makes captures for tests and benchmarks of those who read
// them. It hides what the traffic in them is like.
//
//	packets, size, err := capturetest.Write(file, 500_000_000, rand.New(rand.NewPCG(1, 2)))
//
// It is linked into no program but that of `make peers`.
package capturetest

import (
	"bufio"
	"encoding/binary"
	"io"
	"math/rand/v2"
)

// Conversations is how many go on at a time.
const Conversations = 2000

// conversation is one of them.
type conversation struct {
	client, server uint32
	port, target   uint16
	protocol       byte
	left           int
	seq            [2]uint32
	begun          bool
}

// Write writes a pcap file of at least size bytes, and less than 1,600 more:
// [Conversations] at a time, TCP with handshakes and requests to the ports of
// HTTP and TLS, and DNS, all between hosts of documentation networks; packets
// of 60 to 1,514 bytes, 200 on average, 150 microseconds apart. The same
// numbers of r give the same bytes. It returns the number of packets and
// bytes, and the errors of w.
func Write(w io.Writer, size int64, r *rand.Rand) (packets, bytes int64, err error) {
	out := bufio.NewWriterSize(w, 1<<20)
	le, be := binary.LittleEndian, binary.BigEndian
	head := le.AppendUint32(nil, 0xa1b2c3d4)
	head = le.AppendUint32(head, 2|4<<16)
	head = le.AppendUint64(head, 0)
	head = le.AppendUint32(head, 65535)
	head = le.AppendUint32(head, 1)
	if _, err := out.Write(head); err != nil {
		return 0, 0, err
	}
	bytes = int64(len(head))
	flows := make([]conversation, Conversations)
	payload := make([]byte, 1460)
	for i := range payload {
		payload[i] = byte(r.Uint32())
	}
	now := int64(1_700_000_000_000_000)
	buf := make([]byte, 0, 1600)
	for bytes < size {
		c := &flows[r.IntN(len(flows))]
		if c.left == 0 {
			c.begin(r)
		}
		way, length := c.next(r)
		flags, transport := byte(0x10), 20
		switch {
		case c.protocol == 17:
			transport = 8
		case !c.begun:
			flags = 2
		case c.left == 1:
			flags = 0x11
		case length > 0:
			flags = 0x18
		}
		total := 20 + transport + length
		frame := max(14+total, 60)
		now += int64(r.IntN(300))
		buf = le.AppendUint32(buf[:0], uint32(now/1e6))
		buf = le.AppendUint32(buf, uint32(now%1e6))
		buf = le.AppendUint32(buf, uint32(frame))
		buf = le.AppendUint32(buf, uint32(frame))
		buf = append(buf, 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0)
		buf = be.AppendUint16(buf, uint16(total))
		buf = append(buf, 0, 0, 0x40, 0, 64, c.protocol, 0, 0)
		from, to, source, target := c.client, c.server, c.port, c.target
		if way == 1 {
			from, to, source, target = to, from, target, source
		}
		buf = be.AppendUint32(be.AppendUint32(buf, from), to)
		buf = be.AppendUint16(be.AppendUint16(buf, source), target)
		if c.protocol == 17 {
			buf = be.AppendUint16(buf, uint16(8+length))
			buf = append(buf, 0, 0, byte(packets), byte(packets>>8), 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, 'w', 'w', 'w', 0, 0, 1, 0, 1)
			buf = append(buf, payload[:length-21]...)
		} else {
			buf = be.AppendUint32(be.AppendUint32(buf, c.seq[way]), c.seq[1-way])
			buf = append(buf, 0x50, flags, 0x20, 0, 0, 0, 0, 0)
			at := len(buf)
			buf = append(buf, payload[:length]...)
			if c.target == 80 && way == 0 && length > 60 {
				copy(buf[at:], "GET /index.html HTTP/1.1\r\nHost: www.example.org\r\n\r\n")
			}
			c.seq[way] += uint32(length)
		}
		for len(buf) < 16+frame {
			buf = append(buf, 0)
		}
		c.begun = true
		c.left--
		if _, err := out.Write(buf); err != nil {
			return 0, 0, err
		}
		packets++
		bytes += int64(len(buf))
	}
	return packets, bytes, out.Flush()
}

// begin starts another conversation in the place of one that is over.
func (c *conversation) begin(r *rand.Rand) {
	*c = conversation{client: 0xc6336400 + r.Uint32N(256), server: 0xcb007100 + r.Uint32N(256), port: uint16(1024 + r.IntN(60000)), protocol: 6, target: 443, left: 4 + r.IntN(16)}
	switch r.IntN(4) {
	case 0:
		c.protocol, c.target, c.left = 17, 53, 2
	case 1:
		c.target = 80
	}
}

// next says who sends the next packet, 0 for the client, and how long its
// payload is.
func (c *conversation) next(r *rand.Rand) (way, length int) {
	way = c.left & 1
	if c.begun && c.protocol == 6 {
		way = r.IntN(2)
	}
	switch {
	case c.protocol == 17:
		length = 30 + r.IntN(90)
	case !c.begun:
		way = 0
	case r.IntN(8) == 0:
		length = 1000 + r.IntN(460)
	case r.IntN(2) == 0:
		length = r.IntN(200)
	}
	return way, length
}
