package report

import (
	"strings"
	"time"

	"cloister/shared/attack"
	"cloister/shared/job"
)

// Window is a stretch of time in which a device was watched.
type Window struct {
	Device   string `json:"device"`
	Start    string `json:"start"` // RFC 3339, UTC
	End      string `json:"end"`
	Scenario string `json:"scenario,omitempty"` // titles of the attack scenarios that it fits
	// Metrics are those furthest from the device's past, each with its part of
	// the distance: "net_bytes_out_mb=0.412 load_1min=0.201".
	Metrics   string `json:"metrics,omitempty"`
	Simulated bool   `json:"simulated,omitempty"` // a simulator made the samples

	techniques []job.Technique
}

// windowOf returns the window of row i, nil when the rows are no windows. The
// columns are those of the telemetry schema (shared/telemetry).
func windowOf(b *job.Batch, i int) *Window {
	column := func(name string) *job.Column {
		for k := range b.Columns {
			if b.Columns[k].Name == name {
				return &b.Columns[k]
			}
		}
		return nil
	}
	text := func(name string) string {
		if c := column(name); c != nil && c.Texts != nil {
			return c.Texts[i]
		}
		return ""
	}
	start, end := column("WINDOW_START"), column("WINDOW_END")
	if start == nil || end == nil || start.Numbers == nil || end.Numbers == nil {
		return nil
	}
	at := func(c *job.Column) string {
		return time.UnixMilli(int64(c.Numbers[i])).UTC().Format("2006-01-02T15:04:05.000Z")
	}
	w := &Window{Device: text("DEVICE"), Start: at(start), End: at(end), Scenario: text("SCENARIO"), Metrics: text("METRICS"), Simulated: text("SIMULATED") != ""}
	for id := range strings.FieldsSeq(text("TECHNIQUES")) {
		if t, ok := attack.Lookup(id); ok {
			w.techniques = append(w.techniques, job.Technique{ID: t.ID, Tactic: t.Tactics[0], Confidence: "low", Basis: "analytic"})
		}
	}
	return w
}
