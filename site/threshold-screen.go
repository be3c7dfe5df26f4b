package site

import (
	"math"
	"strconv"

	"github.com/vugu/vugu"
)

// ThresholdScreen shows what a threshold does, and how well where the file is
// labelled.
type ThresholdScreen struct {
	App *App
}

func (c *ThresholdScreen) t() *tally2 { return &c.App.measured.done }

func (c *ThresholdScreen) stateHead() []string {
	return []string{say("State"), say("Below"), say("Flagged"), say("Rows"), say("Share")}
}

func (c *ThresholdScreen) stateRows() [][]string {
	var out [][]string
	var all int64
	for _, n := range c.t().states {
		all += n[0] + n[1]
	}
	for s, n := range c.t().states {
		out = append(out, []string{said(stateNames[s]), count(n[0]), count(n[1]), count(n[0] + n[1]), share(n[0]+n[1], all)})
	}
	return out
}

func (c *ThresholdScreen) ownID(k int) string { return "own-" + strconv.Itoa(k) }

func (c *ThresholdScreen) common() string { return decimal(c.App.threshold, 2) }

func (c *ThresholdScreen) own(k int) string {
	if o := c.App.store.own; o != nil && o[k] == o[k] {
		return strconv.FormatFloat(o[k], 'f', -1, 64)
	}
	return ""
}

func (c *ThresholdScreen) setOwn(e vugu.DOMEvent, k int) {
	v, err := strconv.ParseFloat(e.PropString("target", "value"), 64)
	if err != nil {
		v = math.NaN()
	}
	c.App.setOwn(k, v)
}

func (c *ThresholdScreen) unlabelled() string {
	if c.App.store.label == nil {
		return say("The file has no labels, so nothing is known of right and wrong here: there is no column Attack or Label. The bundle card has what was measured on its own hold-out.")
	}
	return say("No labelled row has a verdict.")
}

func (c *ThresholdScreen) measures() [][2]string {
	p, r, f, x := c.t().scores()
	return [][2]string{{say("Precision"), percent(p)}, {say("Recall"), percent(r)}, {"F1", decimal(f, 3)}, {say("False alarms"), percent(x)}}
}

func (c *ThresholdScreen) binaryHead() []string {
	return []string{say("Label"), say("Flagged"), say("Below"), say("No verdict")}
}

func (c *ThresholdScreen) binaryRows() [][]string {
	t := c.t()
	return [][]string{
		{"attack", count(t.binary[1][1]), count(t.binary[1][0]), count(t.silent[1])},
		{"benign", count(t.binary[0][1]), count(t.binary[0][0]), count(t.silent[0])},
	}
}

func (c *ThresholdScreen) basis() string {
	b := c.t().binary
	s := sayf("Over {0} with a label and a verdict. Precision is the share of flagged rows that are labelled an attack, recall the share of such rows that are flagged.", plural(b[0][0]+b[0][1]+b[1][0]+b[1][1], "row", "rows"))
	if n := c.App.store.rows() - c.App.store.listed(); n > 0 {
		s += " " + sayf("The {0} rows beyond the table are not in it.", count(int64(n)))
	}
	return s
}

// roc draws the curve with the point of the threshold.
func (c *ThresholdScreen) roc() *figure {
	f := &figure{name: "roc", title: say("ROC"), w: 420, h: 330, head: []string{say("False-positive rate"), say("True-positive rate")}}
	fpr, tpr, area := c.t().curve()
	if fpr == nil {
		f.desc = say("There is no curve: the labels are all of one kind.")
		f.notes = []string{f.desc}
		return f
	}
	const left, right, top, bottom = 52.0, 406.0, 10.0, 286.0
	x := f.axis(0, 1, left, right, top, bottom, func(v float64) string { return decimal(v, 1) })
	y := func(v float64) float64 { return bottom - v*(bottom-top) }
	for _, v := range []float64{0, 0.2, 0.4, 0.6, 0.8, 1} {
		f.add(stroke("fig-grid", left, y(v), right, y(v)), label("fig-muted", left-6, y(v)+4, "end", decimal(v, 1)))
	}
	f.add(stroke("fig-dash", x(0), y(0), x(1), y(1)), label("fig-muted", (left+right)/2, bottom+34, "middle", say("false-positive rate")))
	points := make([][2]float64, len(fpr))
	for i := range fpr {
		points[i] = [2]float64{x(fpr[i]), y(tpr[i])}
	}
	f.add(polyline("fig-line", points))
	_, recall, _, rate := c.t().scores()
	f.add(dot("fig-hot", x(rate), y(recall), 5, say("at the threshold")))
	for i := range fpr {
		if i%max(1, len(fpr)/40) == 0 || i == len(fpr)-1 {
			f.rows = append(f.rows, []string{decimal(fpr[i], 4), decimal(tpr[i], 4)})
		}
	}
	f.desc = sayf("Area under the curve {0}; at the threshold {1} of benign rows are flagged and {2} of attacks.", decimal(area, 4), percent(rate), percent(recall))
	f.notes = []string{sayf("AUC {0} by the attack score, in steps of 0.001; ● is the common threshold, dashed is chance.", decimal(area, 4))}
	return f
}

func (c *ThresholdScreen) matrixHead() []string {
	out := []string{say("Label")}
	for _, k := range c.columns() {
		if k < len(c.App.store.classes) {
			out = append(out, c.App.store.classes[k].Name)
		} else {
			out = append(out, []string{"withheld", "outside"}[k-len(c.App.store.classes)])
		}
	}
	return append(out, say("Rows"))
}

// columns are the classes that any labelled row got, and the two other states.
func (c *ThresholdScreen) columns() []int {
	var out []int
	n := len(c.App.store.classes)
	for k := range n + 2 {
		some := k >= n
		for _, row := range c.t().matrix {
			some = some || row[k] > 0
		}
		if some {
			out = append(out, k)
		}
	}
	return out
}

func (c *ThresholdScreen) matrixRows() [][]string {
	var out [][]string
	columns := c.columns()
	for w, row := range c.t().matrix {
		var all int64
		cells := []string{short(c.App.store.label.words[w], 40)}
		for _, n := range row {
			all += n
		}
		if all == 0 {
			continue
		}
		for _, k := range columns {
			cells = append(cells, count(row[k]))
		}
		out = append(out, append(cells, count(all)))
		if len(out) == 60 {
			break
		}
	}
	return out
}
