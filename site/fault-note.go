package site

// FaultNote is an error: what went wrong, what to do, what is still there.
type FaultNote struct {
	App *App
}

func (c *FaultNote) title() string {
	doing := c.App.faultIn
	switch c.App.fault.Kind {
	case "internal":
		return sayf("A fault in Cloister while {0}", doing)
	case "input":
		return sayf("The file could not be read while {0}", doing)
	case "bundle":
		return sayf("The bundle was refused while {0}", doing)
	case "export":
		return sayf("Not saved: {0}", doing)
	case "busy":
		return sayf("Not now: {0}", doing)
	}
	return sayf("Something went wrong while {0}", doing)
}

// kept says what survived.
func (c *FaultNote) kept() string {
	if n := c.App.store.rows(); n > 0 && c.App.phase == finished {
		return sayf("The {0} scored before stay below.", plural(int64(n), "row", "rows"))
	}
	return ""
}
