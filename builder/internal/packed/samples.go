package packed

import (
	"math"
	"slices"
	"strconv"
	"time"

	"cloister/builder/internal/telemetry/table"
	"cloister/shared/ingest"
)

var (
	_ ingest.Cells     = (*samples)(nil)
	_ ingest.Described = (*samples)(nil)
)

// samples are the telemetry of a database as cells: time, device, metrics, and
// whether the agent made the sample up.
type samples struct {
	raw   *table.Raw
	kind  string
	cells [][]byte
	text  []byte
}

// Header implements [ingest.Cells].
func (s *samples) Header() []string {
	return slices.Concat([]string{"timestamp", "device_id"}, s.raw.Header, []string{"simulated"})
}

// Rows implements [ingest.Cells].
func (s *samples) Rows() int64 { return int64(len(s.raw.Samples)) }

// Row implements [ingest.Cells].
func (s *samples) Row(i int64) ([][]byte, error) {
	v := s.raw.Samples[i]
	s.cells, s.text = s.cells[:0], s.text[:0]
	ended := func(text []byte) {
		s.cells = append(s.cells, text[len(s.text):len(text):len(text)])
		s.text = text
	}
	ended(time.UnixMilli(v.Millis).UTC().AppendFormat(s.text, "2006-01-02T15:04:05.000Z07:00"))
	ended(append(s.text, v.Device...))
	for _, x := range v.Values {
		if math.IsNaN(x) {
			s.cells = append(s.cells, nil)
			continue
		}
		ended(strconv.AppendFloat(s.text, x, 'g', -1, 64))
	}
	mark := byte('0')
	if v.Simulated {
		mark = '1'
	}
	ended(append(s.text, mark))
	return s.cells, nil
}

// Kind implements [ingest.Described].
func (s *samples) Kind() string { return s.kind }

// Note implements [ingest.Described]: beside a database its log is found.
func (s *samples) Note() string { return "" }
