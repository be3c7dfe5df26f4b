package bundle_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cloister/shared/bundle"
)

// manifestText returns the manifest.json of b.
func manifestText(t *testing.T, file []byte) []byte {
	t.Helper()
	b, err := bundle.Decode(file, bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	text, _ := b.File(bundle.ManifestName)
	return text
}

// TestManifest_isJSON reads the manifest with encoding/json, which shares no
// code with ours, and compares every value with the struct by its name.
func TestManifest_isJSON(t *testing.T) {
	m, files := full()
	file := encode(t, m, files)
	text := manifestText(t, file)
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	var got any
	if err := d.Decode(&got); err != nil {
		t.Fatal(err)
	}
	b, _ := bundle.Decode(file, bundle.Limits{})
	values := 0
	want := generic(t, reflect.ValueOf(b.Manifest()), &values)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if values < 150 {
		t.Errorf("only %d values were compared", values)
	}
}

// generic turns a manifest value into what encoding/json would read.
func generic(t *testing.T, v reflect.Value, values *int) any {
	if d, ok := v.Interface().(bundle.Digest); ok {
		*values++
		return d.String()
	}
	switch v.Kind() {
	case reflect.Struct:
		out := map[string]any{}
		for i := range v.NumField() {
			out[jsonKey(v.Type().Field(i).Name)] = generic(t, v.Field(i), values)
		}
		return out
	case reflect.Slice:
		out := []any{}
		for i := range v.Len() {
			out = append(out, generic(t, v.Index(i), values))
		}
		return out
	case reflect.Pointer:
		if v.IsNil() {
			*values++
			return nil
		}
		return generic(t, v.Elem(), values)
	}
	*values++
	switch v.Kind() {
	case reflect.String:
		return v.String()
	case reflect.Bool:
		return v.Bool()
	case reflect.Int, reflect.Int64:
		return json.Number(strconv.FormatInt(v.Int(), 10))
	case reflect.Float64:
		b, err := json.Marshal(v.Float())
		if err != nil {
			t.Fatal(err)
		}
		return json.Number(b)
	}
	t.Fatalf("kind %s", v.Kind())
	return nil
}

// jsonKey is the rule that SPEC.md gives: lower case, '_' before a word.
func jsonKey(name string) string {
	var sb strings.Builder
	for i := 0; i < len(name); i++ {
		upper := name[i] >= 'A' && name[i] <= 'Z'
		if upper && i > 0 && name[i-1] >= 'a' && name[i-1] <= 'z' {
			sb.WriteByte('_')
		}
		sb.WriteString(strings.ToLower(name[i : i+1]))
	}
	return sb.String()
}

// TestManifest_numbersAsECMAScript compares with JSON.stringify of node
// v20 on 329 numbers (testdata/numbers.mjs, 2026-11-22).
func TestManifest_numbersAsECMAScript(t *testing.T) {
	list, err := os.ReadFile("testdata/numbers.txt")
	if err != nil {
		t.Fatal(err)
	}
	m, files := small()
	var want []string
	m.Explain.BaseValue = nil
	for line := range strings.Lines(string(list)) {
		bits, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		u, err := strconv.ParseUint(bits, 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		m.Explain.BaseValue = append(m.Explain.BaseValue, math.Float64frombits(u))
		want = append(want, text)
	}
	if len(want) < 300 {
		t.Fatalf("only %d numbers", len(want))
	}
	file := encode(t, m, files)
	_, rest, _ := strings.Cut(string(manifestText(t, file)), `"base_value":[`)
	rest, _, _ = strings.Cut(rest, "]")
	if diff := cmp.Diff(want, strings.Split(rest, ",")); diff != "" {
		t.Error(diff)
	}
	b, _ := bundle.Decode(file, bundle.Limits{})
	for i, v := range b.Manifest().Explain.BaseValue {
		if w := m.Explain.BaseValue[i]; math.Float64bits(v) != math.Float64bits(w) && w != 0 {
			t.Errorf("%v came back as %v", w, v)
		}
	}
}

// TestManifest_rules tries each rule at its edge: the longest or largest
// value, and the next one.
func TestManifest_rules(t *testing.T) {
	x := func(n int) string { return strings.Repeat("x", n) }
	digits := func(n int) string { return strings.Repeat("a", n) }
	type change = func(*bundle.Manifest)
	tests := []struct {
		field string
		good  []change
		bad   []change
	}{
		{"title", []change{
			func(m *bundle.Manifest) { m.Title = x(128) },
			func(m *bundle.Manifest) { m.Title = "\u00a0\u200f\u2029\U0001f600" },
		}, []change{
			func(m *bundle.Manifest) { m.Title = x(129) },
			func(m *bundle.Manifest) { m.Title = "" },
			func(m *bundle.Manifest) { m.Title = "a\tb" },
			func(m *bundle.Manifest) { m.Title = "\x1f" },
			func(m *bundle.Manifest) { m.Title = "\u009f" },
			func(m *bundle.Manifest) { m.Title = "\u202a" },
			func(m *bundle.Manifest) { m.Title = "\u2069" },
		}},
		{"vendor", []change{func(m *bundle.Manifest) { m.Vendor = x(128) }}, []change{func(m *bundle.Manifest) { m.Vendor = x(129) }}},
		{"description", []change{func(m *bundle.Manifest) { m.Description = x(8192) }}, []change{
			func(m *bundle.Manifest) { m.Description = x(8193) }, func(m *bundle.Manifest) { m.Description = "" }}},
		{"authors[1]", []change{func(m *bundle.Manifest) { m.Authors = []string{"a", x(128)} }}, []change{
			func(m *bundle.Manifest) { m.Authors = []string{"a", ""} }}},
		{"name", []change{func(m *bundle.Manifest) { m.Name = "a-" + x(62) }, func(m *bundle.Manifest) { m.Name = "0" }}, []change{
			func(m *bundle.Manifest) { m.Name = x(65) }, func(m *bundle.Manifest) { m.Name = "-a" },
			func(m *bundle.Manifest) { m.Name = "a_b" }, func(m *bundle.Manifest) { m.Name = "" }}},
		{"id", []change{func(m *bundle.Manifest) { m.ID = x(128) }, func(m *bundle.Manifest) { m.ID = "urn:x/y@1.0+a-b_c" }}, []change{
			func(m *bundle.Manifest) { m.ID = x(129) }, func(m *bundle.Manifest) { m.ID = ".a" }, func(m *bundle.Manifest) { m.ID = "a b" }}},
		{"task", []change{func(m *bundle.Manifest) { m.Task = "a_.-" + x(60) }}, []change{
			func(m *bundle.Manifest) { m.Task = x(65) }, func(m *bundle.Manifest) { m.Task = "" }, func(m *bundle.Manifest) { m.Task = "A" }}},
		{"version", []change{
			func(m *bundle.Manifest) { m.Version = "0.0.0" },
			func(m *bundle.Manifest) { m.Version = "1.2.3-alpha.0.x-y+build.007" },
			func(m *bundle.Manifest) { m.Version = "1.2.3-" + x(58) },
		}, []change{
			func(m *bundle.Manifest) { m.Version = "1.2.3-" + x(59) },
			func(m *bundle.Manifest) { m.Version = "1.2" },
			func(m *bundle.Manifest) { m.Version = "1.2.3.4" },
			func(m *bundle.Manifest) { m.Version = "1.2.3-" },
			func(m *bundle.Manifest) { m.Version = "1.2.3+" },
			func(m *bundle.Manifest) { m.Version = "1.2.3-01" },
			func(m *bundle.Manifest) { m.Version = "1.2.3-a..b" },
			func(m *bundle.Manifest) { m.Version = "00.2.3" },
			func(m *bundle.Manifest) { m.Version = "1.-2.3" },
		}},
		{"min_runtime", []change{func(m *bundle.Manifest) { m.MinRuntime = "10.20.30" }}, []change{func(m *bundle.Manifest) { m.MinRuntime = "" }}},
		{"created_at", []change{
			func(m *bundle.Manifest) { m.CreatedAt = "2024-02-29T23:59:59Z" },
			func(m *bundle.Manifest) { m.CreatedAt = "2000-02-29T00:00:00Z" },
			func(m *bundle.Manifest) { m.CreatedAt = "2026-12-31T00:00:00Z" },
		}, []change{
			func(m *bundle.Manifest) { m.CreatedAt = "2023-02-29T00:00:00Z" },
			func(m *bundle.Manifest) { m.CreatedAt = "2024-02-30T00:00:00Z" },
			func(m *bundle.Manifest) { m.CreatedAt = "1900-02-29T00:00:00Z" },
			func(m *bundle.Manifest) { m.CreatedAt = "2026-00-01T00:00:00Z" },
			func(m *bundle.Manifest) { m.CreatedAt = "2026-13-01T00:00:00Z" },
			func(m *bundle.Manifest) { m.CreatedAt = "2026-04-31T00:00:00Z" },
			func(m *bundle.Manifest) { m.CreatedAt = "2026-04-00T00:00:00Z" },
			func(m *bundle.Manifest) { m.CreatedAt = "2026-04-01T24:00:00Z" },
			func(m *bundle.Manifest) { m.CreatedAt = "2026-04-01T00:60:00Z" },
			func(m *bundle.Manifest) { m.CreatedAt = "2026-04-01T00:00:60Z" },
			func(m *bundle.Manifest) { m.CreatedAt = "2026-04-01 00:00:00Z" },
			func(m *bundle.Manifest) { m.CreatedAt = "2026-04-01T00:00:0:Z" },
			func(m *bundle.Manifest) { m.CreatedAt = "" },
		}},
		{"doc_url", []change{
			func(m *bundle.Manifest) { m.DocURL = "https://a/" + x(2038) },
			func(m *bundle.Manifest) { m.DocURL = "http://a.b:80/!#$%&'()*+,;=?@[]_~" },
		}, []change{
			func(m *bundle.Manifest) { m.DocURL = "https://a/" + x(2039) },
			func(m *bundle.Manifest) { m.DocURL = "ftp://a" },
			func(m *bundle.Manifest) { m.DocURL = "https://" },
			func(m *bundle.Manifest) { m.DocURL = "https://a<b" },
			func(m *bundle.Manifest) { m.DocURL = "https://é" },
			func(m *bundle.Manifest) { m.DocURL = "//a" },
		}},
		{"licenses[0]", []change{func(m *bundle.Manifest) { m.Licenses[0] = x(256) }}, []change{
			func(m *bundle.Manifest) { m.Licenses[0] = x(257) }, func(m *bundle.Manifest) { m.Licenses[0] = " MIT" }}},
		{"config.param_count", []change{func(m *bundle.Manifest) { m.Config.ParamCount = 1<<53 - 1 }}, []change{
			func(m *bundle.Manifest) { m.Config.ParamCount = 1 << 53 }, func(m *bundle.Manifest) { m.Config.ParamCount = -1 }}},
		{"lineage.code_commit", []change{func(m *bundle.Manifest) { m.Lineage.CodeCommit = digits(7) }, func(m *bundle.Manifest) { m.Lineage.CodeCommit = digits(64) }},
			[]change{func(m *bundle.Manifest) { m.Lineage.CodeCommit = digits(6) }, func(m *bundle.Manifest) { m.Lineage.CodeCommit = digits(65) },
				func(m *bundle.Manifest) { m.Lineage.CodeCommit = "0123456g" }}},
		{"lineage.split.holdout", []change{func(m *bundle.Manifest) { m.Lineage.Split.Holdout = 0 }}, []change{func(m *bundle.Manifest) { m.Lineage.Split.Holdout = -1 }}},
		{"lineage.dataset_sha256[0]", nil, []change{func(m *bundle.Manifest) { m.Lineage.DatasetSHA256[0] = bundle.Digest{} }}},
		{"labels[0].precision", []change{func(m *bundle.Manifest) { m.Labels[0].Precision = new(1.0) }, func(m *bundle.Manifest) { m.Labels[0].Precision = new(0.0) }},
			[]change{func(m *bundle.Manifest) { m.Labels[0].Precision = new(math.Nextafter(1, 2)) }, func(m *bundle.Manifest) { m.Labels[0].Precision = new(math.NaN()) }}},
		{"labels[0].attack[0].id", []change{func(m *bundle.Manifest) { m.Labels[0].Attack[0].ID = "T0855" }}, []change{
			func(m *bundle.Manifest) { m.Labels[0].Attack[0].ID = "T10711" }, func(m *bundle.Manifest) { m.Labels[0].Attack[0].ID = "t1071" },
			func(m *bundle.Manifest) { m.Labels[0].Attack[0].ID = "T1071.0011" }, func(m *bundle.Manifest) { m.Labels[0].Attack[0].ID = "T1071." }}},
		{"labels[1].name", nil, []change{func(m *bundle.Manifest) { m.Labels[1].Name = "Bot" }}},
		{"thresholds[0].value", []change{func(m *bundle.Manifest) { m.Thresholds[0].Value = -math.MaxFloat64 }}, []change{
			func(m *bundle.Manifest) { m.Thresholds[0].Value = math.Inf(1) }, func(m *bundle.Manifest) { m.Thresholds[0].Value = math.NaN() }}},
		{"thresholds[1].name", nil, []change{func(m *bundle.Manifest) { m.Thresholds[1].Name = "alert" }}},
		{"metrics[1].name", nil, []change{func(m *bundle.Manifest) { m.Metrics[1].Split = "holdout" }}},
		{"metrics[0]", []change{func(m *bundle.Manifest) { m.Metrics[0].Low = new(0.9) }, func(m *bundle.Manifest) { m.Metrics[0].Value = nil }}, []change{
			func(m *bundle.Manifest) { m.Metrics[0].High = new(0.89) },
			func(m *bundle.Manifest) { m.Metrics[0].Value, m.Metrics[0].Low = nil, new(0.96) }}},
		{"schema.features[0]", []change{func(m *bundle.Manifest) { m.Schema.Features[0].Q01 = new(0.5) }}, []change{
			func(m *bundle.Manifest) { m.Schema.Features[0].Min = new(1.0) }, func(m *bundle.Manifest) { m.Schema.Features[0].Max = new(1e20) }}},
		{"schema.features[1].name", nil, []change{func(m *bundle.Manifest) { m.Schema.Features[1].Name = "duration" }}},
		{"schema.features[1].aliases[1]", nil, []change{
			func(m *bundle.Manifest) { m.Schema.Features[1].Aliases[1] = "a" },
			func(m *bundle.Manifest) { m.Schema.Features[1].Aliases[1] = "Flow Duration" },
			func(m *bundle.Manifest) { m.Schema.Features[1].Aliases[1] = "duration" }}},
		{"explain.tolerance", []change{func(m *bundle.Manifest) { m.Explain.Tolerance = 0 }}, []change{
			func(m *bundle.Manifest) { m.Explain.Tolerance = -5e-324 }, func(m *bundle.Manifest) { m.Explain.Tolerance = math.NaN() }}},
		{"explain.base_value[1]", nil, []change{func(m *bundle.Manifest) { m.Explain.BaseValue[1] = math.Inf(-1) }}},
		{"vectors.n", nil, []change{func(m *bundle.Manifest) { m.Vectors.N = 0 }}},
	}
	for _, tt := range tests {
		t.Run(tt.field, func(t *testing.T) {
			for i, change := range tt.good {
				m, files := full()
				change(&m)
				b, err := bundle.Encode(m, files, bundle.Limits{})
				if err != nil {
					t.Errorf("good %d: %v", i, err)
				} else if _, err := bundle.Decode(b, bundle.Limits{}); err != nil {
					t.Errorf("good %d: Decode: %v", i, err)
				}
			}
			for i, change := range tt.bad {
				m, files := full()
				change(&m)
				_, err := bundle.Encode(m, files, bundle.Limits{})
				var fe *bundle.FieldError
				if !asField(err, &fe) || fe.Field != tt.field || fe.Want == "" {
					t.Errorf("bad %d: got %v", i, err)
				} else if len(fe.Value) > 4*64+2 {
					t.Errorf("bad %d: value of %d bytes", i, len(fe.Value))
				}
			}
		})
	}
}

func asField(err error, fe **bundle.FieldError) bool {
	e, ok := err.(*bundle.FieldError)
	*fe = e
	return ok
}

func TestManifest_validate(t *testing.T) {
	m, files := full()
	b, err := bundle.Decode(encode(t, m, files), bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	good := b.Manifest()
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	bad := b.Manifest()
	bad.Labels[1].Severity = "hgih"
	if err, want := bad.Validate(), `bundle: manifest: labels[1].severity: want one of Informational, Low, Medium, High, Critical: "hgih"`; fmt.Sprint(err) != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	for field, change := range map[string]func(*bundle.Manifest){
		"files[1].name":             func(m *bundle.Manifest) { m.Files[0], m.Files[1] = m.Files[1], m.Files[0] },
		"files[2].name":             func(m *bundle.Manifest) { m.Files[2] = m.Files[1] },
		"files":                     func(m *bundle.Manifest) { m.Files, m.Explain.BackgroundSHA256 = nil, bundle.Digest{} },
		"files[0].name":             func(m *bundle.Manifest) { m.Files[0].Name = "model.sig" },
		"vectors.file":              func(m *bundle.Manifest) { m.Vectors.File = "vectors/other.jsonl" },
		"schema.sha256":             func(m *bundle.Manifest) { m.Schema.SHA256[0] ^= 1 },
		"explain.background_sha256": func(m *bundle.Manifest) { m.Explain.BackgroundSHA256[0] ^= 1 },
		"explain.background_n":      func(m *bundle.Manifest) { m.Explain.BackgroundN = 0 },
	} {
		bad := b.Manifest()
		change(&bad)
		var fe *bundle.FieldError
		if err := bad.Validate(); !asField(err, &fe) || fe.Field != field {
			t.Errorf("%s: got %v", field, err)
		}
	}
	bad = b.Manifest()
	bad.Format.Major = 7
	if err := bad.Validate(); !isA[*bundle.UnsupportedError](err) {
		t.Errorf("got %v", err)
	}
}

// TestFieldError_quotesWholeCharacters cuts a long value between two
// characters, not inside one.
func TestFieldError_quotesWholeCharacters(t *testing.T) {
	m, files := small()
	m.Title = "x" + strings.Repeat("é", 100)
	_, err := bundle.Encode(m, files, bundle.Limits{})
	var fe *bundle.FieldError
	if !asField(err, &fe) || fe.Value != `"x`+strings.Repeat("é", 31)+`"` {
		t.Errorf("got %v", err)
	}
}

// TestSpec_namesEveryKey reads the keys out of a manifest and looks for each
// in SPEC.md.
func TestSpec_namesEveryKey(t *testing.T) {
	spec, err := os.ReadFile("SPEC.md")
	if err != nil {
		t.Fatal(err)
	}
	m, files := full()
	text := string(manifestText(t, encode(t, m, files)))
	keys := map[string]bool{}
	for i, part := range strings.Split(text, `":`) {
		if j := strings.LastIndexByte(part, '"'); j >= 0 && i < strings.Count(text, `":`) {
			keys[part[j+1:]] = true
		}
	}
	if len(keys) < 80 {
		t.Errorf("only %d keys", len(keys))
	}
	for key := range keys {
		found := false
		for _, form := range []string{"`" + key + "`", "`" + key + "[]`", "." + key + "`", "." + key + "[]`", "`" + key + "."} {
			found = found || strings.Contains(string(spec), form)
		}
		if !found {
			t.Errorf("SPEC.md does not name %q", key)
		}
	}
}

func TestDigest_text(t *testing.T) {
	if s := (bundle.Digest{}).String(); s != "" {
		t.Errorf("zero digest: %q", s)
	}
	if s := (bundle.Digest{0xab, 31: 1}).String(); s != "ab"+strings.Repeat("0", 60)+"01" {
		t.Errorf("got %q", s)
	}
}
