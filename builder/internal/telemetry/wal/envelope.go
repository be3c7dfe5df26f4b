package wal

import (
	"math"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"cloister/builder/internal/telemetry/pb"
	"cloister/builder/internal/telemetry/table"
	"cloister/shared/telemetry"
)

// collector gathers samples of metrics that come one by one into a table.
type collector struct {
	header  []string
	index   map[string]int
	samples []telemetry.Sample
}

func newCollector() *collector { return &collector{index: map[string]int{}} }

// row decodes one row and adds its samples.
func (c *collector) row(r *Report, idem string, nanos int64, blob, sum []byte) {
	if len(blob) > maxBlob || !fits(r, blob, sum) {
		r.Corrupt++
		return
	}
	devices, flow, ok := open(blob)
	if !ok {
		r.Undecodable++
		return
	}
	r.Decodable++
	before := len(c.samples)
	for _, d := range devices {
		c.device(d, idem, nanos)
	}
	switch {
	case len(c.samples) > before:
		r.WithMetrics++
	case flow:
		r.Stubs++
	default:
		r.Empty++
	}
}

// open decodes the messages of a row: an Envelope whose payload is a
// UniversalEnvelope or one device's telemetry, or a UniversalEnvelope as it
// is. Both envelopes number their first four fields alike, so what counts is
// where metrics are found. flow says whether there is a flow record; ok is
// false when neither envelope decodes.
func open(blob []byte) (devices []*pb.DeviceTelemetry, flow, ok bool) {
	var envelope pb.Envelope
	if proto.Unmarshal(blob, &envelope) == nil {
		ok, flow = true, envelope.GetFlow() != nil
		if len(envelope.GetPayload()) > 0 {
			var inner pb.UniversalEnvelope
			if proto.Unmarshal(envelope.GetPayload(), &inner) == nil {
				devices = devicesOf(&inner)
			}
			var device pb.DeviceTelemetry
			if !some(devices) && proto.Unmarshal(envelope.GetPayload(), &device) == nil && device.GetDeviceId() != "" {
				devices = []*pb.DeviceTelemetry{&device}
			}
			if some(devices) {
				return devices, flow, true
			}
		}
	}
	var universal pb.UniversalEnvelope
	if proto.Unmarshal(blob, &universal) == nil {
		return devicesOf(&universal), flow || universal.GetFlow() != nil, true
	}
	return nil, flow, ok
}

// devicesOf returns the telemetry of an envelope, alone and batched.
func devicesOf(u *pb.UniversalEnvelope) []*pb.DeviceTelemetry {
	var out []*pb.DeviceTelemetry
	if d := u.GetDeviceTelemetry(); d != nil {
		out = append(out, d)
	}
	return append(out, u.GetTelemetryBatch().GetTelemetry()...)
}

// some reports whether any device has a metric.
func some(devices []*pb.DeviceTelemetry) bool {
	return slices.ContainsFunc(devices, func(d *pb.DeviceTelemetry) bool {
		return slices.ContainsFunc(d.GetEvents(), func(e *pb.TelemetryEvent) bool { return e.GetMetricData() != nil })
	})
}

// names of SNMP objects by the metrics they are, with what to multiply by.
var objects = map[string]struct {
	metric string
	factor float64
}{
	"sysuptime":    {"sys_uptime_sec", 0.01},
	"hrmemorysize": {"memory_total_kb", 1},
	"ifinoctets":   {"net_bytes_in", 1},
	"ifoutoctets":  {"net_bytes_out", 1},
	"ifinerrors":   {"net_errors_in", 1},
	"ifouterrors":  {"net_errors_out", 1},
}

// device adds the samples of one message: one for each time that its events
// name, in the order of time. A counter that occurs several times at one time
// (one per interface or disk) adds up, anything else becomes the mean.
func (c *collector) device(d *pb.DeviceTelemetry, idem string, nanos int64) {
	name := strings.TrimSpace(d.GetDeviceId())
	if name == "" {
		name, _, _ = strings.Cut(idem, "_")
	}
	type cell struct {
		sum float64
		n   int
	}
	type group struct {
		cells     map[int]cell
		synthetic bool
	}
	groups := map[int64]*group{}
	for _, e := range d.GetEvents() {
		v, ok := number(e.GetMetricData())
		if !ok {
			continue
		}
		at := nanos
		for _, t := range []uint64{d.GetTimestampNs(), e.GetEventTimestampNs()} {
			if t > 0 && t < math.MaxInt64 {
				at = int64(t)
			}
		}
		key := telemetry.Normalise(e.GetMetricData().GetMetricName())
		if o, ok := objects[key]; ok {
			key, v = o.metric, v*o.factor
		}
		i, ok := c.index[key]
		if !ok {
			if key == "" || len(c.header) == telemetry.MaxColumns {
				continue
			}
			i = len(c.header)
			c.index[key] = i
			c.header = append(c.header, key)
		}
		g := groups[at/1e6]
		if g == nil {
			g = &group{cells: map[int]cell{}}
			groups[at/1e6] = g
		}
		old := g.cells[i]
		g.cells[i] = cell{old.sum + v, old.n + 1}
		g.synthetic = g.synthetic || e.GetIsSynthetic()
	}
	var times []int64
	for t := range groups {
		times = append(times, t)
	}
	slices.Sort(times)
	for _, t := range times {
		s := telemetry.Sample{Device: name, Millis: t, Simulated: groups[t].synthetic, Values: make([]float64, len(c.header))}
		for i := range s.Values {
			s.Values[i] = math.NaN()
			if cell, ok := groups[t].cells[i]; ok {
				if s.Values[i] = cell.sum; !counters[c.header[i]] {
					s.Values[i] /= float64(cell.n)
				}
			}
		}
		c.samples = append(c.samples, s)
	}
}

// counters are the raw metrics that add up.
var counters = func() map[string]bool {
	out := map[string]bool{}
	for _, m := range telemetry.Metrics() {
		if m.Role == telemetry.Counter {
			out[m.Name] = true
		}
	}
	return out
}()

// number returns the number of a metric: the numeric value, a boolean as 0 or
// 1, or, when no value is set at all, the 0 that the format leaves out.
func number(m *pb.MetricData) (float64, bool) {
	switch {
	case m == nil || m.GetMetricName() == "":
		return 0, false
	case m.NumericValue != nil:
		v := m.GetNumericValue()
		return v, !math.IsNaN(v) && !math.IsInf(v, 0)
	case m.BoolValue != nil:
		if m.GetBoolValue() {
			return 1, true
		}
		return 0, true
	case m.StringValue != nil || m.BinaryValue != nil:
		return 0, false
	}
	return 0, true
}

// table returns the samples with one header: known metrics in their order, then
// the others by name.
func (c *collector) table() *table.Raw {
	rank := map[string]int{}
	for i, m := range telemetry.Metrics() {
		rank[m.Name] = i + 1
	}
	order := make([]int, len(c.header))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		x, y := rank[c.header[a]], rank[c.header[b]]
		switch {
		case x > 0 && y > 0:
			return x - y
		case x > 0:
			return -1
		case y > 0:
			return 1
		}
		return strings.Compare(c.header[a], c.header[b])
	})
	t := &table.Raw{}
	for _, i := range order {
		t.Header = append(t.Header, c.header[i])
	}
	for _, s := range c.samples {
		v := make([]float64, len(order))
		for k, i := range order {
			v[k] = math.NaN()
			if i < len(s.Values) {
				v[k] = s.Values[i]
			}
		}
		s.Values = v
		t.Samples = append(t.Samples, s)
	}
	return t
}
