package score

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"cloister/shared/bundle"
	"cloister/shared/job"
	"cloister/shared/model"
)

// Decision says how scores become a verdict. The zero value takes the model's
// scores as probabilities, withholds by the manifest's threshold alone and
// rates a row by its class. It is immutable.
type Decision struct {
	// Calibrated is how the curve was fitted, for people: "isotonic", "beta".
	Calibrated string
	// Curve makes probabilities of the scores of a classifier; nil takes them
	// as they are.
	Curve *model.Curve
	// Abstain holds for each class the probability below which a verdict is
	// withheld; nil means the manifest's threshold for all.
	Abstain []float64
	// Expected rates the severity of a row by the mean impact over the class
	// probabilities, see [Impact], instead of the impact of its class.
	Expected bool
}

// decisionFile is the JSON form of pre/decision.json.
type decisionFile struct {
	Calibration *calibrationFile `json:"calibration,omitempty"`
	Abstain     []float64        `json:"abstain,omitempty"`
	Severity    string           `json:"severity"` // "expected", "class"
}

type calibrationFile struct {
	Method      string    `json:"method"`
	Score       []float64 `json:"score"`
	Probability []float64 `json:"probability"`
}

// The rules of severity in pre/decision.json.
const (
	severityExpected = "expected"
	severityClass    = "class"
)

// AppendDecision appends pre/decision.json.
func AppendDecision(dst []byte, d Decision) ([]byte, error) {
	f := decisionFile{Abstain: d.Abstain, Severity: severityClass}
	if d.Expected {
		f.Severity = severityExpected
	}
	if d.Curve != nil {
		x, y := d.Curve.Knots()
		f.Calibration = &calibrationFile{d.Calibrated, x, y}
	}
	b, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	return append(append(dst, b...), '\n'), nil
}

// decodeDecision reads what [AppendDecision] wrote for k classes.
func decodeDecision(b []byte, k int) (Decision, error) {
	var f decisionFile
	if err := strict(b, &f); err != nil {
		return Decision{}, err
	}
	d := Decision{Abstain: f.Abstain, Expected: f.Severity == severityExpected}
	if f.Severity != severityExpected && f.Severity != severityClass {
		return Decision{}, fmt.Errorf("severity %.64q, want %s or %s", f.Severity, severityExpected, severityClass)
	}
	if c := f.Calibration; c != nil {
		if c.Method == "" || len(c.Method) > 64 {
			return Decision{}, fmt.Errorf("calibration method %.64q", c.Method)
		}
		curve, err := model.NewCurve(c.Score, c.Probability)
		if err != nil {
			return Decision{}, err
		}
		d.Calibrated, d.Curve = c.Method, curve
	}
	if d.Abstain != nil && len(d.Abstain) != k {
		return Decision{}, fmt.Errorf("%d thresholds for %d classes", len(d.Abstain), k)
	}
	for i, v := range d.Abstain {
		if !(v >= 0 && v <= 1) {
			return Decision{}, fmt.Errorf("threshold %d: %v, want 0 to 1", i, v)
		}
	}
	if again, err := AppendDecision(nil, d); err != nil || !bytes.Equal(again, b) {
		return Decision{}, errors.New("not in canonical form")
	}
	return d, nil
}

// Impact returns the index into job.Severities of the mean impact of a row
// with class probabilities p, impact holding the index of each class:
//
//	floor(sum_c p_c · impact_c + 1/2)
//
// so that a Critical class at 50 % and a benign one at 50 % make a Medium row.
func Impact(p []float64, impact []int) int {
	mean := 0.0
	for c, v := range p {
		mean += float64(v * float64(impact[c]))
	}
	return min(max(int(math.Floor(mean+0.5)), 0), len(job.Severities)-1)
}

// impacts returns the index into job.Severities of each label, an error for a
// name that is none of them.
func impacts(labels []bundle.Label) ([]int, error) {
	out := make([]int, len(labels))
	for i, l := range labels {
		out[i] = -1
		for s, name := range job.Severities {
			if name == l.Severity {
				out[i] = s
			}
		}
		if out[i] < 0 {
			return nil, fmt.Errorf("label %.64q: severity %.64q", l.Name, l.Severity)
		}
	}
	return out, nil
}
