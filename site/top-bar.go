package site

// TopBar is the page's head: name, seal, colours, about.
type TopBar struct {
	App *App
}

func (c *TopBar) sealClass() string {
	if c.App.host.Seal().tight() {
		return "badge badge-sealed"
	}
	return "badge badge-open"
}

func (c *TopBar) sealText() string { return c.App.host.Seal().text() }

// lock is the shackle of the sign, open or closed.
func (c *TopBar) lock() string {
	if c.App.host.Seal().tight() {
		return "M5 7V5a3 3 0 0 1 6 0v2"
	}
	return "M5 7V5a3 3 0 0 1 5.8-1"
}

// tight reports whether the promise holds as far as the shell knows.
func (s Seal) tight() bool { return s.Sealed && s.BytesOut == 0 }

// text says it in a few words.
func (s Seal) text() string {
	switch {
	case !s.Sealed:
		return say("Not sealed")
	case s.BytesOut != 0:
		return sayf("Sealed, yet {0} sent", size(s.BytesOut))
	}
	return say("Sealed: 0 bytes sent")
}

func (c *TopBar) themeText() string {
	switch c.App.theme {
	case "light":
		return say("Light")
	case "dark":
		return say("Dark")
	}
	return say("System")
}

func (c *TopBar) themeMark() string {
	switch c.App.theme {
	case "light":
		return "☀"
	case "dark":
		return "☾"
	}
	return "◐"
}

// nextTheme goes from the system's colours to light to dark and back.
func (a *App) nextTheme() {
	a.theme = map[string]string{"": "light", "light": "dark"}[a.theme]
	a.host.SetTheme(a.theme)
}
