package score

import (
	"errors"
	"io"
	"slices"

	"cloister/shared/ingest"
	"cloister/shared/job"
)

var _ job.Exporter = (*Scorer)(nil)

// Export implements [job.Exporter]. The packets are those that the scored flows
// were made of: see [ingest.Source.Export] for what is left out.
func (s *Scorer) Export(rows []int64, emit func(part []byte, p job.Progress) bool) (job.Exported, error) {
	if s.src == nil {
		return job.Exported{}, job.Failf("input", "score a file first", "no file has been scored")
	}
	offsets := make([]int64, len(rows))
	for i, row := range rows {
		at, ok := slices.BinarySearch(s.rows, row)
		if !ok {
			return job.Exported{}, job.Failf("input", "", "row %d was not scored", row)
		}
		offsets[i] = s.offset[at]
	}
	e, err := s.src.Export(offsets)
	if errors.Is(err, ingest.ErrNoCapture) {
		return job.Exported{}, job.Failf("input", "open the capture itself", "%v", err)
	}
	if err != nil {
		return job.Exported{}, inputFailure(err)
	}
	done := job.Exported{Format: e.Format(), Flows: int64(len(offsets))}
	for {
		part, err := e.Next()
		done.Packets = e.Packets()
		if errors.Is(err, io.EOF) {
			return done, nil
		}
		if err != nil {
			return done, inputFailure(err)
		}
		if !emit(part, job.Progress{Bytes: e.Consumed(), Total: s.size, Rows: done.Packets}) {
			done.Cancelled = true
			return done, nil
		}
	}
}
