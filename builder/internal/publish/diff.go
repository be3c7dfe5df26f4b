package publish

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"cloister/shared/bundle"
)

// Change is one difference between two bundles.
type Change struct {
	Section string   `json:"section"` // "bundle", "schema", "labels", "thresholds", "metrics", "explain", "data", "files"
	Name    string   `json:"name"`    // what differs: a field, feature, label, metric
	From    string   `json:"from"`    // empty: it was added
	To      string   `json:"to"`      // empty: it was removed
	Delta   *float64 `json:"delta,omitempty"`
}

// Difference is what changed between two bundles.
type Difference struct {
	From    string   `json:"from"` // name, version and the start of the SHA-256
	To      string   `json:"to"`
	Changes []Change `json:"changes"` // in the order of the sections
	// SameRows says that both take the same rows: the digests of the schemas
	// are equal.
	SameRows bool `json:"same_rows"`
}

// Diff compares two bundles: identity and size, features, labels with
// severity and techniques, thresholds, metrics, explanation, data and entries.
func Diff(a, b *bundle.Bundle) *Difference {
	x, y := a.Manifest(), b.Manifest()
	title := func(b *bundle.Bundle, m bundle.Manifest) string {
		return fmt.Sprintf("%s %s (%.12s)", m.Name, m.Version, bundle.Digest(b.SHA256()))
	}
	d := &Difference{From: title(a, x), To: title(b, y), Changes: []Change{}, SameRows: x.Schema.SHA256 == y.Schema.SHA256}
	d.texts("bundle", [][3]string{
		{"name", x.Name, y.Name}, {"version", x.Version, y.Version}, {"id", x.ID, y.ID}, {"title", x.Title, y.Title},
		{"created_at", x.CreatedAt, y.CreatedAt}, {"min_runtime", x.MinRuntime, y.MinRuntime}, {"task", x.Task, y.Task},
		{"architecture", x.Config.Architecture, y.Config.Architecture},
		{"licenses", strings.Join(x.Licenses, ", "), strings.Join(y.Licenses, ", ")},
		{"attack_version", x.AttackVersion, y.AttackVersion},
	})
	d.count("bundle", "parameters", x.Config.ParamCount, y.Config.ParamCount)
	d.count("bundle", "size", a.Size(), b.Size())
	d.lists("schema", features(x), features(y))
	d.lists("labels", labels(x), labels(y))
	d.numbers("thresholds", thresholds(x), thresholds(y))
	d.numbers("metrics", metrics(x), metrics(y))
	d.texts("explain", [][3]string{
		{"method", x.Explain.Method, y.Explain.Method}, {"link", x.Explain.Link, y.Explain.Link},
		{"tolerance", number(x.Explain.Tolerance), number(y.Explain.Tolerance)},
	})
	d.texts("data", [][3]string{
		{"files", digests(x), digests(y)}, {"recipe", x.Lineage.Recipe, y.Lineage.Recipe}, {"command", x.Lineage.Command, y.Lineage.Command},
		{"known limits", strings.Join(x.KnownLimits, " "), strings.Join(y.KnownLimits, " ")},
	})
	d.lists("files", entries(x), entries(y))
	return d
}

// item is a named value.
type item struct {
	name, text string
	value      *float64
}

func features(m bundle.Manifest) (out []item) {
	for i, f := range m.Schema.Features {
		out = append(out, item{name: f.Name, text: fmt.Sprintf("column %d, %s %s missing:%s transform:%s", i+1, f.Dtype, f.Unit, f.Missing, f.Transform)})
	}
	return out
}

func labels(m bundle.Manifest) (out []item) {
	for _, l := range m.Labels {
		out = append(out, item{name: l.Name, text: l.Severity + " " + techniques(l)})
	}
	return out
}

func thresholds(m bundle.Manifest) (out []item) {
	for _, t := range m.Thresholds {
		name := t.Name
		out = append(out, item{name: name, value: &t.Value}, item{name: name + " precision", value: t.Precision},
			item{name: name + " recall", value: t.Recall}, item{name: name + " false positive rate", value: t.FPR})
	}
	return out
}

// metrics include those per class, which stand with the labels.
func metrics(m bundle.Manifest) (out []item) {
	for _, x := range m.Metrics {
		out = append(out, item{name: x.Name + ", " + x.Split, value: x.Value})
	}
	for _, l := range m.Labels {
		out = append(out, item{name: "precision of " + l.Name, value: l.Precision}, item{name: "recall of " + l.Name, value: l.Recall})
	}
	return out
}

func entries(m bundle.Manifest) (out []item) {
	for _, f := range m.Files {
		out = append(out, item{name: f.Name, text: fmt.Sprintf("%d bytes, %.12s", f.Size, f.SHA256)})
	}
	return out
}

func digests(m bundle.Manifest) string {
	var out []string
	for _, d := range m.Lineage.DatasetSHA256 {
		out = append(out, d.String()[:12])
	}
	return strings.Join(out, " ")
}

func (d *Difference) add(c Change) {
	if c.From != c.To {
		d.Changes = append(d.Changes, c)
	}
}

func (d *Difference) texts(section string, list [][3]string) {
	for _, x := range list {
		d.add(Change{section, x[0], x[1], x[2], nil})
	}
}

func (d *Difference) count(section, name string, a, b int64) {
	delta := float64(b - a)
	d.add(Change{section, name, fmt.Sprint(a), fmt.Sprint(b), &delta})
}

// lists compares by name, in the order of b and then of what only a has.
func (d *Difference) lists(section string, a, b []item) {
	find := func(list []item, name string) (string, bool) {
		i := slices.IndexFunc(list, func(x item) bool { return x.name == name })
		if i < 0 {
			return "", false
		}
		return list[i].text, true
	}
	for _, y := range b {
		from, _ := find(a, y.name)
		d.add(Change{section, y.name, from, y.text, nil})
	}
	for _, x := range a {
		if _, ok := find(b, x.name); !ok {
			d.add(Change{section, x.name, x.text, "", nil})
		}
	}
}

// numbers compares figures; one that is nil was not computed.
func (d *Difference) numbers(section string, a, b []item) {
	value := func(list []item, name string) *float64 {
		if i := slices.IndexFunc(list, func(x item) bool { return x.name == name }); i >= 0 {
			return list[i].value
		}
		return nil
	}
	text := func(v *float64) string {
		if v == nil {
			return ""
		}
		return number(*v)
	}
	seen := map[string]bool{}
	for _, x := range slices.Concat(b, a) {
		if seen[x.name] {
			continue
		}
		seen[x.name] = true
		u, v := value(a, x.name), value(b, x.name)
		c := Change{section, x.name, text(u), text(v), nil}
		if u != nil && v != nil {
			delta := *v - *u
			c.Delta = &delta
		}
		d.add(c)
	}
}

// Text writes d for people.
func (d *Difference) Text(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "from  %s\nto    %s\n", d.From, d.To)
	if d.SameRows {
		b.WriteString("Both take the same rows.\n")
	} else {
		b.WriteString("They take different rows.\n")
	}
	if len(d.Changes) == 0 {
		b.WriteString("No difference.\n")
	}
	section := ""
	for _, c := range d.Changes {
		if c.Section != section {
			section = c.Section
			fmt.Fprintf(&b, "\n%s\n", section)
		}
		switch {
		case c.From == "":
			fmt.Fprintf(&b, "  + %s: %s\n", c.Name, c.To)
		case c.To == "":
			fmt.Fprintf(&b, "  - %s: %s\n", c.Name, c.From)
		case c.Delta != nil:
			fmt.Fprintf(&b, "  ~ %s: %s to %s (%+.4g)\n", c.Name, c.From, c.To, *c.Delta)
		default:
			fmt.Fprintf(&b, "  ~ %s: %s to %s\n", c.Name, c.From, c.To)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
