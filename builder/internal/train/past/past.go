// Package past counts what came before a flow: how many flows from the same
// source, to the same destination, and between both within 10, 60 and 300
// seconds. It hides how that is done in bounded memory.
//
//	c := past.New()
//	around = c.Append(around, frame) // len(past.Names()) values a row
//
// The counts are for ablations only and no feature of any recipe: they depend on
// how the rows of a file were drawn as much as on traffic. A sample of every
// thousandth flow has thousandths of the counts of the capture it is from. README.md
// has what they would add.
package past

import (
	"fmt"
	"math"
	"strconv"

	"cloister/shared/frame"
)

// Windows are how far back, in ms, a [Counter] looks.
var Windows = []float64{10_000, 60_000, 300_000}

// kinds name what a [Counter] counts by.
var kinds = []string{"SRC", "DST", "PAIR"}

// slots is how many parts a window has; a flow leaves it a part at a time.
const slots = 10

// MaxKeys bounds the sources, destinations and pairs that a [Counter]
// remembers: some 40 MB.
const MaxKeys = 1 << 16

// Counter counts, for each flow, what came before it: how many flows had the
// same source, the same destination, or both, within each of
// [Windows], and how many destination ports the source has tried in the
// longest. It sees rows in the order of a file and looks at rows before only,
// so that a row's counts do not change by what follows. It is not safe for
// concurrent use.
//
// Time runs in steps of a tenth of each window: a count covers the step of the
// row and the nine before it. A row that is older than what its key has seen
// last, as in a file that is not sorted, counts what the steps up to its own
// still hold, those of the last window before the newest row; it adds itself
// to its step if that is still held, and else to nothing. A row without time or
// address has counts that are NaN and adds nothing. Memory is bounded by
// [MaxKeys]: when a new key would exceed it, all keys whose newest row is older than
// the longest window before the newest of the file are forgotten, and if none is,
// every other one in the order of their first row.
type Counter struct {
	keys   map[string]*history
	order  []string // of first row
	newest float64
}

// history is what one key has seen.
type history struct {
	windows []window
	newest  float64
	ports   map[uint16]float64 // by source only: newest time of each destination port
}

// window counts rows by steps.
type window struct {
	step  int64 // newest
	count [slots]uint32
}

// maxPorts bounds the ports remembered of one source: a scan of all of them
// need not be told from one of so many.
const maxPorts = 1 << 10

// New returns a Counter that has seen nothing.
func New() *Counter {
	return &Counter{keys: map[string]*history{}, newest: math.Inf(-1)}
}

// Names returns the names of the columns, in order: SRC_FLOWS_10S and
// so on by key and window, then SRC_PORTS_300S.
func Names() []string {
	var out []string
	for _, key := range kinds {
		for _, w := range Windows {
			out = append(out, fmt.Sprintf("%s_FLOWS_%gS", key, w/1000))
		}
	}
	return append(out, fmt.Sprintf("SRC_PORTS_%gS", Windows[len(Windows)-1]/1000))
}

// Append appends to dst the counts of the rows of a frame of flows, row-major,
// and remembers the rows. It takes O(1) time a row, ports of a busy source
// aside.
func (c *Counter) Append(dst []float64, f *frame.Frame) []float64 {
	column := func(name string) ([]float64, []string) {
		k, _ := f.Schema.Index(name)
		return f.Numbers[k], f.Texts[k]
	}
	times, _ := column(frame.FlowStart)
	ports, _ := column(frame.DstPort)
	_, from := column(frame.SrcAddr)
	_, to := column(frame.DstAddr)
	width := len(Names())
	for i := range f.Len() {
		if times == nil || from == nil || to == nil || math.IsNaN(times[i]) || math.Abs(times[i]) > 1e15 || from[i] == "" || to[i] == "" {
			for range width {
				dst = append(dst, math.NaN())
			}
			continue
		}
		at := times[i]
		c.newest = max(c.newest, at)
		// the kinds of key cannot be taken for each other, and lengths keep
		// the two of a pair apart
		var source *history
		for n, key := range []string{"s" + from[i], "d" + to[i], "p" + strconv.Itoa(len(from[i])) + ":" + from[i] + to[i]} {
			h := c.of(key, at)
			for w := range h.windows {
				dst = append(dst, h.windows[w].visit(at, Windows[w]/slots))
			}
			if h.newest = max(h.newest, at); n == 0 {
				source = h
			}
		}
		dst = append(dst, source.port(at, ports, i))
	}
	return dst
}

// of returns the history of a key, making room for a new one.
func (c *Counter) of(key string, at float64) *history {
	if h := c.keys[key]; h != nil {
		return h
	}
	if len(c.keys) >= MaxKeys {
		c.forget()
	}
	h := &history{windows: make([]window, len(Windows)), newest: at}
	for w := range h.windows {
		h.windows[w].step = int64(math.Floor(at / (Windows[w] / slots)))
	}
	c.keys[key] = h
	c.order = append(c.order, key)
	return h
}

// forget makes room.
func (c *Counter) forget() {
	oldest := c.newest - Windows[len(Windows)-1]
	before := len(c.order)
	drop := func(stale func(i int, h *history) bool) {
		kept := c.order[:0]
		for i, key := range c.order {
			if stale(i, c.keys[key]) {
				delete(c.keys, key)
			} else {
				kept = append(kept, key)
			}
		}
		c.order = kept
	}
	drop(func(_ int, h *history) bool { return h.newest < oldest })
	if len(c.order) == before {
		drop(func(i int, _ *history) bool { return i%2 == 0 })
	}
}

// visit returns how many rows the window up to a time holds, and adds one.
func (w *window) visit(at, step float64) float64 {
	now := int64(math.Floor(at / step))
	if gone := now - w.step; gone > 0 {
		if gone >= slots {
			w.count = [slots]uint32{}
		} else {
			for s := w.step + 1; s <= now; s++ {
				w.count[slot(s)] = 0
			}
		}
		w.step = now
	}
	if w.step-now >= slots {
		return 0
	}
	sum := uint32(0)
	for s := now; s > w.step-slots; s-- {
		sum += w.count[slot(s)]
	}
	w.count[slot(now)]++
	return float64(sum)
}

// slot returns the place of a step.
func slot(step int64) int64 { return (step%slots + slots) % slots }

// port returns how many destination ports the source has tried in the longest
// window before a row, its own aside, and adds that. It is NaN for a row
// without port.
func (h *history) port(at float64, ports []float64, i int) float64 {
	if ports == nil || !(ports[i] >= 0 && ports[i] < 65536) {
		return math.NaN()
	}
	own := uint16(ports[i])
	if h.ports == nil {
		h.ports = map[uint16]float64{}
	}
	span := Windows[len(Windows)-1]
	n := 0
	for p, last := range h.ports { // a count does not depend on the order
		switch {
		case last <= h.newest-span:
			delete(h.ports, p)
		case p != own && last > at-span && last <= at:
			n++
		}
	}
	if _, known := h.ports[own]; known || len(h.ports) < maxPorts {
		h.ports[own] = max(at, h.ports[own])
	}
	return float64(n)
}
