package site

import "cloister/shared/job"

// Landing is the page before a file is chosen.
type Landing struct {
	App *App
}

func (c *Landing) open() bool { return c.App.phase == ready && !c.App.loading }

func (c *Landing) promise() string {
	s := say("Drop a capture or a file of network flows. It is read, scored and explained by a program inside this tab")
	switch seal := c.App.host.Seal(); {
	case seal.tight():
		return sayf("{0}, and the tab's own connections were shut when it opened.", s)
	case seal.Sealed:
		return sayf("{0}. Its connections are shut now, but something was sent after they were shut: the badge above says what is known.", s)
	}
	return sayf("{0}. This window is not sealed, though: the browser would still let it connect. The badge above says why.", s)
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
		return sayf("Loading the bundle, then scoring {0}…", short(c.App.early[0].Name(), 60))
	case c.App.loading, c.App.phase == starting:
		return say("Loading the bundle and replaying its test vectors…")
	case c.App.phase == broken:
		return say("There is no scorer: see the message above")
	case c.App.dropping:
		return say("Let go to score it here")
	}
	return say("Drop a capture or flow file here")
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
