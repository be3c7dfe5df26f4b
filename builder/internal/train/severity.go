package train

import (
	"strings"

	"cloister/shared/attack"
)

// Family is a kind of attack with its impact on the owner of the network.
type Family struct {
	Name     string
	Severity string // one of job.Severities
	// Words of which a label of the family contains one, in normal form
	// (lower-case letters and digits).
	Words []string
}

// Families is the severity table, first match first: edit it to rate attacks
// for another network. The severity of a label is the impact of its family if
// the verdict is right; how likely that is stands beside it as probability.
var Families = []Family{
	{"no attack", "Informational", []string{"benign", "normal"}},
	{"command and control", "Critical", []string{"bot", "backdoor", "c2", "worm", "shellcode", "ransom"}},
	{"injection into an application", "Critical", []string{"sqlinjection", "injection", "log4shell", "heartbleed", "exploit"}},
	{"distributed denial of service", "Critical", []string{"ddos"}},
	{"denial of service", "High", []string{"dos", "slowloris", "hulk", "goldeneye", "slowhttptest", "neptune", "smurf"}},
	{"password guessing", "High", []string{"bruteforce", "patator", "password", "guess"}},
	{"attack on a web application", "High", []string{"xss", "web"}},
	{"theft of data", "Critical", []string{"theft", "exfil"}},
	{"scan from an infected host", "High", []string{"infil"}},
	{"reconnaissance", "Medium", []string{"scan", "recon", "probe", "fuzz", "analysis", "sweep", "satan", "nmap"}},
}

// FamilyOf returns the family of a label; a label of no family is rated
// Medium.
func FamilyOf(label string) Family {
	key := attack.Key(label)
	for _, f := range Families {
		for _, w := range f.Words {
			if strings.Contains(key, w) {
				return f
			}
		}
	}
	return Family{Name: "other", Severity: "Medium"}
}
