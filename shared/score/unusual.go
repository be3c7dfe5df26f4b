package score

import (
	"math"

	"cloister/shared/explain"
	"cloister/shared/frame"
	"cloister/shared/job"
)

// strangeness explains the isolation forest's margin of the single row of f,
// nil without one, or when it reads other features than the classifier: the
// page names those of the classifier. The explainer is made when it is first
// asked for, so that loading a bundle costs no more.
func (l *loaded) strangeness(f *frame.Frame) (*job.Strangeness, error) {
	if l.isolation == nil || l.unusual != l.input || l.input.Len() != l.input.Numbers() {
		return nil, nil
	}
	var err error
	l.isolate.Do(func() { l.isolator, err = explain.New(l.isolation) })
	if l.isolator == nil {
		return nil, err // of the first call; later ones go without
	}
	x := l.input.Rows(nil, f, 0, 1)
	out := &job.Strangeness{Base: l.isolator.Base(0), Unit: "log2 of the anomaly score", SHAP: make([]float64, l.input.Len())}
	margin := make([]float64, 1)
	if err := l.isolation.Margin(margin, x); err != nil {
		return nil, err
	}
	if err := l.isolator.Values(out.SHAP, x, 0); err != nil {
		return nil, err
	}
	out.Margin = margin[0]
	sum := out.Base
	for _, v := range out.SHAP {
		sum += v
	}
	out.Additivity = math.Abs(sum - out.Margin)
	return out, nil
}
