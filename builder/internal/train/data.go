package train

import (
	"strings"

	"cloister/shared/bundle"
)

// known data sets by the start of the file name.
var known = []struct {
	prefix string
	set    bundle.Dataset
}{
	{"NF-CSE-CIC-IDS2018-v3", bundle.Dataset{
		Name:    "NF-CSE-CIC-IDS2018-v3, public sample of 9,700 rows and 15 columns (Luay et al. 2025, arXiv:2503.04404)",
		License: "none stated with the sample; CC BY-NC-SA 4.0 on copies of the full set; no row is in this bundle",
		URL:     "https://staff.itee.uq.edu.au/marius/NIDS_datasets/",
	}},
	{"flows.csv", bundle.Dataset{
		Name:    "flows of public test captures (models/sample)",
		License: "BSD-3-Clause and Apache-2.0, see models/sample/README.md",
	}},
}

// KnownData names the data sets behind the files of t. A file of no known set
// stands under its own name.
func KnownData(t *Table) []bundle.Dataset {
	var out []bundle.Dataset
	for _, f := range t.Files {
		set := bundle.Dataset{Name: f.Name, License: "not stated"}
		for _, k := range known {
			if strings.HasPrefix(f.Name, k.prefix) {
				set = k.set
			}
		}
		out = append(out, set)
	}
	return out
}
