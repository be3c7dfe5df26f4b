package wal_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/blake2b"
	"google.golang.org/protobuf/proto"

	"cloister/builder/internal/telemetry/pb"
	"cloister/builder/internal/telemetry/wal"
)

// TestMain lets the test binary be the other process that writes.
func TestMain(m *testing.M) {
	if path := os.Getenv("CLOISTER_WRITE_WAL"); path != "" {
		if err := write(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// write appends rows, one a transaction, until standard input ends, and prints
// the count every hundred rows.
func write(path string) (err error) {
	db, err := create(path, "wal")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	stop := make(chan struct{})
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(stop)
	}()
	for i := 0; ; i++ {
		select {
		case <-stop:
			return nil
		default:
		}
		blob := universal("host-1", int64(i), map[string]float64{"cpu_avg_pct": float64(i % 100)})
		if err := insert(db, "wal", "host-1", i, blob, hashed(blob)); err != nil {
			return fmt.Errorf("row %d: %w", i, err)
		}
		if i%100 == 99 {
			fmt.Println(i + 1)
		}
	}
}

func create(path, table string) (*sql.DB, error) {
	source := url.URL{Scheme: "file", Path: path, RawQuery: "_pragma=journal_mode(wal)&_pragma=synchronous(normal)"}
	db, err := sql.Open("sqlite", source.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	_, err = db.Exec(`CREATE TABLE ` + table + ` (id INTEGER PRIMARY KEY AUTOINCREMENT, idem TEXT NOT NULL, ts_ns INTEGER NOT NULL, bytes BLOB NOT NULL, checksum BLOB NOT NULL);
		CREATE UNIQUE INDEX ` + table + `_idem ON ` + table + `(idem); CREATE INDEX ` + table + `_ts ON ` + table + `(ts_ns)`)
	return db, err
}

// start is 2026-06-01 in nanoseconds.
const start = 1_780_272_000_000_000_000

func insert(db *sql.DB, table, device string, i int, blob, sum []byte) error {
	ts := start + int64(i)*1e9
	_, err := db.Exec(`INSERT INTO `+table+` (idem, ts_ns, bytes, checksum) VALUES (?, ?, ?, ?)`, fmt.Sprintf("%s_%d", device, ts), ts, blob, sum)
	return err
}

func hashed(b []byte) []byte { s := blake2b.Sum256(b); return s[:] }

func marshal(m proto.Message) []byte {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		panic(err)
	}
	return b
}

func events(metrics map[string]float64) []*pb.TelemetryEvent {
	var names []string
	for n := range metrics {
		names = append(names, n)
	}
	slices.Sort(names)
	var out []*pb.TelemetryEvent
	for _, n := range names {
		out = append(out, &pb.TelemetryEvent{EventType: "METRIC", MetricData: &pb.MetricData{MetricName: n, NumericValue: proto.Float64(metrics[n])}})
	}
	return out
}

func device(name string, sec int64, metrics map[string]float64) *pb.DeviceTelemetry {
	return &pb.DeviceTelemetry{DeviceId: name, TimestampNs: uint64(start + sec*1e9), Events: events(metrics)}
}

func universal(name string, sec int64, metrics map[string]float64) []byte {
	return marshal(&pb.UniversalEnvelope{Version: "1", DeviceTelemetry: device(name, sec, metrics)})
}

func stub() []byte {
	return marshal(&pb.Envelope{Version: "1", TsNs: start, Flow: &pb.FlowEvent{SrcIp: "localhost", DstIp: "eventbus", Protocol: "SNMP-TELEMETRY", BytesSent: 1165}})
}

func TestRead_whileAnotherProcessWrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent's & co?.db") // a path that a URI has to escape
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "CLOISTER_WRITE_WAL="+path)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaints strings.Builder
	cmd.Stderr = &complaints
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	wait := func() int {
		if !lines.Scan() {
			t.Fatalf("the writer stopped: %s", complaints.String())
		}
		var n int
		fmt.Sscan(lines.Text(), &n)
		return n
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	first, last := int64(0), int64(0)
	for round := range 5 {
		written := wait()
		raw, r, err := wal.Read(ctx, path)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if r.Rows < int64(written) || r.Rows < last || r.Decodable != r.Rows || r.WithMetrics != r.Rows || r.Journal != "wal" || r.Blake2b != r.Rows {
			t.Fatalf("round %d: %d were written, %s, journal %s", round, written, r, r.Journal)
		}
		if int64(len(raw.Samples)) != r.Rows || raw.Samples[7].Device != "host-1" || raw.Samples[7].Values[0] != 7 {
			t.Fatalf("round %d: samples %d", round, len(raw.Samples))
		}
		if round == 0 {
			first = r.Rows
		}
		last = r.Rows
	}
	for int64(wait()) <= first { // announcements lag behind what is read
	}
	if _, r, err := wal.Read(ctx, path); err != nil || r.Rows <= first {
		t.Errorf("%d rows at first, then %d, %v", first, r.Rows, err)
	}
	before := wait()
	if after := wait(); after <= before {
		t.Errorf("the writer no longer writes: %d after %d", after, before)
	}
	in.Close()
	for lines.Scan() {
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the writer failed: %v: %s", err, complaints.String())
	}
}

func TestRead_countsWhatIsThere(t *testing.T) {
	for _, name := range []string{"wal", "events"} {
		path := filepath.Join(t.TempDir(), "a.db")
		db, err := create(path, name)
		if err != nil {
			t.Fatal(err)
		}
		u := universal("cart-7", 1, map[string]float64{"CPU Avg PCT": 12, "sysUpTime": 5000, "extra.metric": 3})
		inEnvelope := marshal(&pb.Envelope{Version: "1", Payload: universal("cart-7", 2, map[string]float64{"cpu_avg_pct": 13})})
		direct := marshal(&pb.Envelope{Version: "1", Payload: marshal(device("cart-8", 3, map[string]float64{"cpu_avg_pct": 14}))})
		batch := marshal(&pb.UniversalEnvelope{Version: "1", TelemetryBatch: &pb.TelemetryBatch{BatchId: "b", Telemetry: []*pb.DeviceTelemetry{
			device("cart-7", 4, map[string]float64{"cpu_avg_pct": 15}), device("cart-8", 4, map[string]float64{"cpu_avg_pct": 16})}}})
		synthetic := device("cart-7", 5, map[string]float64{"cpu_avg_pct": 17})
		synthetic.Events[0].IsSynthetic = true
		nameless := device("", 6, map[string]float64{"net_bytes_in": 100, "proc_count": 4})
		nameless.Events = append(nameless.Events, events(map[string]float64{"net_bytes_in": 50, "proc_count": 8})...)
		nameless.Events = append(nameless.Events,
			&pb.TelemetryEvent{MetricData: &pb.MetricData{MetricName: "flag", BoolValue: proto.Bool(true)}},
			&pb.TelemetryEvent{MetricData: &pb.MetricData{MetricName: "zero"}},
			&pb.TelemetryEvent{MetricData: &pb.MetricData{MetricName: "words", StringValue: proto.String("x")}},
			&pb.TelemetryEvent{MetricData: &pb.MetricData{MetricName: "nan", NumericValue: proto.Float64(math.NaN())}})
		rows := []struct {
			device string
			blob   []byte
			sum    func([]byte) []byte
		}{
			{"cart-7", u, hashed},
			{"cart-7", inEnvelope, func(b []byte) []byte { return b }},
			{"cart-8", direct, hashed},
			{"cart-7", batch, hashed},
			{"cart-7", marshal(&pb.UniversalEnvelope{DeviceTelemetry: synthetic}), hashed},
			{"from-idem", marshal(&pb.UniversalEnvelope{DeviceTelemetry: nameless}), hashed},
			{"localhost", stub(), hashed},
			{"cart-7", u, func(b []byte) []byte { return hashed(append(b, 1)) }},
			{"cart-7", []byte("\xff\xff\xff"), hashed},
			{"cart-7", marshal(&pb.Envelope{Version: "1"}), hashed},
		}
		for i, r := range rows {
			if err := insert(db, name, r.device, i, r.blob, r.sum(r.blob)); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		raw, r, err := wal.Read(context.Background(), path)
		if err != nil {
			t.Fatal(err)
		}
		want := wal.Report{Table: name, Journal: "wal", Rows: 10, Decodable: 8, WithMetrics: 6, Stubs: 1, Empty: 1, Corrupt: 1, Undecodable: 1, Blake2b: 8, Copies: 1, Synthetic: 1, Samples: 7}
		if r != want {
			t.Errorf("%+v, want %+v", r, want)
		}
		if want := []string{"sys_uptime_sec", "net_bytes_in", "cpu_avg_pct", "proc_count", "extra.metric", "flag", "zero"}; !slices.Equal(raw.Header, want) {
			t.Fatalf("header %v, want %v", raw.Header, want)
		}
		s := raw.Samples
		if s[0].Device != "cart-7" || s[0].Millis != start/1e6+1000 || s[0].Values[0] != 50 || s[0].Values[2] != 12 || s[0].Values[4] != 3 || !math.IsNaN(s[0].Values[1]) {
			t.Errorf("first sample %+v", s[0])
		}
		if s[1].Values[2] != 13 || s[2].Device != "cart-8" || s[3].Values[2] != 15 || s[4].Device != "cart-8" || !s[5].Simulated || s[4].Simulated {
			t.Errorf("samples %+v", s)
		}
		// counters of several interfaces add up, levels are averaged
		if last := s[6]; last.Device != "from-idem" || last.Values[1] != 150 || last.Values[3] != 6 || last.Values[5] != 1 || last.Values[6] != 0 {
			t.Errorf("last sample %+v", last)
		}
	}
}

func TestRead_nothingUsable(t *testing.T) {
	blob := stub()
	tests := []struct {
		name string
		fill func(*sql.DB) error
		want string
	}{
		{"empty", func(*sql.DB) error { return nil }, "the table is empty"},
		{"stubs", func(db *sql.DB) error {
			return errors.Join(insert(db, "wal", "localhost", 1, blob, hashed(blob)), insert(db, "wal", "localhost", 2, blob, hashed(blob)))
		}, "every row is a flow record"},
		{"corrupt", func(db *sql.DB) error { return insert(db, "wal", "a", 1, blob, []byte("x")) }, "no checksum fits"},
	}
	for _, tt := range tests {
		path := filepath.Join(t.TempDir(), "a.db")
		db, err := create(path, "wal")
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(tt.fill(db), db.Close()); err != nil {
			t.Fatal(err)
		}
		raw, _, err := wal.Read(context.Background(), path)
		var nothing *wal.NothingError
		if raw != nil || !errors.As(err, &nothing) || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "flow stubs") {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestRead_refuses(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, b []byte) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	if _, _, err := wal.Read(context.Background(), file("zero.db", nil)); err == nil || !strings.Contains(err.Error(), "empty") {
		t.Errorf("an empty file: %v", err)
	}
	if _, _, err := wal.Read(context.Background(), file("text.db", []byte(strings.Repeat("no database ", 100)))); err == nil {
		t.Error("a text was read")
	}
	if _, _, err := wal.Read(context.Background(), filepath.Join(dir, "none.db")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	other := filepath.Join(dir, "other.db")
	db, err := sql.Open("sqlite", other)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`CREATE TABLE x (a)`); err != nil {
		t.Fatal(err)
	}
	db.Close()
	if _, _, err := wal.Read(context.Background(), other); !errors.Is(err, wal.ErrNoTable) {
		t.Errorf("another database: %v", err)
	}
	// one page after the other is overwritten: rows before it do not count as
	// the whole
	broken := filepath.Join(dir, "broken.db")
	if db, err = create(broken, "wal"); err != nil {
		t.Fatal(err)
	}
	for i := range 600 {
		b := universal("a", int64(i), map[string]float64{"cpu_avg_pct": 1})
		if err := insert(db, "wal", "a", i, b, hashed(b)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.Exec("PRAGMA wal_checkpoint(truncate)"); err != nil {
		t.Fatal(err)
	}
	db.Close()
	b, err := os.ReadFile(broken)
	if err != nil {
		t.Fatal(err)
	}
	partly := 0
	for page := 1; page < len(b)/4096; page++ {
		spoilt := slices.Clone(b)
		for i := range 4096 {
			spoilt[page*4096+i] = 0xff
		}
		raw, r, err := wal.Read(context.Background(), file("broken.db", spoilt))
		switch {
		case err == nil && len(raw.Samples) != 600: // a page of an index is not read
			t.Errorf("page %d is broken: %d samples and no error", page, len(raw.Samples))
		case err != nil && r.Rows > 0:
			partly++
		}
	}
	if partly == 0 {
		t.Error("no page breaks after good rows")
	}
}
