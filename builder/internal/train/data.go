package train

import (
	"strings"

	"cloister/shared/bundle"
)

// known data sets by the start of the file name.
var known = []struct {
	prefix string
	set    bundle.Dataset
	limits []string // what is known to be wrong with it
}{
	{"NF-CSE-CIC-IDS2018-v3", bundle.Dataset{
		Name:    "NF-CSE-CIC-IDS2018-v3, public sample of 9,700 rows and 15 columns (Luay et al. 2025, arXiv:2503.04404)",
		License: "none stated with the sample; CC BY-NC-SA 4.0 on copies of the full set; no row is in this bundle",
		URL:     "https://staff.itee.uq.edu.au/marius/NIDS_datasets/",
	}, []string{
		"Trained on one laboratory's traffic of February and March 2018: attacks and networks that differ from it will be named wrongly. Published studies find no transfer between such data sets.",
		"In the data each attack ran on one day, so a random split flatters.",
		"FTP-BruteForce and DoS_attacks-SlowHTTPTest are the same failed connection attempts in this data (Liu et al. 2022); the model cannot keep them apart.",
		"Labels follow addresses and hours, not content: most SQL_Injection and Brute_Force_-XSS rows of the sample are to UDP port 500, most Infilteration rows are DNS. Verdicts of these classes say little about such attacks.",
	}},
	{"flows.csv", bundle.Dataset{
		Name:    "flows of public test captures (models/sample)",
		License: "BSD-3-Clause and Apache-2.0, see models/sample/README.md",
	}, []string{"Five captures of attacks against 132 of protocol tests: figures on it say nothing about a network."}},
	{"lab.csv", bundle.Dataset{
		Name:    "flows of re-enacted attacks in a small laboratory (models/sample)",
		License: "Apache-2.0",
	}, []string{"One laboratory with ordinary clients in place of attack tools: figures on it say nothing about a network."}},
}

// KnownData names the data sets behind the files of t and what is known to be
// wrong with them. A file of no known set stands under its own name.
func KnownData(t *Table) (sets []bundle.Dataset, limits []string) {
	for _, f := range t.Files {
		set := bundle.Dataset{Name: f.Name, License: "not stated"}
		for _, k := range known {
			if strings.HasPrefix(f.Name, k.prefix) {
				set, limits = k.set, append(limits, k.limits...)
			}
		}
		sets = append(sets, set)
	}
	return sets, limits
}
