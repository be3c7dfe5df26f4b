package site

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"

	"cloister/shared/job"
)

// versus is another bundle's opinion on the rows of the run.
type versus struct {
	with    *shelved
	running bool
	done    bool
	stopped bool
	share   float64 // of the files that is read
	cancel  func()
	fault   error
	classes []job.Class
	flagAt  float64     // the other bundle's threshold
	rows    int64       // that both have scored
	same    int64       // of them with verdicts of one name
	flags   [2][2]int64 // by whether this bundle flags, and the other
	cells   [][]int64   // by class here and class there
	differ  []differing // rows that only one bundle flags, up to maxDiffer
	only    int64       // how many of those there are
}

// differing is a row that only one of the bundles flags.
type differing struct {
	at     int32
	class  uint16
	attack float64
}

// maxDiffer bounds the rows that are listed.
const maxDiffer = 1000

// compareWith scores the files that are open with another bundle, beside the
// verdicts on show.
func (a *App) compareWith(s *shelved) {
	if a.phase != finished || a.versus.running || len(a.run.given) == 0 {
		return
	}
	a.versus = versus{with: s, running: true}
	store, given, how := a.store, a.run.given, a.run.how
	how.FlowText = true // alerts and flows can be compared: a flow is read as a sentence
	go func() {
		err := a.judge(s, store, given, how)
		a.update(func() {
			v := &a.versus
			if v.with != s || a.store != store {
				return
			}
			v.running, v.done, v.fault, v.cancel = false, err == nil, err, nil
			arrange(v.differ, func(x, y differing) int { return cmp.Compare(x.at, y.at) })
			a.host.Focus("compare-title")
		})
	}()
}

// judge runs on a goroutine of its own.
func (a *App) judge(s *shelved, store *store, given []job.File, how job.Options) error {
	data, err := a.readAll(s.File)
	if err != nil {
		return err
	}
	m, info, err := a.hire(data)
	if err != nil {
		return err
	}
	defer m.Stop()
	stale := false
	a.update(func() {
		v := &a.versus
		if stale = v.with != s || a.store != store; stale {
			return
		}
		v.classes, v.flagAt = info.Classes, info.Threshold
		v.cells = make([][]int64, len(store.classes))
		for k := range v.cells {
			v.cells[k] = make([]int64, len(info.Classes))
		}
	})
	var total, before int64
	for _, f := range given {
		total += max(f.Size(), 1)
	}
	at := int32(0)
	for source, f := range given {
		var handle job.Run
		sum, err := m.Client.Score(f, how, func(r job.Run) { handle = r }, func(p job.Progress, b *job.Batch) {
			a.env.Lock()
			v := &a.versus
			if stale = stale || v.with != s || a.store != store; !stale {
				v.cancel = func() { _ = handle.Cancel() } // a pipe that broke fails the score itself
				v.share = float64(before+p.Bytes) / float64(total)
				if b != nil {
					at = v.count(store, source, at, b, a.threshold)
				}
			}
			a.env.UnlockRender()
			if stale {
				_ = handle.Cancel()
			}
		})
		if err != nil {
			if isInput(err) && len(given) > 1 {
				continue // it had no verdicts before either
			}
			return err
		}
		if before += f.Size(); sum.Cancelled || stale {
			a.update(func() { a.versus.stopped = true })
			return nil
		}
	}
	return nil
}

// isInput reports whether an error is the file's.
func isInput(err error) bool {
	var f *job.Failure
	return errors.As(err, &f) && f.Kind == "input"
}

// count compares a batch of the other bundle with the rows of the store from at
// on, and returns where the next batch begins. Rows are matched by file and
// number: what one of the bundles has not scored is left out.
func (v *versus) count(s *store, source int, at int32, b *job.Batch, threshold float64) int32 {
	n := int32(s.listed())
	for i, row := range b.Row {
		for at < n && (s.source(at) < source || s.source(at) == source && s.row[at] < row) {
			at++
		}
		if at == n {
			break
		}
		if s.source(at) != source || s.row[at] != row || int(b.Class[i]) >= len(v.classes) {
			continue
		}
		here, there := s.class[at], b.Class[i]
		v.rows++
		v.cells[here][there]++
		if strings.EqualFold(s.classes[here].Name, v.classes[there].Name) {
			v.same++
		}
		x, y := s.flags(int(at), threshold), b.Attack[i] >= v.flagAt
		v.flags[bit(x)][bit(y)]++
		if x != y {
			if v.only++; len(v.differ) < maxDiffer {
				v.differ = append(v.differ, differing{at, there, b.Attack[i]})
			}
		}
	}
	return at
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// CompareCard shows how far two bundles agree on the rows that are open.
type CompareCard struct {
	App *App
}

func (c *CompareCard) v() *versus { return &c.App.versus }

func (c *CompareCard) on() bool { return c.v().with != nil }

func (c *CompareCard) here() string  { return c.App.bundleName() }
func (c *CompareCard) there() string { return c.v().with.Name + " " + c.v().with.Version }

func (c *CompareCard) title() string {
	return sayf("{0} against {1}", c.here(), c.there())
}

func (c *CompareCard) progress() string { return attribute(c.v().share) }

func (c *CompareCard) fault() string {
	if c.v().fault == nil {
		return ""
	}
	return sayf("{0} cannot score this file: {1}", c.there(), c.v().fault.Error())
}

func (c *CompareCard) stop() {
	if c.v().cancel != nil {
		c.v().cancel()
	}
}

// agreed says it in a sentence.
func (c *CompareCard) agreed() string {
	v := c.v()
	flags := v.flags[0][0] + v.flags[1][1]
	text := sayf("Of {0} rows that both have scored, both flag or neither flags {1} ({2}); verdicts of the same name: {3} ({4}).",
		count(v.rows), count(flags), share(flags, v.rows), count(v.same), share(v.same, v.rows))
	if v.stopped {
		text += " " + say("The comparison was stopped before the end.")
	}
	return text
}

func (c *CompareCard) flagHead() []string {
	return []string{c.here(), sayf("{0} flags", c.there()), sayf("{0} does not", c.there()), say("All")}
}

func (c *CompareCard) flagRows() (out [][]string) {
	v := c.v()
	for i, name := range []string{say("does not flag"), say("flags")} {
		out = append(out, []string{name, count(v.flags[i][1]), count(v.flags[i][0]), count(v.flags[i][0] + v.flags[i][1])})
	}
	slices.Reverse(out)
	return out
}

// columns are the other bundle's classes that occur.
func (c *CompareCard) columns() (out []int) {
	for k := range c.v().classes {
		if slices.ContainsFunc(c.v().cells, func(row []int64) bool { return row[k] > 0 }) {
			out = append(out, k)
		}
	}
	return out
}

// figure draws the agreement of classes as a table of squares.
func (c *CompareCard) figure() *figure {
	v, columns := c.v(), c.columns()
	f := &figure{name: "agreement", title: say("Verdicts of both bundles"), head: []string{c.here() + " ↓, " + c.there() + " →"},
		desc: sayf("Rows by the class that {0} and that {1} give them.", c.here(), c.there())}
	const left, top, cell, high = 170.0, 96.0, 64.0, 26.0
	for i, k := range columns {
		f.head = append(f.head, v.classes[k].Name)
		x, y := left+cell*(float64(i)+0.5), top-8
		s := label("fig-muted", x, y, "start", short(v.classes[k].Name, 18))
		s.attrs = append(s.attrs, "transform", "rotate(-35 "+px(x)+" "+px(y)+")")
		f.add(s)
	}
	y := top
	for k, row := range v.cells {
		var sum int64
		for _, n := range row {
			sum += n
		}
		if sum == 0 {
			continue
		}
		name := c.App.store.classes[k].Name
		f.add(label("fig-muted", left-8, y+high*0.7, "end", short(name, 24)))
		cells := []string{name}
		for i, j := range columns {
			n, x := row[j], left+cell*float64(i)
			class := "fig-other-cell"
			if strings.EqualFold(v.classes[j].Name, name) {
				class = "fig-same-cell"
			}
			square := rectangle(class, x+1, y+1, cell-2, high-2, sayf("{0} here, {1} there: {2} rows", name, v.classes[j].Name, count(n)))
			square.attrs = append(square.attrs, "fill-opacity", strconv.FormatFloat(0.06+0.5*float64(n)/float64(sum), 'f', 2, 64))
			f.add(square)
			if n > 0 {
				f.add(label("fig-text", x+cell/2, y+high*0.68, "middle", count(n)))
			}
			cells = append(cells, count(n))
		}
		f.rows = append(f.rows, cells)
		y += high
	}
	f.w, f.h = max(left+cell*float64(len(columns))+70, 1100), y+8
	f.notes = []string{sayf("Rows of the table are classes of {0}, columns those of {1}. The darker a cell, the larger its share of the row.", c.here(), c.there())}
	return f
}

func (c *CompareCard) differTitle() string {
	v := c.v()
	if int64(len(v.differ)) < v.only {
		return sayf("Rows that only one flags: the first {0} of {1}", count(int64(len(v.differ))), count(v.only))
	}
	return sayf("Rows that only one flags ({0})", count(v.only))
}

func (c *CompareCard) differHead() []string {
	return []string{say("Row"), c.here(), say("Score"), c.there(), say("Score")}
}

func (c *CompareCard) differRows() (out [][]string) {
	s, v := c.App.store, c.v()
	for _, d := range v.differ {
		name := count(s.row[d.at])
		if len(s.files) > 1 {
			name = s.fileName(d.at, "") + " " + name
		}
		out = append(out, []string{name, s.classes[s.class[d.at]].Name, decimal(s.attack[d.at], 3), v.classes[d.class].Name, decimal(d.attack, 3)})
	}
	return out
}

func (c *CompareCard) choose(i int) { c.App.openRow(c.v().differ[i].at) }
