package attack

import (
	_ "embed" // the table is a file
	"fmt"
	"strings"
)

// Detection is one of ATT&CK's own descriptions of how a technique shows, among
// those that read network components.
type Detection struct {
	ID         string   // "AN1962"
	Components []string // ids of the network components it reads, ascending: see [ComponentName]
	Text       string   // first sentence of MITRE's text
}

// Content is the data component of what packets carry, which no flow record
// holds.
const Content = "DC0085"

// Detections returns the analytics of a technique, at most two, those that rest
// on the network alone first; none for a technique outside the table, which
// holds those that labels, flows or the network alone can show. An obsolete id
// stands for its successor. They are those of ATT&CK 18.1, the last release
// that was at hand with analytics, under the ids of [Version].
func Detections(id string) []Detection {
	now, ok := Current(id)
	if !ok {
		return nil
	}
	return analyticTable.get(analyticsTSV, parseAnalytics)[now]
}

// ComponentName returns the name of a network component, or its id if it is
// not one.
func ComponentName(id string) string {
	switch id {
	case "DC0078":
		return "Network Traffic Flow"
	case "DC0082":
		return "Network Connection Creation"
	case Content:
		return "Network Traffic Content"
	}
	return id
}

//go:embed analytics.tsv
var analyticsTSV string

var analyticTable parsed[map[string][]Detection]

// parseAnalytics reads lines of a technique, an analytic's number, the last
// two digits of its components joined by commas, and a sentence. Errors name
// the line.
func parseAnalytics(text string) (map[string][]Detection, error) {
	out := map[string][]Detection{}
	number := 0
	for line := range strings.Lines(text) {
		number++
		if strings.HasPrefix(line, "#") {
			continue
		}
		c := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(c) != 4 || c[2] == "" {
			return nil, fmt.Errorf("attack: analytics: line %d: unexpected %.64q with %d cells", number, c[0], len(c))
		}
		a := Detection{ID: "AN" + c[1], Text: c[3]}
		for _, d := range strings.Split(c[2], ",") {
			a.Components = append(a.Components, "DC00"+d)
		}
		out[c[0]] = append(out[c[0]], a)
	}
	return out, nil
}
