package site

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"cloister/shared/job"
)

var testClasses = []job.Class{
	{Name: "Benign", Severity: "Informational", Benign: true},
	{Name: "SSH", Severity: "High", Attack: []job.Technique{{ID: "T1110.001", Tactic: "TA0006"}, {ID: "T1110.001", Tactic: "TA0007"}}},
	{Name: "Bot", Severity: "Critical"},
}

// batch makes n rows from row number at.
func batch(r *rand.Rand, at, n int) *job.Batch {
	b := &job.Batch{}
	src, size := job.Column{Name: "IPV4_SRC_ADDR"}, job.Column{Name: "IN_BYTES"}
	for i := range n {
		b.Row = append(b.Row, int64(at+i+1))
		b.Class = append(b.Class, uint16(r.IntN(len(testClasses))))
		b.Probability = append(b.Probability, r.Float64())
		b.Attack = append(b.Attack, r.Float64())
		b.Anomaly = append(b.Anomaly, r.Float64())
		b.Abstained = append(b.Abstained, r.IntN(10) == 0)
		src.Texts = append(src.Texts, fmt.Sprintf("10.%d.%d.%d", r.IntN(2), r.IntN(100), r.IntN(100)))
		v := math.Floor(1e6 * r.Float64())
		if r.IntN(20) == 0 {
			v = math.NaN()
		}
		size.Numbers = append(size.Numbers, v)
	}
	b.Columns = []job.Column{src, size}
	return b
}

func filled(t testing.TB, n int) *store {
	s := newStore(testClasses)
	r := rand.New(rand.NewPCG(1, 2))
	for at := 0; at < n; at += 1000 {
		if err := s.append(batch(r, at, min(1000, n-at)), origin{}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (v *view) finish() {
	for !v.step() {
	}
}

// reference lists the rows by the definition: filter, then a stable sort.
func reference(v *view) []int32 {
	s := v.s
	var out []int32
	for i := range s.listed() {
		k := s.classes[s.class[i]]
		text := v.filter.text == "" || strings.Contains(strings.ToLower(k.Name), v.filter.text) || strings.Contains(strings.ToLower(k.Severity), v.filter.text)
		for _, c := range s.columns {
			if c.numbers == nil && strings.Contains(strings.ToLower(c.words[c.codes[i]]), v.filter.text) {
				text = true
			}
		}
		if text && (v.filter.class < 0 || int(s.class[i]) == v.filter.class) && (!v.filter.flagged || s.attack[i] >= v.threshold) {
			out = append(out, int32(i))
		}
	}
	slices.SortStableFunc(out, func(a, b int32) int {
		c := 0
		switch k := v.order.key; {
		case k >= 0 && s.columns[k].numbers == nil:
			c = natural(s.columns[k].words[s.columns[k].codes[a]], s.columns[k].words[s.columns[k].codes[b]])
		case k >= 0:
			x, y := s.columns[k].numbers.at(int(a)), s.columns[k].numbers.at(int(b))
			if math.IsNaN(x) || math.IsNaN(y) { // last either way
				return cmp.Compare(map[bool]int{true: 1}[math.IsNaN(x)], map[bool]int{true: 1}[math.IsNaN(y)])
			}
			c = cmp.Compare(x, y)
		case k == byClass:
			c = cmp.Compare(s.classes[s.class[a]].Name, s.classes[s.class[b]].Name)
		case k == bySeverity:
			c = cmp.Compare(severity(s.classes[s.class[a]]), severity(s.classes[s.class[b]]))
		case k == byProbability:
			c = cmp.Compare(s.prob[a], s.prob[b])
		case k == byAttack:
			c = cmp.Compare(s.attack[a], s.attack[b])
		case k == byAnomaly:
			c = cmp.Compare(s.anomaly[a], s.anomaly[b])
		default:
			c = cmp.Compare(a, b)
		}
		if v.order.desc {
			return -c
		}
		return c
	})
	return out
}

func TestView_agreesWithItsDefinition(t *testing.T) {
	s := filled(t, 12_000)
	cases := 0
	for _, f := range []filter{everything, {class: 1}, {class: -1, flagged: true}, {class: -1, text: "10.1.7"}, {class: 2, flagged: true, text: "9"}, {class: -1, text: "crit"}, {class: -1, text: "nowhere"}} {
		for key := byAnomaly; key < len(s.columns); key++ {
			for _, desc := range []bool{false, true} {
				v := newView(s, 0.7)
				v.set(f, order{key, desc}, 0.7)
				v.refresh()
				v.finish()
				if want := reference(v); !slices.Equal(v.index, want) {
					t.Fatalf("%+v by %d, falling %v: %d rows differ from %d", f, key, desc, len(v.index), len(want))
				}
				cases++
			}
		}
	}
	if cases != 7*8*2 {
		t.Errorf("%d cases", cases)
	}
}

func TestView_growsWhileTheFileIsRead(t *testing.T) {
	s := newStore(testClasses)
	v := newView(s, 0.5)
	v.set(filter{class: -1, flagged: true}, fileOrder, 0.5)
	v.finish()
	r := rand.New(rand.NewPCG(3, 4))
	for at := range 5 {
		if err := s.append(batch(r, 1000*at, 1000), origin{}); err != nil {
			t.Fatal(err)
		}
		v.grow()
		if !slices.Equal(v.index, reference(v)) {
			t.Fatalf("after %d rows the list is wrong", s.listed())
		}
	}
	v.set(v.filter, order{key: byAttack}, 0.5)
	v.finish()
	if err := s.append(batch(r, 5000, 1000), origin{}); err != nil {
		t.Fatal(err)
	}
	v.grow()
	if !v.stale() {
		t.Error("a sorted list takes in rows without sorting them")
	}
	v.refresh()
	v.finish()
	if !slices.Equal(v.index, reference(v)) {
		t.Error("the list after refresh is wrong")
	}
}

func TestView_keepsTheOldListMeanwhile(t *testing.T) {
	v := newView(filled(t, 3000), 0.5)
	v.grow()
	v.set(v.filter, order{key: 0}, 0.5)
	if v.step() || len(v.index) != 3000 || !v.busy() {
		t.Error("the list is gone after one step")
	}
	v.set(filter{class: 1}, order{key: 1}, 0.5) // changes its mind
	v.finish()
	if !slices.Equal(v.index, reference(v)) {
		t.Error("the list is not that of the last choice")
	}
}

// A list must not be made in one go: the window's events wait for a step. The
// benchmark says how long one takes; here only that there are many.
func TestView_workIsDivided(t *testing.T) {
	s := filled(t, 100_000)
	v := newView(s, 0.5)
	v.set(filter{class: -1, text: "1"}, order{key: 0}, 0.5)
	steps := 0
	for done := false; !done; steps++ {
		done = v.step()
	}
	words := len(s.columns[0].words)
	if least := words/wordStep + s.listed()/rowStep + words/firstRun + words/mergeMax; steps < least {
		t.Errorf("%d steps, want %d at least", steps, least)
	}
}

func TestStore_refusesWhatDoesNotFit(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for name, spoil := range map[string]func(b *job.Batch){
		"class":   func(b *job.Batch) { b.Class[3] = 3 },
		"column":  func(b *job.Batch) { b.Columns[0].Texts = b.Columns[0].Texts[1:] },
		"numbers": func(b *job.Batch) { b.Columns[1].Numbers = append(b.Columns[1].Numbers, 1) },
		"score":   func(b *job.Batch) { b.Attack = nil },
	} {
		s, b := newStore(testClasses), batch(r, 0, 10)
		spoil(b)
		if err := s.append(b, origin{}); err == nil || s.rows() != 0 || s.listed() != 0 {
			t.Errorf("%s: err %v, %d rows", name, err, s.rows())
		}
	}
}

func TestStore_columnsMayComeAndGo(t *testing.T) {
	s := newStore(testClasses)
	r := rand.New(rand.NewPCG(7, 8))
	a, b, c := batch(r, 0, 3), batch(r, 3, 3), batch(r, 6, 3)
	a.Columns = a.Columns[:1]
	b.Columns = b.Columns[1:]
	c.Columns[0], c.Columns[1] = c.Columns[1], c.Columns[0]
	for _, x := range []*job.Batch{a, b, c} {
		if err := s.append(x, origin{}); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.columns) != 2 {
		t.Fatalf("%d columns", len(s.columns))
	}
	d := batch(r, 9, 1)
	d.Columns = nil
	if err := s.append(d, origin{}); err != nil {
		t.Fatal(err)
	}
	for _, c := range s.columns {
		if got := c.text(9); got != noValue {
			t.Errorf("%s of a row without it: %q", c.name, got)
		}
	}
	for i, want := range []string{a.Columns[0].Texts[0], noValue, c.Columns[1].Texts[0]} {
		if got := s.columns[0].text(3 * i); got != want {
			t.Errorf("row %d: %q, want %q", 3*i, got, want)
		}
	}
	if got := s.columns[1].text(0); got != noValue {
		t.Errorf("number before the column came: %q", got)
	}
}

func TestStore_countsBeyondTheList(t *testing.T) {
	s := newStore(testClasses)
	s.limit = 1500
	r := rand.New(rand.NewPCG(9, 10))
	var flagged int64
	for at := range 3 {
		b := batch(r, 1000*at, 1000)
		for _, v := range b.Attack {
			if v >= 0.25 {
				flagged++
			}
		}
		if err := s.append(b, origin{}); err != nil {
			t.Fatal(err)
		}
		// counted on from before, and all anew: the same
		got, tops := s.tally(0.25, 0)
		s.census = census{}
		if again, same := s.tally(0.25, 1); got != flagged || again != flagged || fmt.Sprint(tops) != fmt.Sprint(same) {
			t.Errorf("%d and %d flagged, want %d; %v and %v", got, again, flagged, tops, same)
		}
		s.tally(0.25, 0)
	}
	if s.listed() != 1500 || s.rows() != 3000 || s.byClass[0]+s.byClass[1]+s.byClass[2] != 3000 {
		t.Errorf("listed %d, rows %d, by class %v", s.listed(), s.rows(), s.byClass)
	}
	v := newView(s, 0)
	v.set(everything, order{key: 0}, 0)
	v.finish()
	if len(v.index) != 1500 {
		t.Errorf("%d rows in the table", len(v.index))
	}
}

func TestStore_tallyCountsATechniqueOnce(t *testing.T) {
	s := newStore(testClasses)
	b := batch(rand.New(rand.NewPCG(11, 12)), 0, 4)
	copy(b.Class, []uint16{1, 1, 0, 2})
	copy(b.Attack, []float64{0.9, 0.5, 0.1, 0.8})
	copy(b.Columns[0].Texts, []string{"b", "a", "c", "a"})
	if err := s.append(b, origin{}); err != nil {
		t.Fatal(err)
	}
	_, got := s.tally(0.5, 0)
	want := tops{
		classes: []entry{{"SSH", 1, 2, ""}, {"Bot", 2, 1, ""}}, hosts: []entry{{"a", -1, 2, "src = a"}, {"b", -1, 1, "src = b"}},
		techniques: []entry{{"T1110.001", -1, 2, "technique = T1110.001"}}, hostCount: 2,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestMost_isTheHeadOfTheSortedList(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 16))
	for n := range 60 {
		var e []entry
		for i := range n {
			e = append(e, entry{fmt.Sprint("h", i), -1, int64(r.IntN(6)), ""})
		}
		r.Shuffle(n, func(i, j int) { e[i], e[j] = e[j], e[i] })
		got := most(nil, e...)
		if want := sortEntries(e)[:min(n, topCount)]; !slices.Equal(got, want) {
			t.Fatalf("of %d: %v, want %v", n, got, want)
		}
	}
}

func TestHistogram_bins(t *testing.T) {
	var h histogram
	h.grow([]float64{0, 0.02, 0.0199, 1, 0.98, math.NaN(), -1, 2})
	h.grow([]float64{0, 0.02, 0.0199, 1, 0.98, math.NaN(), -1, 2, 0.5})
	want := map[int]int64{0: 4, 1: 1, 25: 1, 49: 3}
	for i, n := range h.bins {
		if n != want[i] {
			t.Errorf("bin %d has %d, want %d", i, n, want[i])
		}
	}
}

func TestRadix_orders(t *testing.T) {
	values := []float64{3, math.Inf(1), -2.5, math.NaN(), 0, math.Copysign(0, -1), math.Inf(-1), 3, 1e-300, -1e300}
	for _, desc := range []bool{false, true} {
		index := make([]int32, len(values))
		for i := range index {
			index[i] = int32(i)
		}
		r := newRadix(index, desc, func(i int32) float64 { return values[i] })
		for !r.step() {
		}
		want := []int32{6, 9, 2, 4, 5, 8, 0, 7, 1, 3}
		if desc {
			want = []int32{1, 0, 7, 8, 4, 5, 2, 9, 6, 3}
		}
		if !slices.Equal(r.index, want) {
			t.Errorf("falling %v: %v, want %v", desc, r.index, want)
		}
	}
}

func TestRanking_sortsAnyNumberOfWords(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	for _, n := range []int{0, 1, 2, firstRun - 1, firstRun, firstRun + 1, 2 * firstRun, 5*firstRun + 77} {
		words := make([]string, n)
		for i := range words {
			words[i] = fmt.Sprint("h", r.IntN(n+1))
		}
		k := newRanking(words)
		for !k.step() {
		}
		ranks := k.ranks()
		order := make([]int, n)
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(i, j int) int { return natural(words[i], words[j]) })
		for place, i := range order {
			if ranks[i] != uint32(place) {
				t.Fatalf("%d words: %q has rank %d, want %d", n, words[i], ranks[i], place)
			}
		}
	}
}

func FuzzNatural(f *testing.F) {
	f.Add("10.0.0.9", "10.0.0.10", "10.0.0.010")
	f.Add("a1", "a01", "a1b")
	f.Add("", "0", "00")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		if natural(a, b) != -natural(b, a) || (natural(a, b) == 0) != (a == b) {
			t.Errorf("%q and %q: %d and %d", a, b, natural(a, b), natural(b, a))
		}
		if natural(a, b) < 0 && natural(b, c) < 0 && natural(a, c) >= 0 {
			t.Errorf("%q < %q < %q, but not the first and the last", a, b, c)
		}
	})
}

func TestNatural_ordersAddresses(t *testing.T) {
	got := []string{"10.0.0.10", "10.0.0.9", "9.255.0.1", "fe80::1", "10.0.0.1"}
	slices.SortFunc(got, natural)
	if want := "9.255.0.1 10.0.0.1 10.0.0.9 10.0.0.10 fe80::1"; strings.Join(got, " ") != want {
		t.Errorf("%v, want %s", got, want)
	}
}

func TestWindow_coversTheView(t *testing.T) {
	cases := 0
	for _, n := range []int{0, 1, 19, 20, 21, 1000, 100_000, 1_000_000} {
		for _, height := range []float64{0, 300, 1200} {
			total := newWindow(n, 0, height).total
			for k := range 21 {
				top := float64(k) / 20 * max(0, total-height)
				w := newWindow(n, top, height)
				seen := height
				if seen == 0 {
					seen = 20 * rowPitch
				}
				if w.from < 0 || w.to > n || w.from > w.to || w.to-w.from > int(seen/rowPitch)+2*overscan+2 {
					t.Fatalf("%d rows at %g of %g: %+v", n, top, height, w)
				}
				bottom := w.offset + float64(w.to-w.from)*rowPitch
				if w.to < n && bottom < top+seen || w.from > 0 && w.offset > top {
					t.Fatalf("%d rows at %g of %g: a gap, %+v", n, top, height, w)
				}
				if k == 20 && height > 0 && w.to != n {
					t.Fatalf("%d rows: the end is at %d", n, w.to)
				}
				cases++
			}
		}
	}
	if cases == 0 {
		t.Error("no cases")
	}
}

func TestFormat(t *testing.T) {
	for got, want := range map[string]string{
		count(0): "0", count(-1234567): "−1,234,567", count(999): "999", count(1000): "1,000",
		percent(0): "0.0 %", percent(1): "100.0 %", percent(0.0001): "<0.1 %", percent(0.99999): ">99.9 %", percent(math.NaN()): noValue,
		decimal(-0.0001, 2): "0.00", decimal(-1.5, 1): "−1.5", signed(0.25, 2): "+0.25", signed(-0.25, 2): "−0.25",
		phiText(0.0001): "+<0.001", phiText(-0.0001): "−<0.001", phiText(0): "+0.000",
		number(1649): "1,649", number(0.1234567): "0.123457", number(math.Inf(1)): noValue,
		size(1): "1 byte", size(999): "999 bytes", size(45_000_000): "45.0 MB",
		span(0.2): "1 s", span(61): "1 min 1 s", span(7260): "2 h 1 min", span(math.NaN()): noValue,
		moment(1518611292443): "2018-02-14 12:28:12", moment(1518611292): "2018-02-14 12:28:12", moment(1518611292443000): "2018-02-14 12:28:12", moment(-1): noValue,
		short("abcdef", 6): "abcdef", short("abcdefg", 6): "abcde…", short("äöüß", 3): "äö…",
		scientific(0): "0", scientific(1e-9): "1.0e−9", scientific(math.NaN()): noValue,
		protocol(6): "TCP", protocol(200): "200", baseName("a.b.csv"): "a.b", baseName(".csv"): ".csv",
		needleOf("  SSH Ü "): "ssh Ü", sentence("no file"): "No file.", sentence(""): "", sentence("IN_BYTES?"): "IN_BYTES?", sentence("ü"): "ü.",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestWriter_defusesFormulas(t *testing.T) {
	for in, want := range map[string]string{
		"=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)", "\t=1": "'\t=1", "10.0.0.1": "10.0.0.1", "a,b": `"a,b"`, `say "x"`: `"say ""x"""`, "=a,\"b": `"'=a,""b"`, "": "", "a\nb": "\"a\nb\"",
	} {
		w := &writer{}
		w.cell(in)
		if string(w.buf) != want {
			t.Errorf("%q becomes %q, want %q", in, w.buf, want)
		}
	}
	w := &writer{}
	w.number(-5) // a number is not a formula
	w.buf = append(w.buf, ' ')
	w.number(1518611292443)
	w.buf = append(w.buf, ' ')
	w.number(math.NaN())
	if string(w.buf) != "-5 1518611292443 " {
		t.Errorf("numbers become %q", w.buf)
	}
}

func BenchmarkStore_append100k(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	var batches []*job.Batch
	for at := range 25 {
		batches = append(batches, batch(r, 4000*at, 4000))
	}
	for b.Loop() {
		s := newStore(testClasses)
		for _, x := range batches {
			if err := s.append(x, origin{}); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkView_100k(b *testing.B) {
	s := filled(b, 100_000)
	for name, c := range map[string]struct {
		f filter
		o order
	}{
		"flagged":      {filter{class: -1, flagged: true}, fileOrder},
		"find":         {filter{class: -1, text: "10.1.7"}, fileOrder},
		"sort number":  {everything, order{key: 1}},
		"sort score":   {everything, order{key: byAttack, desc: true}},
		"sort class":   {everything, order{key: byClass}},
		"sort address": {everything, order{key: 0}},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				s.columns[0].rank = nil
				v := newView(s, 0.5)
				v.set(c.f, c.o, 0.5)
				v.finish()
			}
		})
	}
	b.Run("longest step", func(b *testing.B) {
		var longest time.Duration
		for b.Loop() {
			s.columns[0].rank = nil
			v := newView(s, 0.5)
			v.set(filter{class: -1, text: "1"}, order{key: 0}, 0.5)
			for done := false; !done; {
				began := time.Now()
				done = v.step()
				longest = max(longest, time.Since(began))
			}
		}
		b.ReportMetric(longest.Seconds()*1000, "ms/step")
	})
	b.Run("threshold", func(b *testing.B) {
		cut := 0
		for b.Loop() {
			cut++ // or it would have been counted
			s.tally(0.4, cut)
		}
	})
}
