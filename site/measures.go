package site

import (
	"math"
	"strings"
)

// measures counts verdicts against the file's own labels, in steps. Without
// labels it counts states alone.
type measures struct {
	key, next timeKey
	at        int
	done, now tally2
}

// States of a row.
const (
	stateVerdict = iota
	stateWithheld
	stateOutside
	stateCount
)

var stateNames = [stateCount]string{"verdict given", "withheld: votes split", "outside: unlike training"}

// curveBins is the resolution of the curves.
const curveBins = 1000

// tally2 is one set of counts.
type tally2 struct {
	states   [stateCount][2]int64 // by state, below and flagged
	truth    []int                // of the words of the label column: class, truthAttack or truthNone
	matrix   [][]int64            // label word × predicted class, withheld, outside
	binary   [2][2]int64          // benign or attack by label × below or flagged, of given verdicts
	silent   [2]int64             // benign or attack by label without a verdict
	positive [curveBins + 1]int64 // attacks by score, of given verdicts
	negative [curveBins + 1]int64
}

// What a label says when it is no class of the bundle.
const (
	truthAttack = -1
	truthNone   = -2
)

// state of row i.
func (s *store) state(i int) int {
	switch {
	case s.outside[i]:
		return stateOutside
	case s.abstained[i]:
		return stateWithheld
	}
	return stateVerdict
}

// truths reads what the words of the label column mean: a class of the
// bundle by its name, benign by the usual words, else some attack.
func (s *store) truths() []int {
	if s.label == nil {
		return nil
	}
	benign := -1
	for k, c := range s.classes {
		if c.Benign {
			benign = k
		}
	}
	out := make([]int, len(s.label.words))
	for i, w := range s.label.words {
		out[i] = truthAttack
		switch strings.ToLower(strings.TrimSpace(w)) {
		case "", "-", "unknown", "?":
			out[i] = truthNone
		case "benign", "normal", "0", "background":
			out[i] = benign
		}
		for k, c := range s.classes {
			if strings.EqualFold(c.Name, strings.TrimSpace(w)) {
				out[i] = k
			}
		}
	}
	return out
}

func (m *measures) due(a *App) bool { return m.key != a.timeKey() }

func (m *measures) step(a *App) {
	key, s := a.timeKey(), a.store
	if m.next != key || m.at == 0 {
		m.next, m.at = key, 0
		m.now = tally2{truth: s.truths()}
		m.now.matrix = make([][]int64, len(m.now.truth))
		for i := range m.now.matrix {
			m.now.matrix[i] = make([]int64, len(s.classes)+2)
		}
	}
	t, end := &m.now, min(m.at+rowStep/2, key.rows)
	for i := m.at; i < end; i++ {
		state, flagged := s.state(i), 0
		if s.flags(i, a.threshold) {
			flagged = 1
		}
		t.states[state][flagged]++
		if t.truth == nil || i >= len(s.label.codes) {
			continue
		}
		code := s.label.codes[i]
		if int(code) >= len(t.truth) || t.truth[code] == truthNone {
			continue
		}
		attack := 1
		if k := t.truth[code]; k >= 0 && s.classes[k].Benign {
			attack = 0
		}
		switch state {
		case stateVerdict:
			t.matrix[code][s.class[i]]++
			t.binary[attack][flagged]++
			bin := min(max(int(s.attack[i]*curveBins), 0), curveBins)
			if attack == 1 {
				t.positive[bin]++
			} else {
				t.negative[bin]++
			}
		default:
			t.matrix[code][len(s.classes)+state-stateWithheld]++
			t.silent[attack]++
		}
	}
	if m.at = end; end == key.rows {
		m.key, m.done, m.at = key, m.now, 0
	}
}

// labelled reports whether any row has a label and a verdict.
func (t *tally2) labelled() bool {
	b := t.binary
	return b[0][0]+b[0][1]+b[1][0]+b[1][1] > 0
}

// scores returns precision, recall, F1 and false-positive rate of flagged
// rows against the labels; NaN where nothing is divided by.
func (t *tally2) scores() (precision, recall, f1, fpr float64) {
	tp, fp, fn, tn := float64(t.binary[1][1]), float64(t.binary[0][1]), float64(t.binary[1][0]), float64(t.binary[0][0])
	return tp / (tp + fp), tp / (tp + fn), 2 * tp / (2*tp + fp + fn), fp / (fp + tn)
}

// curve returns the points of the ROC, threshold falling from above 1 to 0,
// and the area under it by trapezoids.
func (t *tally2) curve() (fpr, tpr []float64, area float64) {
	var pos, neg, p, n float64
	for b := range t.positive {
		pos, neg = pos+float64(t.positive[b]), neg+float64(t.negative[b])
	}
	if pos == 0 || neg == 0 {
		return nil, nil, math.NaN()
	}
	fpr, tpr = append(fpr, 0), append(tpr, 0)
	for b := curveBins; b >= 0; b-- {
		if t.positive[b] == 0 && t.negative[b] == 0 {
			continue
		}
		p, n = p+float64(t.positive[b]), n+float64(t.negative[b])
		last := len(fpr) - 1
		area += (n/neg - fpr[last]) * (p/pos + tpr[last]) / 2
		fpr, tpr = append(fpr, n/neg), append(tpr, p/pos)
	}
	return fpr, tpr, area
}
