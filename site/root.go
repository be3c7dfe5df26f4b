package site

import (
	"slices"
	"strings"

	"cloister/shared/job"

	"github.com/vugu/vugu"
)

// Root is the whole page over an App.
type Root struct {
	App *App
}

func (c *Root) class() string {
	s := "app"
	if c.App.dropping {
		s += " dropping"
	}
	return s
}

// dragged accepts a file that is dragged over the page. The default is
// prevented everywhere: a browser that opens the dropped file would leave the
// page.
func (a *App) dragged(e vugu.DOMEvent) {
	e.PreventDefault()
	a.dropping = a.phase == ready || a.phase == finished
}

// undragged notes that the file has left the window, not just an element.
func (a *App) undragged(e vugu.DOMEvent) {
	if e.Prop("relatedTarget", "nodeType") == nil {
		a.dropping = false
	}
}

func (a *App) dropped(e vugu.DOMEvent) {
	e.PreventDefault()
	a.dropping = false
	a.chosen(e)
}

// chosen opens the files of a change or drop event: a bundle replaces the
// bundle, anything else is scored, several files as one run.
func (a *App) chosen(e vugu.DOMEvent) {
	files := a.host.Files(e)
	if len(files) == 0 {
		return
	}
	if i := slices.IndexFunc(files, func(f job.File) bool { return strings.HasSuffix(strings.ToLower(f.Name()), ".bundle") }); i >= 0 {
		a.openBundle(files[i])
		return
	}
	if a.phase == finished && len(files) == 1 && strings.HasSuffix(strings.ToLower(files[0].Name()), ".session.json") {
		a.openSession(files[0])
		return
	}
	if len(files) == 1 && a.aside(files[0]) {
		return
	}
	switch a.phase {
	case scoring:
		a.fail(sayf("opening {0}", short(files[0].Name(), 60)), job.Failf("busy", say("Wait for it, or cancel it, and choose the file again."), "another file is being scored"))
		return
	case starting:
		a.early = files
	default:
		a.open(files, false)
	}
}

// rootKey handles the keys that work everywhere on the page.
func (a *App) rootKey(e vugu.DOMEvent) {
	switch e.PropString("key") {
	case "Escape":
		switch {
		case a.panel != noPanel:
			a.closePanel()
		case a.drawer.open:
			a.closeRecord()
		}
	case "?", "e":
		tag := e.PropString("target", "tagName")
		if tag == "INPUT" || tag == "SELECT" || tag == "TEXTAREA" || modified(e) || a.panel != noPanel {
			return
		}
		switch {
		case e.PropString("key") == "?":
			e.PreventDefault()
			a.openPanel(helpPanel)
		case a.phase == finished:
			a.host.Focus("export")
		}
	case "/":
		tag := e.PropString("target", "tagName")
		if tag == "INPUT" || tag == "SELECT" || tag == "TEXTAREA" || modified(e) || !a.scored() {
			return
		}
		e.PreventDefault()
		a.openScreen(screens[0].id)
		a.host.Focus("search")
	default:
		tag := e.PropString("target", "tagName")
		if k := e.PropString("key"); len(k) == 1 && a.scored() && a.panel == noPanel && tag != "INPUT" && tag != "SELECT" && tag != "TEXTAREA" && !modified(e) {
			if i, list := int(k[0])-'1', a.screens(); i >= 0 && i < len(list) {
				a.openScreen(list[i].id)
				a.host.Focus("tab-" + list[i].id)
			}
		}
	}
}

// openPanel shows a dialog over the page, which is inert meanwhile.
func (a *App) openPanel(p panel) {
	a.panel = p
	a.host.Focus("panel-title")
}

func (a *App) closePanel() {
	id := map[panel]string{aboutPanel: "about", sealPanel: "seal", helpPanel: "help"}[a.panel]
	a.panel = noPanel
	a.host.Focus(id)
}

// status is what a screen reader announces.
func (a *App) status() string {
	switch {
	case a.phase == scoring:
		return a.run.said
	case a.notice != "":
		return a.notice
	}
	return a.run.said
}
