package telemetry

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Layout says which column of a table is what.
type Layout struct {
	Time      int // when the sample was taken
	Device    int // -1 when the table is of one device
	Label     int // 1 or another word for anomalous, -1 when there is none
	Simulated int // 1 when a simulator made the row, -1 when there is none
	Known     int // how many of the 40 metrics there are
	// Metrics are the other columns, Names their names as in the header.
	Metrics []int
	Names   []string
}

// Columns that are no metrics, by their names as [Normalise] gives them.
var (
	timeNames   = []string{"timestamp", "datetime", "time", "ts", "timestamp_unix"}
	deviceNames = []string{"device_id", "device", "host", "hostname", "instance"}
	labelNames  = []string{"label", "is_anomaly", "anomaly"}
	otherNames  = []string{"id", "changepoint"} // never metrics: a row number, another label
)

// SimulatedColumn is the column that carries the mark of simulated rows.
const SimulatedColumn = "simulated"

// DefaultDevice names the device of a table without such a column.
const DefaultDevice = "device"

// LayoutOf recognises a table of telemetry by its header: a column for the
// time, and beside it a device column, or at least three of the 40 metrics.
// Other tables, repeated names and more than [MaxColumns] metrics are errors.
func LayoutOf(header []string) (Layout, error) {
	l := Layout{Time: -1, Device: -1, Label: -1, Simulated: -1}
	seen := map[string]bool{}
	for i, h := range header {
		n := Normalise(h)
		if n == "" || seen[n] {
			return l, fmt.Errorf("telemetry: column %d: name %.64q is empty or repeated", i+1, h)
		}
		seen[n] = true
		switch {
		case slices.Contains(timeNames, n) && (l.Time < 0 || n == "timestamp"):
			l.Time = i
		case slices.Contains(timeNames, n):
		case slices.Contains(deviceNames, n) && l.Device < 0:
			l.Device = i
		case slices.Contains(labelNames, n) && l.Label < 0:
			l.Label = i
		case n == SimulatedColumn:
			l.Simulated = i
		case slices.Contains(otherNames, n):
		default:
			if indexOf(n) >= 0 {
				l.Known++
			}
			l.Metrics = append(l.Metrics, i)
			l.Names = append(l.Names, h)
		}
	}
	switch {
	case l.Time < 0:
		return l, fmt.Errorf("telemetry: no column for the time, such as timestamp")
	case l.Device < 0 && l.Known < 3:
		return l, fmt.Errorf("telemetry: no device column, such as device_id, and %d of the known metrics", l.Known)
	case len(l.Metrics) == 0:
		return l, fmt.Errorf("telemetry: no column is a metric")
	case len(l.Metrics) > MaxColumns:
		return l, fmt.Errorf("telemetry: %d metrics, at most %d", len(l.Metrics), MaxColumns)
	}
	return l, nil
}

// Truth reads a label or mark: nothing, 0, false, null, no, normal and benign
// are false, everything else is true.
func Truth(s string) bool {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "", "0", "0.0", "false", "null", "no", "normal", "benign":
		return false
	}
	return true
}

// Makeable returns the canonical columns that a table of these metrics gives,
// those of other names included.
func Makeable(names []string) map[string]bool {
	raw, out := map[string]bool{}, map[string]bool{"hour_of_day": true, "day_of_week": true, "is_weekend": true}
	for _, n := range names {
		n = Normalise(n)
		raw[n], out[n] = true, indexOf(n) < 0
	}
	all := func(of ...string) bool { return !slices.ContainsFunc(of, func(n string) bool { return !raw[n] }) }
	for _, c := range canonical {
		if len(c.From) == 1 && c.From[0] != "timestamp" {
			out[c.Name] = raw[c.From[0]]
		}
	}
	cores := raw["cpu_core0_pct"] || raw["cpu_core1_pct"] || raw["cpu_core2_pct"] || raw["cpu_core3_pct"]
	out["cpu_avg_pct"] = cores || raw["cpu_avg_pct"]
	out["cpu_max_pct"] = cores || raw["cpu_max_pct"]
	out["cpu_std_pct"] = cores || raw["cpu_std_pct"]
	out["memory_usage_pct"] = all("memory_used_kb", "memory_total_kb") || raw["memory_used_pct"]
	out["net_total_mb"] = all("net_bytes_in", "net_bytes_out") || raw["net_total_bytes"]
	out["net_error_rate_pct"] = all("net_errors_in", "net_packets_in")
	out["disk_io_total"] = all("disk_reads_ops", "disk_writes_ops") || raw["disk_io_total"]
	out["proc_churn"] = all("proc_new", "proc_terminated")
	return out
}

// ParseTime reads a time in milliseconds since 1970 UTC and the minutes that
// its clock adds to UTC: a number of seconds, milliseconds, microseconds or
// nanoseconds, told apart by size, or a date and time as in RFC 3339, with T
// or a space between, with or without fraction and offset.
func ParseTime(s string) (millis int64, offsetMinutes int, ok bool) {
	s = strings.TrimSpace(s)
	if len(s) > 40 || s == "" {
		return 0, 0, false
	}
	if v, err := strconv.ParseFloat(s, 64); err == nil {
		millis, ok = TimeOf(v)
		return millis, 0, ok
	}
	if len(s) > 10 && s[10] == ' ' {
		s = s[:10] + "T" + s[11:]
	}
	t, err := time.Parse("2006-01-02T15:04:05.999999999Z07:00", s)
	if err != nil {
		if t, err = time.Parse("2006-01-02T15:04:05.999999999", s); err != nil {
			return 0, 0, false
		}
	}
	_, offset := t.Zone()
	millis = t.UnixMilli()
	return millis, offset / 60, millis >= 0 && millis < maxMillis
}

// TimeOf reads a number as a time in milliseconds since 1970: below 1e11
// seconds, below 1e14 milliseconds, below 1e17 microseconds, else nanoseconds.
func TimeOf(v float64) (millis int64, ok bool) {
	switch {
	case !(v >= 0):
		return 0, false
	case v < 1e11:
		v *= 1000
	case v < 1e14:
	case v < 1e17:
		v /= 1e3
	default:
		v /= 1e6
	}
	v = math.Round(v)
	return int64(min(v, maxMillis)), v < maxMillis
}
