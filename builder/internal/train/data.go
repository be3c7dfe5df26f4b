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
	{"CICIDS2017-improved", bundle.Dataset{
		Name:    "CICIDS2017 with the corrections of Liu et al. (CNS 2022), public sample of 24,368 flows of CICFlowMeter, at most 2,500 a class",
		License: "none stated with the sample; no row is in this bundle",
		URL:     "https://intrusion-detection.distrinet-research.be/CNS2022/",
	}, []string{
		"Trained on one laboratory's week of July 2017: attacks and networks that differ from it will be named wrongly. Published studies find no transfer between such data sets.",
		"The sample holds about as many flows of each attack as benign ones: in a network most flows are benign, and most alarms will be false at the same threshold.",
		"Heartbleed, SQL injection, XSS and Infiltration have 9 to 21 rows: figures of these classes are anecdotes.",
	}},
	{"CSE-CIC-IDS2018.batch", bundle.Dataset{
		Name:    "CSE-CIC-IDS2018, public sample of 1,000 flows of CICFlowMeter with attacks joined to groups",
		License: "none stated with the sample; no row is in this bundle",
		URL:     "https://www.unb.ca/cic/datasets/ids-2018.html",
	}, []string{"Labels of the sample are groups of attacks (DDoS, DoS, Botnet, Brute Force)."}},
	{"sigma-detections", bundle.Dataset{
		Name:    "titles, descriptions and levels of 3,929 detection rules of SigmaHQ/sigma, by the authors named in each rule",
		License: "Detection Rule License 1.1",
		URL:     "https://github.com/SigmaHQ/sigma",
	}, []string{
		"30 of the 3,929 texts are Informational: figures of that class are anecdotes.",
		"Many rules differ by a few words from another: a text like none of them is rated worse than the figures say.",
	}},
	{"alerts.csv", bundle.Dataset{
		Name:    "titles, descriptions and levels of detection rules of SigmaHQ/sigma (models/sample)",
		License: "Detection Rule License 1.1",
		URL:     "https://github.com/SigmaHQ/sigma",
	}, []string{"A few hundred texts: figures on them say little."}},
	{"flows.csv", bundle.Dataset{
		Name:    "flows of public test captures (models/sample)",
		License: "BSD-3-Clause and Apache-2.0, see models/sample/README.md",
	}, []string{"Five captures of attacks against 132 of protocol tests: figures on it say nothing about a network."}},
	{"telemetry.csv", bundle.Dataset{
		Name:    "Application Server Dataset, test parts of 8 of its 12 servers, 19 metrics every 5 minutes (InterFusion, KDD 2021)",
		License: "MIT",
		URL:     "https://github.com/zhhlee/InterFusion",
	}, []string{
		"The data has no time stamps: those of the file are counted from 2020-01-01 in steps of five minutes.",
		"Eight servers of one operator over 15 days, with 23 to 1 normal windows to one anomalous and 46 incidents in all: figures have wide margins.",
		"The metrics are not named in the data: what drives the model is how far metrics are from their past, not which.",
	}},
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
