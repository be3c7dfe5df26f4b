package pool

import (
	"errors"
	"maps"
	"slices"
	"strconv"

	"cloister/shared/job"
)

func isInput(err error) bool {
	var f *job.Failure
	return errors.As(err, &f) && f.Kind == "input"
}

// Whole returns one summary over all files that were read: counts are summed,
// lists joined without repeats; format and mapping are the first file's.
func Whole(files []File) job.Summary {
	var out job.Summary
	first := true
	for _, f := range files {
		s := f.Summary
		if f.Err != nil || !f.Reached {
			continue
		}
		if first {
			out, first = s, false
			out.Unmapped, out.Imputed = slices.Clone(s.Unmapped), slices.Clone(s.Imputed)
			continue
		}
		cancelled, stopped := out.Cancelled || s.Cancelled, out.Stopped
		out = join(out, s)
		out.Cancelled = cancelled
		if out.Stopped = stopped; stopped == "" {
			out.Stopped = s.Stopped
		}
		out.Unmapped, out.Imputed = union(out.Unmapped, s.Unmapped), union(out.Imputed, s.Imputed)
	}
	return out
}

func union(a, b []string) []string {
	for _, s := range b {
		if !slices.Contains(a, s) {
			a = append(a, s)
		}
	}
	return a
}

// maxExamples is how many rejects a summary lists.
const maxExamples = 20

// add returns the summary of a file with one more part, before which the file
// had base rows.
func add(a, b job.Summary, base int64, at Part) job.Summary {
	for i := range b.Rejects {
		b.Rejects[i].Row += base
		b.Rejects[i].Offset += at.From - at.Skip
	}
	if base == 0 && a.Rows == 0 {
		return b
	}
	return join(a, b)
}

// join adds the counts and examples of b to a.
func join(a, b job.Summary) job.Summary {
	a.Drift = drift(a, b)
	a.Rows, a.Scored, a.Rejected = a.Rows+b.Rows, a.Scored+b.Scored, a.Rejected+b.Rejected
	a.Abstained, a.Outside = a.Abstained+b.Abstained, a.Outside+b.Outside
	a.Checks = checks(a.Checks, b.Checks)
	a.Reasons, a.Repairs = sum(a.Reasons, b.Reasons), sum(a.Repairs, b.Repairs)
	a.Rejects = append(slices.Clip(a.Rejects), b.Rejects...)
	a.Rejects = a.Rejects[:min(len(a.Rejects), maxExamples)]
	a.ByClass = slices.Clone(a.ByClass)
	for i, n := range b.ByClass {
		if i < len(a.ByClass) {
			a.ByClass[i] += n
		}
	}
	a.Cancelled, a.Stopped = b.Cancelled, b.Stopped
	return a
}

// drift joins shares of rows, weighted by the rows that they are shares of.
func drift(a, b job.Summary) []job.Drift {
	if len(a.Drift) != len(b.Drift) {
		return a.Drift
	}
	out := slices.Clone(a.Drift)
	for i, d := range b.Drift {
		m, n := float64(a.Scored), float64(b.Scored)
		have, has := m*(1-out[i].Missing), n*(1-d.Missing)
		if m+n > 0 {
			out[i].Missing = (m*out[i].Missing + n*d.Missing) / (m + n)
		}
		if have+has > 0 {
			out[i].Outside = (have*out[i].Outside + has*d.Outside) / (have + has)
		}
	}
	return out
}

// checks adds up relations by what they say.
func checks(a, b []job.Check) []job.Check {
	out := slices.Clone(a)
	for _, c := range b {
		if i := slices.IndexFunc(out, func(o job.Check) bool { return o.What == c.What }); i >= 0 {
			out[i].Rows, out[i].Odd = out[i].Rows+c.Rows, out[i].Odd+c.Odd
		} else {
			out = append(out, c)
		}
	}
	return out
}

func sum(a, b map[string]int64) map[string]int64 {
	out := maps.Clone(a)
	if out == nil {
		out = map[string]int64{}
	}
	for k, n := range b {
		out[k] += n
	}
	return out
}

// Renumber rewrites the row number in a record and its sentence: a scorer
// counts the rows of its part.
func Renumber(r *job.Record, row int64) {
	was, is := strconv.FormatInt(r.Row, 10), strconv.FormatInt(row, 10)
	for i := 0; i+4+len(was) <= len(r.Sentence); i++ {
		end := i + 4 + len(was)
		if r.Sentence[i+1:i+4] == "ow " && (r.Sentence[i] == 'r' || r.Sentence[i] == 'R') && r.Sentence[i+4:end] == was &&
			(end == len(r.Sentence) || r.Sentence[end] < '0' || r.Sentence[end] > '9') {
			r.Sentence = r.Sentence[:i+4] + is + r.Sentence[end:]
			break
		}
	}
	r.Row = row
}
