package telemetry

import "strings"

// Role says how the values of a metric follow each other.
type Role uint8

// The roles of metrics.
const (
	Gauge     Role = iota // a level at the time of the sample
	Counter               // grows until it wraps or the device restarts, see [CounterMode]
	Aggregate             // what an agent computes from others; made here when it is absent
)

// Metric is one raw metric: what an agent reports, in its unit.
type Metric struct {
	Name  string
	Unit  string
	Group string // "system", "cpu", "memory", "disk", "network", "load", "process"
	Role  Role
	Help  string // one sentence for people
}

// metrics are the 40 raw metrics: 23 of SNMP, 6 aggregates, 11 of the process
// agent. Names are those of the agents, so that their exports read as they are.
var metrics = [...]Metric{
	{"sys_uptime_sec", "s", "system", Gauge, "time since the device started"},
	{"cpu_core0_pct", "%", "cpu", Gauge, "load of core 0"},
	{"cpu_core1_pct", "%", "cpu", Gauge, "load of core 1"},
	{"cpu_core2_pct", "%", "cpu", Gauge, "load of core 2"},
	{"cpu_core3_pct", "%", "cpu", Gauge, "load of core 3"},
	{"memory_total_kb", "KiB", "memory", Gauge, "memory installed"},
	{"memory_used_kb", "KiB", "memory", Gauge, "memory in use"},
	{"memory_free_kb", "KiB", "memory", Gauge, "memory not in use"},
	{"swap_used_kb", "KiB", "memory", Gauge, "swap in use"},
	{"disk_reads_ops", "ops", "disk", Counter, "read operations"},
	{"disk_writes_ops", "ops", "disk", Counter, "write operations"},
	{"disk_busy_pct", "%", "disk", Gauge, "share of time the disk was busy"},
	{"net_bytes_in", "bytes", "network", Counter, "bytes received"},
	{"net_bytes_out", "bytes", "network", Counter, "bytes sent"},
	{"net_packets_in", "packets", "network", Counter, "packets received"},
	{"net_packets_out", "packets", "network", Counter, "packets sent"},
	{"net_errors_in", "packets", "network", Counter, "packets received with errors"},
	{"net_errors_out", "packets", "network", Counter, "packets not sent because of errors"},
	{"net_drops_in", "packets", "network", Counter, "received packets dropped"},
	{"net_drops_out", "packets", "network", Counter, "packets dropped before sending"},
	{"load_1min", "", "load", Gauge, "run queue, mean over 1 minute"},
	{"load_5min", "", "load", Gauge, "run queue, mean over 5 minutes"},
	{"load_15min", "", "load", Gauge, "run queue, mean over 15 minutes"},
	{"cpu_avg_pct", "%", "cpu", Aggregate, "mean load of the cores"},
	{"cpu_max_pct", "%", "cpu", Aggregate, "load of the busiest core"},
	{"cpu_std_pct", "%", "cpu", Aggregate, "sample standard deviation over the cores"},
	{"memory_used_pct", "%", "memory", Aggregate, "memory in use, share of the memory installed"},
	{"disk_io_total", "ops", "disk", Aggregate, "reads and writes"},
	{"net_total_bytes", "bytes", "network", Aggregate, "bytes received and sent"},
	{"proc_count", "processes", "process", Gauge, "processes alive"},
	{"proc_new", "processes", "process", Gauge, "processes started since the scan before"},
	{"proc_terminated", "processes", "process", Gauge, "processes ended since the scan before"},
	{"proc_suspicious", "processes", "process", Gauge, "processes that the agent finds suspicious"},
	{"proc_cpu_top5_sum", "%", "process", Gauge, "CPU of the five busiest processes"},
	{"proc_mem_top5_sum", "%", "process", Gauge, "memory of the five largest processes"},
	{"proc_threads_total", "threads", "process", Gauge, "threads alive"},
	{"proc_connections_total", "connections", "process", Gauge, "open connections"},
	{"proc_files_open_total", "files", "process", Gauge, "open files"},
	{"proc_entropy", "bit", "process", Gauge, "Shannon entropy of the process names"},
	{"proc_unique_names", "names", "process", Gauge, "different process names"},
}

// Metrics returns the 40 raw metrics in the order of the agents' exports. The
// slice is a copy.
func Metrics() []Metric { return append([]Metric(nil), metrics[:]...) }

// indexOf returns the position of a raw metric, or -1.
func indexOf(name string) int {
	for i := range metrics {
		if metrics[i].Name == name {
			return i
		}
	}
	return -1
}

// Normalise returns the name of a column as this package compares it: lower
// case, spaces and hyphens as underscores.
func Normalise(name string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' {
			return '_'
		}
		return r
	}, strings.ToLower(strings.TrimSpace(name)))
}

// Column is one canonical metric, made from raw ones.
type Column struct {
	Name    string
	Unit    string
	From    []string // raw metrics
	Formula string   // in words of raw metrics; "" for the metric itself
	// Level reports whether changes of the value speak of the device's state;
	// the clock, the uptime and the memory installed do not.
	Level bool
	floor float64 // smallest deviation that counts, in Unit
}

// Positions of canonical columns that code refers to.
const (
	colUptime = iota
	colCore0
	colCore1
	colCore2
	colCore3
	colMemoryTotal
	colMemoryUsed
	colMemoryFree
	colSwap
	colReads
	colWrites
	colBusy
	colNetIn
	colNetOut
	colPacketsIn
	colPacketsOut
	colErrorsIn
	colErrorsOut
	colDropsIn
	colDropsOut
	colLoad1
	colLoad5
	colLoad15
	colProcCount
	colProcNew
	colProcTerminated
	colProcSuspicious
	colProcCPU
	colProcMem
	colThreads
	colConnections
	colFiles
	colProcEntropy
	colProcNames
	colCPU
	colCPUMax
	colCPUStd
	colMemory
	colNet
	colErrorRate
	colDisk
	colChurn
	colHour
	colWeekday
	colWeekend
	canonicalCount
)

// canonical are the 45 numeric columns after normalising, in the order of the
// constants above.
var canonical = [canonicalCount]Column{
	{"sys_uptime_sec", "s", []string{"sys_uptime_sec"}, "", false, 0},
	{"cpu_core0_pct", "%", []string{"cpu_core0_pct"}, "", true, 1},
	{"cpu_core1_pct", "%", []string{"cpu_core1_pct"}, "", true, 1},
	{"cpu_core2_pct", "%", []string{"cpu_core2_pct"}, "", true, 1},
	{"cpu_core3_pct", "%", []string{"cpu_core3_pct"}, "", true, 1},
	{"memory_total_mb", "MiB", []string{"memory_total_kb"}, "memory_total_kb / 1024", false, 0},
	{"memory_used_mb", "MiB", []string{"memory_used_kb"}, "memory_used_kb / 1024", true, 16},
	{"memory_free_mb", "MiB", []string{"memory_free_kb"}, "memory_free_kb / 1024", true, 16},
	{"swap_used_mb", "MiB", []string{"swap_used_kb"}, "swap_used_kb / 1024", true, 16},
	{"disk_reads_ops", "ops/s", []string{"disk_reads_ops"}, "rate of disk_reads_ops", true, 1},
	{"disk_writes_ops", "ops/s", []string{"disk_writes_ops"}, "rate of disk_writes_ops", true, 1},
	{"disk_busy_pct", "%", []string{"disk_busy_pct"}, "", true, 1},
	{"net_bytes_in_mb", "MiB/s", []string{"net_bytes_in"}, "rate of net_bytes_in / 1048576", true, 0.01},
	{"net_bytes_out_mb", "MiB/s", []string{"net_bytes_out"}, "rate of net_bytes_out / 1048576", true, 0.01},
	{"net_packets_in", "packets/s", []string{"net_packets_in"}, "rate of net_packets_in", true, 5},
	{"net_packets_out", "packets/s", []string{"net_packets_out"}, "rate of net_packets_out", true, 5},
	{"net_errors_in", "packets/s", []string{"net_errors_in"}, "rate of net_errors_in", true, 0.1},
	{"net_errors_out", "packets/s", []string{"net_errors_out"}, "rate of net_errors_out", true, 0.1},
	{"net_drops_in", "packets/s", []string{"net_drops_in"}, "rate of net_drops_in", true, 0.1},
	{"net_drops_out", "packets/s", []string{"net_drops_out"}, "rate of net_drops_out", true, 0.1},
	{"load_1min", "", []string{"load_1min"}, "", true, 0.1},
	{"load_5min", "", []string{"load_5min"}, "", true, 0.1},
	{"load_15min", "", []string{"load_15min"}, "", true, 0.1},
	{"proc_count", "processes", []string{"proc_count"}, "", true, 1},
	{"proc_new", "processes", []string{"proc_new"}, "", true, 1},
	{"proc_terminated", "processes", []string{"proc_terminated"}, "", true, 1},
	{"proc_suspicious", "processes", []string{"proc_suspicious"}, "", true, 1},
	{"proc_cpu_top5_sum", "%", []string{"proc_cpu_top5_sum"}, "", true, 1},
	{"proc_mem_top5_sum", "%", []string{"proc_mem_top5_sum"}, "", true, 1},
	{"proc_threads_total", "threads", []string{"proc_threads_total"}, "", true, 4},
	{"proc_connections_total", "connections", []string{"proc_connections_total"}, "", true, 2},
	{"proc_files_open_total", "files", []string{"proc_files_open_total"}, "", true, 8},
	{"proc_entropy", "bit", []string{"proc_entropy"}, "", true, 0.01},
	{"proc_unique_names", "names", []string{"proc_unique_names"}, "", true, 1},
	{"cpu_avg_pct", "%", []string{"cpu_core0_pct", "cpu_core1_pct", "cpu_core2_pct", "cpu_core3_pct", "cpu_avg_pct"}, "mean of the cores, or as reported", true, 1},
	{"cpu_max_pct", "%", []string{"cpu_core0_pct", "cpu_core1_pct", "cpu_core2_pct", "cpu_core3_pct", "cpu_max_pct"}, "largest core, or as reported", true, 1},
	{"cpu_std_pct", "%", []string{"cpu_core0_pct", "cpu_core1_pct", "cpu_core2_pct", "cpu_core3_pct", "cpu_std_pct"}, "sample standard deviation of the cores, or as reported", true, 1},
	{"memory_usage_pct", "%", []string{"memory_used_kb", "memory_total_kb", "memory_used_pct"}, "100 memory_used_kb / memory_total_kb, or memory_used_pct", true, 1},
	{"net_total_mb", "MiB/s", []string{"net_bytes_in", "net_bytes_out", "net_total_bytes"}, "net_bytes_in_mb + net_bytes_out_mb, or rate of net_total_bytes / 1048576", true, 0.01},
	{"net_error_rate_pct", "%", []string{"net_errors_in", "net_packets_in"}, "100 net_errors_in / (net_packets_in + 1), both rates", true, 0.1},
	{"disk_io_total", "ops/s", []string{"disk_reads_ops", "disk_writes_ops", "disk_io_total"}, "disk_reads_ops + disk_writes_ops, or rate of disk_io_total", true, 1},
	{"proc_churn", "processes", []string{"proc_new", "proc_terminated"}, "proc_new + proc_terminated", true, 1},
	{"hour_of_day", "h", []string{"timestamp"}, "local hour, 0 to 23", false, 0},
	{"day_of_week", "", []string{"timestamp"}, "local day, Monday is 0", false, 0},
	{"is_weekend", "", []string{"timestamp"}, "1 on Saturday and Sunday", false, 0},
}
