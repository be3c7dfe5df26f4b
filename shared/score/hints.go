package score

import (
	"strings"

	"cloister/shared/attack"
	"cloister/shared/frame"
	"cloister/shared/job"
)

// hints returns the different sets of techniques that the rows of f themselves
// point at, and which is that of each row: alerts by their texts and the ids
// that the tool names, flows by port and behaviour. Both are nil when no row
// points at any, as with windows of metrics. why keeps the reasons, which are
// those of the first row with a set.
func hints(f *frame.Frame, why bool) (sets [][]job.Technique, set []uint32) {
	var found [][]attack.Hint
	switch f.Schema {
	case frame.Flow:
		found, set = attack.FromFlows(f.Len(), func(name string) []float64 {
			k, ok := f.Schema.Index(name)
			if !ok {
				return nil
			}
			return f.Numbers[k]
		})
	case frame.Alert:
		found, set = fromAlerts(f)
	}
	if len(found) <= 1 {
		return nil, nil
	}
	for _, hs := range found {
		var out []job.Technique
		for _, h := range hs {
			t := job.Technique{ID: h.Technique, Tactic: h.Tactic, Confidence: h.Confidence, Basis: h.Basis, Hint: f.Schema == frame.Flow}
			if why {
				t.Why = h.Why
			}
			out = append(out, t)
		}
		sets = append(sets, out)
	}
	return sets, set
}

// fromAlerts is [attack.FromFlows] for alerts. The title of a Zeek notice is its
// type.
func fromAlerts(f *frame.Frame) (sets [][]attack.Hint, set []uint32) {
	sets, set = make([][]attack.Hint, 1), make([]uint32, f.Len())
	number := map[string]uint32{"": 0}
	var column [4][]string
	for k, name := range [...]string{frame.AlertTitle, frame.AlertDescription, frame.AlertType, frame.AlertTechniques} {
		at, _ := f.Schema.Index(name)
		if column[k] = f.Texts[at]; column[k] == nil {
			column[k] = make([]string, f.Len())
		}
	}
	for i := range set {
		title := column[0][i]
		found := attack.FromAlert(attack.Alert{Text: title + "\n" + column[1][i], Type: column[2][i], Notice: title, Techniques: strings.Fields(column[3][i])})
		key := ""
		for _, h := range found {
			key += h.Technique + h.Tactic + h.Confidence + h.Basis
		}
		k, ok := number[key]
		if !ok {
			k = uint32(len(sets))
			number[key] = k
			sets = append(sets, found)
		}
		set[i] = k
	}
	return sets, set
}
