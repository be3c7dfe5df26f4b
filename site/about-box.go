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
	return sayf("The table and the exports hold the first {0} rows of a file; all rows are scored and counted.", count(listLimit))
}

// mitre is the notice that every copy of the ATT&CK tables carries.
func (c *AboutBox) mitre() string { return attack.Licence }

func (c *AboutBox) version() string {
	b := c.App.bundle
	return sayf("Bundle {0} {1}, SHA-256 {2}, ATT&CK {3}.", b.Name, b.Version, b.SHA256, b.AttackVersion)
}

// outside closes a dialog when the veil around it is clicked.
func (c *AboutBox) outside(e vugu.DOMEvent) { c.App.outside(e) }

func (a *App) outside(e vugu.DOMEvent) {
	if e.PropString("target", "className") == "veil" {
		a.closePanel()
	}
}
