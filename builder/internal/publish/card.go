package publish

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"cloister/builder/internal/prep"
	"cloister/builder/internal/train"
	"cloister/shared/attack"
	"cloister/shared/bundle"
)

// card returns CARD.md: the model card for people, with the sections of the
// Hugging Face model card that apply.
func card(r *train.Result, m bundle.Manifest) string {
	c := &strings.Builder{}
	line := func(format string, args ...any) { fmt.Fprintf(c, format+"\n", args...) }
	line("# %s %s: %s\n", m.Name, m.Version, m.Title)
	line("%s\n", m.Description)
	line("## Use\n")
	line("%s Start with\n", directUse)
	line("    %s\n", howToStart(m))
	line("%s\n", advice)
	line("## Make it again\n")
	line("    %s\n", m.Lineage.Command)
	line("Built with %s from the files below, in the same order; the file it writes is this bundle, byte for byte.\n", m.Lineage.Toolchain)

	line("## Model\n")
	line("%s, chosen from %d candidates on validation rows: %s.\n", cardModel(r), len(r.Tried), cardChoice(r))
	if r.Recipe.Search != "" && r.Recipe.Params == "" {
		line("\nThe last candidate is the one that is used, the others show what each step gives. Its parameters are from\n\n    %s", strings.Replace(r.Recipe.Search, ": ", "\n\nwhich tried ", 1)+".\n")
	}
	cardModels(line, r)

	line("## Data\n")
	line("| file | rows | sha256 |\n|---|---|---|")
	for _, f := range r.Table.Files {
		line("| %s | %d | `%s` |", f.Name, f.Rows, f.SHA256)
	}
	line("")
	for _, d := range m.Datasets {
		line("- %s. Licence: %s. %s", d.Name, d.License, d.URL)
	}
	line("\nRows that could not be read: %s. Cells mended: %s. Rows without label: %d.", counts(r.Table.Rejected), counts(r.Table.Repairs), r.Table.NoLabel)
	line("\nSplit %s with seed %d: %d training, %d validation, %d hold-out rows. %d rows repeat the features of an earlier row; %d rows have the features of a row with another label; %d hold-out rows have the features of a training row.\n",
		scheme(r), splitSeed(r), r.Count[prep.Train], r.Count[prep.Validation], r.Count[prep.Holdout], r.Repeats.Duplicates, r.Repeats.Conflicting, r.Repeats.Leaked)

	line("## Features\n")
	line("| feature | from | unit | median | 1 %% to 99 %% |\n|---|---|---|---|---|")
	cardFeatures(line, r)
	line("\nA missing value stays missing: each tree node sends it to one side (the side that was better in training or, where training had none, the larger). Nothing is scaled or imputed.\n")
	line("Left out:\n")
	for _, d := range r.Recipe.Dropped {
		line("- %s: %s.", d.Field, d.Why)
	}

	if g := r.Recipe.Glossary(); g != "" {
		line("\n## Dictionary of features\n\nAll features that a file gives; the models read those named above.\n\n%s", g)
	}

	line("\n## Evaluation\n")
	line("| figure | part | rows | value | 95 %% interval |\n|---|---|---|---|---|")
	for _, x := range m.Metrics {
		interval := "-"
		if x.Low != nil && x.High != nil {
			interval = fmt.Sprintf("%.3f to %.3f", *x.Low, *x.High)
		}
		value := "-"
		if x.Value != nil {
			value = fmt.Sprintf("%.3f", *x.Value)
		}
		line("| %s | %s | %d | %s | %s |", x.Name, x.Split, x.N, value, interval)
	}
	line("\nIntervals: %d bootstrap resamples, percentile method.\n", 1000)
	line("| class | severity | hold-out rows | precision | recall | ATT&CK %s |\n|---|---|---|---|---|---|", m.AttackVersion)
	for _, l := range m.Labels {
		line("| %s | %s | %d | %s | %s | %s |", l.Name, l.Severity, l.Support, figureText(l.Precision), figureText(l.Recall), techniques(l))
	}
	line("\nConfusion on hold-out rows (true class by line, verdicts by column, in the order above):\n")
	for i := range r.Table.Classes {
		row := make([]string, r.Confusion.K)
		for j := range row {
			row[j] = fmt.Sprintf("%4d", r.Confusion.Counts[i*r.Confusion.K+j])
		}
		line("    %s  %s", strings.Join(row, ""), r.Table.Classes[i])
	}
	cardDecision(line, r)
	line("\n## Severity\n")
	for _, s := range severities(m) {
		line("- %s: %s", s[0], s[1])
	}
	line("\n## Explanations\n")
	line("Exact path-dependent TreeSHAP of the model's score, in votes or log-odds, before calibration; base values are means over the training rows. Attributions say what moved this model, not what caused the traffic; fields that go together (bytes, packets, duration) share credit.\n")
	line("## Known limits\n")
	for _, s := range m.KnownLimits {
		line("- %s", s)
	}
	line("\n## Risks\n")
	for _, x := range risks(m) {
		if x.Mitigation != "" {
			line("- %s %s", x.Name, x.Mitigation)
		}
	}
	line("\n## Not for\n")
	for _, s := range m.OutOfScope {
		line("- %s", s)
	}
	line("\n## Hardware and software\n")
	line("%s %s", hardware, software(m))
	line("\n## Citation and contact\n")
	line("%s", citation(m))
	line("\nQuestions go to whoever handed out the bundle: %s.", strings.Join(newCard(m, r.Table.Files).Contact, ", "))
	line("\n## Licence\n")
	line("%s. ATT&CK ids: %s", strings.Join(m.Licenses, ", "), attack.Licence)
	return c.String()
}

// cardModel says what the model is: that thresholds were drawn at random cannot
// be seen from the trees.
func cardModel(r *train.Result) string {
	if architecture(r) == bundle.ExtraTrees {
		return "extra trees: " + r.Forest.String()
	}
	return r.Forest.String()
}

// scheme says how the rows were split.
func scheme(r *train.Result) string {
	switch {
	case r.Split != nil:
		return fmt.Sprintf("%s (%s, a manifest of cloister prep)", r.Split.Scheme, r.SplitName)
	case r.Recipe.ByTime:
		return "by the order of the rows, the newest held out,"
	}
	return "per class"
}

func techniques(l bundle.Label) string {
	var out []string
	for _, t := range l.Attack {
		out = append(out, fmt.Sprintf("%s (%s, %s)", t.ID, t.Confidence, t.Basis))
	}
	if out == nil {
		return "-"
	}
	return strings.Join(out, ", ")
}

func figureText(v *float64) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprintf("%.2f", *v)
}

func short(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }

// counts lists the counts by reason, in order of the reason.
func counts(by map[string]int64) string {
	if len(by) == 0 {
		return "none"
	}
	var out []string
	for _, why := range slices.Sorted(maps.Keys(by)) {
		out = append(out, fmt.Sprintf("%d %s", by[why], why))
	}
	return strings.Join(out, ", ")
}
