package score

import "cloister/shared/job"

// Fork returns a Scorer with the same bundle and keys that has scored no file.
// The two may be used in turns, but not at the same time: they share what the
// bundle was decoded into. Cost: O(1).
func (s *Scorer) Fork() *Scorer {
	return &Scorer{b: s.b, info: s.info, keys: s.keys, Parquet: s.Parquet, SQLite: s.SQLite, Zstd: s.Zstd}
}

// Bundle describes the bundle that is loaded; it is empty before Load.
func (s *Scorer) Bundle() job.Bundle { return s.info }
