package capture

// What is held of fragments that come before the first one of their packet.
const (
	maxHeld      = 256
	maxHeldBytes = 1 << 20
)

// held keeps such fragments until the first one says whose they are.
type held struct {
	list  []early // in the order of the file
	bytes int
	ready []early // to be returned before the next packet
}

// early is a packet that is returned later than it was read.
type early struct {
	name   fragment
	frame  Frame
	packet Packet
}

// hold keeps a copy of a fragment, and forgets the oldest when there is no room.
func (h *held) hold(name fragment, f *Frame, p *Packet) {
	drop := 0
	for ; len(h.list)-drop >= maxHeld || h.bytes+len(f.Data) > maxHeldBytes; drop++ {
		h.bytes -= len(h.list[drop].frame.Data)
	}
	h.list = append(h.list[:0], h.list[drop:]...)
	e := early{name: name, frame: *f, packet: *p}
	e.frame.Data = append([]byte(nil), f.Data...)
	h.bytes += len(f.Data)
	h.list = append(h.list, e)
}

// release gives the held fragments of a packet to the flow of its first one.
func (d *Decoder) release(name fragment, o owner) {
	kept := d.held.list[:0]
	for _, e := range d.held.list {
		if e.name != name {
			kept = append(kept, e)
			continue
		}
		d.held.bytes -= len(e.frame.Data)
		d.skipped[orphan]--
		if o.carrier {
			d.skipped[carrier]++
			continue
		}
		d.skipped[decoded]++
		d.joined++
		e.packet.Key, e.packet.Reverse, e.packet.Outer = o.key, o.reverse, o.outer
		d.held.ready = append(d.held.ready, e)
	}
	clear(d.held.list[len(kept):])
	d.held.list = kept
}

// Early returns the next fragment that Decode held back, or at last the packet
// that it was called for, and reports whether there was one. Their stamps and
// numbers are those of the file, before those of the last packet; the data of
// frames is valid until the next call of Decode.
func (d *Decoder) Early(f *Frame, p *Packet) bool {
	list := d.held.ready
	if len(list) == 0 {
		return false
	}
	*f, *p = list[0].frame, list[0].packet
	if d.held.ready = list[1:]; len(list) == 1 {
		d.held.ready = nil
	}
	return true
}
