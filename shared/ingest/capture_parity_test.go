package ingest_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"cloister/shared/frame"
	"cloister/shared/ingest"
)

// oracleFolder holds oracle.zip and oracle.tsv as testdata/capture/oracle.py
// writes them; make peers gives another one, with captures whose licence does
// not let them be here.
var oracleFolder = flag.String("oracle", "testdata/capture", "folder of oracle.zip and oracle.tsv")

// parityColumns are the names of oracle.tsv and how a flow's fields are added
// up under them, for all flows of a pair of ends.
var parityColumns = []struct {
	name, in, out string // fields, in and out of the oracle's source
	join          func(a, b float64) float64
}{
	{"in_pkts", frame.InPackets, frame.OutPackets, add},
	{"out_pkts", frame.OutPackets, frame.InPackets, add},
	{"in_bytes", frame.InBytes, frame.OutBytes, add},
	{"out_bytes", frame.OutBytes, frame.InBytes, add},
	{"in_flags", "CLIENT_TCP_FLAGS", "SERVER_TCP_FLAGS", or},
	{"out_flags", "SERVER_TCP_FLAGS", "CLIENT_TCP_FLAGS", or},
	{"in_win", "TCP_WIN_MAX_IN", "TCP_WIN_MAX_OUT", math.Max},
	{"out_win", "TCP_WIN_MAX_OUT", "TCP_WIN_MAX_IN", math.Max},
	{"long", "LONGEST_FLOW_PKT", "LONGEST_FLOW_PKT", math.Max},
	{"short", "SHORTEST_FLOW_PKT", "SHORTEST_FLOW_PKT", math.Min},
	{"b0", "NUM_PKTS_UP_TO_128_BYTES", "NUM_PKTS_UP_TO_128_BYTES", add},
	{"b1", "NUM_PKTS_128_TO_256_BYTES", "NUM_PKTS_128_TO_256_BYTES", add},
	{"b2", "NUM_PKTS_256_TO_512_BYTES", "NUM_PKTS_256_TO_512_BYTES", add},
	{"b3", "NUM_PKTS_512_TO_1024_BYTES", "NUM_PKTS_512_TO_1024_BYTES", add},
	{"b4", "NUM_PKTS_1024_TO_1514_BYTES", "NUM_PKTS_1024_TO_1514_BYTES", add},
	{"start", frame.FlowStart, frame.FlowStart, math.Min},
	{"end", "FLOW_END_MILLISECONDS", "FLOW_END_MILLISECONDS", math.Max},
	{"ttlmin", "MIN_TTL", "", math.Min},
	{"ttlmax", "MAX_TTL", "", math.Max},
	{"icmp", "ICMP_TYPE", "ICMP_TYPE", first},
	{"dnsid", "DNS_QUERY_ID", "DNS_QUERY_ID", first},
	{"dnstype", "DNS_QUERY_TYPE", "DNS_QUERY_TYPE", first},
	{"dnsttl", "DNS_TTL_ANSWER", "DNS_TTL_ANSWER", first},
	{"rcode", frame.DNSCode, frame.DNSCode, first},
	{"ftp", "FTP_COMMAND_RET_CODE", "FTP_COMMAND_RET_CODE", first},
}

// parityTexts are those of texts, of which the first counts.
var parityTexts = []struct{ name, in, out string }{
	{"community", frame.CommunityID, frame.CommunityID}, {"ja3", frame.JA3, frame.JA3}, {"ja4", frame.JA4, frame.JA4},
	{"sni", frame.ServerName, frame.ServerName}, {"alpn", frame.ALPN, frame.ALPN}, {"query", frame.DNSQuery, frame.DNSQuery},
	{"method", frame.HTTPMethod, frame.HTTPMethod}, {"host", frame.HTTPHost, frame.HTTPHost}, {"url", frame.HTTPURL, frame.HTTPURL},
	{"agent", frame.HTTPAgent, frame.HTTPAgent}, {"in_ssh", frame.SSHClient, frame.SSHServer}, {"out_ssh", frame.SSHServer, frame.SSHClient},
}

func add(a, b float64) float64 { return a + b }
func or(a, b float64) float64  { return float64(uint8(a) | uint8(b)) }

func first(a, b float64) float64 {
	if math.IsNaN(a) {
		return b
	}
	return a
}

// ends are protocol, source, port, destination, port.
type ends [5]string

func (e ends) back() ends { return ends{e[0], e[3], e[4], e[1], e[2]} }

// summed are the flows of a pair of ends added up, from both points of view.
type summed [2]map[string]string

// flowsByEnds meters a capture without timeouts.
func flowsByEnds(data []byte) map[ends]summed {
	out := map[ends]summed{}
	const never = 1000 * 24 * time.Hour
	s, err := ingest.Open(bytes.NewReader(data), int64(len(data)), ingest.Limits{FlowIdle: never, FlowActive: never})
	if err != nil {
		return out
	}
	for {
		f, err := s.Next()
		if err != nil {
			return out
		}
		number := func(name string, i int) float64 {
			if k, ok := f.Schema.Index(name); ok {
				return f.Numbers[k][i]
			}
			return math.NaN()
		}
		text := func(name string, i int) string {
			k, _ := f.Schema.Index(name)
			return f.Texts[k][i]
		}
		whole := func(name string, i int) string { return strconv.FormatInt(int64(number(name, i)), 10) }
		for i := range f.Row {
			e := ends{whole(frame.Protocol, i), text(frame.SrcAddr, i), whole(frame.SrcPort, i), text(frame.DstAddr, i), whole(frame.DstPort, i)}
			one := summed{{}, {}}
			for _, c := range parityColumns {
				for way, name := range [2]string{c.in, c.out} {
					if v := number(name, i); name != "" && !math.IsNaN(v) {
						one[way][c.name] = strconv.FormatFloat(v, 'f', -1, 64)
					}
				}
			}
			for _, c := range parityTexts {
				one[0][c.name], one[1][c.name] = text(c.in, i), text(c.out, i)
			}
			if have, ok := out[e.back()]; ok && e != e.back() {
				merge(&have, summed{one[1], one[0]})
			} else if have, ok := out[e]; ok {
				merge(&have, one)
			} else {
				out[e] = one
			}
		}
	}
}

// merge adds b to a.
func merge(a *summed, b summed) {
	for way := range a {
		for _, c := range parityColumns {
			x, okX := a[way][c.name]
			y, okY := b[way][c.name]
			switch {
			case okX && okY:
				v, _ := strconv.ParseFloat(x, 64)
				w, _ := strconv.ParseFloat(y, 64)
				a[way][c.name] = strconv.FormatFloat(c.join(v, w), 'f', -1, 64)
			case okY:
				a[way][c.name] = y
			}
		}
		for _, c := range parityTexts {
			if a[way][c.name] == "" {
				a[way][c.name] = b[way][c.name]
			}
		}
	}
}

// tally counts what agrees with one tool, and whose doing it is where it does
// not.
type tally struct {
	captures      map[string]bool
	flows, fields agreement
}

type agreement struct{ all, equal, theirs, ours int }

// share is the part in percent that is equal or differs by the other's rule.
func (a agreement) share() float64 { return 100 * float64(a.equal+a.theirs) / float64(max(a.all, 1)) }

func (a agreement) String() string {
	return fmt.Sprintf("%d | %d (%.2f %%) | %d | %d", a.all, a.equal, 100*float64(a.equal)/float64(max(a.all, 1)), a.theirs, a.ours)
}

// TestParity_oracles compares flows with those of other tools, field by field.
// Every disagreement has to be explained in known.tsv: tool, capture, field,
// whose rule or fault it is, and reason; the first three are patterns of
// path.Match.
func TestParity_oracles(t *testing.T) {
	known := readKnown(t)
	used := map[int]int{}
	captures := map[string]map[ends]summed{}
	for _, f := range captureFiles(t, filepath.Join(*oracleFolder, "oracle.zip")) {
		captures[f.name] = flowsByEnds(f.data)
	}
	var lines [][]string
	layered := map[string]bool{} // with tunnels or fragments
	for line := range strings.Lines(string(read(t, filepath.Join(*oracleFolder, "oracle.tsv")))) {
		cells := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		switch {
		case line[0] == '#':
		case cells[2] != "skip":
			lines = append(lines, cells)
		case cells[3] == "tunnels", cells[3] == "fragments":
			layered[cells[1]] = true
		}
	}
	tools := map[string]*tally{}
	unexplained := 0
	for _, cells := range lines {
		tool, name := cells[0], cells[1]
		row := tool
		if layered[name] {
			row += ", tunnels and fragments"
		}
		if tools[row] == nil {
			tools[row] = &tally{captures: map[string]bool{}}
		}
		n := tools[row]
		n.captures[name] = true
		flows, ok := captures[name]
		if !ok {
			t.Fatalf("%s is not in the archive", name)
		}
		e := ends(cells[2:7])
		way := 0
		f, ok := flows[e]
		if !ok {
			f, ok = flows[e.back()]
			way = 1
		}
		whole := agreement{all: 1, equal: 1}
		differs := func(field, got, want string) {
			whole.equal = 0
			i := slices.IndexFunc(known, func(k knownCase) bool { return k.matches(tool, name, field) })
			switch {
			case i < 0:
				if unexplained++; unexplained <= 40 {
					t.Errorf("%s: %s: %s: %s is %q, want %q", tool, name, e, field, got, want)
				}
			case known[i].ours:
				whole.ours = 1
			default:
				whole.theirs = 1
			}
			if i >= 0 {
				used[i]++
			}
			if field != "flow" && i >= 0 && known[i].ours {
				n.fields.ours++
			} else if field != "flow" && i >= 0 {
				n.fields.theirs++
			}
		}
		if !ok {
			differs("flow", "missing", "there")
		} else {
			for _, cell := range cells[7:] {
				field, want, _ := strings.Cut(cell, "=")
				got, made := f[way][field]
				if !made && (field == "ttlmin" || field == "ttlmax") {
					continue // seen from the other side
				}
				if (field == "ja4" || field == "ja3" || field == "sni") && want == "" {
					continue
				}
				n.fields.all++
				if got == want {
					n.fields.equal++
				} else {
					differs(field, got, want)
				}
			}
		}
		n.flows.all++
		n.flows.equal += whole.equal
		n.flows.ours += whole.ours
		n.flows.theirs += whole.theirs * (1 - whole.ours)
	}
	var table strings.Builder
	for _, row := range slices.Sorted(maps.Keys(tools)) {
		n := tools[row]
		fmt.Fprintf(&table, "| %s | %d | %v | %v |\n", row, len(n.captures), n.flows, n.fields)
		if !strings.Contains(row, ",") && (n.flows.share() < 99 || n.fields.share() < 99) {
			t.Errorf("%s: %.2f %% of flows and %.2f %% of fields are equal or differ by its rule", row, n.flows.share(), n.fields.share())
		}
	}
	t.Logf("| tool | captures | flows | equal | by its rule | ours | fields | equal | by its rule | ours |\n%s", table.String())
	if unexplained > 0 {
		t.Errorf("%d disagreements without a reason", unexplained)
	}
	if *oracleFolder != "testdata/capture" {
		return
	}
	for i, k := range known {
		if used[i] == 0 && k.here {
			t.Errorf("known.tsv: nothing disagrees as said: %s %s %s: %s", k.tool, k.capture, k.field, k.reason)
		}
	}
	if len(tools) < 8 || tools["tshark"].flows.all < 300 || tools["nfdump"].flows.all < 300 || tools["argus"].flows.all < 300 {
		t.Errorf("too few flows:\n%s", table.String())
	}
	readme, err := os.ReadFile("internal/flow/README.md")
	if err != nil || !strings.Contains(string(readme), table.String()) {
		t.Errorf("internal/flow/README.md has another table: %v\n%s", err, table.String())
	}
}

// knownCase is a line of known.tsv.
type knownCase struct {
	tool, capture, field, reason string
	ours                         bool // our limit; otherwise the tool's rule or fault
	here                         bool // concerns a capture of this repository
}

func (k knownCase) matches(tool, capture, field string) bool {
	for _, p := range [3][2]string{{k.tool, tool}, {k.capture, capture}, {k.field, field}} {
		if ok, err := path.Match(p[0], p[1]); err != nil || !ok && p[0] != "*" {
			return false
		}
	}
	return true
}

func readKnown(t *testing.T) (list []knownCase) {
	t.Helper()
	for line := range strings.Lines(string(read(t, "testdata/capture/known.tsv"))) {
		if c := strings.Split(strings.TrimSuffix(line, "\n"), "\t"); line[0] != '#' {
			if len(c) != 5 || c[3] != "ours" && c[3] != "theirs" {
				t.Fatalf("known.tsv: %q", line)
			}
			list = append(list, knownCase{c[0], c[1], c[2], c[4], c[3] == "ours", !strings.HasPrefix(c[1], "ndpi/")})
		}
	}
	return list
}
