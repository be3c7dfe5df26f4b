//go:build !js

package wasm_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"database/sql"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"cloister/shared/job"
	"cloister/shared/job/jobtest"
	"cloister/wasm/internal/chromium"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/encoding/protowire"
	_ "modernc.org/sqlite" // the driver registers itself
)

// zipped returns content under zstd, with a checksum.
func zipped(t *testing.T, content []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(content, nil)
}

// parquetOf returns a CSV table as Parquet, what looks like a number as one.
func parquetOf(t *testing.T, content []byte, codec compress.Compression) []byte {
	t.Helper()
	table, err := csv.NewReader(bytes.NewReader(content)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var fields []arrow.Field
	for j, name := range table[0] {
		f := arrow.Field{Name: name, Type: arrow.PrimitiveTypes.Int64, Nullable: true}
		for _, row := range table[1:] {
			if _, err := strconv.ParseInt(row[j], 10, 64); err == nil || row[j] == "" {
				continue
			}
			if _, err := strconv.ParseFloat(row[j], 64); err == nil {
				f.Type = arrow.PrimitiveTypes.Float64
				continue
			}
			f.Type = arrow.BinaryTypes.String
			break
		}
		fields = append(fields, f)
	}
	schema := arrow.NewSchema(fields, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	for _, row := range table[1:] {
		for j, cell := range row {
			if err := b.Field(j).AppendValueFromString(cell); err != nil {
				t.Fatal(err)
			}
		}
	}
	var out bytes.Buffer
	w, err := pqarrow.NewFileWriter(schema, &out, parquet.NewWriterProperties(parquet.WithCompression(codec), parquet.WithMaxRowGroupLength(200)), pqarrow.DefaultWriterProps())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(b.NewRecordBatch()); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// dropAll drops files on the page together.
func (v *visit) dropAll(t *testing.T, files map[string][]byte) {
	t.Helper()
	list := map[string]string{}
	for name, b := range files {
		list[name] = base64.StdEncoding.EncodeToString(b)
	}
	text, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.frame(`(() => {
		const data = new DataTransfer();
		for (const [name, b] of Object.entries(`+string(text)+`)) data.items.add(new File([Uint8Array.from(atob(b), c => c.charCodeAt(0))], name));
		const at = document.querySelector('#main');
		for (const type of ['dragover', 'drop']) at.dispatchEvent(new DragEvent(type, {dataTransfer: data, bubbles: true, cancelable: true}));
	})()`, nil); err != nil {
		t.Fatal(err)
	}
}

// sameVerdicts compares the table that the page saves with what the command
// line says of the same file.
func (v *visit) sameVerdicts(t *testing.T, bundle, path string) (rows int) {
	t.Helper()
	out, err := exec.Command("../bin/cloister", "score", "--bundle", bundle, path).Output()
	if err != nil {
		t.Fatalf("cloister score: %v", err)
	}
	want := map[float64]windowLine{}
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		var l windowLine
		if err := json.Unmarshal(s.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		want[float64(l.Row)] = l
	}
	if err := v.frame(`[...document.querySelectorAll('.run-tools button')].find(b => b.innerText.startsWith('CSV')).click()`, nil); err != nil {
		t.Fatal(err)
	}
	table, err := csv.NewReader(bytes.NewReader(v.saved(t, ".csv"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(table) != len(want)+1 || len(want) < 50 {
		t.Fatalf("%s: %d lines in the page's file, %d by the command line", filepath.Base(path), len(table), len(want))
	}
	at := map[string]int{}
	for i, name := range table[0] {
		at[name] = i
	}
	differ := 0
	for _, row := range table[1:] {
		figure := func(name string) float64 {
			x, err := strconv.ParseFloat(row[at[name]], 64)
			if err != nil {
				return math.NaN()
			}
			return x
		}
		w := want[figure("row")]
		if row[at["class"]] != w.Class || figure("probability") != w.Probability || figure("attack_probability") != w.AttackScore || figure("anomaly") != w.Anomaly {
			if differ++; differ < 4 {
				t.Errorf("%s: the page says %q, the command line %+v", filepath.Base(path), row, w)
			}
		}
	}
	return len(want)
}

// Compressed tables, Parquet in every codec and a compressed capture are scored
// in the page as on the command line.
func TestPacked_zstdAndParquet(t *testing.T) {
	flows := readFile(t, "../models/sample/flows.csv")
	z, err := gzip.NewReader(bytes.NewReader(readFile(t, "../models/sample/lab.pcap.gz")))
	if err != nil {
		t.Fatal(err)
	}
	capture, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{"flows.csv.zst": zipped(t, flows), "lab.pcap.zst": zipped(t, capture)}
	for _, codec := range []compress.Compression{compress.Codecs.Uncompressed, compress.Codecs.Snappy, compress.Codecs.Gzip, compress.Codecs.Brotli, compress.Codecs.Zstd, compress.Codecs.Lz4Raw} {
		files[strings.ToLower(codec.String())+".parquet"] = parquetOf(t, flows, codec)
	}
	w := &witness{}
	v := startVisit(t, serveBuilt(t, w, nil)+"/", chromium.Options{})
	v.open(t)
	v.waitFor(t, "the bundle", `document.querySelector('#choose') && !document.querySelector('#choose').disabled`)
	dir := t.TempDir()
	before := w.now()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, files[name], 0o600); err != nil {
			t.Fatal(err)
		}
		v.drop(t, name, files[name])
		v.waitFor(t, name, finished+` && document.querySelector('.run').innerText.includes('`+name+`')`)
		v.sameVerdicts(t, "../models/flows/1.bundle", path)
		v.click(t, `#grid [role=row][aria-rowindex="40"], #grid [role=row][aria-rowindex="3"]`)
		v.waitFor(t, "an explanation", `document.querySelector('#shap-title')`)
	}
	if after := w.now().since(before); after.detectors() != "" {
		t.Errorf("seen by %s: %+v", after.detectors(), after)
	}
	if p := v.Problems(); len(p) > 0 {
		t.Errorf("problems: %+v", p)
	}
}

// agentDatabase is samples of simulated hosts as an agent keeps them, copied
// while it has its database open: the newest are in the log.
func agentDatabase(t *testing.T) (path string) {
	t.Helper()
	dir := t.TempDir()
	samples := filepath.Join(dir, "wards.csv")
	if out, err := exec.Command("../bin/cloister", "telemetry", "simulate", "--devices", "2", "--hours", "2", "--step", "30", "--out", samples).CombinedOutput(); err != nil {
		t.Fatalf("cloister telemetry simulate: %v\n%s", err, out)
	}
	table, err := csv.NewReader(bytes.NewReader(readFile(t, samples))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	live := url.URL{Scheme: "file", Path: filepath.Join(dir, "live.db"), RawQuery: "_pragma=journal_mode(wal)&_pragma=synchronous(off)"}
	db, err := sql.Open("sqlite", live.String())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	do := func(text string, args ...any) {
		if _, err := db.Exec(text, args...); err != nil {
			t.Fatal(err)
		}
	}
	do(`CREATE TABLE wal (id INTEGER PRIMARY KEY AUTOINCREMENT, idem TEXT NOT NULL, ts_ns INTEGER NOT NULL, bytes BLOB NOT NULL, checksum BLOB NOT NULL)`)
	message := func(to []byte, field protowire.Number, b []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(to, field, protowire.BytesType), b)
	}
	for i, row := range table[1:] {
		if i == len(table)/2 {
			do(`PRAGMA wal_checkpoint(TRUNCATE)`)
		}
		at, err := time.Parse(time.RFC3339, row[0])
		if err != nil {
			t.Fatal(err)
		}
		device := message(nil, 1, []byte(row[1]))
		device = protowire.AppendVarint(protowire.AppendTag(device, 7, protowire.VarintType), uint64(at.UnixNano()))
		for j, name := range table[0] {
			x, err := strconv.ParseFloat(row[j], 64)
			if j < 2 || name == "simulated" || err != nil {
				continue
			}
			metric := message(nil, 1, []byte(name))
			metric = protowire.AppendFixed64(protowire.AppendTag(metric, 3, protowire.Fixed64Type), math.Float64bits(x))
			device = message(device, 5, message(nil, 5, metric))
		}
		blob := message(nil, 6, device)
		do(`INSERT INTO wal (idem, ts_ns, bytes, checksum) VALUES (?, ?, ?, ?)`, fmt.Sprintf("%s_%d", row[1], i), at.UnixNano(), blob, blob)
	}
	path = filepath.Join(dir, "agent.db")
	for _, suffix := range []string{"", "-wal"} {
		if err := os.WriteFile(path+suffix, readFile(t, filepath.Join(dir, "live.db"+suffix)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// An agent's database is dropped with its log, and without: the page says what
// that means.
func TestPacked_database(t *testing.T) {
	path := agentDatabase(t)
	files := map[string][]byte{"agent.db": readFile(t, path), "agent.db-wal": readFile(t, path+"-wal"), "agent.db-shm": {1}}
	v := startVisit(t, serveBuilt(t, &witness{}, nil)+"/", chromium.Options{})
	v.open(t)
	v.waitFor(t, "the bundle", `document.querySelector('#choose') && !document.querySelector('#choose').disabled`)
	v.useBundle(t, telemetryBundle)
	v.waitFor(t, "the telemetry bundle", `document.querySelector('.bundle-name')?.innerText.includes('telemetry') && !document.querySelector('#choose').disabled`)
	v.dropAll(t, files)
	v.waitFor(t, "verdicts", finished)
	all := v.sameVerdicts(t, telemetryBundle, path)
	if got := v.text(t, ".run"); strings.Contains(got, "-wal file") {
		t.Errorf("with its log the page says %q", got)
	}
	v.dropAll(t, map[string][]byte{"old.db": files["agent.db"]})
	v.waitFor(t, "verdicts", finished+` && document.querySelector('.run').innerText.includes('old.db')`)
	alone := filepath.Join(t.TempDir(), "old.db")
	if err := os.WriteFile(alone, files["agent.db"], 0o600); err != nil {
		t.Fatal(err)
	}
	if n := v.sameVerdicts(t, telemetryBundle, alone); n >= all {
		t.Errorf("%d windows without the log, %d with it", n, all)
	}
	v.waitFor(t, "a word on the log", `document.body.innerText.includes('came without its -wal file')`)
	if p := v.Problems(); len(p) > 0 {
		t.Errorf("problems: %+v", p)
	}
}

// What is damaged ends in words with position and reason.
func TestPacked_hostile(t *testing.T) {
	flows := readFile(t, "../models/sample/flows.csv")
	packed := zipped(t, flows)
	cut := packed[:len(packed)/2]
	noFooter := parquetOf(t, flows, compress.Codecs.Snappy)
	noFooter = noFooter[:len(noFooter)-9]
	damaged := parquetOf(t, flows, compress.Codecs.Zstd)
	for i := 4000; i < 4100; i++ {
		damaged[i] ^= 0x5a
	}
	v := startVisit(t, serveBuilt(t, &witness{}, nil)+"/", chromium.Options{})
	v.open(t)
	v.waitFor(t, "the bundle", `document.querySelector('#choose') && !document.querySelector('#choose').disabled`)
	for name, c := range map[string]struct {
		content []byte
		want    string
	}{
		"cut.csv.zst":      {cut, "unexpected EOF"},
		"window.zst":       {[]byte("\x28\xb5\x2f\xfd\x00\x90\x01\x00\x00"), "window size exceeded"},
		"nofooter.parquet": {noFooter, "no PAR1 at the end"},
		"damaged.parquet":  {damaged, "byte "},
		"short.db":         {[]byte("SQLite format 3\x00 and no more"), "the file ends at"},
	} {
		v.drop(t, name, c.content)
		v.waitFor(t, name+": "+c.want, `document.body.innerText.includes('`+name+`') && document.body.innerText.includes('`+c.want+`')`)
	}
}

// Cancelling while a file is unpacked keeps what was scored, and the next file
// is read as ever.
func TestPacked_cancel(t *testing.T) {
	flows := readFile(t, "../models/sample/flows.csv")
	head, rows, _ := bytes.Cut(flows, []byte("\n"))
	large := slices.Concat(head, []byte("\n"), bytes.Repeat(rows, 500))
	v := startVisit(t, serveBuilt(t, &witness{}, nil)+"/", chromium.Options{})
	v.open(t)
	v.waitFor(t, "the bundle", `document.querySelector('#choose') && !document.querySelector('#choose').disabled`)
	v.drop(t, "large.csv.zst", zipped(t, large))
	v.waitFor(t, "a running run", `[...document.querySelectorAll('.run button')].some(b => b.innerText === 'Cancel') && document.querySelector('#grid [role=row][aria-rowindex="3"]')`)
	if err := v.frame(`[...document.querySelectorAll('.run button')].find(b => b.innerText === 'Cancel').click()`, nil); err != nil {
		t.Fatal(err)
	}
	v.waitFor(t, "the end", finished)
	if n := v.number(t, `Number(document.querySelector('.tile dd').innerText.replace(/\D/g, ''))`); n < 1 || n >= 500*557 {
		t.Errorf("%v rows were scored of a run that was cancelled", n)
	}
	v.drop(t, "flows.csv.zst", zipped(t, flows))
	v.waitFor(t, "the next file", finished+` && document.querySelector('.run').innerText.includes('flows.csv.zst')`)
	if got := v.text(t, ".tile dd"); got != "557" {
		t.Errorf("%s rows of the next file", got)
	}
}

// The page of one file brings its reader along.
func TestPacked_fromDisk(t *testing.T) {
	v := startVisit(t, onDisk(t), options())
	v.open(t)
	v.waitFor(t, "the bundle", `document.querySelector('#choose') && !document.querySelector('#choose').disabled`)
	flows := readFile(t, "../models/sample/flows.csv")
	for name, content := range map[string][]byte{"flows.csv.zst": zipped(t, flows), "flows.parquet": parquetOf(t, flows, compress.Codecs.Snappy)} {
		v.drop(t, name, content)
		v.waitFor(t, name, finished+` && document.querySelector('.run').innerText.includes('`+name+`')`)
		if got := v.text(t, ".tile dd"); got != "557" {
			t.Errorf("%s: %s rows", name, got)
		}
	}
}

// BenchmarkTelemetry_inThePage asks a scorer of the page for windows of the
// sample one after the other, each with all models and the attributions of
// verdict and anomaly score, and reports what the page waits: in the browser,
// messages between page and worker among it. It is time on the wall, which means
// something on a quiet machine only; the windows' features are made before (see
// BenchmarkPipeline of shared/telemetry).
func BenchmarkTelemetry_inThePage(b *testing.B) {
	const warm, counted = 300, 1500
	near, far := jobtest.Pipe() // nobody answers: only what is asked is of use
	c := job.NewClient(near)
	note := func(ask func()) string {
		go ask()
		m, err := far.Receive()
		if err != nil {
			b.Fatal(err)
		}
		return base64.StdEncoding.EncodeToString(m.Data)
	}
	script := map[string]any{
		"load":  note(func() { _, _ = c.Load(readFile(b, telemetryBundle)) }),
		"score": note(func() { _, _ = c.Score(nil, job.Options{}, nil, nil) }),
		"file":  base64.StdEncoding.EncodeToString(readFile(b, "../models/sample/telemetry.csv.gz")),
		"warm":  warm,
	}
	var rows []string
	for i := range warm + counted {
		rows = append(rows, note(func() { _, _ = c.Explain(int64(i + 1)) }))
	}
	script["rows"] = rows
	text, err := json.Marshal(script)
	if err != nil {
		b.Fatal(err)
	}
	v := startVisit(b, serveBuilt(b, &witness{}, nil)+"/", chromium.Options{})
	v.open(b)
	var got struct{ Median, P99 float64 }
	for b.Loop() {
		got.Median = 0
		if err := v.frame(`window.took = null; void (async () => {
			const s = `+string(text)+`, bytes = (t) => Uint8Array.from(atob(t), (c) => c.charCodeAt(0));
			const w = new Worker(cloister.workerURL), reader = cloister.readerPort();
			w.postMessage({module: cloister.workerModule, reader}, [reader]);
			const ask = (data, file) => new Promise((done) => {
				w.onmessage = ({data: {data: d}}) => { if (d && d[1] !== 6 && d[1] !== 7) done(d); }; // neither progress nor a batch
				w.postMessage({data, file});
			});
			await ask(bytes(s.load));
			await ask(bytes(s.score), new File([bytes(s.file)], 'telemetry.csv.gz'));
			const took = [];
			for (const [i, r] of s.rows.entries()) {
				const data = bytes(r), start = performance.now(), answer = await ask(data);
				if (answer[1] !== 9) throw new Error(new TextDecoder().decode(answer)); // no record
				if (i >= s.warm) took.push(performance.now() - start);
			}
			w.terminate();
			took.sort((a, b) => a - b);
			window.took = {Median: took[took.length >> 1], P99: took[Math.floor(took.length * 0.99)]};
		})().catch((e) => { window.took = e.message })`, nil); err != nil {
			b.Fatal(err)
		}
		for got.Median == 0 {
			time.Sleep(time.Second)
			if err := v.frame(`window.took || {Median: 0}`, &got); err != nil {
				b.Fatal(err) // what went wrong in the page, or how long it took
			}
		}
	}
	b.ReportMetric(1e3*got.Median, "median-us/window")
	b.ReportMetric(1e3*got.P99, "p99-us/window")
	b.ReportMetric(0, "ns/op")
}
