package site

import (
	"strconv"
	"strings"
	"time"

	"cloister/shared/job"
	"cloister/site/internal/pool"
)

// packets is an export of flows as captures that is under way or was the last.
type packets struct {
	running bool
	one     bool // the open record alone
	share   float64
	bytes   int64 // written so far
	cancel  func()
	stop    bool
	fault   error
	told    string // how it ended
}

// isCapture reports whether the flows of a file were made here from packets.
func (a *App) isCapture(source int) bool {
	if source < len(a.run.files) {
		f := &a.run.files[source]
		return f.Err == nil && f.Reached && f.Summary.Capture
	}
	return false
}

// captured reports whether any file is a capture.
func (a *App) captured() bool {
	for i := range a.run.files {
		if a.isCapture(i) {
			return true
		}
	}
	return false
}

// savePackets exports the packets of the open record, or of all rows that are
// flagged, one capture for each file.
func (a *App) savePackets(one bool) {
	if a.packets.running || a.phase != finished || one && !a.drawer.open {
		return
	}
	a.packets = packets{running: true, one: one}
	go a.writePackets(a.scorers, a.store, one, a.drawer.at)
}

// packetStep is how many rows are looked at between two looks at the window's
// events.
const packetStep = 16384

// writePackets runs on a goroutine of its own.
func (a *App) writePackets(scorers *pool.Pool, s *store, one bool, at int32) {
	a.env.RLock()
	parts := make([][]int64, len(a.run.parts))
	list, threshold := a.run.parts, a.threshold
	var total int64
	add := func(i int32) {
		if a.isCapture(s.source(i)) {
			part, row := s.place(i)
			parts[part] = append(parts[part], row)
			total++
		}
	}
	if one {
		add(at)
	}
	n := int32(s.listed())
	a.env.RUnlock()
	for i := int32(0); i < n && !one; {
		a.env.RLock()
		for end := min(i+packetStep, n); i < end; i++ {
			if s.flags(int(i), threshold) {
				add(i)
			}
		}
		a.env.RUnlock()
		time.Sleep(time.Millisecond)
	}
	var flows, count int64
	var names []string
	var err error
	for part, rows := range parts {
		if len(rows) == 0 {
			continue
		}
		name := baseName(list[part].File.Name())
		if one {
			name += ".row-" + strconv.FormatInt(rows[0], 10)
		} else {
			name += ".flagged"
		}
		var done job.Exported
		if done, err = a.writePart(scorers, part, rows, name, &names); err != nil || done.Cancelled {
			break
		}
		flows, count = flows+done.Flows, count+done.Packets
	}
	a.update(func() {
		p := &a.packets
		stopped := p.stop
		*p = packets{one: one, fault: err}
		switch {
		case err != nil:
		case stopped:
			p.told = say("Stopped: nothing was saved.")
		case total == 0:
			p.told = say("No row is flagged.")
		default:
			p.told = sayf("Saved {0} with {1} of {2}.", strings.Join(names, ", "), plural(count, "packet", "packets"), plural(flows, "flow", "flows"))
			a.notice = p.told
		}
	})
}

// writePart exports rows of one part.
func (a *App) writePart(scorers *pool.Pool, part int, rows []int64, name string, names *[]string) (job.Exported, error) {
	add, save := a.host.Gather()
	var drawn time.Time
	done, err := scorers.Export(part, rows,
		func(r job.Run) {
			a.env.Lock()
			a.packets.cancel = func() { _ = r.Cancel() } // a pipe that broke fails the export itself
			if a.packets.stop {
				go a.packets.cancel()
			}
			a.env.UnlockOnly()
		},
		func(b []byte, p job.Progress) {
			if len(b) > 0 {
				add(b)
			}
			a.env.Lock()
			a.packets.bytes += int64(len(b))
			if p.Total > 0 {
				a.packets.share = float64(p.Bytes) / float64(p.Total)
			}
			if time.Since(drawn) < drawEvery {
				a.env.UnlockOnly()
				return
			}
			drawn = time.Now()
			a.env.UnlockRender()
		})
	if err == nil && !done.Cancelled {
		name += "." + done.Format
		save(name, "application/vnd.tcpdump.pcap")
		*names = append(*names, name)
	}
	return done, err
}

// stopPackets ends the export; what was written is dropped.
func (a *App) stopPackets() {
	if a.packets.stop = true; a.packets.cancel != nil {
		go a.packets.cancel()
	}
}

// PacketCard saves the packets of flows: of the open record, or of all that
// are flagged.
type PacketCard struct {
	App *App
	One bool
}

func (c *PacketCard) p() *packets { return &c.App.packets }

// shown reports whether the rows in question were made from packets.
func (c *PacketCard) shown() bool {
	if c.App.phase != finished {
		return false
	}
	if c.One {
		return c.App.drawer.open && c.App.isCapture(c.App.store.source(c.App.drawer.at))
	}
	return c.App.captured()
}

// ours reports whether the export of the moment was asked for here.
func (c *PacketCard) ours() bool { return c.p().one == c.One }

func (c *PacketCard) text() string {
	if c.One {
		return say("Save its packets")
	}
	return sayf("Save the packets of {0}", plural(c.App.nFlagged, "flagged flow", "flagged flows"))
}

func (c *PacketCard) off() bool { return c.p().running || !c.One && c.App.nFlagged == 0 }

func (c *PacketCard) id() string {
	if c.One {
		return "packets-one"
	}
	return "packets-flagged"
}

func (c *PacketCard) share() string { return attribute(c.p().share) }

func (c *PacketCard) progress() string {
	return sayf("{0} of the capture read, {1} written", percent(c.p().share), size(c.p().bytes))
}

func (c *PacketCard) fault() string {
	if c.p().fault == nil {
		return ""
	}
	return sentence(c.p().fault.Error())
}

func (c *PacketCard) class() string {
	if c.shown() {
		return "part packets"
	}
	return "packets"
}
