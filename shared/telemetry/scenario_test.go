package telemetry_test

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"

	"cloister/shared/telemetry"
)

func rules(t testing.TB) (*telemetry.Rules, []telemetry.Feature) {
	t.Helper()
	list := telemetry.Features(telemetry.DefaultConfig())
	r, err := telemetry.DefaultRules(list)
	if err != nil {
		t.Fatal(err)
	}
	return r, list
}

// row returns features that meet every condition of s, all others missing.
func row(t testing.TB, s telemetry.Scenario, list []telemetry.Feature) []float64 {
	x := make([]float64, len(list))
	for i := range x {
		x[i] = math.NaN()
	}
	for _, c := range slices.Concat(s.All, s.Any) {
		i := slices.IndexFunc(list, func(f telemetry.Feature) bool { return f.Name == c.Feature })
		x[i] = c.Value
	}
	return x
}

// Every rule fires on its own evidence, needs each mandatory condition, and of
// the alternatives one.
func TestRules_ownEvidence(t *testing.T) {
	r, list := rules(t)
	if len(r.Scenarios()) != 6 {
		t.Fatalf("%d scenarios", len(r.Scenarios()))
	}
	for k, s := range r.Scenarios() {
		x := row(t, s, list)
		if !slices.Contains(r.Fired(x), k) {
			t.Errorf("%s does not fire on its own evidence", s.Name)
		}
		for _, c := range s.All {
			y := slices.Clone(x)
			i := slices.IndexFunc(list, func(f telemetry.Feature) bool { return f.Name == c.Feature })
			for _, v := range []float64{math.NaN(), c.Value + map[string]float64{"at_least": -1e-9, "at_most": 1e-9}[c.Type]} {
				y[i] = v
				if slices.Contains(r.Fired(y), k) {
					t.Errorf("%s fires with %s = %v", s.Name, c.Feature, v)
				}
			}
		}
		for drop := range s.Any {
			y := slices.Clone(x)
			for j, c := range s.Any {
				if j != drop {
					y[slices.IndexFunc(list, func(f telemetry.Feature) bool { return f.Name == c.Feature })] = math.NaN()
				}
			}
			if !slices.Contains(r.Fired(y), k) {
				t.Errorf("%s wants more than one alternative", s.Name)
			}
		}
		if len(s.Any) > 0 {
			y := slices.Clone(x)
			for _, c := range s.Any {
				y[slices.IndexFunc(list, func(f telemetry.Feature) bool { return f.Name == c.Feature })] = math.NaN()
			}
			if slices.Contains(r.Fired(y), k) {
				t.Errorf("%s fires without an alternative", s.Name)
			}
			if _, fires := r.Check(k, y); fires {
				t.Errorf("%s: Check fires without an alternative", s.Name)
			}
		}
		conditions, fires := r.Check(k, x)
		if !fires || len(conditions) != len(s.All)+len(s.Any) || slices.Contains(conditions, false) {
			t.Errorf("%s: check %v, %v", s.Name, conditions, fires)
		}
		if s.Title == "" || s.Lookalike == "" || len(s.Techniques) == 0 || s.Severity == "" {
			t.Errorf("%s says too little: %+v", s.Name, s)
		}
	}
}

// A heartbeat that says nothing but "alive" fires nothing, nor does a quiet host.
func TestRules_idle(t *testing.T) {
	r, _ := rules(t)
	c := cumulative()
	quiet, _ := collect(t, c, header(), idle(t, "a", 700, 10, 11, nil))
	var beats []telemetry.Sample
	for i := range 300 {
		beats = append(beats, telemetry.Sample{Device: "b", Millis: monday + int64(i)*60_000, Values: []float64{float64(i * 60)}})
	}
	alive, _ := collect(t, c, []string{"sys_uptime_sec"}, beats)
	if len(quiet) < 200 || len(alive) < 200 {
		t.Fatalf("%d and %d windows", len(quiet), len(alive))
	}
	for _, w := range alive {
		if f := r.Fired(w.features); f != nil {
			t.Fatalf("a heartbeat is %s", r.Scenarios()[f[0]].Name)
		}
	}
	n := 0
	for _, w := range quiet {
		n += len(r.Fired(w.features))
	}
	if n > len(quiet)/100 {
		t.Errorf("%d of %d quiet windows fire", n, len(quiet))
	}
}

func TestParseRules_refuses(t *testing.T) {
	list := telemetry.Features(telemetry.DefaultConfig())
	good := `[{"name":"a","title":"","techniques":[],"severity":"","all":[{"type":"at_least","feature":"cpu_delta","value":1,"why":""}],"lookalike":""}]`
	if _, err := telemetry.ParseRules([]byte(good), list); err != nil {
		t.Fatal(err)
	}
	for _, change := range [][2]string{
		{"at_least", "network"}, {"cpu_delta", "cpu_detla"}, {`"name":"a"`, `"name":""`}, {`"all":[{"type":"at_least","feature":"cpu_delta","value":1,"why":""}]`, `"all":[]`},
		{`"value":1`, `"value":"1"`}, {`"why"`, `"gate"`}, {`}]}]`, `}]}`}, {`"lookalike":""}`, `"lookalike":""},{"name":"a","all":[]}`},
	} {
		bad := strings.Replace(good, change[0], change[1], 1)
		if bad == good {
			bad = strings.TrimSuffix(good, "]")
		}
		if _, err := telemetry.ParseRules([]byte(bad), list); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}

func FuzzParseConfig(f *testing.F) {
	b, err := telemetry.DefaultConfig().AppendJSON(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"quantiles":[0.1,0.9],"scaler_type":"minmax"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := telemetry.ParseConfig(b)
		if err != nil {
			return
		}
		again, err := c.AppendJSON(nil)
		if err != nil {
			t.Fatal(err)
		}
		d, err := telemetry.ParseConfig(again)
		if err != nil {
			t.Fatalf("%s: %v", again, err)
		}
		if third, _ := d.AppendJSON(nil); !bytes.Equal(third, again) {
			t.Errorf("%s became %s", again, third)
		}
	})
}

func FuzzDecodePreparer(f *testing.F) {
	list := []telemetry.Feature{{Name: "a"}, {Name: "b", Threat: true}}
	p, err := telemetry.FitPreparer(telemetry.DefaultConfig(), list, []float64{1, 0, 2, math.NaN(), 7, 1}, make([]bool, 3))
	if err != nil {
		f.Fatal(err)
	}
	b, err := p.AppendJSON(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := telemetry.DecodePreparer(b)
		if err != nil {
			return
		}
		if again, err := p.AppendJSON(nil); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%q became %q, %v", b, again, err)
		}
		row := p.Row(nil, make([]float64, len(p.Columns())))
		if len(row) != len(p.Names()) {
			t.Errorf("%d values for %d names", len(row), len(p.Names()))
		}
	})
}

func FuzzParseRules(f *testing.F) {
	list := telemetry.Features(telemetry.DefaultConfig())
	f.Add([]byte(`[{"name":"a","title":"","techniques":[],"severity":"","all":[{"type":"at_least","feature":"cpu_delta","value":1,"why":""}],"any":[{"type":"at_most","feature":"cpu_delta","value":9,"why":""}],"lookalike":""}]`))
	x := make([]float64, len(list))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := telemetry.ParseRules(b, list)
		if err != nil {
			return
		}
		// two ways to the same answer
		fired := r.Fired(x)
		for k, s := range r.Scenarios() {
			conditions, fires := r.Check(k, x)
			if fires != slices.Contains(fired, k) || len(conditions) != len(s.All)+len(s.Any) {
				t.Errorf("scenario %d: %v, %v against %v", k, conditions, fires, fired)
			}
		}
	})
}
