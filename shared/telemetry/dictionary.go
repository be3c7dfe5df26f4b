package telemetry

import (
	"fmt"
	"math"
	"strings"
)

// book collects definitions.
type book struct {
	e    *Engineer
	defs []definition
}

func (b *book) add(name string, family Family, unit, formula string, from []string, make func(x *moment) float64) *definition {
	b.defs = append(b.defs, definition{Feature{Name: name, Family: family, Formula: formula, Unit: unit, From: from}, make})
	return &b.defs[len(b.defs)-1]
}

// flag adds a feature of 0 and 1, or a count, that speaks of a threat.
func (b *book) flag(name string, family Family, unit, formula string, from []string, make func(x *moment) float64) {
	b.add(name, family, unit, formula, from, make).Threat = true
}

// dictionary returns all features in their order: family by family.
func dictionary(e *Engineer) []definition {
	b := &book{e: e}
	b.changes()
	b.crosses()
	b.statistics()
	b.anomalies()
	b.behaviour()
	b.times()
	return b.defs
}

func (b *book) changes() {
	for i, s := range seriesTable {
		from := []string{s.column}
		mean := s.column + "_mean"
		b.add(s.name+"_delta", Change, s.unit, mean+" minus that of the device's window before", from, func(x *moment) float64 { return x.delta[i] })
		b.add(s.name+"_delta_abs", Change, s.unit, "|"+s.name+"_delta|", from, func(x *moment) float64 { return math.Abs(x.delta[i]) })
		b.add(s.name+"_acceleration", Change, s.unit, s.name+"_delta minus the one before", from, func(x *moment) float64 { return x.twice[i] })
		b.add(s.name+"_delta_zscore", Change, "", "robust z of "+s.name+"_delta against this device's past windows", from, func(x *moment) float64 {
			return x.m.series[i].deltas.z(x.delta[i], s.floor, b.e.c.MinHistory)
		})
	}
	for _, i := range []int{seriesNetwork, seriesDisk, seriesCPU, seriesProcNew, seriesConnections} {
		s := seriesTable[i]
		name := map[int]string{seriesDisk: "disk_io"}[i]
		if name == "" {
			name = s.name
		}
		b.flag(name+"_spike", Change, "", "1 if "+s.name+"_delta exceeds the 95th percentile of the device's past ones and 0", []string{s.column},
			func(x *moment) float64 { return b.e.spike(x, i) })
	}
}

func (b *book) crosses() {
	for i, r := range ratioTable {
		b.add(r.name, Cross, r.unit, r.formula, r.from, func(x *moment) float64 { return x.ratio[i] })
	}
	for _, i := range []int{ratioCPUNetwork, ratioDiskNetwork, ratioOutIn, ratioWriteRead} {
		r := ratioTable[i]
		b.add(r.name+"_zscore", Cross, "", "robust z of "+r.name+" against this device's past windows", r.from, func(x *moment) float64 {
			return x.m.ratios[i].z(x.ratio[i], r.floor, b.e.c.MinHistory)
		})
	}
	b.add("cpu_memory_product", Cross, "", "cpu_avg_pct_mean × memory_usage_pct_mean", []string{"cpu_avg_pct", "memory_usage_pct"},
		func(x *moment) float64 { return x.level[seriesCPU] * x.level[seriesMemory] })
	b.add("proc_name_diversity", Cross, "", "proc_unique_names_mean / (proc_count_mean + 1)", []string{"proc_unique_names", "proc_count"},
		func(x *moment) float64 { return b.e.at(x, "proc_unique_names_mean") / (x.level[seriesProcCount] + 1) })
	b.add("core_imbalance", Cross, "%", "cpu_max_pct_mean minus cpu_avg_pct_mean", []string{"cpu_max_pct", "cpu_avg_pct"},
		func(x *moment) float64 { return b.e.at(x, "cpu_max_pct_mean") - x.level[seriesCPU] })
	b.add("drop_rate_pct", Cross, "%", "100 net_drops_in_mean / (net_packets_in_mean + 1)", []string{"net_drops_in", "net_packets_in"},
		func(x *moment) float64 {
			return 100 * b.e.at(x, "net_drops_in_mean") / (x.level[seriesPacketsIn] + 1)
		})
	all := []string{"*"}
	what := [watchKinds]string{"the window's mean", "its change since the window before", fmt.Sprintf("its deviation over the newest %d windows", volatilityLength)}
	for k, name := range watchNames {
		of := "|z| of " + what[k] + " against the device's long past, over all metrics"
		for i, rank := range []string{"1", "2", "3", "5"} {
			b.add(name+"_z_rank_"+rank, Cross, "", "number "+rank+" by size of "+of, all, func(x *moment) float64 {
				if !x.wide[k].known {
					return math.NaN()
				}
				return x.wide[k].rank[i]
			})
		}
		parts := []struct {
			name, formula string
			of            func(*breadth) float64
		}{
			{"mean", "mean", func(b *breadth) float64 { return b.mean }},
			{"rms", "root mean square", func(b *breadth) float64 { return b.root }},
			{"share", "share at 3 or more", func(b *breadth) float64 { return b.share }},
		}
		for _, p := range parts {
			b.add(name+"_z_"+p.name, Cross, "", p.formula+" of "+of, all, func(x *moment) float64 { return x.recent(k, 1, p.of) })
			for _, n := range []int{6, trendLength} {
				b.add(fmt.Sprintf("%s_z_%s_%d", name, p.name, n), Cross, "", fmt.Sprintf("mean of %s_z_%s over the newest %d windows", name, p.name, n), all,
					func(x *moment) float64 { return x.recent(k, n, p.of) })
			}
		}
	}
}

func (b *book) statistics() {
	for _, j := range shaped {
		col := canonical[j]
		for _, s := range shapeNames(b.e.c) {
			formula, unit := "", ""
			switch {
			case s[0] == 'q':
				formula, unit = "quantile ."+s[1:]+" of "+col.Name+" within the window", col.Unit
			case s == "skew":
				formula = "skewness of " + col.Name + " within the window"
			case s == "kurtosis":
				formula = "excess kurtosis of " + col.Name + " within the window"
			default:
				formula, unit = fmt.Sprintf("Shannon entropy of %s within the window, %d equal bins over its range", col.Name, b.e.c.EntropyBins), "bit"
			}
			name := col.Name + "_" + s
			b.add(name, Statistical, unit, formula, []string{col.Name}, func(x *moment) float64 { return b.e.at(x, name) })
		}
	}
	for _, i := range []int{seriesCPU, seriesMemory, seriesNetwork, seriesDisk, seriesProcCount} {
		s := seriesTable[i]
		from := []string{s.column}
		b.add(s.column+"_cv", Statistical, "", s.column+"_std / ("+s.column+"_mean + 1)", from,
			func(x *moment) float64 { return b.e.at(x, s.column+"_std") / (x.level[i] + 1) })
		b.add(s.column+"_range", Statistical, s.unit, s.column+"_max minus "+s.column+"_min", from,
			func(x *moment) float64 { return b.e.at(x, s.column+"_max") - b.e.at(x, s.column+"_min") })
	}
	for i, s := range seriesTable {
		b.add(s.name+"_zscore", Statistical, "", "robust z of "+s.column+"_mean against this device's past windows", []string{s.column}, func(x *moment) float64 {
			return x.m.series[i].values.z(x.level[i], s.floor, b.e.c.MinHistory)
		})
	}
	logs := []struct {
		name string
		i    int
	}{{"net_total_mb_log", seriesNetwork}, {"disk_io_log", seriesDisk}, {"proc_count_log", seriesProcCount}}
	for _, l := range logs {
		s := seriesTable[l.i]
		b.add(l.name, Statistical, "", "signed logarithm of "+s.column+"_mean: sign(v) ln(1+|v|)", []string{s.column}, func(x *moment) float64 { return SignedLog(x.level[l.i]) })
	}
}

func (b *book) anomalies() {
	c := b.e.c
	level := func(name string, i int, limit float64) {
		s := seriesTable[i]
		b.flag(name, Anomaly, "", fmt.Sprintf("1 if %s_mean > %g %s", s.column, limit, s.unit), []string{s.column}, func(x *moment) float64 { return above(x.level[i], limit) })
	}
	level("cpu_threshold_violation", seriesCPU, c.CPUThreshold)
	level("memory_threshold_violation", seriesMemory, c.MemoryThreshold)
	level("disk_io_threshold_violation", seriesDisk, c.DiskIOThreshold)
	b.flag("connections_threshold_violation", Anomaly, "", fmt.Sprintf("1 if proc_connections_total_mean exceeds the %g quantile of the device's past", c.ConnectionsQuantile),
		[]string{"proc_connections_total"}, func(x *moment) float64 { return b.e.manyConnections(x) })
	for _, i := range []int{seriesCPU, seriesMemory, seriesNetwork} {
		s := seriesTable[i]
		b.flag(s.name+"_outlier", Anomaly, "", "1 if "+s.column+"_mean is outside [Q1 - 1.5 IQR, Q3 + 1.5 IQR] of the device's past", []string{s.column},
			func(x *moment) float64 { return b.e.outlier(x, i) })
	}
	b.flag("anomaly_score", Anomaly, "", fmt.Sprintf("%g [cpu_threshold_violation] + %g [memory_threshold_violation] + %g [connections_threshold_violation] + %g [disk_io_threshold_violation] + %g [suspicious_activity] + %g [network_spike] + %g [level_z_share > .2]",
		weightCPU, weightMemory, weightConnections, weightDisk, weightSuspicious, weightSpike, weightBreadth),
		[]string{"cpu_avg_pct", "memory_usage_pct", "proc_connections_total", "disk_io_total", "proc_suspicious", "net_total_mb", "*"}, func(x *moment) float64 { return x.score })
}

func (b *book) behaviour() {
	for _, i := range []int{seriesCPU, seriesNetwork, seriesDisk} {
		s := seriesTable[i]
		b.add(s.name+"_burstiness", Behaviour, "", "(s - m) / (s + m) of "+s.column+" within the window, s its deviation, m its mean", []string{s.column},
			func(x *moment) float64 { return burstiness(b.e.at(x, s.column+"_std"), x.level[i]) })
	}
	b.add("proc_stability", Behaviour, "", "1 / (proc_churn_mean + 1)", []string{"proc_churn"}, func(x *moment) float64 { return 1 / (x.level[seriesChurn] + 1) })
	b.add("network_consistency", Behaviour, "", "1 - net_total_mb_std / (net_total_mb_mean + 1)", []string{"net_total_mb"},
		func(x *moment) float64 { return 1 - b.e.at(x, "net_total_mb_std")/(x.level[seriesNetwork]+1) })
	b.flag("suspicious_activity", Behaviour, "", "1 if proc_suspicious_max > 0", []string{"proc_suspicious"}, func(x *moment) float64 { return above(b.e.at(x, "proc_suspicious_max"), 0) })
	b.flag("suspicious_peak", Behaviour, "processes", "proc_suspicious_max", []string{"proc_suspicious"}, func(x *moment) float64 { return b.e.at(x, "proc_suspicious_max") })
	b.flag("cpu_sustained_windows", Behaviour, "windows", fmt.Sprintf("windows in a row with cpu_avg_pct_mean > %g and an even load (deviation below a tenth of the mean)", b.e.c.CPUThreshold),
		[]string{"cpu_avg_pct"}, func(x *moment) float64 { return float64(x.m.sustained) })
	b.add("disk_busy_level", Behaviour, "%", "disk_busy_pct_mean", []string{"disk_busy_pct"}, func(x *moment) float64 { return x.level[seriesBusy] })
}

func (b *book) times() {
	score := []string{"cpu_avg_pct", "memory_usage_pct", "proc_connections_total", "disk_io_total", "proc_suspicious", "net_total_mb", "*"}
	b.flag("time_since_anomaly", Temporal, "s", fmt.Sprintf("seconds since the start of the device's last window with anomaly_score >= %g; missing if there was none", b.e.c.AnomalyThreshold), score,
		func(x *moment) float64 { return x.since })
	b.flag("never_anomalous", Temporal, "", "1 as long as the device had no anomalous window", score, func(x *moment) float64 {
		if x.m.struck {
			return 0
		}
		return 1
	})
	b.flag("anomaly_duration", Temporal, "s", "how long the current run of anomalous windows lasts, 0 outside one", score, func(x *moment) float64 { return x.run })
	for _, i := range []int{seriesCPU, seriesMemory, seriesNetwork, seriesDisk} {
		s := seriesTable[i]
		for _, k := range []int{5, 10} {
			b.add(fmt.Sprintf("%s_trend_%d", s.name, k), Temporal, s.unit, fmt.Sprintf("mean of %s_mean over the device's newest %d windows", s.column, k), []string{s.column},
				func(x *moment) float64 { return x.trend(i, k) })
		}
		b.add(s.name+"_above_trend", Temporal, s.unit, s.column+"_mean minus "+s.name+"_trend_10", []string{s.column}, func(x *moment) float64 { return x.level[i] - x.trend(i, 10) })
	}
	b.add("is_business_hours", Temporal, "", "1 from Monday to Friday, 9 to 17 h local time", []string{"hour_of_day", "day_of_week"}, func(x *moment) float64 {
		hour, day := b.e.at(x, "hour_of_day_median"), b.e.at(x, "day_of_week_median")
		switch {
		case math.IsNaN(hour) || math.IsNaN(day):
			return math.NaN()
		case day < 5 && hour >= 9 && hour < 17:
			return 1
		}
		return 0
	})
	b.add("gap_windows", Temporal, "windows", "windows without a sample since the device's window before", []string{"timestamp"}, func(x *moment) float64 { return float64(x.w.Gap) })
}

// Markdown returns the dictionary as text: a table a family, each feature
// with formula, unit and source columns.
func Markdown(features []Feature) string {
	var b strings.Builder
	for _, family := range Families {
		n := 0
		for _, f := range features {
			if f.Family == family {
				n++
			}
		}
		fmt.Fprintf(&b, "### %s (%d)\n\n| feature | definition | unit | made from |\n|---|---|---|---|\n", strings.ToUpper(string(family[:1]))+string(family[1:]), n)
		for _, f := range features {
			if f.Family != family {
				continue
			}
			from := strings.Join(f.From, ", ")
			if from == "*" {
				from = "all metrics"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.Name, strings.ReplaceAll(f.Formula, "|", "\\|"), f.Unit, strings.Replace(from, "*", "all metrics", 1))
		}
		b.WriteString("\n")
	}
	return b.String()
}
