package table_test

import (
	"bytes"
	"compress/gzip"
	"math"
	"slices"
	"strings"
	"testing"

	"cloister/builder/internal/telemetry/table"
	"cloister/shared/telemetry"
)

func read(t *testing.T, b []byte) *table.Raw {
	t.Helper()
	raw, err := table.Read(bytes.NewReader(b), "x", int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func same(a, b *table.Raw) bool {
	return slices.Equal(a.Header, b.Header) && slices.Equal(a.Labels, b.Labels) && slices.EqualFunc(a.Samples, b.Samples, func(x, y telemetry.Sample) bool {
		return x.Device == y.Device && x.Millis == y.Millis && x.OffsetMinutes == y.OffsetMinutes && x.Simulated == y.Simulated &&
			slices.EqualFunc(x.Values, y.Values, func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) || a != a && b != b })
	})
}

const text = "timestamp,device_id,cpu_avg_pct,m1,simulated,label\n" +
	"2026-06-01T10:00:00+02:00,a,1.5,,0,0\n" +
	"2026-06-01T08:00:10Z,a,2.5,0.1,1,1\n" +
	"2026-06-01 08:00:20.250,\"b, c\",-3e-300,7,0,0\n"

func TestRead_formatsAgree(t *testing.T) {
	want := read(t, []byte(text))
	if len(want.Samples) != 3 || want.Samples[0].OffsetMinutes != 120 || want.Samples[0].Millis != want.Samples[1].Millis-10_000 ||
		want.Samples[2].Device != "b, c" || !want.Samples[1].Simulated || want.Samples[2].Millis%1000 != 250 || !want.Simulated() {
		t.Fatalf("%+v", want)
	}
	if !slices.Equal(want.Labels, []bool{false, true, false}) || !slices.Equal(want.Header, []string{"cpu_avg_pct", "m1"}) {
		t.Fatalf("labels %v, header %v", want.Labels, want.Header)
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write([]byte(text))
	z.Close()
	lines := `{"timestamp":"2026-06-01T10:00:00+02:00","device_id":"a","cpu_avg_pct":1.5,"m1":null,"simulated":false,"label":0}
{"timestamp":1780300810,"device_id":"a","cpu_avg_pct":2.5,"m1":0.1,"simulated":true,"label":1}

{"device_id":"b, c","timestamp":1780300820250,"cpu_avg_pct":-3e-300,"m1":"7","label":0}
`
	for name, b := range map[string][]byte{
		"semicolons": []byte(strings.ReplaceAll(strings.ReplaceAll(text, ",", ";"), "b;", "b,")),
		"tabs":       []byte(strings.ReplaceAll(strings.ReplaceAll(text, ",", "\t"), "b\t", "b,")),
		"gzip":       packed.Bytes(),
		"BOM, CRLF":  []byte("\ufeff" + strings.ReplaceAll(text, "\n", "\r\n")),
		"JSON Lines": []byte(lines),
	} {
		if got := read(t, b); !same(got, want) {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
	for _, codec := range []string{"snappy", "zstd", "gzip", "none"} {
		var b, again bytes.Buffer
		if err := table.WriteParquet(&b, want.Columns(), codec); err != nil {
			t.Fatal(err)
		}
		if got := read(t, b.Bytes()); !same(got, want) {
			t.Errorf("Parquet %s: %+v, want %+v", codec, got, want)
		}
		if err := table.WriteParquet(&again, want.Columns(), codec); err != nil || !bytes.Equal(again.Bytes(), b.Bytes()) {
			t.Errorf("Parquet %s: other bytes the second time", codec)
		}
	}
	var b bytes.Buffer
	if err := table.WriteCSV(&b, want.Columns()); err != nil {
		t.Fatal(err)
	}
	if got := read(t, b.Bytes()); !same(got, want) {
		t.Errorf("CSV: %+v, want %+v", got, want)
	}
	if err := table.WriteParquet(&b, nil, "lzo"); err == nil {
		t.Error("an unknown codec was taken")
	}
}

func TestRead_countsBadRows(t *testing.T) {
	raw := read(t, []byte("timestamp,device_id,m1\n,a,1\nx,a,1\n1780300810,,1\n1780300810,a,x\n1780300810,a\n1780300810,a,1\n1780300811,a,Inf\n"))
	want := map[string]int64{"no time": 2, "no device": 1, "a metric that is no number": 1, "another number of columns": 1}
	if raw.Rows != 7 || len(raw.Samples) != 2 || len(raw.Bad) != len(want) || !math.IsNaN(raw.Samples[1].Values[0]) {
		t.Errorf("%+v", raw)
	}
	for k, n := range want {
		if raw.Bad[k] != n {
			t.Errorf("%s: %d, want %d", k, raw.Bad[k], n)
		}
	}
	lines := read(t, []byte("{\"timestamp\":1,\"host\":\"a\",\"m\":1}\n{\"timestamp\":1\n{\"timestamp\":2,\"host\":\"a\",\"m\":{}}\n{\"timestamp\":3,\"host\":\"a\",\"m\":2} 5\n"))
	if lines.Bad["broken JSON"] != 3 || len(lines.Samples) != 1 {
		t.Errorf("%+v", lines)
	}
}

func TestRead_refuses(t *testing.T) {
	for name, b := range map[string]string{
		"nothing":        "",
		"header only":    "timestamp,device_id,m1\n",
		"no time":        "device_id,m1\na,1\n",
		"no device":      "timestamp,m1,m2\n1,2,3\n",
		"no metric":      "timestamp,device_id\n1,a\n",
		"flows":          "IN_BYTES,PROTOCOL\n1,2\n",
		"no usable row":  "timestamp,device_id,m1\nx,a,1\n",
		"broken parquet": "PAR1xxxxxxxxPAR1",
		"repeated":       "timestamp,device_id,m1,M1\n1,a,1,2\n",
		"cut gzip":       "\x1f\x8b\x08\x00",
	} {
		if raw, err := table.Read(strings.NewReader(b), name, int64(len(b))); err == nil || raw != nil {
			t.Errorf("%s was read: %+v", name, raw)
		}
	}
}

func TestRaw_merge(t *testing.T) {
	a := read(t, []byte("timestamp,device_id,m1,m2\n1,a,1,2\n"))
	b := read(t, []byte("timestamp,device_id,m3,M1\n2,b,3,4\n"))
	a.Merge(b)
	if !slices.Equal(a.Header, []string{"m1", "m2", "m3"}) || len(a.Samples) != 2 || a.Rows != 2 {
		t.Fatalf("%+v", a)
	}
	if v := a.Samples[0].Values; v[0] != 1 || v[1] != 2 || !math.IsNaN(v[2]) {
		t.Errorf("first %v", v)
	}
	if v := a.Samples[1].Values; v[0] != 4 || !math.IsNaN(v[1]) || v[2] != 3 {
		t.Errorf("second %v", v)
	}
}
