package site

// SwitchNote says that the page changed the bundle by itself, and why.
type SwitchNote struct {
	App *App
}
