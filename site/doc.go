// Package site is the analyst's page: Vugu components over one [App], which
// holds the bundle, the run and the verdicts. It hides how verdicts are kept,
// chosen and drawn; everything it needs from a window comes through [Host],
// so that it compiles and renders natively.
//
//	app := site.New(host, renderer.EventEnv())
//	root := &site.Root{App: app}
//	app.Start()                       // then draw root on every request
//
// Limits: the table lists the first million rows of a run; further rows are
// scored and counted. Texts of a capture reach the document only as text.
//
// # Structure
//
// State (App and what it holds; no markup, no component):
//
//	site.go     App, its life with a bundle
//	run.go      one run: open, progress, cancel, end
//	store.go    verdicts in typed columns; view.go, sort.go filter and sort them in short steps
//	tally.go    counts over flagged rows
//	record.go   the open record
//	export.go   CSV and JSON of the rows in the table
//	shelf.go    bundles at hand, which of them a file goes to, keys
//	host.go     what is needed from the window
//	internal/pool   a run over several workers
//	internal/query  the filter language
//
// Screens: results.vugu shows the run's head, the tabs and one screen at a
// time. A screen is a component in two files, markup in name-screen.vugu and
// its logic in name-screen.go. To add one, add a line to screens in screen.go
// and a line to results.vugu. Screens know App, never each other.
//
// Cards, drawers and dialogs are components of the same form: name.vugu and
// name.go. A card that only reads App needs no state of its own; what it keeps
// (a text being typed) are unexported fields of the component.
//
// Charts are data first: a figure (figure.go) is a list of shapes with a table
// of the same numbers. FigureCard draws any figure with its table twin and
// saves it as SVG and CSV. A new chart is a function that returns a figure.
//
// Rules: work over all rows is done in steps of a few milliseconds (view.step),
// never in Compute; a component's Compute costs O(rows in sight). Styles stand
// in static/app.css, one block per component, colours as variables only.
package site
