package attack_test

import (
	"bufio"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"cloister/shared/attack"

	"github.com/google/go-cmp/cmp"
)

// Every rule names a current technique under one of its tactics, with a known
// confidence and basis, and says why.
func TestLookup_agreesWithTheMatrix(t *testing.T) {
	version, all := attack.LookupRules()
	if version != attack.Version() {
		t.Errorf("the lookup is of release %q, the matrix of %q", version, attack.Version())
	}
	if len(all) < 2000 {
		t.Fatalf("%d rules", len(all))
	}
	techniques := map[string]bool{}
	for _, h := range all {
		technique, ok := attack.Lookup(h.Technique)
		if !ok || !slices.Contains(technique.Tactics, h.Tactic) {
			t.Errorf("%+v: no current technique of that tactic", h)
		}
		if !slices.Contains([]string{attack.High, attack.Medium, attack.Low, attack.Bare}, h.Confidence) ||
			!slices.Contains([]string{attack.Published, attack.Analytic, attack.Inferred}, h.Basis) || h.Why == "" {
			t.Errorf("%+v: unknown confidence or basis, or no reason", h)
		}
		techniques[h.Technique] = true
	}
	if len(techniques) < 350 {
		t.Errorf("only %d techniques", len(techniques))
	}
}

// The short table of ids says what the matrix says, of every id and in any
// case.
func TestLookup_idsAreThoseOfTheMatrix(t *testing.T) {
	for technique := range attack.Techniques() {
		now, tactics, ok := attack.CurrentID(technique.ID)
		if !ok || now != technique.ID || !slices.Equal(tactics, technique.Tactics) {
			t.Errorf("%s: got %s %v %v", technique.ID, now, tactics, ok)
		}
	}
	f, err := os.Open("enterprise.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	seen := 0
	for in := bufio.NewScanner(f); in.Scan(); {
		c := strings.Split(in.Text(), "\t")
		if c[0] != "O" {
			continue
		}
		seen++
		want, known := attack.Current(c[1])
		now, _, ok := attack.CurrentID(strings.ToLower(c[1]))
		if now != want || ok != known {
			t.Errorf("%s: got %q %v, want %q %v", c[1], now, ok, want, known)
		}
	}
	if seen != obsoleteIDs {
		t.Errorf("saw %d obsolete ids, want %d", seen, obsoleteIDs)
	}
}

func TestCondition(t *testing.T) {
	tests := []struct {
		condition, text string
		want            bool
	}{
		{"lsass", "Access to LSASS.exe", true},
		{"lsass", "lsassx", false},
		{"lsass*", "lsassx", true},
		{"lsass*", "lsass", true},
		{"scheduled task*", "a Scheduled-Tasks file", true},
		{"scheduled task*", "a task, scheduled", false},
		{"scheduled task*", "scheduled", false},
		{"a & b|c d*", "c DEF a", true},
		{"a & b|c d*", "c a", false},
		{"a & b|c", "b a", true},
		{"a & !b|c", "a", true},
		{"a & !b|c", "a c", false},
		{"a & !b & !c", "c a", false},
		{"größe*", "größenwahn", true},
		{"x*", strings.Repeat("x", 40), true},
	}
	for _, tt := range tests {
		got, ok := attack.Matches(tt.condition, tt.text)
		if !ok || got != tt.want {
			t.Errorf("%q in %q: got %v, parsed %v", tt.condition, tt.text, got, ok)
		}
	}
	for _, bad := range []string{"", " ", "!a", "a &", "a & !", "a||b", "A", "a.b", "a  b", "*", "a *", strings.Repeat("x", 25) + "*"} {
		if _, ok := attack.Matches(bad, "a b"); ok {
			t.Errorf("%q parses", bad)
		}
	}
}

func TestFromText(t *testing.T) {
	tests := []struct{ text, technique, confidence string }{
		{"Mimikatz was used to read LSASS memory", "T1003.001", attack.High},
		{"Volume shadow copies deleted with vssadmin", "T1490", attack.High},
		{"New Scheduled Task created by schtasks.exe", "T1053.005", attack.High},
		{"ET MALWARE beacon, see T1071.001 and t1003/001", "T1071.001", attack.High},
		{"ET MALWARE beacon, see T1071.001 and t1003/001", "T1003.001", attack.High},
		{"written for an old release: T1054", "T1685", attack.High}, // by way of T1562.006
	}
	for _, tt := range tests {
		got := attack.FromText(tt.text)
		i := slices.IndexFunc(got, func(h attack.Hint) bool { return h.Technique == tt.technique })
		if i < 0 || got[i].Confidence != tt.confidence || got[i].Why == "" {
			t.Errorf("%q: no %s with confidence %s in %+v", tt.text, tt.technique, tt.confidence, got)
		}
	}
	if got := attack.FromText("The quarterly report is ready."); len(got) != 0 {
		t.Errorf("an ordinary sentence gives %+v", got)
	}
	if got := attack.FromText("T9999 and T10 and T1003x"); len(got) != 0 {
		t.Errorf("ids of no technique give %+v", got)
	}
}

func TestFromAlert(t *testing.T) {
	type row struct{ technique, tactic, confidence, basis string }
	tests := []struct {
		name  string
		alert attack.Alert
		want  []row
	}{
		{"nothing", attack.Alert{}, nil},
		{"names of nothing", attack.Alert{Techniques: []string{"T0", ""}, Type: "x", Notice: "y", Endpoint: "z", Share: `\`}, nil},
		{"metadata of Suricata", attack.Alert{Techniques: []string{"t1562.001", "T1078"}, Tactics: []string{"TA0004"}},
			[]row{{"T1078", "TA0004", attack.High, attack.Published}, {"T1685", "TA0112", attack.High, attack.Published}}},
		{"category", attack.Alert{Type: "Malware Command and Control Activity Detected"}, []row{{"T1071", "TA0011", attack.Medium, attack.Inferred}}},
		{"spelling of a type", attack.Alert{Type: "command-and-CONTROL"}, []row{{"T1071", "TA0011", attack.Medium, attack.Inferred}}},
		{"notice", attack.Alert{Notice: "SSH::Password_Guessing"}, []row{{"T1110.001", "TA0006", attack.High, attack.Inferred}}},
		{"operation", attack.Alert{Endpoint: "svcctl", Operation: "CreateServiceW"},
			[]row{{"T1543.003", "TA0003", attack.Medium, attack.Published}, {"T1569.002", "TA0002", attack.Medium, attack.Published}}},
		{"share", attack.Alert{Share: `\\10.0.0.5\admin$`}, []row{{"T1021.002", "TA0008", attack.Medium, attack.Published}}},
		{"the strongest reason stays", attack.Alert{Type: "c2", Techniques: []string{"T1071"}}, []row{{"T1071", "TA0011", attack.High, attack.Published}}},
	}
	for _, tt := range tests {
		var got []row
		for _, h := range attack.FromAlert(tt.alert) {
			got = append(got, row{h.Technique, h.Tactic, h.Confidence, h.Basis})
		}
		if d := cmp.Diff(tt.want, got, cmp.AllowUnexported(row{})); d != "" {
			t.Errorf("%s: -want +got\n%s", tt.name, d)
		}
	}
}

func TestFromFlows_one(t *testing.T) {
	flow := func(fields map[string]float64) []string {
		var out []string
		sets, set := attack.FromFlows(1, func(name string) []float64 {
			if v, ok := fields[name]; ok {
				return []float64{v}
			}
			return []float64{math.NaN()}
		})
		for _, h := range sets[set[0]] {
			out = append(out, h.Technique+" "+h.Confidence)
		}
		return out
	}
	tests := []struct {
		fields map[string]float64
		want   []string
	}{
		{nil, nil},
		{map[string]float64{"L4_DST_PORT": 3389}, nil}, // without its protocol a port says nothing
		{map[string]float64{"PROTOCOL": 6, "L4_DST_PORT": 3389}, []string{"T1021.001 hint"}},
		{map[string]float64{"PROTOCOL": 17, "L4_DST_PORT": 53, "IN_BYTES": 2e5, "IN_PKTS": 1000}, []string{"T1048.003 low", "T1071.004 hint"}},
		{map[string]float64{"PROTOCOL": 17, "L4_DST_PORT": 53, "IN_BYTES": 2e5, "IN_PKTS": 0}, []string{"T1048.003 low", "T1071.004 hint"}},
		{map[string]float64{"PROTOCOL": 17, "L4_DST_PORT": 53, "IN_BYTES": 2e5, "IN_PKTS": 3000}, []string{"T1071.004 hint"}}, // 67 bytes a packet
		{map[string]float64{"PROTOCOL": 6, "L4_DST_PORT": 81, "IN_PKTS": 1, "OUT_PKTS": 1, "OUT_BYTES": 40, "CLIENT_TCP_FLAGS": 2}, []string{"T1046 low"}},
		{map[string]float64{"PROTOCOL": 6, "L4_DST_PORT": 81, "IN_PKTS": 1, "OUT_PKTS": 1, "OUT_BYTES": 40, "CLIENT_TCP_FLAGS": 24}, nil},
	}
	for _, tt := range tests {
		if d := cmp.Diff(tt.want, flow(tt.fields)); d != "" {
			t.Errorf("%v: -want +got\n%s", tt.fields, d)
		}
	}
	for _, f := range attack.FlowFields() {
		for name := range strings.SplitSeq(f, "/") {
			if name == "" || strings.ToUpper(name) != name {
				t.Errorf("%q is no NetFlow field", f)
			}
		}
	}
}

func TestParseLookup_refusesMalformed(t *testing.T) {
	for _, bad := range []string{"", "{", `{"surplus": 1}`, `{"text": [{"id": "T1", "high": ["!a"]}]}`, `{"text": [{"id": "T1", "low": [""]}]}`} {
		if attack.ParseLookup(bad) == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

// Text from outside costs time in proportion to its length, whatever it says,
// and only its first 16 KiB are read.
func TestFromText_hostile(t *testing.T) {
	for _, unit := range []string{"a", "powershell ", "lsass dump memory ", "\xff", "t1003 001 ", "cve 2017 11882 ", strings.Repeat("x", 1000) + " "} {
		start := time.Now()
		attack.FromText(strings.Repeat(unit, 1<<20/len(unit)))
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("1 MB of %.20q takes %v", unit, d)
		}
	}
	far := strings.Repeat(" ", 16<<10) + "mimikatz lsass"
	if got := attack.FromText(far); len(got) != 0 {
		t.Errorf("words after 16 KiB give %+v", got)
	}
}

// FuzzFromText holds the matcher against matching condition by condition, and
// the order against the promise.
func FuzzFromText(f *testing.F) {
	f.Add("Mimikatz dumps LSASS memory via PowerShell T1003.001")
	f.Add("scheduled\x00task \xff\xfe t1059 001")
	_, all := attack.LookupRules()
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4096 {
			return
		}
		got := attack.FromText(text)
		for i, h := range got {
			if technique, ok := attack.Lookup(h.Technique); !ok || !slices.Contains(technique.Tactics, h.Tactic) {
				t.Fatalf("%+v is no technique", h)
			}
			for _, o := range got[:i] {
				if o.Technique == h.Technique {
					t.Fatalf("%s twice", h.Technique)
				}
			}
		}
		for i := len(text) % 17; i < len(all); i += 17 { // a part of the rules each time
			h := all[i]
			if holds, ok := attack.Matches(h.Why, text); ok && holds && h.Basis == attack.Inferred && strings.ToLower(h.Why) == h.Why && h.Confidence == attack.High {
				if !slices.ContainsFunc(got, func(g attack.Hint) bool { return g.Technique == h.Technique && g.Confidence == attack.High }) &&
					isText(all, h) {
					t.Fatalf("%q matches %q, but %s is not among the hints", h.Why, text, h.Technique)
				}
			}
		}
	})
}

// isText reports whether h comes from a condition on text: those stand first.
func isText(all []attack.Hint, h attack.Hint) bool {
	i := slices.Index(all, h)
	return i >= 0 && i < len(all)-150
}

func BenchmarkFromText(b *testing.B) {
	text := "Detects a process dump of LSASS memory with comsvcs.dll by rundll32.exe, as ransomware operators do before they delete volume shadow copies"
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		attack.FromText(text)
	}
}
