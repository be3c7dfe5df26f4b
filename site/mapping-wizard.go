package site

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"cloister/shared/job"

	"github.com/vugu/vugu"
)

// wizard is the mapping of a file's columns that is being made.
type wizard struct {
	open     bool
	asking   bool
	file     job.File
	again    *reopening // how the file is scored when the mapping is done
	proposal job.Proposal
	picks    []pick // parallel to proposal.Fields
	name     string // of the profile
	fault    error
	rest     bool // fields that the bundle does not look at are shown
}

// pick is what was chosen for a field.
type pick struct {
	column string // as typed
	factor string // as typed
}

// minProposed is how many columns have to be proposed before the page offers a
// mapping by itself: a text has one or two by chance.
const minProposed = 3

// proposeColumns asks what the columns of a file mean and shows the answer.
// Unless somebody asked for it, a profile of this visit that fits is used at
// once.
func (a *App) proposeColumns(f job.File, again *reopening, asked bool) {
	if a.wizard.asking || !a.loaded() {
		return
	}
	a.wizard = wizard{asking: true, file: f, again: again, name: baseName(f.Name())}
	scorers := a.scorers
	go func() {
		p, err := scorers.First().Propose(f)
		a.update(func() {
			w := &a.wizard
			if w.file != f {
				return
			}
			w.asking = false
			if err != nil {
				*w = wizard{} // why the file was refused is said already
				return
			}
			w.proposal = p
			w.propose()
			if known := a.fitting(p); known != nil && !asked && again.how.Profile == "" {
				a.notice = sayf("The columns are read by the profile {0}.", known.Name)
				a.scoreBy(known.Text)
				return
			}
			w.open = asked || w.proposed() >= minProposed
			if w.open {
				a.host.Focus("wizard-title")
			}
		})
	}()
}

// propose takes over what is proposed.
func (w *wizard) propose() {
	w.picks = make([]pick, len(w.proposal.Fields))
	for i, f := range w.proposal.Fields {
		w.picks[i] = pick{f.Column, factorText(f.Factor)}
	}
}

// proposed counts the fields that have a column.
func (w *wizard) proposed() (n int) {
	for _, f := range w.proposal.Fields {
		if f.Column != "" {
			n++
		}
	}
	return n
}

func factorText(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// fitting returns the newest profile of this visit whose columns all occur in
// the file.
func (a *App) fitting(p job.Proposal) *job.Profile {
	for i := len(a.profiles) - 1; i >= 0; i-- {
		known := &a.profiles[i]
		missing := slices.ContainsFunc(known.Fields, func(f job.ProfileField) bool { return f.Column != "" && p.Column(f.Column) == nil })
		if known.Schema == p.Schema && !missing {
			return known
		}
	}
	return nil
}

// apply takes over a profile.
func (w *wizard) apply(p *job.Profile) {
	w.name = p.Name
	for i, f := range w.proposal.Fields {
		w.picks[i] = pick{"", "1"}
		for _, g := range p.Fields {
			if g.Field == f.Field {
				w.picks[i].column = g.Column
				if g.Factor != 0 {
					w.picks[i].factor = factorText(g.Factor)
				}
			}
		}
	}
}

// wrong says what is wrong with a pick, "" if nothing is.
func (w *wizard) wrong(i int) string {
	p := w.picks[i]
	if p.column == "" {
		return ""
	}
	if w.proposal.Column(p.column) == nil {
		return say("no such column")
	}
	if v, err := strconv.ParseFloat(p.factor, 64); err != nil || !(v >= 1e-12 && v <= 1e12) {
		return say("the factor is no number from 1e-12 to 1e12")
	}
	for k := range i {
		if w.picks[k].column == p.column {
			return sayf("taken by {0} already", w.proposal.Fields[k].Field)
		}
	}
	return ""
}

// faults counts the picks that are wrong.
func (w *wizard) faults() (n int) {
	for i := range w.picks {
		if w.wrong(i) != "" {
			n++
		}
	}
	return n
}

// profile is what was chosen.
func (w *wizard) profile() job.Profile {
	p := job.Profile{Name: w.name, Schema: w.proposal.Schema}
	for i, f := range w.proposal.Fields {
		if w.picks[i].column == "" {
			continue
		}
		field := job.ProfileField{Field: f.Field, Column: w.picks[i].column}
		if v, err := strconv.ParseFloat(w.picks[i].factor, 64); err == nil && !f.IsText && v != 1 {
			field.Factor = v
		}
		p.Fields = append(p.Fields, field)
	}
	return p
}

// finish makes a profile of the mapping, keeps it for this visit, and hands it
// to then.
func (a *App) finish(then func(p job.Profile)) {
	w := &a.wizard
	if w.asking || w.faults() > 0 {
		return
	}
	w.asking, w.fault = true, nil
	p, scorers, file := w.profile(), a.scorers, w.file
	go func() {
		p, err := scorers.First().Profile(p)
		a.update(func() {
			if a.wizard.file != file {
				return
			}
			a.wizard.asking = false
			if a.wizard.fault = err; err != nil {
				return
			}
			a.remember(p)
			then(p)
		})
	}()
}

// maxProfiles bounds the profiles of a visit.
const maxProfiles = 50

// remember keeps a profile, in place of one of the same name.
func (a *App) remember(p job.Profile) {
	a.profiles = slices.DeleteFunc(a.profiles, func(q job.Profile) bool { return q.Name == p.Name })
	a.profiles = append(a.profiles, p)
	a.profiles = a.profiles[max(0, len(a.profiles)-maxProfiles):]
}

// scoreBy scores the wizard's file by a profile.
func (a *App) scoreBy(profile string) {
	w := a.wizard
	if a.phase != ready && a.phase != finished || w.again == nil {
		return
	}
	again := *w.again
	again.how.Profile = profile
	a.wizard = wizard{}
	a.openAs(&again)
}

// saveProfile saves the mapping as a file.
func (a *App) saveProfile() {
	a.finish(func(p job.Profile) {
		name := short(p.Name, 80) + profileEnd
		a.host.Download(name, "application/json", [][]byte{[]byte(p.Text)})
		a.notice = sayf("Saved {0}.", name)
	})
}

// profileEnd is the end of the name of a profile's file.
const profileEnd = ".profile.json"

// openProfile reads a profile: the file that waits for a mapping is scored by
// it, and so are later ones that have its columns.
func (a *App) openProfile(f job.File) {
	if f.Size() > 64<<10 || !a.loaded() {
		a.fail(say("opening the profile"), job.Failf("input", say("Choose a profile that this page saved."), "%.60s has %d bytes, a profile at most %d", f.Name(), f.Size(), 64<<10))
		return
	}
	scorers := a.scorers
	go func() {
		text, err := a.readAll(f)
		var p job.Profile
		if err == nil {
			p, err = scorers.First().Profile(job.Profile{Text: string(text)})
		}
		a.update(func() {
			if err != nil {
				a.fail(sayf("opening the profile {0}", short(f.Name(), 60)), err)
				return
			}
			a.remember(p)
			if a.wizard.open {
				a.wizard.apply(&p)
				a.scoreBy(p.Text)
				return
			}
			a.notice = sayf("The profile {0} is kept for this visit: files with its columns are read by it.", p.Name)
		})
	}()
}

// editColumns opens the wizard for the file on show.
func (a *App) editColumns() {
	if a.phase != finished || len(a.run.given) != 1 {
		return
	}
	again := a.reopen(a.run, false)
	again.how.FlowText = a.run.how.FlowText
	a.proposeColumns(a.run.given[0], again, true)
}

// MappingWizard shows what the columns of a file may mean, for a person to
// change and confirm.
type MappingWizard struct {
	App *App
}

func (c *MappingWizard) w() *wizard { return &c.App.wizard }

// fields lists the fields on show: those that the bundle looks at, those that
// have a column, and all on demand.
func (c *MappingWizard) fields() (out []int) {
	for i, f := range c.w().proposal.Fields {
		if c.w().rest || f.Needed || f.Column != "" || c.w().picks[i].column != "" {
			out = append(out, i)
		}
	}
	return out
}

func (c *MappingWizard) hidden() int { return len(c.w().proposal.Fields) - len(c.fields()) }

func (c *MappingWizard) field(i int) job.ProposedField { return c.w().proposal.Fields[i] }

func (c *MappingWizard) lead() string {
	w := c.w()
	return sayf("{0}. {1} of {2} fields have a proposed column, judged by the names and by the first {3} rows. Check columns and units, then score.",
		w.proposal.Format, count(int64(w.proposed())), count(int64(len(w.proposal.Fields))), count(int64(w.proposal.Rows)))
}

func (c *MappingWizard) sure(i int) string {
	f := c.field(i)
	if f.Column == "" || f.Column != c.w().picks[i].column {
		return noValue
	}
	return decimal(f.Confidence, 2)
}

func (c *MappingWizard) why(i int) string {
	f := c.field(i)
	if f.Column == "" || f.Column != c.w().picks[i].column {
		return ""
	}
	return strings.Join(f.Why, "; ")
}

// samples shows values of the chosen column, and what the factor makes of one
// that is not 0.
func (c *MappingWizard) samples(i int) string {
	seen := c.w().proposal.Column(c.w().picks[i].column)
	if seen == nil {
		return noValue
	}
	s := strings.Join(seen.Samples, ", ")
	factor, err := strconv.ParseFloat(c.w().picks[i].factor, 64)
	if err != nil || factor == 1 || c.field(i).IsText {
		return s
	}
	for _, sample := range seen.Samples {
		if v, err := strconv.ParseFloat(sample, 64); err == nil && v != 0 && !math.IsInf(v*factor, 0) {
			return s + "; " + sample + " → " + strings.TrimSpace(number(v*factor)+" "+c.field(i).Unit)
		}
	}
	return s
}

func (c *MappingWizard) invalid(i int) string { return strconv.FormatBool(c.w().wrong(i) != "") }

func (c *MappingWizard) id(what string, i int) string { return what + "-" + c.field(i).Field }

func (c *MappingWizard) label(what string, i int) string { return what + " " + c.field(i).Field }

// column takes a column that was typed or chosen.
func (c *MappingWizard) column(i int, e vugu.DOMEvent) {
	p := &c.w().picks[i]
	p.column = strings.TrimSpace(e.PropString("target", "value"))
	p.factor = "1"
	if f := c.field(i); f.Column == p.column {
		p.factor = factorText(f.Factor)
	}
}

func (c *MappingWizard) factor(i int, e vugu.DOMEvent) {
	c.w().picks[i].factor = strings.TrimSpace(e.PropString("target", "value"))
}

func (c *MappingWizard) rename(e vugu.DOMEvent) {
	c.w().name = short(strings.ToValidUTF8(e.PropString("target", "value"), "\uFFFD"), 60)
}

// unused lists the columns that no field takes.
func (c *MappingWizard) unused() (out []job.SeenColumn) {
	for _, s := range c.w().proposal.Columns {
		if !slices.ContainsFunc(c.w().picks, func(p pick) bool { return p.column == s.Column }) {
			out = append(out, s)
		}
	}
	return out
}

func (c *MappingWizard) unusedText(s job.SeenColumn) string {
	if len(s.Samples) == 0 {
		return s.Column
	}
	return s.Column + ": " + strings.Join(s.Samples, ", ")
}

// lacking counts the fields that the bundle looks at and nothing is chosen for.
func (c *MappingWizard) lacking() (n int64) {
	for i, f := range c.w().proposal.Fields {
		if f.Needed && c.w().picks[i].column == "" {
			n++
		}
	}
	return n
}

func (c *MappingWizard) state() string {
	w := c.w()
	switch n := int64(w.faults()); {
	case w.fault != nil:
		return sentence(w.fault.Error())
	case n > 0:
		return plural(n, "choice is not right yet.", "choices are not right yet.")
	}
	if n := c.lacking(); n > 0 {
		return plural(n, "field that the bundle looks at has no column; what is made from it is filled in.", "fields that the bundle looks at have no column; what is made from them is filled in.")
	}
	return say("Every field that the bundle looks at has a column.")
}

// blocked reports whether the mapping cannot be used as it is.
func (c *MappingWizard) blocked() bool {
	return c.w().asking || c.w().faults() > 0 || !slices.ContainsFunc(c.w().picks, func(p pick) bool { return p.column != "" })
}

func (c *MappingWizard) score() { c.App.finish(func(p job.Profile) { c.App.scoreBy(p.Text) }) }

// known are the profiles of this visit for the same kind of rows.
func (c *MappingWizard) known() (out []int) {
	for i, p := range c.App.profiles {
		if p.Schema == c.w().proposal.Schema {
			out = append(out, i)
		}
	}
	return out
}

func (c *MappingWizard) take(e vugu.DOMEvent) {
	switch i, err := strconv.Atoi(e.PropString("target", "value")); {
	case err != nil:
	case i < 0:
		c.w().propose()
	case i < len(c.App.profiles):
		c.w().apply(&c.App.profiles[i])
	}
}

func (c *MappingWizard) restText() string {
	if c.w().rest {
		return say("Hide the fields that the bundle does not look at")
	}
	return sayf("Show {0} more fields, which the bundle does not look at", count(int64(c.hidden())))
}

func (c *MappingWizard) stateClass() string {
	if c.w().faults() > 0 || c.w().fault != nil {
		return "small bad"
	}
	return "small"
}

// mappable reports whether the file behind the message has columns that can be
// mapped by hand.
func (c *FaultNote) mappable() bool {
	w := &c.App.wizard
	return c.App.fault.Columns && !w.open && !w.asking && len(w.proposal.Columns) > 1
}

// openWizard shows the mapping of the file that was refused.
func (a *App) openWizard() {
	a.wizard.open = true
	a.host.Focus("wizard-title")
}

// aside takes files that are not to be scored: keys and profiles.
func (a *App) aside(f job.File) bool {
	switch name := strings.ToLower(f.Name()); {
	case a.phase == starting:
		return false
	case strings.HasSuffix(name, ".pem"), strings.HasSuffix(name, ".pub"):
		a.readKeys(f)
	case strings.HasSuffix(name, profileEnd):
		a.openProfile(f)
	default:
		return false
	}
	return true
}
