package packed_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/blake2b"
	"google.golang.org/protobuf/proto"

	"cloister/builder/internal/packed"
	"cloister/builder/internal/telemetry/pb"
	"cloister/shared/telemetry"
)

// begins is 2026-06-01 in nanoseconds.
const begins = 1_780_272_000_000_000_000

// names of metrics as agents write them, some of them SNMP objects.
var named = []string{"CPU Avg PCT", "sysUpTime", "ifInOctets", "proc-count", "memory_used_kb", "load_1min", "extra.métrique", "net_bytes_in", "flag"}

// blob returns one of the messages that agents store, or bytes that are none.
func blob(t *testing.T, r *rand.Rand, i int) []byte {
	t.Helper()
	device := func() *pb.DeviceTelemetry {
		d := &pb.DeviceTelemetry{DeviceId: fmt.Sprintf(" host-%d", r.IntN(3)), TimestampNs: uint64(begins + i*1e9), CollectionAgent: strings.Repeat("agent", r.IntN(200))}
		for range r.IntN(12) {
			m := &pb.MetricData{MetricName: named[r.IntN(len(named))], Labels: map[string]string{"if": "eth0"}}
			switch r.IntN(5) {
			case 0:
				m.BoolValue = proto.Bool(r.IntN(2) == 0)
			case 1:
				m.StringValue = proto.String("no number")
			case 2:
			default:
				m.NumericValue = proto.Float64(r.Float64() * 1e7)
			}
			e := &pb.TelemetryEvent{EventType: "METRIC", MetricData: m, IsSynthetic: r.IntN(20) == 0, Attributes: map[string]string{"a": "b"}}
			if r.IntN(4) == 0 {
				e.EventTimestampNs = uint64(begins+i*1e9) + uint64(r.IntN(3))*1e6
			}
			d.Events = append(d.Events, e)
		}
		if r.IntN(5) == 0 {
			d.DeviceId = ""
		}
		return d
	}
	marshal := func(m proto.Message) []byte {
		b, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	flow := &pb.FlowEvent{SrcIp: "localhost", Protocol: "SNMP-TELEMETRY", BytesSent: 1165}
	switch r.IntN(9) {
	case 8:
		return []byte{0xff, 0xff, byte(i)}
	case 0:
		return marshal(&pb.Envelope{Version: "1", Flow: flow})
	case 1:
		return marshal(&pb.Envelope{Version: "1", Payload: marshal(device())})
	case 2:
		return marshal(&pb.Envelope{Version: "1", Flow: flow, Payload: marshal(&pb.UniversalEnvelope{DeviceTelemetry: device()})})
	case 3:
		return marshal(&pb.UniversalEnvelope{TelemetryBatch: &pb.TelemetryBatch{Telemetry: []*pb.DeviceTelemetry{device(), device()}}})
	case 4:
		b := marshal(&pb.UniversalEnvelope{Version: "1", DeviceTelemetry: device()})
		for range r.IntN(3) {
			b[r.IntN(len(b))] ^= byte(1 << r.IntN(8))
		}
		return b
	case 5: // what is unknown is skipped, a message that comes twice is merged
		b := marshal(&pb.UniversalEnvelope{DeviceTelemetry: device()})
		return append(append(b, "\x9b\x06\x08\x01\x9c\x06"...), marshal(&pb.UniversalEnvelope{DeviceTelemetry: device()})...)
	}
	return marshal(&pb.UniversalEnvelope{Version: "1", DeviceTelemetry: device()})
}

// agent is how a database comes about.
type agent struct {
	name   string
	before string // statements on an empty file
	table  string
	rows   int
	after  string
	open   bool // it is copied while its agent has it open
}

const columns = " (id INTEGER PRIMARY KEY AUTOINCREMENT, idem TEXT NOT NULL, ts_ns INTEGER NOT NULL, bytes BLOB NOT NULL, checksum BLOB NOT NULL)"

var agents = []agent{
	{"as agents have it", "PRAGMA journal_mode=wal", "wal" + columns, 300, "", true},
	{"partly in the database", "PRAGMA journal_mode=wal", "wal" + columns, 300, "PRAGMA wal_checkpoint(PASSIVE); DELETE FROM wal WHERE id % 3 = 0", true},
	{"closed", "PRAGMA journal_mode=wal", "wal" + columns, 300, "", false},
	{"events", "PRAGMA journal_mode=delete", "events" + columns, 100, "", false},
	{"small pages", "PRAGMA page_size=512; PRAGMA journal_mode=wal", "wal" + columns, 400, "", true},
	{"large pages", "PRAGMA page_size=65536; PRAGMA journal_mode=wal", "wal" + columns, 200, "", true},
	{"UTF-16", "PRAGMA encoding='UTF-16le'; PRAGMA journal_mode=delete", "wal" + columns, 50, "", false},
	{"other columns", "PRAGMA journal_mode=delete",
		"events (\"checksum\" BLOB, note TEXT DEFAULT 'a, (b)', -- bytes\n [bytes] BLOB, `ts_ns` INT, idem VARCHAR(10, 2), id INTEGER, CHECK (id > 0))", 100, "UPDATE events SET id = 1000 - rowid; CREATE TABLE other (a); INSERT INTO other VALUES (1)", false},
	{"columns added", "PRAGMA journal_mode=delete", "wal" + columns, 60, "ALTER TABLE wal ADD COLUMN more REAL; DELETE FROM wal WHERE id < 20; VACUUM", false},
	{"wal without rows", "PRAGMA journal_mode=delete; CREATE TABLE wal" + columns, "events" + columns, 60, "", false},
	{"no rows", "PRAGMA journal_mode=wal", "wal" + columns, 0, "", true},
	{"another database", "PRAGMA journal_mode=delete", "things" + columns, 10, "", false},
}

// copies writes a database and returns where its copies lie, that of the log,
// if there is one, second.
func (a agent) copies(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "agent.db")
	source := url.URL{Scheme: "file", Path: path}
	db, err := sql.Open("sqlite", source.String())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	do := func(text string, args ...any) {
		if _, err := db.Exec(text, args...); err != nil {
			t.Fatalf("%s: %s: %v", a.name, text, err)
		}
	}
	do("PRAGMA synchronous=off")
	do(a.before)
	do("CREATE TABLE " + a.table)
	name, _, _ := strings.Cut(a.table, " ")
	r := rand.New(rand.NewPCG(3, uint64(a.rows)))
	for i := range a.rows {
		b := blob(t, r, i)
		sum := blake2b.Sum256(b)
		check := sum[:]
		switch r.IntN(10) {
		case 0:
			check = b
		case 1:
			check = []byte("corrupt")
		}
		do("INSERT INTO "+name+" (idem, ts_ns, bytes, checksum) VALUES (?, ?, ?, ?)", fmt.Sprintf("idem-%d_%d", i%5, i), int64(begins+i*1e9), b, check)
	}
	if a.after != "" {
		do(a.after)
	}
	if !a.open {
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var out []string
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(path + suffix)
		if err != nil && suffix != "" && os.IsNotExist(err) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, "copy.db"+suffix)
		if err := os.WriteFile(to, b, 0o600); err != nil {
			t.Fatal(err)
		}
		out = append(out, to)
	}
	return out
}

// at is a file as package packed wants databases.
type at struct {
	*bytes.Reader
	path string
}

func (f at) Path() string { return f.path }

func metricNames() (all, counters string) {
	var a, c []string
	for _, m := range telemetry.Metrics() {
		a = append(a, m.Name)
		if m.Role == telemetry.Counter {
			c = append(c, m.Name)
		}
	}
	return strings.Join(a, " "), strings.Join(c, " ")
}

// The page's reader finds in a database, with its log or without, what SQLite
// does, and says the same of it.
func TestReader_sqliteIsThatOfTheBuilder(t *testing.T) {
	metrics, counters := metricNames()
	var list []question
	var want []answer
	var names []string
	logs := 0
	for _, a := range agents {
		files := a.copies(t)
		for len(files) > 0 {
			w := answer{}
			c, err := packed.SQLite(at{nil, files[0]}, 0)
			if err != nil {
				_, w.Error, _ = strings.Cut(err.Error(), ": ") // without the name of the file
			} else {
				w.Rows = c.Rows()
				if w.bytes, err = cells(c); err != nil {
					t.Fatal(err)
				}
				w.Kind = c.(interface{ Kind() string }).Kind()
			}
			want, names = append(want, w), append(names, fmt.Sprintf("%s, %d files", a.name, len(files)))
			asked := slices.Clone(files)
			for i, f := range asked { // SQLite leaves files of its own beside those that it opened
				b, err := os.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				asked[i] = file(t, filepath.Base(f), b)
			}
			list = append(list, question{Op: "sqlite", Names: asked, Metrics: metrics, Counters: counters})
			if len(files) == 1 {
				break
			}
			logs++
			os.Remove(files[0] + "-shm")
			os.Remove(files[1])
			files = files[:1]
		}
	}
	if logs < 3 {
		t.Errorf("%d databases with a log", logs)
	}
	for i, a := range ask(t, list...) {
		if a.Error != want[i].Error || a.Rows != want[i].Rows || a.Kind != want[i].Kind {
			t.Errorf("%s: %d rows, %s, %s\nwant %d rows, %s, %s", names[i], a.Rows, a.Kind, a.Error, want[i].Rows, want[i].Kind, want[i].Error)
		}
		if alone := strings.Contains(a.Note, "-wal"); a.Error == "" && alone != (len(list[i].Names) == 1 && strings.Contains(agents[slices.IndexFunc(agents, func(x agent) bool { return strings.HasPrefix(names[i], x.name+",") })].before, "=wal")) {
			t.Errorf("%s: %q", names[i], a.Note)
		}
		compare(t, names[i], a.bytes, want[i].bytes)
	}
}
