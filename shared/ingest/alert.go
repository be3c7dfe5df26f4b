package ingest

import (
	"bytes"
	"strings"
)

// Alerts in words come as CSV or JSON Lines with one column per field
// (payload_timeline.csv; exports of detection rules), from Suricata (eve.go)
// and from Zeek (zeek.go).

// severityWord returns the word that models are trained on for a spelling of
// a severity in lower-case letters, "" for others.
func severityWord(spelling string) string {
	switch spelling {
	case "critical", "crit":
		return "Critical"
	case "high":
		return "High"
	case "medium", "moderate", "med":
		return "Medium"
	case "low":
		return "Low"
	case "info", "informational", "information":
		return "Informational"
	case "unknown", "na", "none":
		return "Unknown"
	}
	return ""
}

// typeWord does the same for types of payload. Types that are not listed stay
// as the tool wrote them.
func typeWord(spelling string) string {
	switch spelling {
	case "c2", "commandandcontrol", "cmd", "cnc":
		return "Command-And-Control"
	case "exploit":
		return "Exploit"
	case "phishing":
		return "Phishing"
	case "malware":
		return "Malware"
	case "dns":
		return "DNS"
	case "download":
		return "Download"
	case "benign", "normal":
		return "Benign"
	case "unknown":
		return "Unknown"
	}
	return ""
}

// severity reads a severity: a known spelling becomes the word for it, with
// the change counted, another stays.
func (t *rowTable) severity(cell []byte) string {
	return t.spelling(cell, severityWord, repairSeverity)
}

func (t *rowTable) payloadType(cell []byte) string {
	return t.spelling(cell, typeWord, repairType)
}

func (t *rowTable) spelling(cell []byte, word func(string) string, repair int) string {
	cell = bytes.TrimSpace(cell)
	if len(cell) > 0 && len(cell) <= 32 {
		if w := word(normalise(strings.ReplaceAll(string(cell), "&", "and"))); w != "" {
			if w != string(cell) {
				t.repairs[repair]++
			}
			return w
		}
	}
	return t.word(cell)
}
