package attack_test

import (
	"slices"
	"strings"
	"testing"

	"cloister/shared/attack"
)

// labelRows are the labels that must be known, in the spellings of the data
// sets, with the technique and tactic pairs to expect in order. A row with
// several spellings has one meaning. Attempts and infiltration stages are
// those of the corrected sets (Liu et al., IEEE CNS 2022).
var labelRows = []struct {
	spellings string // joined by ;
	want      string
}{
	{"Benign;BENIGN;normal;normal.", ""},
	// CSE-CIC-IDS2018: original and NetFlow v1, v2 with blanks; v3 with underscores; CICIDS2017.
	{"FTP-BruteForce;FTP-Patator;FTP-BruteForce - Attempted", "T1110.001/TA0006"},
	{"SSH-Bruteforce;SSH-BruteForce;SSH-Patator", "T1110.001/TA0006"},
	{"DoS attacks-Hulk;DoS_attacks-Hulk;DoS Hulk;DoS Hulk - Attempted", "T1499.002/TA0040"},
	{"DoS attacks-GoldenEye;DoS_attacks-GoldenEye;DoS GoldenEye", "T1499.002/TA0040"},
	{"DoS attacks-Slowloris;DoS_attacks-Slowloris;DoS slowloris;Slowloris", "T1499.002/TA0040"},
	{"DoS Slowhttptest;DoS Slowhttptest - Attempted", "T1499.002/TA0040"},
	{"DoS attacks-SlowHTTPTest;DoS_attacks-SlowHTTPTest", "T1110.001/TA0006"},
	{"DDOS attack-HOIC;DDOS_attack-HOIC;DDoS-HOIC", "T1499.002/TA0040 T1498/TA0040"},
	{"DDoS attacks-LOIC-HTTP;DDoS_attacks-LOIC-HTTP;DDoS-LOIC-HTTP", "T1499.002/TA0040 T1498/TA0040"},
	{"DDOS attack-LOIC-UDP;DDOS_attack-LOIC-UDP;DDoS-LOIC-UDP", "T1498.001/TA0040"},
	{"Brute Force -Web;Brute_Force_-Web;Web Attack - Brute Force;Web Attack – Brute Force;Web Attack \x96 Brute Force;Web Attack â€“ Brute Force", "T1110.001/TA0006 T1190/TA0001"},
	{"Brute Force -XSS;Brute_Force_-XSS;Web Attack - XSS;Web Attack – XSS;xss", "T1190/TA0001 T1059.007/TA0002"},
	{"SQL Injection;SQL_Injection;Web Attack - SQL Injection;Web Attack – Sql Injection;Web Attack - SQL", "T1190/TA0001"},
	{"Bot;Botnet;Botnet Ares;Botnet - Attempted", "T1071.001/TA0011"},
	{"Infilteration;Infiltration;Infiltration - Attempted", "T1046/TA0007 T1105/TA0011"},
	{"Infiltration - Portscan;Infiltration - NMAP Portscan", "T1046/TA0007"},
	{"Infiltration - Dropbox Download", "T1105/TA0011"},
	{"Infiltration - Communication Victim Attacker", "T1071/TA0011"},
	{"Heartbleed", "T1190/TA0001"},
	{"PortScan;Portscan;scanning", "T1046/TA0007 T1595.001/TA0043"},
	{"Brute Force;password", "T1110/TA0006"},
	{"DDoS;ddos", "T1498/TA0040"},
	{"DoS;dos", "T1499/TA0040"},
	{"Log4Shell", "T1190/TA0001 T1105/TA0011"},
	// UNSW-NB15, ToN-IoT, BoT-IoT, WUSTL-EHMS.
	{"Fuzzers", "T1595.002/TA0043"},
	{"Reconnaissance", "T1046/TA0007 T1595/TA0043"},
	{"Analysis", "T1595.002/TA0043 T1046/TA0007"},
	{"Exploits", "T1190/TA0001 T1210/TA0008"},
	{"Backdoor;Backdoors;backdoor", "T1071/TA0011 T1505.003/TA0003"},
	{"Shellcode", "T1203/TA0002"},
	{"Worms;worm", "T1210/TA0008"},
	{"Generic", ""},
	{"injection", "T1190/TA0001"},
	{"mitm", "T1557/TA0006"},
	{"ransomware", "T1486/TA0040"},
	{"Theft", "T1041/TA0010 T1056.001/TA0006"},
	{"Spoofing", "T1557/TA0006"},
	{"Data Alteration", "T1565.002/TA0040"},
	// NSL-KDD.
	{"Probe", "T1046/TA0007 T1595/TA0043"},
	{"R2L", ""},
	{"U2R", "T1068/TA0004"},
	{"neptune", "T1499.001/TA0040"},
	{"smurf", "T1498.002/TA0040"},
	{"pod;teardrop;land", "T1499.004/TA0040"},
	{"udpstorm", "T1498.001/TA0040"},
	{"back", "T1499.003/TA0040"},
	{"apache2", "T1499.002/TA0040"},
	{"mailbomb", "T1499.003/TA0040"},
	{"processtable", "T1499.001/TA0040"},
	{"ipsweep", "T1018/TA0007 T1595.001/TA0043"},
	{"nmap;portsweep;mscan", "T1046/TA0007"},
	{"satan;saint", "T1595.002/TA0043"},
	{"guess_passwd;snmpguess", "T1110.001/TA0006"},
	{"imap;named;sendmail;phf", "T1190/TA0001"},
	{"ftp_write;warezmaster", "T1105/TA0011"},
	{"warezclient", "T1048/TA0010"},
	{"multihop", "T1021/TA0008"},
	{"spy", "T1119/TA0009"},
	{"xlock;xsnoop", "T1056/TA0009"},
	{"snmpgetattack", "T1602.001/TA0009"},
	{"httptunnel", "T1572/TA0011"},
	{"buffer_overflow;loadmodule;perl;ps;xterm;sqlattack", "T1068/TA0004"},
	{"rootkit", "T1014/TA0005"},
}

func TestForLabel_everySpelling(t *testing.T) {
	known := make(map[string]bool)
	for _, row := range labelRows {
		for spelling := range strings.SplitSeq(row.spellings, ";") {
			m, ok := attack.ForLabel(spelling)
			if !ok {
				t.Errorf("%q is not known", spelling)
				continue
			}
			known[attack.Key(spelling)] = true
			var got []string
			for _, h := range m.Hints {
				got = append(got, h.Technique+"/"+h.Tactic)
			}
			if strings.Join(got, " ") != row.want {
				t.Errorf("%q gives %v, want %s", spelling, got, row.want)
			}
		}
	}
	// The reverse: no label in the file that the rows above do not expect.
	for _, key := range sortedKeys(attack.LabelTable()) {
		if !known[key] {
			t.Errorf("key %q is in labels.tsv but in no row of this test", key)
		}
	}
}

// TestLabels_areValid checks every mapping against the compiled-in release.
func TestLabels_areValid(t *testing.T) {
	hints, benign := 0, 0
	for _, key := range sortedKeys(attack.LabelTable()) {
		m := attack.LabelTable()[key]
		if m.Label == "" || key != attack.Key(key) {
			t.Errorf("%q: label %q", key, m.Label)
		}
		if m.Benign {
			benign++
			if len(m.Hints)+len(m.Unseen) != 0 {
				t.Errorf("%q is benign and has techniques", m.Label)
			}
			continue
		}
		if len(m.Hints) == 0 && m.Note == "" {
			t.Errorf("%q has no technique and no note says why", m.Label)
		}
		ids := slices.Clone(m.Unseen)
		for _, id := range m.Unseen {
			if _, ok := attack.Lookup(id); !ok {
				t.Errorf("%q: unseen %s is not current", m.Label, id)
			}
		}
		strength := 3
		for _, h := range m.Hints {
			hints++
			ids = append(ids, h.Technique)
			technique, ok := attack.Lookup(h.Technique)
			if now, _ := attack.Current(h.Technique); !ok || now != h.Technique {
				t.Errorf("%q: %s is not current", m.Label, h.Technique)
			}
			if !slices.Contains(technique.Tactics, h.Tactic) {
				t.Errorf("%q: %s serves %v, not %s", m.Label, h.Technique, technique.Tactics, h.Tactic)
			}
			rank := slices.Index([]string{attack.Low, attack.Medium, attack.High}, h.Confidence) + 1
			if rank == 0 || rank > strength {
				t.Errorf("%q: %s: confidence %q is unknown or above the one before", m.Label, h.Technique, h.Confidence)
			}
			// Hints for different origins are alternatives, not a ranking.
			if h.Origin == attack.Anywhere {
				strength = rank
			}
			if !slices.Contains([]string{attack.Published, attack.Inferred}, h.Basis) {
				t.Errorf("%q: %s: basis %q", m.Label, h.Technique, h.Basis)
			}
			if !slices.Contains([]string{attack.Anywhere, attack.Inside, attack.Outside}, h.Origin) {
				t.Errorf("%q: %s: origin %q", m.Label, h.Technique, h.Origin)
			}
		}
		slices.Sort(ids)
		if len(slices.Compact(slices.Clone(ids))) != len(ids) {
			t.Errorf("%q names a technique twice: %v", m.Label, ids)
		}
	}
	if hints < 80 || benign != 2 {
		t.Errorf("saw %d hints and %d benign keys, want at least 80 and 2", hints, benign)
	}
}

func TestForLabel_benignMapsToNothing(t *testing.T) {
	m, ok := attack.ForLabel("Benign")
	if !ok || !m.Benign || len(m.Hints) != 0 || len(m.From(attack.Anywhere)) != 0 {
		t.Errorf("ForLabel(Benign) = %+v, %t", m, ok)
	}
	if m, ok := attack.ForLabel("Generic"); !ok || m.Benign {
		t.Errorf("Generic is an attack without technique, got %+v, %t", m, ok)
	}
}

func TestForLabel_unknown(t *testing.T) {
	for _, label := range []string{"", "-", "attempted", "0", "Attack", "T1110", "dosx", strings.Repeat(" ", 257) + "DoS"} {
		if m, ok := attack.ForLabel(label); ok {
			t.Errorf("%.20q gives %+v", label, m)
		}
	}
	if _, ok := attack.ForLabel(strings.Repeat(" ", 253) + "DoS"); !ok {
		t.Error("a label of 256 bytes is refused")
	}
}

func TestMapping_fromOrigin(t *testing.T) {
	scan, _ := attack.ForLabel("PortScan")
	flood, _ := attack.ForLabel("DDOS attack-HOIC")
	tests := []struct {
		name, origin string
		mapping      attack.Mapping
		want         []string
	}{
		{"scan from inside", attack.Inside, scan, []string{"T1046"}},
		{"scan from outside", attack.Outside, scan, []string{"T1595.001"}},
		{"scan, not known from where", attack.Anywhere, scan, []string{"T1046", "T1595.001"}},
		{"flood from outside", attack.Outside, flood, []string{"T1499.002", "T1498"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, h := range test.mapping.From(test.origin) {
				got = append(got, h.Technique)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestKey_asciiLettersAndDigits(t *testing.T) {
	for label, want := range map[string]string{
		"DDOS_attack-HOIC": "ddosattackhoic", "Web Attack – XSS": "webattackxss", "apache2.": "apache2",
		"": "", "–é\x00\xff": "", "AZaz09@[`{/:": "azaz09",
	} {
		if got := attack.Key(label); got != want {
			t.Errorf("Key(%q) = %q, want %q", label, got, want)
		}
	}
}

func TestParseLabels_refuses(t *testing.T) {
	const good = "L\ta\tn\t\n"
	tests := []struct{ name, text, want string }{
		{"duplicate key", good + "L\tb | A.\tn\t\n", `key "a" is empty or taken`},
		{"same key twice in a row", "L\ta | A\tn\t\n", `key "a" is empty or taken`},
		{"empty key", "B\t-\n", `key "" is empty or taken`},
		{"hint before any label", "H\tT1\tTA1\tlow\tinferred\t\n", "line 1"},
		{"hint for benign", "B\ta\nH\tT1\tTA1\tlow\tinferred\t\n", "line 2"},
		{"hint cut short", good + "H\tT1\tTA1\tlow\tinferred\n", "line 2"},
		{"label cut short", "# c\nL\ta\tn\n", "line 2"},
		{"unknown kind", good + "X\n", `line 2: unexpected "X"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := attack.ParseLabels(test.text); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

// FuzzForLabel: a label and its key have the same meaning, as has the label
// with noise around it, and a key is its own key.
func FuzzForLabel(f *testing.F) {
	for _, row := range labelRows {
		f.Add(row.spellings)
	}
	f.Fuzz(func(t *testing.T, label string) {
		key := attack.Key(label)
		if attack.Key(key) != key || len(key) > len(label) {
			t.Fatalf("Key(%q) = %q", label, key)
		}
		if len(label) > 250 {
			return
		}
		m, ok := attack.ForLabel(label)
		for _, same := range []string{key, " -" + label + "_\t"} {
			if again, okAgain := attack.ForLabel(same); okAgain != ok || again.Label != m.Label {
				t.Fatalf("%q gives %q, %t; %q gives %q, %t", label, m.Label, ok, same, again.Label, okAgain)
			}
		}
	})
}
