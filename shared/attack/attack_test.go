package attack_test

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"cloister/shared/attack"

	"github.com/google/go-cmp/cmp"
)

// The figures below were counted on 2026-11-22 with Python 3.11 in
// attack-enterprise.json (v19.1, sha256 27b7fcab...30a1be, named in the head
// of enterprise.tsv), not in our table. The number of techniques equals that
// of an independent rendering of v19.0.
const (
	release       = "19.1"
	techniques    = 697
	subTechniques = 475
	obsoleteIDs   = 161
	withSuccessor = 149
	techniqueHash = "9075c1501d0856438c7688c46a9b6bb26baa1c8bb447b9539a0e6f27f6c37564"
)

// perTactic is the number of techniques of each tactic, in matrix order.
var perTactic = []struct {
	id    string
	total int
}{
	{"TA0043", 46},
	{"TA0042", 50},
	{"TA0001", 22},
	{"TA0002", 64},
	{"TA0003", 113},
	{"TA0004", 96},
	{"TA0005", 148},
	{"TA0112", 56},
	{"TA0006", 67},
	{"TA0007", 49},
	{"TA0008", 23},
	{"TA0009", 41},
	{"TA0011", 45},
	{"TA0010", 19},
	{"TA0040", 33},
}

func TestVersion_isTheRelease(t *testing.T) {
	if got := attack.Version(); got != release {
		t.Errorf("Version() = %q, want %q", got, release)
	}
}

func TestLicence_isInTheTable(t *testing.T) {
	data, err := os.ReadFile("enterprise.tsv")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), "# "+attack.Licence+"\n") {
		t.Error("enterprise.tsv does not carry the licence")
	}
}

func TestTactics_orderAndTotals(t *testing.T) {
	covered, unknown := attack.Cover(nil)
	if len(covered) != len(perTactic) || len(attack.Tactics()) != len(perTactic) || len(unknown) != 0 {
		t.Fatalf("%d and %d tactics, want %d", len(covered), len(attack.Tactics()), len(perTactic))
	}
	for i, want := range perTactic {
		got := covered[i]
		if got.Tactic != attack.Tactics()[i] || got.Tactic.ID != want.id || got.Total != want.total {
			t.Errorf("tactic %d is %s with %d techniques, want %s with %d", i, got.Tactic.ID, got.Total, want.id, want.total)
		}
	}
}

func TestTacticBy_idAndShortname(t *testing.T) {
	want := attack.Tactic{ID: "TA0006", Name: "Credential Access", Shortname: "credential-access"}
	for _, id := range []string{"TA0006", "ta0006"} {
		if got, ok := attack.TacticByID(id); !ok || got != want {
			t.Errorf("TacticByID(%q) = %v, %t", id, got, ok)
		}
	}
	if got, ok := attack.TacticByShortname("credential-access"); !ok || got != want {
		t.Errorf("TacticByShortname = %v, %t", got, ok)
	}
	if got, ok := attack.TacticByID("TA9999"); ok || got != (attack.Tactic{}) {
		t.Errorf("TacticByID of an unknown id = %v, %t", got, ok)
	}
	if _, ok := attack.TacticByShortname("defense-evasion"); ok {
		t.Error("defense-evasion was split in v19 and is still found")
	}
	if got := want.URL(); got != "https://attack.mitre.org/tactics/TA0006" {
		t.Errorf("URL() = %q", got)
	}
}

// TestTechniques_areWhole checks what every record must hold; the loop also
// pins the number of records and, by a hash, each id.
func TestTechniques_areWhole(t *testing.T) {
	idForm := regexp.MustCompile(`^T\d{4}(\.\d{3})?$`)
	stixForm := regexp.MustCompile(`^attack-pattern--[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	order := make(map[string]int)
	for i, tactic := range attack.Tactics() {
		order[tactic.ID] = i + 1
	}
	var ids []string
	stix := make(map[string]bool)
	subs := 0
	for technique := range attack.Techniques() {
		ids = append(ids, technique.ID)
		stix[technique.STIX] = true
		if !idForm.MatchString(technique.ID) || !stixForm.MatchString(technique.STIX) || technique.Name == "" || technique.Description == "" {
			t.Errorf("%q: not whole: %+v", technique.ID, technique)
		}
		if technique.Parent != "" {
			subs++
			if _, ok := attack.Lookup(technique.Parent); !ok || !strings.HasPrefix(technique.ID, technique.Parent+".") {
				t.Errorf("%s: parent %q", technique.ID, technique.Parent)
			}
		}
		last := 0
		for _, id := range technique.Tactics {
			if order[id] <= last {
				t.Errorf("%s: tactics %v unknown or not in matrix order", technique.ID, technique.Tactics)
			}
			last = order[id]
		}
		if len(technique.Tactics) == 0 || len(technique.Platforms) == 0 || slices.Contains(technique.Platforms, "") {
			t.Errorf("%s: tactics %v, platforms %v", technique.ID, technique.Tactics, technique.Platforms)
		}
		if got, ok := attack.Lookup(technique.ID); !ok || !cmp.Equal(got, technique) {
			t.Errorf("Lookup(%q) = %v, %t", technique.ID, got, ok)
		}
	}
	if len(ids) != techniques || subs != subTechniques || len(stix) != techniques {
		t.Errorf("%d techniques, %d sub, %d STIX ids; want %d, %d, %d", len(ids), subs, len(stix), techniques, subTechniques, techniques)
	}
	sum := sha256.Sum256([]byte(strings.Join(ids, "\n")))
	if got := hex.EncodeToString(sum[:]); got != techniqueHash {
		t.Errorf("hash of all ids is %s, want %s", got, techniqueHash)
	}
}

func TestLookup_record(t *testing.T) {
	want := attack.Technique{
		ID: "T1110.001", Name: "Password Guessing", Parent: "T1110", Tactics: []string{"TA0006"},
		Platforms:   []string{"Containers", "ESXi", "IaaS", "Identity Provider", "Linux", "macOS", "Network Devices", "Office Suite", "SaaS", "Windows"},
		STIX:        "attack-pattern--09c4c11e-4fa1-4f8c-8dad-3cf8e69ad119",
		Description: "Adversaries with no prior knowledge of legitimate credentials within the system or environment may guess passwords to attempt access to accounts.",
	}
	got, ok := attack.Lookup("t1110.001")
	if diff := cmp.Diff(want, got); !ok || diff != "" {
		t.Errorf("Lookup (-want +got):\n%s", diff)
	}
	if got.URL() != "https://attack.mitre.org/techniques/T1110/001" {
		t.Errorf("URL() = %q", got.URL())
	}
}

func TestCurrent_chains(t *testing.T) {
	tests := []struct {
		name, id, want string
	}{
		{"current", "T1046", "T1046"},
		{"current sub-technique in lower case", "t1499.002", "T1499.002"},
		{"revoked", "T1002", "T1560"},
		{"revoked in v19", "T1562.001", "T1685"},
		{"twice revoked", "T1054", "T1685"},              // by way of T1562.006
		{"twice revoked to a sub", "T1073", "T1574.001"}, // by way of T1574.002
		{"withdrawn without successor", "T1026", ""},
		{"unknown", "T0000", ""},
		{"empty", "", ""},
		{"a tactic", "TA0006", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, ok := attack.Current(test.id)
			if got != test.want || ok != (test.want != "") {
				t.Errorf("Current(%q) = %q, %t; want %q", test.id, got, ok, test.want)
			}
			technique, ok := attack.Resolve(test.id)
			if technique.ID != test.want || ok != (test.want != "") {
				t.Errorf("Resolve(%q) = %q, %t; want %q", test.id, technique.ID, ok, test.want)
			}
		})
	}
}

// TestCurrent_everyObsoleteID ends every chain at a technique of this release
// or nowhere, and never finds an obsolete id as current.
func TestCurrent_everyObsoleteID(t *testing.T) {
	data, err := os.ReadFile("enterprise.tsv")
	if err != nil {
		t.Fatal(err)
	}
	seen, resolved := 0, 0
	for line := range strings.Lines(string(data)) {
		cells := strings.Split(line, "\t")
		if cells[0] != "O" {
			continue
		}
		seen++
		if _, ok := attack.Lookup(cells[1]); ok {
			t.Errorf("obsolete %s is found as current", cells[1])
		}
		now, ok := attack.Current(cells[1])
		if !ok {
			continue
		}
		resolved++
		if _, ok := attack.Lookup(now); !ok {
			t.Errorf("%s leads to %s, which is not current", cells[1], now)
		}
	}
	if seen != obsoleteIDs || resolved != withSuccessor {
		t.Errorf("%d obsolete ids, %d resolved; want %d, %d", seen, resolved, obsoleteIDs, withSuccessor)
	}
}

func TestCurrent_endsOnCycles(t *testing.T) {
	table, err := attack.ParseTable("T\tT1\ta\tTA1\tLinux\tx\td\nO\tA\ta\tB\nO\tB\tb\tC\nO\tC\tc\tA\nO\tD\td\tD\nO\tE\te\tF\nO\tF\tf\tT1\n")
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]string{"A": "", "B": "", "C": "", "D": "", "E": "T1", "F": "T1"} {
		if got, ok := table.Current(id); got != want || ok != (want != "") {
			t.Errorf("%s leads to %q, %t; want %q", id, got, ok, want)
		}
	}
}

func TestParseTable_refuses(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"unknown kind", "# c\nX\ta\n", `line 2: kind "X" with 1 cells`},
		{"missing cell", "T\tT1\ta\tTA1\tLinux\tx\n", `line 1: kind "T" with 5 cells`},
		{"extra cell", "V\t1\t2\n", `line 1: kind "V" with 2 cells`},
		{"empty line", "\n", `line 1: kind ""`},
		{"techniques out of order", "T\tT2\ta\tTA1\tLinux\tx\td\nT\tT1\ta\tTA1\tLinux\tx\td\n", "do not ascend"},
		{"obsolete out of order", "O\tB\tb\t\nO\tA\ta\t\n", "do not ascend"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := attack.ParseTable(test.text)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestCover_countsPerTactic(t *testing.T) {
	// T1557 serves two tactics; T1002 became T1560; one id comes twice.
	got, unknown := attack.Cover([]string{"T1110.001", "T1557", "t1110.001", "T1002", "T9999", "T1026"})
	if diff := cmp.Diff([]string{"T9999", "T1026"}, unknown); diff != "" {
		t.Errorf("unknown (-want +got):\n%s", diff)
	}
	covered := make(map[string][]string)
	for _, c := range got {
		if len(c.Covered) > 0 {
			covered[c.Tactic.ID] = c.Covered
		}
	}
	want := map[string][]string{"TA0006": {"T1110.001", "T1557"}, "TA0009": {"T1557", "T1560"}}
	if diff := cmp.Diff(want, covered); diff != "" {
		t.Errorf("covered (-want +got):\n%s", diff)
	}
}

func TestCover_ofEverythingIsTotal(t *testing.T) {
	var all []string
	for technique := range attack.Techniques() {
		all = append(all, technique.ID)
	}
	got, unknown := attack.Cover(all)
	if len(unknown) != 0 {
		t.Errorf("unknown: %v", unknown)
	}
	for _, c := range got {
		if len(c.Covered) != c.Total || !slices.IsSorted(c.Covered) {
			t.Errorf("%s: %d covered of %d", c.Tactic.ID, len(c.Covered), c.Total)
		}
	}
}

// BenchmarkParse is what the first call costs.
func BenchmarkParse(b *testing.B) {
	data, err := os.ReadFile("enterprise.tsv")
	if err != nil {
		b.Fatal(err)
	}
	text := string(data)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := attack.ParseTable(text); err != nil {
			b.Fatal(err)
		}
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
