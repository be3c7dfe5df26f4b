package telemetry

import "math"

// series are the signals whose course is followed by name. Each is the mean of
// one column over the window.
type series struct {
	name   string // prefix of its features
	column string
	unit   string
	floor  float64
}

// The series.
const (
	seriesCPU = iota
	seriesMemory
	seriesNetwork
	seriesDisk
	seriesProcCount
	seriesChurn
	seriesProcNew
	seriesNetIn
	seriesNetOut
	seriesReads
	seriesWrites
	seriesBusy
	seriesLoad
	seriesConnections
	seriesThreads
	seriesFiles
	seriesSwap
	seriesPacketsIn
	seriesPacketsOut
	seriesCount
)

var seriesTable = [seriesCount]series{
	{"cpu", "cpu_avg_pct", "%", 1},
	{"memory", "memory_usage_pct", "%", 1},
	{"network", "net_total_mb", "MiB/s", 0.01},
	{"disk", "disk_io_total", "ops/s", 1},
	{"proc_count", "proc_count", "processes", 1},
	{"proc_churn", "proc_churn", "processes", 1},
	{"proc_new", "proc_new", "processes", 1},
	{"net_in", "net_bytes_in_mb", "MiB/s", 0.01},
	{"net_out", "net_bytes_out_mb", "MiB/s", 0.01},
	{"disk_reads", "disk_reads_ops", "ops/s", 1},
	{"disk_writes", "disk_writes_ops", "ops/s", 1},
	{"disk_busy", "disk_busy_pct", "%", 1},
	{"load", "load_1min", "", 0.1},
	{"connections", "proc_connections_total", "connections", 2},
	{"threads", "proc_threads_total", "threads", 4},
	{"files", "proc_files_open_total", "files", 8},
	{"swap", "swap_used_mb", "MiB", 16},
	{"packets_in", "net_packets_in", "packets/s", 5},
	{"packets_out", "net_packets_out", "packets/s", 5},
}

// ratio is a signal that two series make.
type ratio struct {
	name    string
	formula string
	unit    string
	from    []string
	floor   float64
	make    func(x *moment) float64
}

// The ratios.
const (
	ratioCPUNetwork = iota
	ratioDiskNetwork
	ratioCPUMemory
	ratioMemoryProcess
	ratioOutIn
	ratioWriteRead
	ratioThreadsProcess
	ratioFilesProcess
	ratioConnectionsProcess
	ratioBytesIn
	ratioBytesOut
	ratioCPULoad
	ratioCount
)

// per returns a ratio of series a over series b plus one, so that an idle
// denominator does not blow it up.
func per(name, unit string, a, b int, scale, floor float64) ratio {
	s, t := seriesTable[a], seriesTable[b]
	formula := s.column + "_mean / (" + t.column + "_mean + 1)"
	if scale != 1 {
		formula = s.column + "_mean in bytes / (" + t.column + "_mean + 1)"
	}
	return ratio{name, formula, unit, []string{s.column, t.column}, floor,
		func(x *moment) float64 { return scale * x.level[a] / (x.level[b] + 1) }}
}

var ratioTable = [ratioCount]ratio{
	per("cpu_network_ratio", "", seriesCPU, seriesNetwork, 1, 1),
	per("disk_network_ratio", "", seriesDisk, seriesNetwork, 1, 1),
	per("cpu_memory_ratio", "", seriesCPU, seriesMemory, 1, 0.02),
	per("memory_per_process", "%", seriesMemory, seriesProcCount, 1, 0.001),
	per("net_out_in_ratio", "", seriesNetOut, seriesNetIn, 1, 0.05),
	per("disk_write_read_ratio", "", seriesWrites, seriesReads, 1, 0.05),
	per("threads_per_process", "threads", seriesThreads, seriesProcCount, 1, 0.05),
	per("files_per_process", "files", seriesFiles, seriesProcCount, 1, 0.05),
	per("connections_per_process", "connections", seriesConnections, seriesProcCount, 1, 0.01),
	per("bytes_per_packet_in", "bytes", seriesNetIn, seriesPacketsIn, 1<<20, 16),
	per("bytes_per_packet_out", "bytes", seriesNetOut, seriesPacketsOut, 1<<20, 16),
	per("cpu_load_ratio", "", seriesCPU, seriesLoad, 1, 0.5),
}

// burstiness returns (s-m)/(s+m) for deviation s and mean m, in [-1,1]: -1 for
// a steady series, 0 for an exponential one, towards 1 for bursts; 0 when both
// are 0.
//
// Source: Goh and Barabási, Burstiness and memory in complex systems, EPL 81
// (2008), equation 1, there for times between events.
func burstiness(s, m float64) float64 {
	m = math.Abs(m)
	if s+m == 0 {
		return 0
	}
	return (s - m) / (s + m)
}
