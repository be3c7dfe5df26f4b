package prep

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"cloister/shared/frame"
	"cloister/shared/telemetry"
)

// Names of the schemes by which rows are split. LeaveClassOut and
// LeaveDatasetOut are followed by ":" and the class or the file.
const (
	Random          = "random"            // every class by the shares
	Grouped         = "grouped"           // equal feature vectors stay together
	Temporal        = "temporal"          // of every class the first in time train, the last are held out
	HostDisjoint    = "host-disjoint"     // a source address, of telemetry a device, is in one part only
	LeaveClassOut   = "leave-class-out"   // the class is held out whole, and a share of the others
	LeaveDatasetOut = "leave-dataset-out" // the file is held out whole, the others train
)

// Out is the part of rows that take no part: without a label, or without what
// the scheme goes by.
const Out Part = 3

// Split is one way to divide the rows of some data.
type Split struct {
	Scheme string
	Seed   uint64
	Shares Shares
	Parts  []Part // of every row
	// Notes say what the split cannot do with these data, one sentence each.
	Notes []string
}

// Schemes returns the names of all splits that the data allow, and for those
// that they do not the reason.
func (d *Data) Schemes() (names []string, impossible map[string]string) {
	names = []string{Random, Grouped}
	impossible = map[string]string{}
	if _, ok := d.numbers(times...); ok {
		names = append(names, Temporal)
	} else {
		impossible[Temporal] = "no row has a time"
	}
	if d.hosts() != nil {
		names = append(names, HostDisjoint)
	} else {
		impossible[HostDisjoint] = "no row has a source address"
	}
	for c, name := range d.Classes {
		if c != d.Benign && len(d.Classes) > 2 {
			names = append(names, LeaveClassOut+":"+name)
		}
	}
	if len(d.Classes) <= 2 {
		impossible[LeaveClassOut] = "fewer than three classes"
	}
	if len(d.Files) < 2 {
		impossible[LeaveDatasetOut] = "a single file"
	} else {
		for _, f := range d.Files {
			names = append(names, LeaveDatasetOut+":"+f.Name)
		}
	}
	return names, impossible
}

// times are the fields that say when a row began, by schema.
var times = []string{frame.FlowStart, frame.AlertTime, telemetry.FieldStart}

// hosts returns the column that says whose a row is, nil if there is none.
func (d *Data) hosts() []string {
	for _, name := range []string{frame.SrcAddr, telemetry.FieldDevice} {
		if k, ok := d.Schema.Index(name); ok && d.Texts[k] != nil {
			return d.Texts[k]
		}
	}
	return nil
}

// numbers returns the column of the first of the fields that has a value.
func (d *Data) numbers(fields ...string) ([]float64, bool) {
	for _, name := range fields {
		if k, ok := d.Schema.Index(name); ok && slices.ContainsFunc(d.Numbers[k], func(v float64) bool { return !math.IsNaN(v) }) {
			return d.Numbers[k], true
		}
	}
	return nil, false
}

// Split divides the rows by a scheme of [Data.Schemes]. The same data, scheme,
// shares and seed give the same parts everywhere. Rows without a label are
// [Out]. A scheme that the data do not allow is an error.
func (d *Data) Split(scheme string, shares Shares, seed uint64) (*Split, error) {
	names, impossible := d.Schemes()
	if !slices.Contains(names, scheme) {
		if why := impossible[scheme]; why != "" {
			return nil, fmt.Errorf("split %s: %s", scheme, why)
		}
		return nil, fmt.Errorf("split %.64q: these data know %q", scheme, names)
	}
	s := &Split{Scheme: scheme, Seed: seed, Shares: shares, Parts: slices.Repeat([]Part{Out}, d.Len())}
	switch scheme {
	case Random:
		s.spread(d, d.labelled(), shares)
	case Grouped:
		s.together(d, func(i int) (Hash, bool) { return d.VectorHash(i), true })
	case Temporal:
		s.temporal(d)
	case HostDisjoint:
		names := d.hosts()
		hosts := map[string]Hash{}
		s.together(d, func(i int) (Hash, bool) {
			name := names[i]
			h, ok := hosts[name]
			if !ok {
				h = hashOf(name)
				hosts[name] = h
			}
			return h, name != ""
		})
	default:
		s.leaveOut(d)
	}
	s.note(d)
	return s, nil
}

// labelled returns the rows that have a label.
func (d *Data) labelled() []int {
	var out []int
	for i, c := range d.Class {
		if c >= 0 {
			out = append(out, i)
		}
	}
	return out
}

// spread splits rows at random, every class by the shares.
func (s *Split) spread(d *Data, rows []int, shares Shares) {
	labels := make([]int, len(rows))
	for k, i := range rows {
		labels[k] = d.Class[i]
	}
	for k, p := range Stratified(labels, len(d.Classes), shares, s.Seed) {
		s.Parts[rows[k]] = p
	}
}

// groupStream keeps the shuffles of groups apart from those of rows.
const groupStream = 2 << 32

// together splits groups of rows: those of equal key stay in one part. Groups
// go class by class, the class of most of their rows (the first among equals),
// shuffled with the seed; each goes to the part that is furthest below its share
// of the class, counted in rows. Rows without a key are out.
func (s *Split) together(d *Data, key func(i int) (Hash, bool)) {
	type group struct {
		rows  []int
		class int
	}
	var groups []*group
	of := map[Hash]*group{}
	for _, i := range d.labelled() {
		h, ok := key(i)
		if !ok {
			continue
		}
		g := of[h]
		if g == nil {
			g = &group{}
			of[h] = g
			groups = append(groups, g) // in the order of their first rows
		}
		g.rows = append(g.rows, i)
	}
	total := make([]float64, len(d.Classes))
	byClass := make([][]*group, len(d.Classes))
	for _, g := range groups {
		count := map[int]int{}
		for _, i := range g.rows {
			count[d.Class[i]]++
		}
		for c := range d.Classes {
			if count[c] > count[g.class] || count[g.class] == 0 {
				g.class = c
			}
		}
		byClass[g.class] = append(byClass[g.class], g)
		total[g.class] += float64(len(g.rows))
	}
	for c, groups := range byClass {
		rng := rand.New(rand.NewPCG(s.Seed, groupStream|uint64(c)))
		rng.Shuffle(len(groups), func(i, j int) { groups[i], groups[j] = groups[j], groups[i] })
		// the largest first, so that the small ones even out
		slices.SortStableFunc(groups, func(a, b *group) int { return cmp.Compare(len(b.rows), len(a.rows)) })
		var have [3]float64
		for _, g := range groups {
			best, most := Train, math.Inf(-1)
			for _, p := range []Part{Train, Validation, Holdout} {
				if lack := s.Shares[p]*total[c] - have[p]; s.Shares[p] > 0 && lack > most {
					best, most = p, lack
				}
			}
			have[best] += float64(len(g.rows))
			for _, i := range g.rows {
				s.Parts[i] = best
			}
		}
	}
}

// temporal splits every class by time: the earliest train, the latest are held
// out. Rows of one moment are kept in the order of the files.
func (s *Split) temporal(d *Data) {
	at, _ := d.numbers(times...)
	byClass := make([][]int, len(d.Classes))
	missing := 0
	for _, i := range d.labelled() {
		if math.IsNaN(at[i]) {
			missing++
			continue
		}
		byClass[d.Class[i]] = append(byClass[d.Class[i]], i)
	}
	for _, rows := range byClass {
		slices.SortStableFunc(rows, func(a, b int) int { return cmp.Compare(at[a], at[b]) })
		n := float64(len(rows))
		train := int(math.Round(s.Shares[Train] * n))
		validation := int(math.Round((s.Shares[Train] + s.Shares[Validation]) * n))
		for k, i := range rows {
			switch {
			case k < train:
				s.Parts[i] = Train
			case k < validation:
				s.Parts[i] = Validation
			default:
				s.Parts[i] = Holdout
			}
		}
	}
	if missing > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("%d rows have no time and are left out.", missing))
	}
}

// leaveOut holds out a class, and a share of the others to tell it from, or a
// file.
func (s *Split) leaveOut(d *Data) {
	var rest []int
	shares := s.Shares
	for _, i := range d.labelled() {
		out := s.Scheme == LeaveClassOut+":"+d.Classes[d.Class[i]] || s.Scheme == LeaveDatasetOut+":"+d.Files[d.File[i]].Name
		if out {
			s.Parts[i] = Holdout
		} else {
			rest = append(rest, i)
		}
	}
	if !slices.ContainsFunc(d.Classes, func(c string) bool { return s.Scheme == LeaveClassOut+":"+c }) {
		kept := shares[Train] + shares[Validation] // other files are not held out
		shares = Shares{shares[Train] / kept, shares[Validation] / kept, 0}
	}
	s.spread(d, rest, shares)
}

// note says which classes a part lacks: nothing can be learnt or said of them
// there.
func (s *Split) note(d *Data) {
	count := s.Counts(len(d.Classes), d.Class)
	for c, name := range d.Classes {
		for _, p := range []Part{Train, Holdout} {
			if s.Shares[p] > 0 && count[c][p] == 0 && s.Scheme != LeaveClassOut+":"+name {
				s.Notes = append(s.Notes, fmt.Sprintf("Class %s has no row in the %s part.", name, p))
			}
		}
	}
}

// Counts returns the rows of each of k classes in each part.
func (s *Split) Counts(k int, class []int) [][3]int {
	out := make([][3]int, k)
	for i, p := range s.Parts {
		if p != Out && class[i] >= 0 {
			out[class[i]][p]++
		}
	}
	return out
}
