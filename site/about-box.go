package site

import (
	"cloister/shared/attack"

	"github.com/vugu/vugu"
)

// AboutBox is the dialog on what the page is, its limits and its licences.
type AboutBox struct {
	App *App
}

func (c *AboutBox) tableLimit() string {
	return "The table and the exports hold the first " + count(listLimit) + " rows of a file; all rows are scored and counted."
}

// mitre is the notice that every copy of the ATT&CK tables carries.
func (c *AboutBox) mitre() string { return attack.Licence }

func (c *AboutBox) version() string {
	b := c.App.bundle
	return "Bundle " + b.Name + " " + b.Version + ", SHA-256 " + b.SHA256 + ", ATT&CK " + b.AttackVersion + "."
}

// outside closes a dialog when the veil around it is clicked.
func (c *AboutBox) outside(e vugu.DOMEvent) { c.App.outside(e) }

func (a *App) outside(e vugu.DOMEvent) {
	if e.PropString("target", "className") == "veil" {
		a.closePanel()
	}
}
