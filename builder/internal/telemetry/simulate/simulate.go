// Package simulate makes telemetry of hosts that do not exist: quiet ones, ones
// under one of six attacks, and ones at harmless work that resembles them. It
// hides how an episode changes a host.
//
//	raw, truth, err := simulate.Run(simulate.Options{Devices: 4, Hours: 12, Seed: 1})
//
// Every sample is marked as simulated, and the mark follows it into every
// export: what is made here can test rules and programs, and shows nothing
// about real hosts. Episodes change raw metrics before anything is derived from
// them, so no relation between columns tells an attacked host from another.
package simulate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"cloister/builder/internal/telemetry/table"
	"cloister/shared/telemetry"
)

// Options say what is made. The zero value takes the defaults in the comments.
type Options struct {
	Devices int     // default 4, at most 1,000
	Hours   float64 // default 12, at most 8,760
	StepSec int     // between samples, default 10
	Seed    uint64
	// Episodes are what happens; nil means every scenario and look-alike in
	// turn, one after the other on each device, after an hour and a half of
	// quiet.
	Episodes []Episode
}

// Episode is a stretch of time in which a device does something.
type Episode struct {
	Device   int     `json:"device"` // 0 to Devices-1
	Kind     string  `json:"kind"`   // a name in Kinds
	StartSec int     `json:"start_sec"`
	Seconds  int     `json:"seconds"`
	Strength float64 `json:"strength"` // 1 is the usual strength; below it fades out
	Attack   bool    `json:"attack"`   // set by Run
}

// kind is what a host does.
type kind struct {
	name   string
	attack bool
	act    func(h *host, strength float64, rng *rand.Rand)
}

// host holds the raw metrics at one time; counters are per second.
type host struct {
	cpu                                          [4]float64 // percent
	used, swap                                   float64    // KiB
	reads, writes, busy                          float64
	in, out, errors, drops                       float64
	count, fresh, ended, suspicious              float64
	threads, connections, files, entropy, unique float64
}

// addCPU raises all cores, with noise, up to 100.
func (h *host) addCPU(by, noise float64, rng *rand.Rand) {
	for i := range h.cpu {
		h.cpu[i] = math.Min(100, math.Max(0, h.cpu[i]+by+noise*rng.NormFloat64()))
	}
}

// grow multiplies by 1 at strength 0 and by factor at strength 1.
func grow(v *float64, factor, strength float64) { *v *= 1 + (factor-1)*strength }

// kinds are the six attacks, each followed by harmless work that resembles it.
var kinds = []kind{
	{"ehr_device", true, func(h *host, s float64, rng *rand.Rand) {
		h.addCPU(50*s, 3, rng)
		h.suspicious += math.Round(1.4 * s)
		h.fresh += math.Round(2 * s)
	}},
	{"report", false, func(h *host, s float64, rng *rand.Rand) {
		h.addCPU(50*s, 8, rng)
		grow(&h.reads, 2, s)
	}},
	{"pharma_tampering", true, func(h *host, s float64, rng *rand.Rand) {
		grow(&h.reads, 7, s)
		grow(&h.writes, 8, s)
		grow(&h.in, 8, s)
		grow(&h.out, 8, s)
		h.fresh += math.Round(6 * s)
		h.ended += math.Round(6 * s)
		h.busy += 30 * s
	}},
	{"backup", false, func(h *host, s float64, rng *rand.Rand) {
		grow(&h.reads, 8, s)
		grow(&h.writes, 8, s)
		h.busy += 45 * s
		h.addCPU(8*s, 2, rng)
	}},
	{"supply_chain", true, func(h *host, s float64, rng *rand.Rand) {
		h.fresh += math.Round(8 * s)
		h.connections += math.Round(60 * s)
		h.addCPU(40*s, 4, rng)
		grow(&h.out, 1.1, s)
	}},
	{"update", false, func(h *host, s float64, rng *rand.Rand) {
		h.fresh += math.Round(6 * s)
		h.ended += math.Round(6 * s)
		grow(&h.in, 20, s)
		grow(&h.writes, 10, s)
		h.addCPU(30*s, 6, rng)
		h.connections += math.Round(3 * s)
		h.busy += 40 * s
	}},
	{"cryptominer", true, func(h *host, s float64, rng *rand.Rand) {
		for i := range h.cpu {
			h.cpu[i] += s * (95 + 0.6*rng.NormFloat64() - h.cpu[i])
			h.cpu[i] = math.Min(h.cpu[i], 100)
		}
		h.connections += math.Round(2 * s)
		h.threads += math.Round(4 * s)
	}},
	{"batch", false, func(h *host, s float64, rng *rand.Rand) {
		level := 95.0
		if rng.IntN(3) == 0 {
			level = 40
		}
		for i := range h.cpu {
			h.cpu[i] += s * (level + 3*rng.NormFloat64() - h.cpu[i])
			h.cpu[i] = math.Min(100, math.Max(0, h.cpu[i]))
		}
		grow(&h.reads, 6, s)
	}},
	{"exfiltration", true, func(h *host, s float64, rng *rand.Rand) {
		grow(&h.reads, 6, s)
		grow(&h.out, 25, s)
		h.connections += math.Round(3 * s)
		h.addCPU(5*s, 2, rng)
	}},
	{"upload", false, func(h *host, s float64, rng *rand.Rand) { // of a recording held in memory
		grow(&h.out, 25, s)
		h.connections += math.Round(s)
	}},
	{"ransomware", true, func(h *host, s float64, rng *rand.Rand) {
		grow(&h.reads, 7, s)
		grow(&h.writes, 14, s)
		h.busy += 85 * s
		h.fresh += math.Round(5 * s)
		h.ended += math.Round(5 * s)
		h.files += math.Round(150 * s)
		h.addCPU(35*s, 5, rng)
	}},
	{"archive", false, func(h *host, s float64, rng *rand.Rand) { // compressing logs: reads much, writes little
		grow(&h.reads, 9, s)
		grow(&h.writes, 1.3, s)
		h.addCPU(30*s, 8, rng)
		h.busy += 30 * s
	}},
}

// Kinds returns the names of what can happen and which of it is an attack.
func Kinds() (names []string, attack map[string]bool) {
	attack = map[string]bool{}
	for _, k := range kinds {
		names = append(names, k.name)
		attack[k.name] = k.attack
	}
	return names, attack
}

// quietSec is how long every device is quiet at first.
const quietSec = 5400

// Run makes the samples of all devices, in the order of time, labelled true
// within attacks, and returns the episodes. The same options give the same
// bytes.
func Run(o Options) (*table.Raw, []Episode, error) {
	if o.Devices == 0 {
		o.Devices = 4
	}
	if o.Hours == 0 {
		o.Hours = 12
	}
	if o.StepSec == 0 {
		o.StepSec = 10
	}
	if o.Devices < 1 || o.Devices > 1000 || !(o.Hours > 0 && o.Hours <= 8760) || o.StepSec < 1 || o.StepSec > 3600 {
		return nil, nil, fmt.Errorf("simulate: %d devices, %g hours, a sample every %d s: want 1 to 1000, up to 8760, 1 to 3600", o.Devices, o.Hours, o.StepSec)
	}
	steps := int(o.Hours*3600) / o.StepSec
	episodes := slices.Clone(o.Episodes)
	if episodes == nil {
		episodes = schedule(o)
	}
	for i := range episodes {
		k := kindOf(episodes[i].Kind)
		if k < 0 || episodes[i].Device < 0 || episodes[i].Device >= o.Devices {
			return nil, nil, fmt.Errorf("simulate: episode %d: kind %.64q or device %d is unknown", i+1, episodes[i].Kind, episodes[i].Device)
		}
		episodes[i].Attack = kinds[k].attack
	}
	t := &table.Raw{Header: header(), Labels: []bool{}}
	machines := make([]*machine, o.Devices)
	for d := range machines {
		machines[d] = newMachine(o.Seed, d)
	}
	for i := range steps {
		for d, m := range machines {
			h := m.quiet(i * o.StepSec)
			label := false
			for _, e := range episodes {
				if at := i * o.StepSec; e.Device == d && at >= e.StartSec && at < e.StartSec+e.Seconds {
					kinds[kindOf(e.Kind)].act(&h, e.Strength, m.rng)
					label = label || e.Attack
				}
			}
			t.Samples = append(t.Samples, telemetry.Sample{
				Device: fmt.Sprintf("sim-%03d", d+1), Millis: startMillis + int64(i*o.StepSec)*1000, Values: m.report(h, i*o.StepSec, o.StepSec), Simulated: true,
			})
			t.Labels = append(t.Labels, label)
		}
	}
	t.Rows = int64(len(t.Samples))
	return t, episodes, nil
}

func kindOf(name string) int {
	return slices.IndexFunc(kinds, func(k kind) bool { return k.name == name })
}

// schedule gives every device every kind in turn, in another order for each
// device, ten minutes long and forty apart.
func schedule(o Options) []Episode {
	var out []Episode
	for d := range o.Devices {
		rng := rand.New(rand.NewPCG(o.Seed, uint64(d)+1000))
		at := quietSec
		for _, k := range rng.Perm(len(kinds)) {
			if at+600 > int(o.Hours*3600) {
				break
			}
			out = append(out, Episode{Device: d, Kind: kinds[k].name, StartSec: at, Seconds: 600, Strength: 0.8 + 0.4*rng.Float64()})
			at += 3000
		}
	}
	return out
}
