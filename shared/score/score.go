// Package score turns a bundle and a file into verdicts. It is the one package
// that knows the whole pipeline: ingest, features, models, explanation.
//
//	s := score.New()
//	info, err := s.Load(bundleBytes)
//	sum, err := s.Score(file, job.Options{}, func(p job.Progress, b *job.Batch) bool { ...; return true })
//	rec, err := s.Explain(17)
//
// The same bundle and file give the same verdicts, bit for bit, natively and
// in js/wasm.
package score

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"cloister/shared/feature"
	"cloister/shared/frame"
	"cloister/shared/ingest"
	"cloister/shared/job"
	"cloister/shared/sign"
	"cloister/shared/telemetry"
)

var _ job.Scorer = (*Scorer)(nil)

// Scorer scores files with the bundle it has loaded. It is not safe for
// concurrent use, but Explain may be called from within emit.
type Scorer struct {
	// Parquet, SQLite and Zstd, when set, read what shared/ingest does not by
	// itself: see the fields of the same names of [ingest.Options].
	Parquet func(file io.ReaderAt, size int64) (ingest.Cells, error)
	SQLite  func(file io.ReaderAt, size int64) (ingest.Cells, error)
	Zstd    func(io.Reader) (io.Reader, error)

	// Probabilities, when set, is called before each batch with the class
	// probabilities of its n rows, n×classes row-major, valid until it returns.
	// It is for those who judge a bundle: batches carry the verdict's alone.
	Probabilities func(p []float64)

	b    *loaded
	info job.Bundle
	keys []sign.Key

	// The file that was scored last, for Explain.
	src    *ingest.Source
	size   int64 // bytes of the file
	asText bool  // its flows are read as sentences
	rows   []int64
	offset []int64
}

// New returns a Scorer without a bundle that trusts the pinned keys.
func New() *Scorer { return &Scorer{keys: sign.Pinned()} }

// Trust adds keys to those that verify the bundles loaded from now on. The
// bundle that is loaded keeps its state.
func (s *Scorer) Trust(keys ...sign.Key) { s.keys = append(s.keys, keys...) }

// Load implements [job.Scorer]. A bundle that cannot be decoded, contradicts
// itself, fails one of its own test vectors or has a signature that does not
// hold is refused with a [*job.Failure] of kind "bundle", and the one before
// stays. One without signature loads, and so does one signed by a key that
// nobody gave to Trust: job.Bundle.Trust tells.
func (s *Scorer) Load(file []byte) (job.Bundle, error) {
	b, err := load(file, s.keys)
	var tampered *sign.TamperedError
	if errors.As(err, &tampered) {
		return job.Bundle{}, job.Failf("bundle", "do not use it; get it again from its publisher", "bundle refused: it was changed after signing: %s", tampered.What)
	}
	if err != nil {
		return job.Bundle{}, job.Failf("bundle", "use a bundle made by cloister train, complete and unchanged", "bundle refused: %v", err)
	}
	if err := b.selfTest(); err != nil {
		return job.Bundle{}, job.Failf("bundle", "this program and the bundle disagree: update the older of the two", "bundle refused: %v", err)
	}
	s.b, s.info = b, b.describe(hex.EncodeToString(b.sum[:]), int64(len(file)))
	s.src, s.rows, s.offset = nil, nil, nil
	return s.info, nil
}

// minRowsForStop is how many rows are read before the share of rejects counts.
const minRowsForStop = 1000

// maxExamples is how many rejects a summary lists.
const maxExamples = 20

// Score implements [job.Scorer]. A file that cannot be opened is a
// [*job.Failure] of kind "input", and Explain still answers for the file
// before; one that breaks later ends the run with
// Summary.Stopped and keeps what was scored.
func (s *Scorer) Score(f job.File, o job.Options, emit func(job.Progress, *job.Batch) bool) (job.Summary, error) {
	if s.b == nil {
		return job.Summary{}, job.Failf("bundle", "load a bundle first", "no bundle is loaded")
	}
	if o.MaxRejectShare == 0 {
		o.MaxRejectShare = 0.10
	}
	src, asText, err := s.open(f, o)
	if err != nil {
		return job.Summary{}, err
	}
	r := &run{s: s, src: src, o: o, emit: emit, total: f.Size(), asText: asText}
	r.sum = job.Summary{Format: src.Format(), Note: src.Note(), Capture: src.IsCapture(), Unmapped: src.Unmapped(), Reasons: map[string]int64{}, ByClass: make([]int64, len(s.info.Classes))}
	needed := s.b.input.Fields()
	if r.asText {
		needed = feature.SentenceFields()
	}
	for _, m := range src.Mapping() {
		r.sum.Mapping = append(r.sum.Mapping, job.Mapping{Field: m.Field, From: m.From, How: m.How.String(), Needed: slices.Contains(needed, m.Field)})
	}
	if err := r.start(); err != nil {
		return job.Summary{}, err
	}
	before := *s
	s.src, s.size, s.asText, s.rows, s.offset = src, f.Size(), r.asText, nil, nil
	sum, err := r.loop()
	if err != nil { // no rows: those of the file before can still be explained
		*s = before
	}
	return sum, err
}

// open opens a file for the rows that the bundle reads. A file without any is
// refused with the name of what it holds, or, if that is flows and the options
// say so, read as sentences.
func (s *Scorer) open(f job.File, o job.Options) (src *ingest.Source, asText bool, err error) {
	l := s.b
	how := s.reading(l.schema)
	if o.Profile != "" {
		if how.Profile, err = ingest.ParseProfile([]byte(o.Profile)); err != nil {
			return nil, false, profileFailure(err)
		}
	}
	src, err = ingest.OpenWith(f, f.Size(), how)
	var other *ingest.SchemaError
	if err == nil && src.Schema() != l.schema {
		other = &ingest.SchemaError{Want: l.schema, Have: src.Schema()}
	}
	if other == nil && !errors.As(err, &other) {
		if err != nil {
			failure := inputFailure(err)
			failure.Columns = failure.Columns && mappable(l.schema)
			return nil, false, failure
		}
		return src, false, nil
	}
	if other.Have == frame.Flow && l.schema == frame.Alert && o.FlowText {
		how.Want = frame.Flow
		if src, err = ingest.OpenWith(f, f.Size(), how); err != nil {
			return nil, false, inputFailure(err)
		}
		return src, true, nil
	}
	failure := job.Failf("input", "choose a bundle that reads "+rowsName(other.Have), "the file holds %s, the bundle %s reads %s", rowsName(other.Have), l.m.Name, rowsName(l.schema))
	failure.Schema = other.Have.Name
	return nil, false, failure
}

// rowsName is what people call the rows of a schema.
func rowsName(s *frame.Schema) string {
	if s.Name == telemetry.SchemaName {
		return "samples of metrics"
	}
	return s.Name + "s"
}

// inputFailure turns an error of ingest into words with advice.
func inputFailure(err error) *job.Failure {
	var (
		unsupported *ingest.UnsupportedError
		unknown     *ingest.UnknownError
		limit       *ingest.LimitError
		profile     *ingest.ProfileError
	)
	switch {
	case errors.As(err, &profile):
		return profileFailure(err)
	case errors.Is(err, ingest.ErrEmpty):
		return job.Failf("input", "choose a file with a header line and rows", "%v", err)
	case errors.As(err, &unsupported):
		return job.Failf("input", "use a pcap or pcapng capture, or a flow CSV with NetFlow or CICFlowMeter columns, plain, gzip or zstd", "%v", err)
	case errors.As(err, &unknown):
		f := job.Failf("input", "drop a capture, or a CSV whose first line names flow columns such as IN_BYTES, PROTOCOL or \"Tot Fwd Pkts\"", "%v", err)
		f.Columns = true
		return f
	case errors.As(err, &limit):
		return job.Failf("input", "split the file or remove what is too large", "%v", err)
	}
	return job.Failf("input", "check that the file is complete", "%v", err)
}

// run is one call of Score.
type run struct {
	s      *Scorer
	src    *ingest.Source
	o      job.Options
	emit   func(job.Progress, *job.Batch) bool
	total  int64
	sum    job.Summary
	asText bool
	drift  *drift
	// of one frame, reused
	m         matrices
	p, margin []float64
	class     []int
}

// start refuses a file that lacks most of what the model looks at.
func (r *run) start() error {
	have := make([]bool, len(r.src.Schema().Fields))
	for i, m := range r.src.Mapping() {
		have[i] = m.How != ingest.Missing
	}
	f := frame.New(r.src.Schema(), 0, have)
	if r.asText {
		f = feature.Sentences(f)
	}
	in := r.s.b.input
	r.drift = newDrift(in)
	r.sum.Imputed = in.Lacking(f)
	if d := in.Numbers(); d > 0 && len(r.sum.Imputed) > d/2 || len(r.sum.Imputed) == d+len(in.Texts()) {
		f := job.Failf("input", "export the missing columns too",
			"%d of the bundle's %d features cannot be made from this file: %s", len(r.sum.Imputed), d+len(in.Texts()), strings.Join(r.sum.Imputed, ", "))
		f.Columns = mappable(r.src.Schema()) && !r.asText && !r.src.IsCapture()
		f.Lacking = float64(len(r.sum.Imputed)) / float64(d+len(in.Texts()))
		return f
	}
	return nil
}

// loop scores frame after frame.
func (r *run) loop() (job.Summary, error) {
	for {
		f, err := r.src.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if errors.Is(err, ingest.ErrEmpty) {
			return job.Summary{}, inputFailure(err)
		}
		if err != nil {
			r.sum.Stopped = fmt.Sprintf("the file cannot be read further: %v", err)
			break
		}
		b := r.batch(f)
		r.sum.Repairs = r.src.Repairs()
		if !r.emit(job.Progress{Bytes: r.src.Consumed(), Total: r.total, Rows: r.sum.Rows, Rejected: r.sum.Rejected}, b) {
			r.sum.Cancelled = true
			r.sum.Stopped = "cancelled"
			break
		}
		if r.sum.Rows >= minRowsForStop && float64(r.sum.Rejected) > r.o.MaxRejectShare*float64(r.sum.Rows) {
			r.sum.Stopped = fmt.Sprintf("%d of %d rows could not be read: more than %g %%, the file is probably not what its header says", r.sum.Rejected, r.sum.Rows, r.o.MaxRejectShare*100)
			break
		}
	}
	r.sum.Format = r.src.Format() // a capture is counted while it is read
	r.sum.Drift = r.drift.report()
	for _, c := range r.src.Checks() {
		r.sum.Checks = append(r.sum.Checks, job.Check(c))
	}
	return r.sum, nil
}

// batch scores one frame.
func (r *run) batch(f *frame.Frame) *job.Batch {
	n, k := f.Len(), len(r.s.info.Classes)
	b := &job.Batch{
		Row: slices.Clone(f.Row), Class: make([]uint16, n), Probability: make([]float64, n),
		Attack: make([]float64, n), Anomaly: make([]float64, n), Abstained: make([]bool, n),
		Outside: make([]bool, n), Severity: make([]uint8, n),
	}
	l := r.s.b
	read := f
	if r.asText {
		read = feature.Sentences(f)
	}
	r.p, r.margin, r.class = resize(r.p, n*k), resize(r.margin, n), resize(r.class, n)
	l.predict(&r.m, r.p, r.class, r.margin, read, func(x []float64, lo, hi int) {
		r.drift.add(x)
		l.outside(b.Outside[lo:hi], x)
	})
	for i := range n {
		p, c := r.p[i*k:(i+1)*k], r.class[i]
		b.Class[i], b.Probability[i] = uint16(c), p[c]
		b.Attack[i] = l.attack(p)
		b.Anomaly[i] = l.strange.Share(r.margin[i])
		b.Abstained[i] = p[c] < l.abstain[c] || b.Outside[i]
		b.Severity[i] = uint8(l.severity(p, c))
		r.sum.ByClass[c]++
		if b.Abstained[i] {
			r.sum.Abstained++
		}
		if b.Outside[i] {
			r.sum.Outside++
		}
	}
	b.Hints, b.Hint = hints(f, false)
	if r.s.Probabilities != nil {
		r.s.Probabilities(r.p)
	}
	b.Columns = columns(f)
	for _, rej := range f.Rejects {
		j := job.Reject{Row: rej.Row, Offset: rej.Offset, Reason: rej.Reason, Detail: rej.Detail}
		b.Rejected = append(b.Rejected, j)
		if len(r.sum.Rejects) < maxExamples {
			r.sum.Rejects = append(r.sum.Rejects, j)
		}
		r.sum.Reasons[rej.Reason]++
	}
	r.sum.Scored += int64(n)
	r.sum.Rejected += int64(len(f.Rejects))
	r.sum.Rows = r.sum.Scored + r.sum.Rejected
	r.s.rows = append(r.s.rows, f.Row...)
	r.s.offset = append(r.s.offset, f.Offset...)
	return b
}

func resize[T any](x []T, n int) []T { return slices.Grow(x[:0], n)[:n] }

// argmax returns the index of the largest value, the first among equals.
func argmax(p []float64) int {
	best := 0
	for i, v := range p {
		if v > p[best] {
			best = i
		}
	}
	return best
}

// columns copies the columns of f that belong in a table of results.
func columns(f *frame.Frame) []job.Column {
	var out []job.Column
	for i, field := range f.Schema.Fields {
		switch {
		case !field.Show && field.Name != frame.Label: // a label is what verdicts are measured by
		case f.Numbers[i] != nil:
			out = append(out, job.Column{Name: field.Name, Unit: field.Unit, Numbers: slices.Clone(f.Numbers[i])})
		case f.Texts[i] != nil:
			out = append(out, job.Column{Name: field.Name, Unit: field.Unit, Texts: slices.Clone(f.Texts[i])})
		}
	}
	return out
}

// Explain implements [job.Scorer]. It reads the row again from the file, so
// that no row has to be kept; rows that were rejected or not reached yet are a
// [*job.Failure] of kind "input".
func (s *Scorer) Explain(row int64) (job.Record, error) {
	if s.src == nil {
		return job.Record{}, job.Failf("input", "score a file first", "no file has been scored")
	}
	i, ok := slices.BinarySearch(s.rows, row)
	if !ok {
		return job.Record{}, job.Failf("input", "", "row %d was not scored", row)
	}
	f, err := s.src.At(s.offset[i])
	if err != nil {
		return job.Record{}, inputFailure(fmt.Errorf("row %d: %w", row, err))
	}
	read := f
	if s.asText {
		read = feature.Sentences(f)
	}
	rec, err := s.b.explain(row, read, s.info)
	if sets, set := hints(f, true); sets != nil {
		rec.Attack = sets[set[0]]
	}
	return rec, err
}
