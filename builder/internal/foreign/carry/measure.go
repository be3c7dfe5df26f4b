package carry

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"cloister/builder/internal/metric"
	"cloister/builder/internal/train"
	"cloister/shared/attack"
	"cloister/shared/bundle"
	"cloister/shared/frame"
	"cloister/shared/model/tree"
)

// measure fits the quantiles of features and judges the model on the rows of the
// table, if there is one.
func (c *carried) measure() error {
	d, k := c.pipeline.Len(), len(c.names)
	c.typical = make([]float64, k*d)
	for i := range c.typical {
		c.typical[i] = math.NaN()
	}
	t := c.o.Table
	if t == nil {
		return nil
	}
	c.pipeline = c.pipeline.Fit(t.X)
	of := make([]int, len(t.Classes)) // class of the model, -1 for none
	for i, name := range t.Classes {
		of[i] = slices.IndexFunc(c.names, func(s string) bool { return attack.Key(s) == attack.Key(name) })
	}
	_, outputs := c.e.Shape()
	all := make([]float64, len(t.Class)*outputs)
	if err := c.e.Predict(all, t.X); err != nil {
		return err
	}
	var truth, predicted []int
	var p []float64
	other := 0
	for i, class := range t.Class {
		if of[class] < 0 {
			other++
			continue
		}
		row := all[i*outputs : (i+1)*outputs]
		if outputs == 1 {
			row = []float64{1 - row[0], row[0]}
		}
		truth, predicted, p = append(truth, of[class]), append(predicted, metric.Argmax(row)), append(p, row...)
	}
	if len(truth) == 0 {
		return errNoRows
	}
	c.medians(of)
	conf := metric.NewConfusion(truth, predicted, k)
	for i := range k {
		s := conf.Class(i)
		c.figures = append(c.figures, bundle.Label{Precision: known(s.Precision), Recall: known(s.Recall), Support: int64(s.Support)})
	}
	add := func(name string, v float64) {
		c.metrics = append(c.metrics, bundle.Metric{Name: name, Value: known(v), Split: "holdout", N: int64(len(truth))})
	}
	add("accuracy", conf.Accuracy())
	add("macro-F1", conf.MacroF1())
	add("log loss", metric.LogLoss(truth, p, k))
	var files []string
	for _, f := range t.Files {
		files = append(files, fmt.Sprintf("%s (sha256 %.12s)", f.Name, f.SHA256))
	}
	c.evaluated = fmt.Sprintf("%d labelled rows of %s, given to the import", len(truth), strings.Join(files, ", "))
	if other > 0 {
		c.evaluated += fmt.Sprintf("; %d rows of other labels are left out", other)
	}
	return nil
}

// anomaly takes over the isolation forest, with what it says of benign rows.
func (c *carried) anomaly() error {
	a := c.o.Anomaly
	if a == nil {
		return nil
	}
	d, t := c.pipeline.Len(), c.o.Table
	switch {
	case a.Source.Kind != tree.Isolation:
		return fmt.Errorf("the anomaly model is a %v, want an isolation forest", a.Source.Kind)
	case a.Source.Features != d:
		return fmt.Errorf("the anomaly model reads %d columns, the classifier %d: they have to be the same", a.Source.Features, d)
	case t == nil:
		return errors.New("an anomaly model needs labelled rows: what is usual follows from its scores of benign ones")
	}
	var err error
	if c.isolation, err = tree.New(a.Source); err != nil {
		return err
	}
	var x []float64
	for i, class := range t.Class {
		if attack.Key(t.Classes[class]) == attack.Key(benign(c.o)) {
			x = append(x, t.X[i*d:(i+1)*d]...)
		}
	}
	if len(x) == 0 {
		return fmt.Errorf("no row has the label %.64q: nothing says what is usual", benign(c.o))
	}
	margin := make([]float64, len(x)/d)
	if err := c.isolation.Margin(margin, x); err != nil {
		return err
	}
	c.strange = frame.QuantilesOf(margin, train.StrangenessQuantiles)
	return nil
}

// medians fills typical with the median of each feature in the rows of a class.
func (c *carried) medians(of []int) {
	d, t := c.pipeline.Len(), c.o.Table
	for k := range c.names {
		for j := range d {
			var v []float64
			for i, class := range t.Class {
				if x := t.X[i*d+j]; of[class] == k && x == x && !math.IsInf(x, 0) {
					v = append(v, x)
				}
			}
			if slices.Sort(v); len(v) > 0 {
				c.typical[k*d+j] = v[len(v)/2]
			}
		}
	}
}

// known returns a pointer to v, nil for NaN.
func known(v float64) *float64 {
	if math.IsNaN(v) {
		return nil
	}
	return &v
}
