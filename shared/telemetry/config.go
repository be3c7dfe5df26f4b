package telemetry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
)

// CounterMode says what the values of counters are.
type CounterMode string

// The counter modes.
const (
	CountersAuto       CounterMode = "auto"       // decided on the first samples by [DetectCounters]
	CountersCumulative CounterMode = "cumulative" // totals since the start of the device, as SNMP has them
	CountersInterval   CounterMode = "interval"   // amounts since the sample before
)

// Scaler says how features are scaled.
type Scaler string

// The scalers: (x - centre) / scale with the values named here, of training
// windows that are not flagged.
const (
	Robust   Scaler = "robust"   // median, interquartile range
	Standard Scaler = "standard" // mean, standard deviation
	MinMax   Scaler = "minmax"   // minimum, range
)

// Config holds every setting of the stages. [DefaultConfig] has the defaults;
// a JSON file states only what differs.
type Config struct {
	WindowSec   int `json:"window_size_sec"` // length of a window, 1 to 86,400
	StepSec     int `json:"step_size_sec"`   // between the starts of windows, 1 to WindowSec
	LatenessSec int `json:"lateness_sec"`    // how much later than its successors a sample may come, 0 to 3,600
	// MaxGapSec is the longest time between two samples over which a rate is
	// computed, 1 to 86,400; beyond it the rate is missing.
	MaxGapSec int `json:"max_gap_sec"`
	// AdaptWindow lengthens window and step to the time between samples when
	// that is longer, see [Config.Adapted].
	AdaptWindow bool        `json:"adapt_window"`
	Counters    CounterMode `json:"counters"`
	// UTCOffsetMinutes is the local time of samples that state none, -840 to 840.
	UTCOffsetMinutes int `json:"utc_offset_minutes"`

	EntropyBins int       `json:"entropy_bins"` // 2 to 1,000
	Quantiles   []float64 `json:"quantiles"`    // ascending, in (0,1), 1 to 16 of them

	// HistoryWindows is how many past windows of a device make its normal, 5
	// to 4,096; MinHistory how many it takes before anything is held against
	// it, 2 to HistoryWindows.
	HistoryWindows int `json:"history_windows"`
	MinHistory     int `json:"min_history"`

	CPUThreshold    float64 `json:"cpu_threshold"`     // percent
	MemoryThreshold float64 `json:"memory_threshold"`  // percent
	DiskIOThreshold float64 `json:"disk_io_threshold"` // operations/s
	// ConnectionsQuantile of the device's past connections is the level that
	// counts as many, in (0,1).
	ConnectionsQuantile float64 `json:"connections_quantile"`
	// AnomalyThreshold is the anomaly_score from which on a window counts as
	// anomalous, in (0,1].
	AnomalyThreshold float64 `json:"anomaly_threshold"`

	Scaler      Scaler   `json:"scaler_type"`
	LogColumns  []string `json:"log_transform_features"` // features that always get the signed logarithm
	LogSkewness float64  `json:"log_skewness"`           // others get it when their skewness in training is beyond this, above 0
	Clip        float64  `json:"clip"`                   // bound of scaled values; threat signals have none
	TrainShare  float64  `json:"train_share"`            // first part of each device's windows, in (0,1)
	SaveCSV     bool     `json:"save_csv"`
	SaveParquet bool     `json:"save_parquet"`
	Compression string   `json:"compression"` // of Parquet: "snappy", "zstd", "gzip", "none"
}

// DefaultConfig returns the defaults: windows of 60 s every 30 s, an hour of
// history at 60 s a step.
func DefaultConfig() Config {
	return Config{
		WindowSec: 60, StepSec: 30, LatenessSec: 30, MaxGapSec: 900, AdaptWindow: true, Counters: CountersAuto,
		EntropyBins: 50, Quantiles: []float64{.25, .5, .75, .95, .99},
		HistoryWindows: 120, MinHistory: 10,
		CPUThreshold: 80, MemoryThreshold: 85, DiskIOThreshold: 1000, ConnectionsQuantile: .99, AnomalyThreshold: .35,
		Scaler: Robust, LogColumns: []string{"net_total_mb_log", "disk_io_log", "proc_count_log"}, LogSkewness: 2, Clip: 1e6, TrainShare: .8,
		SaveCSV: true, SaveParquet: true, Compression: "snappy",
	}
}

// ConfigError is a setting outside its range.
type ConfigError struct {
	Field string // JSON name
	Value any
	Want  string
}

// Error names the setting, its value and its range.
func (e *ConfigError) Error() string {
	return fmt.Sprintf("config: %s is %.64s, want %s", e.Field, fmt.Sprint(e.Value), e.Want)
}

// maxConfigBytes bounds a configuration file.
const maxConfigBytes = 1 << 16

// ParseConfig reads a JSON object of settings over the defaults. An unknown
// name, a wrong type, trailing bytes and a value out of range ([*ConfigError])
// are errors.
func ParseConfig(b []byte) (Config, error) {
	c := DefaultConfig()
	if len(b) > maxConfigBytes {
		return c, fmt.Errorf("config: %d bytes, at most %d", len(b), maxConfigBytes)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return c, fmt.Errorf("config: byte %d: %w", d.InputOffset(), err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return c, fmt.Errorf("config: byte %d: something follows the object", d.InputOffset())
	}
	return c, c.Validate()
}

// AppendJSON appends c in the form that [ParseConfig] reads, every setting on
// its own line.
func (c Config) AppendJSON(dst []byte) ([]byte, error) {
	b, err := json.MarshalIndent(c, "", "  ")
	return append(append(dst, b...), '\n'), err
}

// Validate returns a [*ConfigError] for the first setting out of range.
func (c Config) Validate() error {
	within := func(field string, v, low, high int) error {
		if v < low || v > high {
			return &ConfigError{field, v, fmt.Sprintf("%d to %d", low, high)}
		}
		return nil
	}
	share := func(field string, v float64, closed bool) error {
		if !(v > 0 && (v < 1 || closed && v == 1)) {
			return &ConfigError{field, v, "a share between 0 and 1"}
		}
		return nil
	}
	positive := func(field string, v float64) error {
		if !(v > 0 && v <= math.MaxFloat64) {
			return &ConfigError{field, v, "a finite number above 0"}
		}
		return nil
	}
	oneOf := func(field, v string, of ...string) error {
		if !slices.Contains(of, v) {
			return &ConfigError{field, v, fmt.Sprintf("one of %q", of)}
		}
		return nil
	}
	checks := []error{
		within("window_size_sec", c.WindowSec, 1, 86400),
		within("step_size_sec", c.StepSec, 1, c.WindowSec),
		within("lateness_sec", c.LatenessSec, 0, 3600),
		within("max_gap_sec", c.MaxGapSec, 1, 86400),
		oneOf("counters", string(c.Counters), string(CountersAuto), string(CountersCumulative), string(CountersInterval)),
		within("utc_offset_minutes", c.UTCOffsetMinutes, -840, 840),
		within("entropy_bins", c.EntropyBins, 2, 1000),
		within("history_windows", c.HistoryWindows, 5, 4096),
		within("min_history", c.MinHistory, 2, c.HistoryWindows),
		positive("cpu_threshold", c.CPUThreshold),
		positive("memory_threshold", c.MemoryThreshold),
		positive("disk_io_threshold", c.DiskIOThreshold),
		share("connections_quantile", c.ConnectionsQuantile, false),
		share("anomaly_threshold", c.AnomalyThreshold, true),
		oneOf("scaler_type", string(c.Scaler), string(Robust), string(Standard), string(MinMax)),
		positive("log_skewness", c.LogSkewness),
		positive("clip", c.Clip),
		share("train_share", c.TrainShare, false),
		oneOf("compression", c.Compression, "snappy", "zstd", "gzip", "none"),
	}
	for _, err := range checks {
		if err != nil {
			return err
		}
	}
	if n := len(c.Quantiles); n < 1 || n > 16 {
		return &ConfigError{"quantiles", n, "1 to 16 of them"}
	}
	for i, q := range c.Quantiles {
		if !(q > 0 && q < 1) || i > 0 && q <= c.Quantiles[i-1] || math.Abs(math.Round(q*1000)-q*1000) > 1e-9 {
			return &ConfigError{"quantiles", q, "ascending shares between 0 and 1 in thousandths"}
		}
	}
	if len(c.LogColumns) > 1000 {
		return &ConfigError{"log_transform_features", len(c.LogColumns), "at most 1000 names"}
	}
	return nil
}

// Adapted returns c for samples that are interval milliseconds apart. If
// AdaptWindow is set and the interval is longer than the step, the window
// becomes at least one interval long and the step one interval, in whole
// seconds rounded up, so that every window can hold a sample.
func (c Config) Adapted(intervalMillis int64) Config {
	if !c.AdaptWindow || intervalMillis <= int64(c.StepSec)*1000 {
		return c
	}
	sec := int(min((intervalMillis+999)/1000, 86400))
	c.StepSec = sec
	c.WindowSec = max(c.WindowSec, sec)
	c.MaxGapSec = max(c.MaxGapSec, min(3*sec, 86400))
	return c
}
