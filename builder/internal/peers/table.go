//go:build !js

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"text/tabwriter"
)

// row is one comparison. The exported fields are the contract of peers.json.
type row struct {
	Area     string     `json:"area"`
	Work     string     `json:"work"`
	Unit     string     `json:"unit"`
	Us       float64    `json:"us"`
	Peer     float64    `json:"peer"`
	PeerName string     `json:"peer_name"`
	Ratio    float64    `json:"ratio"`
	Spread   [2]float64 `json:"spread"` // least and largest ratio of the rounds

	us, peer spread
	goal     float64 // ratio that TREES.md wants, 0 for none
	note     string
}

// goalName is the peer of rows that have none but a goal.
const goalName = "goal"

// compare makes a row of the values of interleaved rounds; with more, larger
// values are better.
func compare(area, work, unit string, more bool, us []float64, name string, peer []float64, goal float64, note string) row {
	u, p, r := spreadOf(us), spreadOf(peer), ratioOf(us, peer, more)
	return row{area, work, unit, u.mid, p.mid, name, r.mid, [2]float64{r.low, r.high}, u, p, goal, note}
}

// against makes a row of a value that is measured against a goal only.
func against(area, work, unit string, more bool, us []float64, goal float64, note string) row {
	return compare(area, work, unit, more, us, goalName, []float64{goal}, 1, note)
}

// met says whether the row reaches its goal: "met", "not met" or "".
func (r row) met() string {
	switch {
	case r.goal == 0:
		return ""
	case r.Ratio >= r.goal:
		return "met"
	}
	return "not met"
}

// number writes v with three digits that matter, and k, M or G for large ones.
func number(v float64) string {
	if math.IsNaN(v) {
		return "-"
	}
	for _, s := range []struct {
		from float64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e4, "k"}} {
		if math.Abs(v) >= s.from {
			div := s.from
			if s.name == "k" {
				div = 1e3
			}
			return fmt.Sprintf("%.3g%s", v/div, s.name)
		}
	}
	if a := math.Abs(v); a >= 1000 {
		return fmt.Sprintf("%.0f", v)
	} else if a < 1 && a >= 0.1 {
		return fmt.Sprintf("%.4f", v) // accuracies differ in the fourth digit
	}
	return fmt.Sprintf("%.3g", v)
}

// text writes the median and, where they differ, the ends.
func (s spread) text() string {
	if s.low == s.high || math.IsNaN(s.low) {
		return number(s.mid)
	}
	return fmt.Sprintf("%s (%s..%s)", number(s.mid), number(s.low), number(s.high))
}

// printTable writes rows grouped by area, in the order areas appear.
func printTable(w io.Writer, rows []row) error {
	var areas []string
	groups := map[string][]row{}
	for _, r := range rows {
		if groups[r.Area] == nil {
			areas = append(areas, r.Area)
		}
		groups[r.Area] = append(groups[r.Area], r)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, area := range areas {
		fmt.Fprintf(t, "\n%s\n  work\tunit\tus\tpeer\tpeer is\tratio\ttarget\t\n", strings.ToUpper(area))
		for _, r := range groups[area] {
			target := ""
			if r.goal > 0 {
				target = fmt.Sprintf("%s: %s", number(r.goal), r.met())
			}
			if r.note != "" {
				target += "  [" + r.note + "]"
			}
			fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", r.Work, r.Unit, r.us.text(), r.peer.text(), r.PeerName,
				spread{r.Ratio, r.Spread[0], r.Spread[1]}.text(), target)
		}
	}
	return t.Flush()
}

// writeJSON writes rows as the list that peers.json is. Numbers that JSON
// lacks become 0.
func writeJSON(path string, rows []row) error {
	list := make([]row, len(rows))
	for i, r := range rows {
		for _, v := range []*float64{&r.Us, &r.Peer, &r.Ratio, &r.Spread[0], &r.Spread[1]} {
			if math.IsNaN(*v) || math.IsInf(*v, 0) {
				*v = 0
			}
		}
		list[i] = r
	}
	b, err := json.MarshalIndent(list, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}
