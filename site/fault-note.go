package site

// FaultNote is an error: what went wrong, what to do, what is still there.
type FaultNote struct {
	App *App
}

func (c *FaultNote) title() string {
	doing := c.App.faultIn
	switch c.App.fault.Kind {
	case "internal":
		return "A fault in Cloister while " + doing
	case "input":
		return "The file could not be read while " + doing
	case "bundle":
		return "The bundle was refused while " + doing
	case "busy":
		return "Not now: " + doing
	}
	return "Something went wrong while " + doing
}

// kept says what survived.
func (c *FaultNote) kept() string {
	if n := c.App.store.rows(); n > 0 && c.App.phase == finished {
		return "The " + plural(int64(n), "row", "rows") + " scored before stay below."
	}
	return ""
}
