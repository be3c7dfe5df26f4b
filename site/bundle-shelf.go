package site

import (
	"slices"

	"cloister/shared/job"

	"github.com/vugu/vugu"
)

// BundleShelf lists the bundles at hand and the keys that verify them.
type BundleShelf struct {
	App      *App
	Compares bool // offers to compare them on the file that is open
}

// Init has the bundles looked at when the list is shown from the start.
func (c *BundleShelf) Init(vugu.InitCtx) {
	if c.Compares {
		c.App.look(false)
	}
}

func (c *BundleShelf) s() *shelf { return &c.App.shelf }

func (c *BundleShelf) shown() bool { return c.Compares || c.s().open }

func (c *BundleShelf) title() string {
	return sayf("Bundles at hand ({0})", count(int64(len(c.s().items))))
}

func (c *BundleShelf) toggle() {
	if c.s().open = !c.s().open; c.s().open {
		c.App.look(false)
	}
}

func (c *BundleShelf) toggleText() string {
	if c.s().open {
		return say("Hide")
	}
	return say("Show")
}

func (c *BundleShelf) current(s *shelved) bool { return s.SHA256 == c.App.bundle.SHA256 }

func (c *BundleShelf) name(s *shelved) string {
	switch {
	case s.info != nil && s.info.Title != "":
		return s.info.Title
	case s.Title != "":
		return s.Title
	}
	return s.Name
}

// card returns the card of a bundle that was looked at.
func (c *BundleShelf) card(s *shelved) *BundleCard { return &BundleCard{App: c.App, of: s.info} }

// reads says in a line what a bundle reads and is.
func (c *BundleShelf) reads(s *shelved) string {
	out := s.Name + " " + s.Version
	if s.Schema != "" {
		out += " · " + sayf("reads {0} rows", s.Schema)
	}
	if s.info != nil && s.info.Size > 0 {
		return out + " · " + size(s.info.Size)
	}
	return out + " · " + size(s.File.Size())
}

func (c *BundleShelf) state(s *shelved) string {
	switch {
	case s.fault != nil:
		return sentence(s.fault.Error())
	case s.info == nil && c.s().asking:
		return say("Being looked at…")
	case s.info == nil:
		return say("Not looked at yet.")
	}
	return ""
}

// covers counts the techniques and tactics that a bundle's verdicts map to.
func (c *BundleShelf) covers(s *shelved) string {
	techniques, tactics, unseen := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, k := range s.info.Classes {
		for _, t := range k.Attack {
			techniques[t.ID], tactics[t.Tactic] = true, true
		}
		for _, id := range k.Unseen {
			unseen[id] = true
		}
	}
	if len(techniques) == 0 {
		return say("Its classes stand for no techniques.")
	}
	text := sayf("{0} in {1}", plural(int64(len(techniques)), "technique", "techniques"), plural(int64(len(tactics)), "tactic", "tactics"))
	if len(unseen) > 0 {
		text += "; " + sayf("{0} belong to its classes, and its input cannot show them", count(int64(len(unseen))))
	}
	return text
}

// fits reports whether a bundle can be compared on the file that is open.
func (c *BundleShelf) fits(s *shelved) bool {
	return c.Compares && c.App.phase == finished && !c.current(s) && s.fault == nil && len(c.App.run.given) > 0 && !c.App.versus.running
}

func (c *BundleShelf) busy() bool {
	return c.App.loading || c.App.phase == scoring || c.App.phase == starting
}

// file takes a bundle or a key that was chosen.
func (c *BundleShelf) file(e vugu.DOMEvent) { c.App.chosen(e) }

// keyState says whether keys count here.
func (c *BundleShelf) keyState(k keyFile) string {
	if k.trusted {
		return say("trusted on this page")
	}
	return say("not trusted")
}

// signer says what is known of who signed a bundle.
func (c *BundleShelf) signer(s *shelved) string {
	if s.info.Trust == "unknown key" && !slices.ContainsFunc(c.s().keys, func(f keyFile) bool {
		return slices.ContainsFunc(f.keys, func(k job.Key) bool { return k.Fingerprint == s.info.KeyFingerprint })
	}) {
		return sayf("signed by a key that is not here, {0}: import it below to check", shortDigest(s.info.KeyFingerprint))
	}
	return c.card(s).trust()
}

func (c *BundleShelf) keyClass(k keyFile) string {
	if k.trusted {
		return "tag tag-good"
	}
	return "tag"
}

func (c *BundleShelf) keyName(k job.Key) string {
	if k.Name == "" {
		return say("Key without a name")
	}
	return k.Name
}

func (c *BundleShelf) expanded() string {
	if c.s().open {
		return "true"
	}
	return "false"
}

func (c *BundleShelf) metricHead() []string {
	return []string{say("Measured"), say("Value"), say("95 % interval"), say("Rows"), say("Split")}
}

func (c *BundleShelf) metricRows(s *shelved) (out [][]string) {
	card := c.card(s)
	for i := range s.info.Metrics {
		m := &s.info.Metrics[i]
		out = append(out, []string{m.Name, card.value(m), card.bounds(m), count(int64(m.Rows)), m.Split})
	}
	return out
}
