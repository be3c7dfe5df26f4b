package site

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// telemetrySchema is the schema of bundles that read host telemetry: a row is
// a window of a device. Package telemetry, which names it, is not linked into
// the page.
const telemetrySchema = "telemetry"

// Display columns and fields of telemetry.
const (
	fieldDevice     = "DEVICE"
	fieldEnd        = "WINDOW_END"
	fieldScenario   = "SCENARIO"
	fieldTechniques = "TECHNIQUES"
	fieldMetrics    = "METRICS"
	fieldSimulated  = "SIMULATED"
)

const (
	maxLanes    = 12   // devices drawn
	laneBins    = 240  // stretches of time in a lane, at most
	allBins     = 960  // in all lanes: each is a line of the table
	maxEpisodes = 5000 // kept
	episodeGap  = 3    // windows between two of one episode, at most
)

// fleet counts windows by device and time, in steps.
type fleet struct {
	only   string // the device that is shown alone, "" for all
	attack bool   // heights are attack scores, not percentiles of strangeness
	cursor spot

	key, next fleetKey
	pass, at  int
	device    int // of the second pass
	now, done fleetCounts
}

// spot is a window by its device and place there; the zero value is no window.
type spot struct {
	device *deviceCount
	k      int
}

type fleetKey struct {
	rows, cut        int
	threshold, limit float64
	only             string
	attack           bool
}

type fleetCounts struct {
	lo, hi, pitch      float64 // of the starts of windows; pitch is the least distance of two of a device
	devices            []*deviceCount
	byCode             map[uint32]*deviceCount
	lanes              []*deviceCount // drawn
	windows, simulated int64
	scenarios          []string // titles, in the order of the first episode
	episodes           []episode
	more               int64 // episodes that are not kept
}

type deviceCount struct {
	code                             uint32
	name                             string
	rows                             []int32 // of the store, by time
	unsorted                         bool
	strange, hot, simulated, matched int64
	top                              float64
	scenarios                        []string
	bins                             []laneBin // of a lane
	open                             int       // its episode that may go on, -1 for none
	last                             int       // window of that
}

// laneBin is a stretch of time of a device.
type laneBin struct {
	top     float64 // highest value
	row     int32   // that has it
	n, over int32   // windows, and those at the limit
}

// episode is windows of a device in a row that fit the same scenarios.
type episode struct {
	device    *deviceCount
	text      string // of the scenario column
	from, to  float64
	rows      int
	first     int32
	technique string
	simulated bool
}

// telemetric reports whether the rows are windows of devices.
func (a *App) telemetric() bool { return a.bundle.Schema == telemetrySchema }

// byScore reports whether heights are attack scores; without an anomaly model
// they are.
func (a *App) byScore() bool { return a.fleet.attack || a.bundle.Strange >= 1 }

func (x *fleet) keyOf(a *App) fleetKey {
	k := fleetKey{a.store.listed(), a.cut, a.threshold, a.strangeLimit(), x.only, a.byScore()}
	if k.attack {
		k.limit = a.threshold
	}
	return k
}

func (x *fleet) due(a *App) bool { return x.key != x.keyOf(a) }

// columnOf returns a column of the store by name, nil if it has none.
func (s *store) columnOf(name string) *column {
	for _, c := range s.columns {
		if c.name == name {
			return c
		}
	}
	return nil
}

// word returns the text of row i in a column of texts, "" without one.
func (c *column) word(i int32) string {
	if c == nil || c.numbers != nil || int(i) >= len(c.codes) {
		return ""
	}
	return c.words[c.codes[i]]
}

// value is the height of row i, NaN for none.
func (s *store) value(i int32, attack bool) float64 {
	if attack {
		return s.attack[i]
	}
	return s.anomaly[i]
}

func (x *fleet) step(a *App) {
	key, s := x.keyOf(a), a.store
	if x.next != key {
		x.next, x.pass, x.at, x.device = key, 0, 0, 0
		x.now = fleetCounts{lo: math.Inf(1), hi: math.Inf(-1), pitch: math.Inf(1), byCode: map[uint32]*deviceCount{}}
	}
	if x.pass == 0 {
		end := min(x.at+rowStep/2, key.rows)
		for i := x.at; i < end; i++ {
			x.now.count(a, int32(i), key)
		}
		if x.at = end; end == key.rows {
			x.now.choose(s, key)
			x.pass, x.at = 1, 0
		}
		return
	}
	for left := rowStep / 2; left > 0 && x.device < len(x.now.devices); {
		d := x.now.devices[x.device]
		end := min(x.at+left, len(d.rows))
		left -= end - x.at
		for k := x.at; k < end; k++ {
			x.now.place(s, d, k, key)
		}
		if x.at = end; end == len(d.rows) {
			x.at, x.device = 0, x.device+1
		}
	}
	if x.device == len(x.now.devices) {
		if c := x.cursor; c.device != nil { // the same window in what is new
			if x.cursor.device = x.now.byCode[c.device.code]; x.cursor.device == nil || c.k >= len(x.cursor.device.rows) {
				x.cursor = spot{}
			}
		}
		x.key, x.done = key, x.now
	}
}

// count adds row i to its device.
func (n *fleetCounts) count(a *App, i int32, key fleetKey) {
	s := a.store
	at := s.time(int(i))
	hosts := s.find(roleSource)
	if !(at > 0) || math.IsInf(at, 0) || hosts == nil || hosts.numbers != nil {
		return
	}
	code := hosts.codes[i]
	d := n.byCode[code]
	if d == nil {
		d = &deviceCount{code: code, name: hosts.words[code], open: -1, top: math.NaN()}
		n.byCode[code] = d
		n.devices = append(n.devices, d)
	}
	if k := len(d.rows); k > 0 {
		if step := at - s.time(int(d.rows[k-1])); step < 0 {
			d.unsorted = true
		} else if step > 0 {
			n.pitch = min(n.pitch, step)
		}
	}
	d.rows = append(d.rows, i)
	n.windows++
	n.lo, n.hi = min(n.lo, at), max(n.hi, at)
	if v := s.value(i, key.attack); !(v <= d.top) && v == v {
		d.top = v
	}
	if s.anomaly[i] >= a.strangeLimit() {
		d.strange++
	}
	if s.flags(int(i), a.threshold) {
		d.hot++
	}
	if s.columnOf(fieldSimulated).word(i) != "" {
		d.simulated++
		n.simulated++
	}
	if s.columnOf(fieldScenario).word(i) != "" {
		d.matched++
	}
}

// choose sorts the devices, those with most to look at first, and chooses the
// lanes.
func (n *fleetCounts) choose(s *store, key fleetKey) {
	for _, d := range n.devices {
		if d.unsorted {
			d.rows = permuted(d.rows, permutation(len(d.rows), func(i, j int) int { return cmp.Compare(s.time(int(d.rows[i])), s.time(int(d.rows[j]))) }))
		}
	}
	arrange(n.devices, func(a, b *deviceCount) int {
		return cmp.Or(cmp.Compare(min(b.matched, 1), min(a.matched, 1)), cmp.Compare(b.strange, a.strange), cmp.Compare(b.hot, a.hot), natural(a.name, b.name))
	})
	for _, d := range n.devices {
		if len(n.lanes) < maxLanes && (key.only == "" || key.only == d.name) {
			n.lanes = append(n.lanes, d)
		}
	}
	for _, d := range n.lanes {
		d.bins = make([]laneBin, n.bins())
	}
}

func permuted(x []int32, order []int) []int32 {
	out := make([]int32, len(order))
	for at, i := range order {
		out[at] = x[i]
	}
	return out
}

// bins is the number of stretches of time of a lane: one a window, while there
// are not too many.
func (n *fleetCounts) bins() int {
	if !(n.hi > n.lo) || !(n.pitch > 0) {
		return 1
	}
	return int(min(math.Floor((n.hi-n.lo)/n.pitch)+1, float64(min(laneBins, allBins/max(len(n.lanes), 1)))))
}

// bin is the stretch that a time falls into; from is where one begins.
func (n *fleetCounts) bin(at float64) int {
	k := n.bins()
	return min(max(int((at-n.lo)/max(n.end()-n.lo, 1)*float64(k)+1e-6), 0), k-1) // windows begin on a grid, which rounding must not leave
}

func (n *fleetCounts) from(bin int) float64 {
	return n.lo + (n.end()-n.lo)*float64(bin)/float64(n.bins())
}

// end is the end of the time line: a window more than the last start.
func (n *fleetCounts) end() float64 {
	if math.IsInf(n.pitch, 0) {
		return n.hi
	}
	return n.hi + n.pitch
}

// place adds window k of a device to its lane and its episodes.
func (n *fleetCounts) place(s *store, d *deviceCount, k int, key fleetKey) {
	i := d.rows[k]
	at := s.time(int(i))
	if d.bins != nil {
		b := &d.bins[n.bin(at)]
		v := s.value(i, key.attack)
		if v == v && (b.n == 0 || v > b.top) {
			b.top, b.row = v, i
		}
		if b.n++; key.attack && s.flags(int(i), key.threshold) || !key.attack && v >= key.limit {
			b.over++
		}
	}
	text := s.columnOf(fieldScenario).word(i)
	if text == "" {
		return
	}
	to := at
	if c := s.columnOf(fieldEnd); c != nil && c.numbers != nil && c.numbers.at(int(i)) > at {
		to = c.numbers.at(int(i))
	}
	simulated := s.columnOf(fieldSimulated).word(i) != ""
	if d.open >= 0 && k-d.last <= episodeGap {
		if e := &n.episodes[d.open]; e.text == text && e.simulated == simulated {
			e.rows, e.to, d.last = e.rows+1, max(e.to, to), k
			return
		}
	}
	if len(n.episodes) == maxEpisodes {
		n.more++
		d.open = -1
		return
	}
	d.open, d.last = len(n.episodes), k
	n.episodes = append(n.episodes, episode{d, text, at, to, 1, i, s.columnOf(fieldTechniques).word(i), simulated})
	if !slices.Contains(n.scenarios, text) {
		n.scenarios = append(n.scenarios, text)
	}
	if !slices.Contains(d.scenarios, text) {
		d.scenarios = append(d.scenarios, text)
	}
}

// letter stands for a scenario in the drawing: A to Z, then a number.
func (n *fleetCounts) letter(text string) string {
	k := slices.Index(n.scenarios, text)
	if k >= 26 {
		return count(int64(k + 1))
	}
	return string(rune('A' + max(k, 0)))
}

// window returns the row of the cursor, -1 for none.
func (x *fleet) window() int32 {
	if c := x.cursor; c.device != nil && c.k < len(c.device.rows) {
		return c.device.rows[c.k]
	}
	return -1
}

// begin puts the cursor on the highest window of the first lane, if it is
// nowhere.
func (x *fleet) begin(s *store) {
	if x.window() >= 0 && slices.Contains(x.done.lanes, x.cursor.device) || len(x.done.lanes) == 0 {
		return
	}
	d := x.done.lanes[0]
	best := 0
	for k, i := range d.rows {
		if v := s.value(i, x.key.attack); v > s.value(d.rows[best], x.key.attack) {
			best = k
		}
	}
	x.cursor = spot{d, best}
}

// near returns the window of a device that begins closest to a time.
func (d *deviceCount) near(s *store, at float64) int {
	k, _ := slices.BinarySearchFunc(d.rows, at, func(i int32, at float64) int { return cmp.Compare(s.time(int(i)), at) })
	if k == len(d.rows) || k > 0 && at-s.time(int(d.rows[k-1])) < s.time(int(d.rows[k]))-at {
		k--
	}
	return k
}

// move moves the cursor by a key and reports whether the key is one of its.
func (x *fleet) move(s *store, key string) bool {
	keys := "ArrowLeft ArrowRight ArrowUp ArrowDown PageUp PageDown Home End"
	if !slices.Contains(strings.Fields(keys), key) {
		return false
	}
	if x.begin(s); x.window() < 0 {
		return true
	}
	c := &x.cursor
	last := len(c.device.rows) - 1
	lane := slices.Index(x.done.lanes, c.device)
	switch key {
	case "ArrowLeft":
		c.k = max(c.k-1, 0)
	case "ArrowRight":
		c.k = min(c.k+1, last)
	case "Home":
		c.k = 0
	case "End":
		c.k = last
	case "ArrowUp", "ArrowDown":
		if key == "ArrowUp" {
			lane--
		} else {
			lane++
		}
		if lane >= 0 && lane < len(x.done.lanes) {
			at := s.time(int(x.window()))
			c.device = x.done.lanes[lane]
			c.k = c.device.near(s, at)
		}
	default: // to the next window that is worth a look
		by := 1
		if key == "PageUp" {
			by = -1
		}
		scenario := s.columnOf(fieldScenario)
		for k := c.k + by; k >= 0 && k <= last; k += by {
			i := c.device.rows[k]
			if s.value(i, x.key.attack) >= x.key.limit || scenario.word(i) != "" {
				c.k = k
				break
			}
		}
	}
	return true
}
