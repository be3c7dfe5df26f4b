package site

import "cloister/shared/job"

// Landing is the page before a file is chosen.
type Landing struct {
	App *App
}

func (c *Landing) open() bool { return c.App.phase == ready && !c.App.loading }

func (c *Landing) promise() string {
	s := "Drop a capture or a file of network flows. It is read, scored and explained by a program inside this tab"
	switch seal := c.App.host.Seal(); {
	case seal.tight():
		return s + ", and the tab's own connections were shut when it opened."
	case seal.Sealed:
		return s + ". Its connections are shut now, but something was sent after they were shut: the badge above says what is known."
	}
	return s + ". This window is not sealed, though: the browser would still let it connect. The badge above says why."
}

func (c *Landing) zoneClass() string {
	if c.App.dropping {
		return "zone over"
	}
	return "zone"
}

func (c *Landing) zoneTitle() string {
	switch {
	case c.App.early != nil:
		return "Loading the bundle, then scoring " + short(c.App.early[0].Name(), 60) + "…"
	case c.App.loading, c.App.phase == starting:
		return "Loading the bundle and replaying its test vectors…"
	case c.App.phase == broken:
		return "There is no scorer: see the message above"
	case c.App.dropping:
		return "Let go to score it here"
	}
	return "Drop a capture or flow file here"
}

func (c *Landing) pickClass() string {
	if c.open() {
		return "button primary"
	}
	return "button primary off"
}

func (c *Landing) hasSample() bool {
	f, _ := c.App.host.Sample()
	return f != nil
}

func (c *Landing) sampleText() string {
	_, about := c.App.host.Sample()
	return about
}

// trySample scores the sample that came with the page.
func (a *App) trySample() {
	if f, _ := a.host.Sample(); f != nil {
		a.open([]job.File{f}, true)
	}
}
