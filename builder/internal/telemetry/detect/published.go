package detect

import (
	_ "embed" // the table
	"math"
	"slices"
	"strconv"
	"strings"
)

// Reference is what others reached on a set, or another program on the same
// files: means over those of its series that there are figures of, NaN for a
// figure that was not published.
type Reference struct {
	Method string
	Score
	Series int    // 0: one figure for the whole set, of which the series may be a part
	Source string // a name in [Sources]
}

// Sources say where figures of [References] are from and what differs.
var Sources = map[string]string{
	"scikit-learn": "scikit-learn 1.9.1 with its defaults on these files: builder/internal/telemetry/detect/testdata/asd.py",
	"TSB-AD":       "TheDatumOrg/TSB-AD, commit 8763009, multi_mergedTable_VUS-PR.csv, SMD id 7 and 19, Apache-2.0; it trains on a shorter part and takes the buffer from the period of each series",
	"SKAB":         "waico/SKAB, its leaderboard: point-wise F1 over all 34 files at the threshold of each author, where ours is the best threshold over the files at hand",
}

//go:embed published.tsv
var published string

// References returns what is known of a set, "ASD", "SMD" or "SKAB", for the
// given series, in the order of the table.
func References(set string, series []string) []Reference {
	var out []Reference
	lines := strings.Split(strings.TrimSpace(published), "\n")
	for _, line := range lines[1:] {
		cells := strings.Split(line, "\t")
		if cells[0] != set || cells[2] != "*" && !slices.Contains(series, cells[2]) {
			continue
		}
		i := slices.IndexFunc(out, func(r Reference) bool { return r.Method == cells[1] })
		if i < 0 {
			i = len(out)
			out = append(out, Reference{Method: cells[1], Source: cells[6]})
		}
		r := &out[i]
		if cells[2] != "*" {
			r.Series++
		}
		for k, to := range []*float64{&r.AP, &r.F1, &r.VUSPR} {
			v, err := strconv.ParseFloat(cells[3+k], 64)
			if err != nil {
				v = math.NaN()
			}
			*to += v
		}
	}
	for i := range out {
		n := float64(max(out[i].Series, 1))
		out[i].Score = Score{out[i].AP / n, out[i].F1 / n, out[i].VUSPR / n}
	}
	return out
}
