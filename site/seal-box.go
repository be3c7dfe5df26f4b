package site

// SealBox is the dialog on what keeps the capture in the window.
type SealBox struct {
	App *App
}

func (c *SealBox) s() Seal { return c.App.host.Seal() }

func (c *SealBox) explain() string {
	switch s := c.s(); {
	case !s.Sealed:
		return say("This window is not sealed. The capture is still read and scored here only, but the browser does not enforce it: the page could open a connection. Use it with data that may leave, or find out what failed below.")
	case s.BytesOut != 0:
		return sayf("The browser refuses every connection now, but {0} left after the page was opened.", size(s.BytesOut))
	}
	return say("The browser itself refuses the connections that this page or its worker tries to open. The policy was set before any file could be chosen, and a page cannot take it back. In detail:")
}

func (c *SealBox) refused() string {
	return plural(c.s().Refused, "attempt to connect or to leave the page was refused so far, those of the test below included.", "attempts to connect or to leave the page were refused so far, those of the test below included.")
}

// tryAttempts runs the shell's attempts to get a byte out.
func (a *App) tryAttempts() {
	if a.trying {
		return
	}
	a.trying, a.attempts = true, nil
	a.host.Attempts(func(t []Attempt) {
		a.update(func() {
			a.trying, a.tried, a.attempts = false, true, t
		})
	})
}

func (c *SealBox) tryText() string {
	if c.App.trying {
		return say("Trying…")
	}
	return say("Try to get a byte out")
}

func (c *SealBox) result(t Attempt) string {
	if t.Blocked {
		return say("✓ refused")
	}
	return say("✗ got out")
}

func (c *SealBox) resultClass(t Attempt) string {
	if t.Blocked {
		return ""
	}
	return "bad"
}
