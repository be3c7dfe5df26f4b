package bundle

import (
	"crypto/sha256"
	"math"
)

// Validate returns nil, or a [*FieldError] for the first field that breaks a
// rule of SPEC.md. Files, Schema.SHA256 and Explain.BackgroundSHA256 must be
// there: [Encode] fills them before it validates. A format that this package
// does not write is an [*UnsupportedError]. Cost: O(size of the JSON).
func (m Manifest) Validate() error {
	_, err := m.appendJSON(nil)
	return err
}

// appendJSON appends the canonical manifest.json, or returns the error of
// Validate.
func (m *Manifest) appendJSON(dst []byte) ([]byte, error) {
	if err := m.Format.supported(); err != nil {
		return nil, err
	}
	c := codec{buf: dst}
	c.manifest(m)
	c.lit("\n")
	if c.err != nil {
		return nil, c.err
	}
	if err := m.relations(); err != nil {
		return nil, err
	}
	return c.buf, nil
}

// parseManifest reads canonical JSON that stands at offset base of a file and
// whose format checkHeader accepted. Every error is a FormatError.
func parseManifest(b []byte, base int) (Manifest, error) {
	var m Manifest
	c := codec{reading: true, buf: b, base: base}
	c.manifest(&m)
	c.lit("\n")
	if c.err == nil && c.off != len(b) {
		c.syntax("nothing after the line end")
	}
	if c.err != nil {
		return Manifest{}, c.err
	}
	if err := m.relations(); err != nil {
		return Manifest{}, &FormatError{int64(base), err.text(), err}
	}
	return m, nil
}

// formatAhead reads the start of a manifest: the format, and of a major
// version that is not ours nothing after the number.
func (c *codec) formatAhead() Format {
	var f Format
	c.lit(`{"format":{`)
	c.path = []step{{"format", -1}}
	c.text("name", &f.Name, short)
	c.small("major", &f.Major)
	if c.err == nil && f.Name == Name && f.Major == Major {
		c.small("minor", &f.Minor)
		c.lit("}")
	}
	return f
}

// manifest walks all fields. Their order is the order of the JSON. A field
// that a later minor version adds is walked under a condition on m.Format.
func (c *codec) manifest(m *Manifest) {
	all := math.MaxFloat64
	c.object("", func() {
		c.object("format", func() {
			c.text("name", &m.Format.Name, short)
			c.small("major", &m.Format.Major)
			c.small("minor", &m.Format.Minor)
		})
		c.text("min_runtime", &m.MinRuntime, semver)
		c.text("id", &m.ID, ident)
		c.text("name", &m.Name, slug)
		c.text("version", &m.Version, semver)
		c.text("created_at", &m.CreatedAt, timestamp)
		c.texts("authors", &m.Authors, short)
		c.text("vendor", &m.Vendor, shortOrNone)
		c.text("title", &m.Title, short)
		c.text("description", &m.Description, prose)
		c.text("doc_url", &m.DocURL, link)
		c.text("source_url", &m.SourceURL, link)
		list(c, "datasets", &m.Datasets, func(d *Dataset) {
			c.object("", func() {
				c.text("name", &d.Name, short)
				c.text("license", &d.License, shortOrNone)
				c.text("url", &d.URL, link)
			})
		})
		c.texts("licenses", &m.Licenses, spdx)
		c.object("config", func() {
			c.text("architecture", &m.Config.Architecture, token)
			c.text("format", &m.Config.Format, token)
			c.count("param_count", &m.Config.ParamCount)
			c.text("precision", &m.Config.Precision, token)
			c.text("quantization", &m.Config.Quantization, tokenOrNone)
		})
		c.text("task", &m.Task, token)
		c.object("schema", func() {
			c.text("name", &m.Schema.Name, token)
			list(c, "features", &m.Schema.Features, func(f *Feature) { c.object("", func() { c.feature(f) }) })
			c.digest("sha256", &m.Schema.SHA256, true)
		})
		list(c, "labels", &m.Labels, func(l *Label) { c.object("", func() { c.label(l) }) })
		c.text("attack_version", &m.AttackVersion, shortOrNone)
		list(c, "thresholds", &m.Thresholds, func(t *Threshold) {
			c.object("", func() {
				c.text("name", &t.Name, short)
				c.number("value", &t.Value, -all, all)
				c.optional("precision", &t.Precision, 0, 1)
				c.optional("recall", &t.Recall, 0, 1)
				c.optional("fpr", &t.FPR, 0, 1)
				c.count("n", &t.N)
				c.text("split", &t.Split, split)
			})
		})
		list(c, "metrics", &m.Metrics, func(x *Metric) {
			c.object("", func() {
				c.text("name", &x.Name, short)
				c.optional("value", &x.Value, -all, all)
				c.optional("low", &x.Low, -all, all)
				c.optional("high", &x.High, -all, all)
				c.text("split", &x.Split, split)
				c.count("n", &x.N)
			})
		})
		c.object("explain", func() {
			c.text("method", &m.Explain.Method, tokenOrNone)
			c.text("link", &m.Explain.Link, tokenOrNone)
			list(c, "base_value", &m.Explain.BaseValue, func(v *float64) { c.number("", v, -all, all) })
			c.count("background_n", &m.Explain.BackgroundN)
			c.digest("background_sha256", &m.Explain.BackgroundSHA256, false)
			c.number("tolerance", &m.Explain.Tolerance, 0, all)
		})
		c.object("vectors", func() {
			c.text("file", &m.Vectors.File, vectorsOrNone)
			c.count("n", &m.Vectors.N)
			c.number("abs_tol", &m.Vectors.AbsTol, 0, all)
			c.number("rel_tol", &m.Vectors.RelTol, 0, all)
		})
		list(c, "files", &m.Files, func(f *File) {
			c.object("", func() {
				c.text("name", &f.Name, listable)
				c.digest("sha256", &f.SHA256, true)
				c.count("size", &f.Size)
			})
		})
		c.object("lineage", func() { c.lineage(&m.Lineage) })
		c.texts("known_limits", &m.KnownLimits, prose)
		c.texts("out_of_scope", &m.OutOfScope, prose)
	})
}

func (c *codec) feature(f *Feature) {
	all := math.MaxFloat64
	c.text("name", &f.Name, short)
	c.texts("aliases", &f.Aliases, short)
	c.text("dtype", &f.Dtype, token)
	c.text("unit", &f.Unit, shortOrNone)
	c.optional("min", &f.Min, -all, all)
	c.optional("max", &f.Max, -all, all)
	c.optional("q01", &f.Q01, -all, all)
	c.optional("q50", &f.Q50, -all, all)
	c.optional("q99", &f.Q99, -all, all)
	c.text("missing", &f.Missing, shortOrNone)
	c.text("transform", &f.Transform, shortOrNone)
	c.text("help", &f.Help, proseOrNone)
}

func (c *codec) label(l *Label) {
	c.text("name", &l.Name, short)
	c.text("severity", &l.Severity, severity)
	c.flag("benign", &l.Benign)
	list(c, "attack", &l.Attack, func(t *Technique) {
		c.object("", func() {
			c.text("id", &t.ID, technique)
			c.text("tactic", &t.Tactic, tactic)
			c.text("confidence", &t.Confidence, confidence)
			c.text("basis", &t.Basis, basis)
		})
	})
	c.texts("unseen", &l.Unseen, technique)
	c.optional("precision", &l.Precision, 0, 1)
	c.optional("recall", &l.Recall, 0, 1)
	c.count("support", &l.Support)
}

func (c *codec) lineage(l *Lineage) {
	c.text("parent_id", &l.ParentID, identOrNone)
	c.text("recipe", &l.Recipe, shortOrNone)
	c.text("command", &l.Command, proseOrNone)
	list(c, "dataset_sha256", &l.DatasetSHA256, func(d *Digest) { c.digest("", d, true) })
	c.count("split_seed", &l.SplitSeed)
	c.object("split", func() {
		c.count("train", &l.Split.Train)
		c.count("validation", &l.Split.Validation)
		c.count("holdout", &l.Split.Holdout)
	})
	c.text("code_commit", &l.CodeCommit, commit)
	c.text("builder_id", &l.BuilderID, shortOrNone)
	c.text("toolchain", &l.Toolchain, shortOrNone)
}

// digest returns the SHA-256 of the canonical JSON
//
//	[["name","dtype","unit","missing","transform"],...]
//
// without a line end: what a row must look like, and none of the statistics.
func (s *Schema) digest() Digest {
	var b []byte
	b = append(b, '[')
	for i, f := range s.Features {
		if i > 0 {
			b = append(b, ',')
		}
		for j, v := range []string{f.Name, f.Dtype, f.Unit, f.Missing, f.Transform} {
			b = append(b, "[,,,,"[j])
			b = appendText(b, v)
		}
		b = append(b, ']')
	}
	return sha256.Sum256(append(b, ']'))
}
