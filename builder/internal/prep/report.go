package prep

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"cloister/builder/internal/document"
	"cloister/shared/chart"
)

// JSON returns the profile as indented JSON.
func (p *Profile) JSON() ([]byte, error) {
	b, err := json.MarshalIndent(p, "", " ")
	return append(b, '\n'), err
}

// Document returns the profile as a report, with what the splits do to it.
func (p *Profile) Document(splits []*Manifest, impossible map[string]string) *document.Document {
	var names []string
	for _, f := range p.Files {
		names = append(names, f.Name)
	}
	d := document.New("Profile of "+strings.Join(names, ", "), fmt.Sprintf("%d rows of %d files, %d of the %d fields of a %s.", p.Rows, len(p.Files), p.Columns, p.Columns+len(p.Absent), p.Schema))
	p.files(d)
	p.columns(d)
	p.classes(d)
	p.repeats(d)
	if len(splits) > 0 {
		section(d, splits, impossible)
	}
	p.fields(d)
	return d
}

func (p *Profile) files(d *document.Document) {
	d.Section("files", "Files, rejects and repairs")
	d.List(p.Remarks)
	files := chart.Table{Caption: "Files", Head: []string{"file", "format", "rows", "without label", "rejected", "SHA-256"}}
	counts := chart.Table{Caption: "Rows rejected and cells repaired", Head: []string{"file", "what", "reason", "count"}}
	for _, f := range p.Files {
		rejected := int64(0)
		for _, why := range slices.Sorted(maps.Keys(f.Rejected)) {
			rejected += f.Rejected[why]
			counts.Rows = append(counts.Rows, []string{f.Name, "row rejected", why, strconv.FormatInt(f.Rejected[why], 10)})
		}
		for _, why := range slices.Sorted(maps.Keys(f.Repairs)) {
			counts.Rows = append(counts.Rows, []string{f.Name, "cell repaired", why, strconv.FormatInt(f.Repairs[why], 10)})
		}
		files.Rows = append(files.Rows, []string{f.Name, f.Format, strconv.Itoa(f.Rows), strconv.Itoa(f.NoLabel), strconv.FormatInt(rejected, 10), f.SHA256[:16] + "…"})
		if len(f.Unmapped) > 0 {
			d.Text("Columns of %s that no field uses: %s.", f.Name, strings.Join(f.Unmapped, ", "))
		}
	}
	d.Table(files)
	if len(counts.Rows) == 0 {
		d.Text("No row was rejected and no cell repaired.")
	}
	d.Table(counts)
	spelling := chart.Table{Caption: "Spellings of labels that were joined", Head: []string{"as written", "class", "rows"}}
	for _, s := range p.Spellings {
		spelling.Rows = append(spelling.Rows, []string{s.Label, s.Class, strconv.Itoa(s.Rows)})
	}
	d.Table(spelling)
}

func (p *Profile) classes(d *document.Document) {
	d.Section("classes", "Classes")
	b := chart.Bars{Title: "Rows per class", X: "rows"}
	t := chart.Table{Caption: "Classes", Head: []string{"class", "rows", "different vectors", "repeated rows", "rows in conflict", "known of it"}}
	for _, f := range p.Files {
		t.Head = append(t.Head, "in "+f.Name)
	}
	for _, c := range p.Classes {
		b.Names, b.Values = append(b.Names, c.Name), append(b.Values, float64(c.Rows))
		row := []string{c.Name, strconv.Itoa(c.Rows), strconv.Itoa(c.Vectors), strconv.Itoa(c.Repeated), strconv.Itoa(c.Conflicting), c.Note}
		for _, n := range c.ByFile {
			row = append(row, strconv.Itoa(n))
		}
		t.Rows = append(t.Rows, row)
	}
	d.Chart(b.Draw())
	d.Table(t)
	if p.NoLabel > 0 {
		d.Text("%d rows have no label.", p.NoLabel)
	}
}

func (p *Profile) repeats(d *document.Document) {
	d.Section("repeats", "Repeated and conflicting rows")
	r := p.Repeats
	d.Text("A vector is a row without addresses, source port, times, DNS id and label: what a model may see.")
	d.Table(chart.Table{Caption: "Rows that are alike", Head: []string{"what", "count"}, Rows: [][]string{
		{"rows equal to an earlier one in every field", strconv.Itoa(r.Rows)},
		{"different vectors", strconv.Itoa(r.Vectors)},
		{"rows whose vector occurred before", strconv.Itoa(r.Repeated)},
		{"vectors that occur with several labels", strconv.Itoa(r.Groups)},
		{"rows of those", strconv.Itoa(r.Conflicting)},
	}})
}

// section writes what the splits give.
func section(d *document.Document, splits []*Manifest, impossible map[string]string) {
	d.Section("splits", "Splits")
	d.Text("Seed %d, shares %g/%g/%g. Every split is in a manifest of its own: scheme, seed, the part of every row, and the SHA-256 of the rows of each part.",
		splits[0].Seed, splits[0].Shares[0]*100, splits[0].Shares[1]*100, splits[0].Shares[2]*100)
	t := chart.Table{Caption: "Rows per part", Head: []string{"split", "train", "validation", "holdout", "notes"}}
	for _, m := range splits {
		var sum [3]int
		for _, n := range m.Counts {
			for p := range sum {
				sum[p] += n[p]
			}
		}
		t.Rows = append(t.Rows, []string{m.Scheme, strconv.Itoa(sum[0]), strconv.Itoa(sum[1]), strconv.Itoa(sum[2]), strings.Join(m.Notes, " ")})
	}
	d.Table(t)
	for _, scheme := range slices.Sorted(maps.Keys(impossible)) {
		d.Text("No %s split: %s.", scheme, impossible[scheme])
	}
}

func (p *Profile) fields(d *document.Document) {
	d.Section("fields", "Fields")
	t := chart.Table{Caption: "Number fields", Head: []string{"field", "unit", "missing", "distinct", "zero", "min", "q25", "median", "q75", "max", "mean", "sd", "low outliers", "high outliers"}}
	texts := chart.Table{Caption: "Text fields", Head: []string{"field", "missing", "distinct", "commonest"}}
	for _, f := range p.Fields {
		switch n := f.Numbers; {
		case n != nil:
			row := []string{f.Name, f.Unit, strconv.Itoa(f.Missing), strconv.Itoa(f.Distinct), strconv.Itoa(n.Zero)}
			for _, v := range []float64{n.Min, n.Q1, n.Median, n.Q3, n.Max, n.Mean, n.SD} {
				row = append(row, chart.Number(v))
			}
			t.Rows = append(t.Rows, append(row, strconv.Itoa(n.Low), strconv.Itoa(n.High)))
		case f.Kind == "number":
			t.Rows = append(t.Rows, []string{f.Name, f.Unit, strconv.Itoa(f.Missing), "0", "", "", "", "", "", "", "", "", "", ""})
		default:
			var common []string
			for _, c := range f.Common {
				common = append(common, fmt.Sprintf("%.60s (%d)", c.Text, c.Rows))
			}
			texts.Rows = append(texts.Rows, []string{f.Name, strconv.Itoa(f.Missing), strconv.Itoa(f.Distinct), strings.Join(common, ", ")})
		}
	}
	d.Table(t)
	d.Table(texts)
	if len(p.Absent) > 0 {
		d.Text("Fields that no file has: %s.", strings.Join(p.Absent, ", "))
	}
	d.Section("distributions", "Distributions")
	d.Text("Filled: benign rows or rows without a label; hollow: attacks. Heights are logarithmic. Dashed: the fences of Tukey's outliers, where they lie inside.")
	for _, f := range p.Fields {
		if n := f.Numbers; n != nil && !f.Constant {
			reach := 1.5 * (n.Q3 - n.Q1)
			unit := f.Name
			if f.Unit != "" {
				unit += ", " + f.Unit
			}
			d.Chart(chart.Histogram{
				Title: f.Name, X: unit, Y: "rows", Edges: n.Edges, Log: true,
				Series: []chart.Counts{{Name: "benign", Counts: n.Benign}, {Name: "attack", Counts: n.Attack}},
				Marks:  []chart.Mark{{X: n.Q3 + reach, Name: "outliers from"}},
			}.Draw())
		}
	}
}
