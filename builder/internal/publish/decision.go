package publish

import (
	"slices"
	"strings"

	"cloister/builder/internal/calibrate"
	"cloister/builder/internal/train"
	"cloister/shared/feature"
)

// liner writes one line of a card.
type liner func(format string, args ...any)

// cardModels says which candidates were tried and what the anomaly model is.
func cardModels(line liner, r *train.Result) {
	line("| candidate | macro-F1 | accuracy | macro ROC-AUC |\n|---|---|---|---|")
	for _, t := range r.Tried {
		mark := ""
		if t.Name == r.Chosen.Name {
			mark = " (chosen)"
		}
		line("| %s: %s%s | %.3f | %.3f | %.3f |", t.Kind(), t.Name, mark, t.MacroF1, t.Accuracy, t.AUC)
	}
	cardKinds(line, r)
	if r.Isolation == nil {
		line("\nNo anomaly model.\n")
		return
	}
	line("\nAnomaly: %s, fitted on benign training rows; the score is the share of them that is less strange. From %g %% on a row counts as strange: %.1f %% of the attacks among hold-out rows, %.1f %% of the benign ones.",
		r.Isolation, train.AnomalyShare*100, r.Anomaly.Recall*100, r.Anomaly.FPR*100)
	if r.Unusual != nil {
		var names []string
		for _, s := range r.Unusual.Steps() {
			names = append(names, s.Name)
		}
		line("It reads %s alone.", strings.Join(names, " and "))
	}
	line("")
}

// cardFeatures lists the columns, those of categories in one line.
func cardFeatures(line liner, r *train.Result) {
	var categories []string
	if r.Pipeline != nil {
		for _, s := range r.Pipeline.Steps() {
			if s.Op == feature.OpIs {
				categories = append(categories, s.Value)
				continue
			}
			from := s.From
			if s.Over != "" {
				from += ", " + s.Over
			}
			median, span := "-", "-"
			if q := s.Quantiles; q != nil {
				median, span = short(q[50]), short(q[1])+" to "+short(q[99])
			}
			line("| %s: %s | %s | %s | %s | %s |", s.Name, s.Help, from, s.Unit, median, span)
		}
	}
	if categories != nil {
		line("| %d columns, 1 for a %s: %s; any other is 0 in all | %s | | - | 0 to 1 |", len(categories), r.Recipe.Category, strings.Join(categories, ", "), r.Recipe.Category)
	}
	for _, t := range r.Input.Texts() {
		o := t.TFIDF.Options()
		what := "words"
		if o.Chars {
			what = "characters within words"
		}
		weight := "tf · idf"
		if o.Sublinear {
			weight = "(1 + ln tf) · idf"
		}
		line("| %s: %d terms of %d to %d %s, %s, rows of length 1; unknown terms are left out | %s | | - | 0 to 1 |", t.Name, t.TFIDF.Len(), o.MinGram, o.MaxGram, what, weight, strings.Join(t.From, ", "))
	}
}

// cardDecision says how scores become verdicts and what that does.
func cardDecision(line liner, r *train.Result) {
	if r.Recipe.Benign != "" {
		line("\nAlert threshold %.3f on 1 - P(%s), %s with at most %g %% false positives on validation rows: hold-out precision %.3f, recall %.3f, false positives %.2f %%.",
			r.Alert.Threshold, r.Table.Classes[0], alertRule(r), train.AlertFPR*100, r.AlertHoldout.Precision, r.AlertHoldout.Recall, r.AlertHoldout.FPR*100)
	}
	line("\n### Calibration\n")
	line("One rising curve for all classes turns scores into probabilities, which are then scaled to sum to 1: the order of the classes stays. Chosen by log loss over %d folds of the validation rows:\n", calibrate.Folds)
	line("| method | log loss | calibration error |\n|---|---|---|")
	for _, t := range r.Calibration.Tried {
		mark := ""
		if t.Method == r.Calibration.Method {
			mark = " (chosen)"
		}
		line("| %s%s | %.4f | %.4f |", t.Method, mark, t.LogLoss, t.Error)
	}
	line("\n### Abstention\n")
	line("No verdict is given below the probability of the class that halves the error of validation rows while keeping %g %% of its verdicts, or errs least; a class with fewer than %d validation verdicts takes the threshold of all, %.2f.\n",
		train.AbstainKeep*100, train.AbstainRows, r.AbstainAll)
	line("| class | no verdict below |\n|---|---|")
	for i, v := range r.Abstain {
		line("| %s | %.2f |", r.Table.Classes[i], v)
	}
	if r.Centres != nil {
		d, m := r.Centres.Shape()
		line("\nNor is one given to a row that is unlike the training rows: farther than %.3f from the nearest of %d centres of them, in %d logarithmic columns each of deviation 1. That is %g %% of validation rows, %.1f %% of hold-out rows, whose verdicts would be wrong in %.1f %%.",
			r.Outside, m, d, train.OutsideShare*100, r.OutsideHoldout*100, r.OutsideError*100)
	}
	line("\nTogether %.1f %% of hold-out rows get no verdict: their error would be %.1f %%, that of the rest is %.2f %%.\n", r.AbstainShare*100, r.AbstainError[1]*100, r.AbstainError[0]*100)
	line("If the least certain hold-out rows got none:\n")
	line("| rows that keep their verdict | probability at least | error among them |\n|---|---|---|")
	for _, c := range r.Coverage {
		line("| %.1f %% | %.3f | %.2f %% |", c.Share*100, c.Least, c.Error*100)
	}
	if r.Recipe.Benign != "" {
		line("\n### Severity of a row\n")
		line("The mean impact over the class probabilities, from 0 (Informational) to 4 (Critical), rounded. Impact by family of attack:\n")
		line("| family | impact | labels with |\n|---|---|---|")
		for _, f := range train.Families {
			line("| %s | %s | %s |", f.Name, f.Severity, strings.Join(slices.Clone(f.Words), ", "))
		}
		line("| any other | %s | |", train.FamilyOf("").Severity)
	}
}
