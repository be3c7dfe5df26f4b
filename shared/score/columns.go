package score

import (
	"errors"
	"slices"

	"cloister/shared/frame"
	"cloister/shared/ingest"
	"cloister/shared/job"
	"cloister/shared/sign"
)

var (
	_ job.Mapper = (*Scorer)(nil)
	_ job.Keeper = (*Scorer)(nil)
)

// Propose implements [job.Mapper]. Bundles of metrics have no proposals: their
// columns are numbered, not named.
func (s *Scorer) Propose(f job.File) (job.Proposal, error) {
	if s.b == nil {
		return job.Proposal{}, job.Failf("bundle", "load a bundle first", "no bundle is loaded")
	}
	if !mappable(s.b.schema) {
		return job.Proposal{}, job.Failf("input", "", "columns of %ss are not proposed", s.b.schema.Name)
	}
	p, err := ingest.Propose(f, f.Size(), s.reading(s.b.schema))
	if err != nil {
		return job.Proposal{}, inputFailure(err)
	}
	out := job.Proposal{Format: p.Format, Schema: p.Schema.Name, Rows: p.Rows}
	needed := s.b.input.Fields()
	for i, g := range p.Fields {
		field := p.Schema.Fields[i]
		out.Fields = append(out.Fields, job.ProposedField{
			Field: g.Field, Unit: field.Unit, IsText: field.Kind == frame.Text, Needed: slices.Contains(needed, g.Field),
			Column: g.Column, Confidence: g.Confidence, Factor: g.Factor, Why: g.Why,
		})
	}
	for _, c := range p.Columns {
		out.Columns = append(out.Columns, job.SeenColumn{Column: c.Column, Samples: c.Samples})
	}
	return out, nil
}

// mappable reports whether profiles can speak of a schema.
func mappable(s *frame.Schema) bool { return s == frame.Flow || s == frame.Alert }

// Profile implements [job.Mapper].
func (s *Scorer) Profile(p job.Profile) (job.Profile, error) {
	if p.Text != "" {
		read, err := ingest.ParseProfile([]byte(p.Text))
		if err != nil {
			return job.Profile{}, profileFailure(err)
		}
		out := job.Profile{Text: p.Text, Name: read.Name, Schema: read.Schema.Name}
		for _, f := range read.Fields {
			out.Fields = append(out.Fields, job.ProfileField{Field: f.Field, Column: f.Column, Factor: f.Factor, Number: f.Number, Constant: f.Text})
		}
		return out, nil
	}
	write := ingest.Profile{Name: p.Name}
	if schema := schemaOf(p.Schema); schema != nil && mappable(schema) {
		write.Schema = schema
	}
	for _, f := range p.Fields {
		write.Fields = append(write.Fields, ingest.ProfileField{Field: f.Field, Column: f.Column, Factor: f.Factor, Number: f.Number, Text: f.Constant})
	}
	if err := write.Check(); err != nil {
		return job.Profile{}, profileFailure(err)
	}
	p.Text = string(write.AppendText(nil))
	return p, nil
}

func profileFailure(err error) *job.Failure {
	return job.Failf("input", "use a profile that Cloister saved, unchanged, with the columns of this file", "%v", err)
}

// Keys implements [job.Keeper].
func (s *Scorer) Keys(pem []byte, trust bool) ([]job.Key, error) {
	keys, err := sign.ParseKeys(pem)
	if err == nil && len(keys) == 0 {
		err = errors.New("there is none in it")
	}
	if err != nil {
		return nil, job.Failf("input", "choose a public key in PEM, as cloister keygen writes it beside the private one", "no key: %v", err)
	}
	var out []job.Key
	for _, k := range keys {
		out = append(out, job.Key{Name: k.Name, Fingerprint: k.Fingerprint()})
	}
	if trust {
		s.Trust(keys...)
	}
	return out, nil
}

// reading returns the options to read a file with.
func (s *Scorer) reading(want *frame.Schema) ingest.Options {
	return ingest.Options{Want: want, Parquet: s.Parquet, SQLite: s.SQLite, Zstd: s.Zstd}
}
