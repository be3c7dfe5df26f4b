package telemetry

import (
	"strconv"
	"strings"
	"sync"

	"cloister/shared/frame"
)

// Names of the fields of [Schema] that are no features.
const (
	FieldDevice     = "DEVICE"
	FieldStart      = "WINDOW_START"
	FieldEnd        = "WINDOW_END"
	FieldSamples    = "SAMPLES"
	FieldScenario   = "SCENARIO"
	FieldTechniques = "TECHNIQUES"
	FieldMetrics    = "METRICS"
	FieldLevel      = "LEVEL_METRICS"
	FieldChange     = "CHANGE_METRICS"
	FieldVolatility = "VOLATILITY_METRICS"
	FieldSimulated  = "SIMULATED"
	FieldLabel      = "LABEL"
)

// SchemaName is the name of [Schema].
const SchemaName = "telemetry"

// Schema returns one window of one device as models read it: the features of the
// dictionary under [DefaultConfig], and what people want to see of the window.
// It is always the same, made when it is first asked for: who scores flows does
// without.
var Schema = sync.OnceValue(func() *frame.Schema { return frame.NewSchema(SchemaName, schemaFields()) })

func schemaFields() []frame.Field {
	out := []frame.Field{
		{Name: FieldDevice, Kind: frame.Text, Help: "device that reported", Show: true},
		{Name: FieldStart, Unit: "ms", Help: "start of the window, milliseconds since 1970 UTC", Show: true},
		{Name: FieldEnd, Unit: "ms", Help: "end of the window, milliseconds since 1970 UTC", Show: true},
		{Name: FieldSamples, Unit: "samples", Help: "samples in the window", Show: true},
		{Name: FieldScenario, Kind: frame.Text, Help: "attack scenarios that the window fits, separated by commas", Show: true},
		{Name: FieldTechniques, Kind: frame.Text, Help: "ATT&CK techniques of those scenarios, separated by spaces", Show: true},
		{Name: FieldMetrics, Kind: frame.Text, Help: "metrics furthest from this device's past, each with its part of the distance", Show: true},
		{Name: FieldLevel, Kind: frame.Text, Help: "parts of the metrics in the level_z features"},
		{Name: FieldChange, Kind: frame.Text, Help: "parts of the metrics in the change_z features"},
		{Name: FieldVolatility, Kind: frame.Text, Help: "parts of the metrics in the volatility_z features"},
		{Name: FieldSimulated, Kind: frame.Text, Help: "yes when a simulator made the samples", Show: true},
		{Name: FieldLabel, Kind: frame.Text, Help: "label of the window, when the file has one"},
	}
	for _, f := range Features(DefaultConfig()) {
		out = append(out, frame.Field{Name: f.Name, Unit: f.Unit, Help: f.Formula})
	}
	return out
}

// plain keeps names from breaking what [PartsText] writes.
func plain(r rune) rune {
	if r == ' ' || r == '=' {
		return '_'
	}
	return r
}

// PartsText writes parts as words, "m03=0.412 m07=0.220": name, share rounded
// to thousandths. Spaces and equals signs in names become underscores.
func PartsText(parts []Part) string {
	var b []byte
	for i, p := range parts {
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(append(b, strings.Map(plain, p.Metric)...), '=')
		b = strconv.AppendFloat(b, p.Share, 'f', 3, 64)
	}
	return string(b)
}

// AllParts returns for the window last given to [Engineer.Features] the metrics
// behind all three kinds of watch together: the mean of the kinds that have
// any, the largest first, at most n.
func (e *Engineer) AllParts(n int) []Part {
	var sum []Part
	kinds := 0
	for _, kind := range watchNames {
		parts := e.Parts(kind, len(e.levels))
		if parts == nil {
			continue
		}
		kinds++
		sum = append(sum, parts...)
	}
	return merged(sum, float64(max(kinds, 1)), n)
}
