package simulate

import (
	"math"
	"math/rand/v2"

	"cloister/shared/telemetry"
)

// startMillis is 2026-06-01 00:00 UTC, a Monday.
const startMillis = 1_780_272_000_000

// machine is a host with habits of its own and counters that run on.
type machine struct {
	rng    *rand.Rand
	base   host
	total  float64 // KiB of memory
	phase  float64
	count  map[string]float64 // totals of the counters
	load   [3]float64
	uptime float64
}

func newMachine(seed uint64, d int) *machine {
	rng := rand.New(rand.NewPCG(seed, uint64(d)))
	between := func(low, high float64) float64 { return low + (high-low)*rng.Float64() }
	m := &machine{rng: rng, total: 16 << 20, phase: between(0, 86400), count: map[string]float64{}, uptime: between(1e4, 1e6)}
	m.base = host{
		used: m.total * between(.35, .65), swap: between(0, 2e5), reads: between(40, 120), writes: between(30, 100), busy: between(4, 12),
		in: between(8e4, 4e5), out: between(4e4, 2e5), errors: .02, drops: .01,
		count: between(180, 320), threads: between(800, 2000), connections: between(60, 250), files: between(1500, 3500), entropy: between(6, 7.5), unique: between(120, 200),
	}
	for i := range m.base.cpu {
		m.base.cpu[i] = between(12, 30)
	}
	return m
}

// quiet returns what the host does at a time if nothing happens: its habits, a
// daily course and noise.
func (m *machine) quiet(sec int) host {
	day := 1 + 0.15*math.Sin(2*math.Pi*(float64(sec)+m.phase)/86400)
	noise := func(v, share float64) float64 { return math.Max(0, v*(1+share*m.rng.NormFloat64())) }
	h := m.base
	for i := range h.cpu {
		h.cpu[i] = math.Min(100, noise(h.cpu[i]*day, .12))
	}
	h.used = noise(h.used, .004)
	h.reads, h.writes, h.busy = noise(h.reads*day, .15), noise(h.writes*day, .15), noise(h.busy*day, .15)
	h.in, h.out = noise(h.in*day, .2), noise(h.out*day, .2)
	h.fresh, h.ended = float64(m.few(1)), float64(m.few(1))
	h.count = math.Round(noise(h.count, .01))
	h.threads, h.connections, h.files = math.Round(noise(h.threads, .01)), math.Round(noise(h.connections*day, .03)), math.Round(noise(h.files, .01))
	h.entropy, h.unique = noise(h.entropy, .002), math.Round(noise(h.unique, .005))
	return h
}

// few draws from a Poisson distribution with a small mean.
func (m *machine) few(mean float64) int {
	limit, p := math.Exp(-mean), m.rng.Float64()
	n := 0
	for ; p > limit; n++ {
		p *= m.rng.Float64()
	}
	return n
}

// header names the raw metrics that are reported: all but the aggregates,
// which follow from them.
func header() []string {
	var out []string
	for _, x := range telemetry.Metrics() {
		if x.Role != telemetry.Aggregate {
			out = append(out, x.Name)
		}
	}
	return out
}

// report turns what a host does into what its agents say: counters as totals,
// everything else as it is, in the order of header.
func (m *machine) report(h host, sec, step int) []float64 {
	cpu := (h.cpu[0] + h.cpu[1] + h.cpu[2] + h.cpu[3]) / 4
	for i, minutes := range []float64{1, 5, 15} {
		m.load[i] += (cpu/25 - m.load[i]) * math.Min(1, float64(step)/60/minutes)
	}
	used := math.Min(math.Round(h.used), m.total)
	per := map[string]float64{
		"disk_reads_ops": h.reads, "disk_writes_ops": h.writes, "net_bytes_in": h.in, "net_bytes_out": h.out,
		"net_packets_in": h.in / 700, "net_packets_out": h.out / 500, "net_errors_in": h.errors, "net_errors_out": h.errors / 2, "net_drops_in": h.drops, "net_drops_out": h.drops / 2,
	}
	level := map[string]float64{
		"sys_uptime_sec": math.Round(m.uptime) + float64(sec), "cpu_core0_pct": h.cpu[0], "cpu_core1_pct": h.cpu[1], "cpu_core2_pct": h.cpu[2], "cpu_core3_pct": h.cpu[3],
		"memory_total_kb": m.total, "memory_used_kb": used, "memory_free_kb": m.total - used, "swap_used_kb": math.Round(h.swap), "disk_busy_pct": math.Min(100, h.busy),
		"load_1min": m.load[0], "load_5min": m.load[1], "load_15min": m.load[2],
		"proc_count": h.count, "proc_new": h.fresh, "proc_terminated": h.ended, "proc_suspicious": h.suspicious,
		"proc_cpu_top5_sum": math.Min(400, cpu*2.2), "proc_mem_top5_sum": 100 * used / m.total * .6,
		"proc_threads_total": h.threads, "proc_connections_total": h.connections, "proc_files_open_total": h.files, "proc_entropy": h.entropy, "proc_unique_names": h.unique,
	}
	var out []float64
	for _, name := range header() {
		if rate, ok := per[name]; ok {
			m.count[name] += rate * float64(step)
			out = append(out, math.Floor(m.count[name]))
			continue
		}
		out = append(out, level[name])
	}
	return out
}
