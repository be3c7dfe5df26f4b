package site

// ExportMenu offers the reports that other programs and people read.
type ExportMenu struct {
	App *App
}

func (c *ExportMenu) title() string {
	if c.App.exporting {
		return say("Saving…")
	}
	return say("Report")
}

func (c *ExportMenu) about() string {
	return say("Holds the flagged rows among those in the table, in its order.")
}

func (c *ExportMenu) id(format string) string { return "export-" + format }
