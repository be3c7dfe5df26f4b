package report

import (
	"iter"
	"math"
	"strconv"
	"time"

	"cloister/shared/job"
)

// Finding is one verdict with what other programs need to know of its row.
// Missing numbers are NaN, missing texts empty.
type Finding struct {
	File                        string
	Row                         int64
	Start, Duration             float64 // milliseconds since 1970 UTC; milliseconds
	Source, Destination         string  // addresses
	SourcePort, DestinationPort float64
	Protocol                    float64 // IANA number
	BytesOut, BytesIn           float64 // from source to destination, and back
	PacketsOut, PacketsIn       float64
	Community                   string // Community ID of the flow
	Class                       job.Class
	Severity                    string
	Probability, Score, Anomaly float64 // as in [job.Batch]
	Abstained                   bool
	Note                        string // the analyst's
}

// Set is what a report is made of.
type Set struct {
	Bundle    job.Bundle
	Summary   job.Summary
	Files     []string
	Threshold float64   // a row is flagged from this score on
	Made      time.Time // goes into the report; seconds count
	// Findings are the flagged rows in the order they are to be listed. They
	// are read once or twice.
	Findings iter.Seq[Finding]
}

// transports are the protocols that have a name in every format.
var transports = map[float64]string{1: "icmp", 6: "tcp", 17: "udp", 47: "gre", 50: "esp", 58: "ipv6-icmp", 132: "sctp"}

// transport returns the name of a protocol, "ip" for one without.
func transport(number float64) string {
	if name, ok := transports[number]; ok {
		return name
	}
	return "ip"
}

// moment returns a time in UTC with milliseconds, as RFC 3339 writes it, or
// false when it is unknown or not of this era.
func moment(ms float64) (string, bool) {
	if !(ms > 0 && ms < 253402300800000) { // NaN included
		return "", false
	}
	return time.UnixMilli(int64(ms)).UTC().Format("2006-01-02T15:04:05.000Z"), true
}

// whole returns v as an integer from 0 to most, or false.
func whole(v, most float64) (int64, bool) {
	return int64(v), v >= 0 && v <= most && v == math.Trunc(v)
}

// number writes the shortest text that reads back as v, "" for NaN.
func number(v float64) string {
	if math.IsNaN(v) {
		return ""
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

func isAddress(s string) bool {
	_, ok := address(s)
	return ok
}
