package ingest

import (
	"bytes"
	"math"
	"strings"

	"cloister/shared/frame"
	"cloister/shared/ingest/internal/jsontext"
)

// reader turns a cell into a number or a text.
type reader struct {
	number func(cell []byte) (float64, bool)
	text   func(t *rowTable, cell []byte) string
	// soft: a cell that cannot be read is missing, not the end of its row.
	soft bool
}

// The ways to read a cell.
var (
	readNumber   = &reader{number: parseNumber}
	readTime     = &reader{number: parseTime}
	readEpoch    = &reader{number: parseEpoch}
	readSeconds  = &reader{number: parseSeconds}
	readProtocol = &reader{number: parseProtocol}
	readProto    = &reader{number: parseProtocol, soft: true} // tools have words for what is no IP protocol
	readPort     = &reader{number: parsePort}
	readHex      = &reader{number: parseHex}
	readFlags    = &reader{number: parseFlagLetters}
	readIPv6     = &reader{number: parseIsIPv6}
	readText     = &reader{text: (*rowTable).word}
	readProse    = &reader{text: (*rowTable).prose}
	readList     = &reader{text: (*rowTable).list}
	readSeverity = &reader{text: (*rowTable).severity}
	readType     = &reader{text: (*rowTable).payloadType}
)

// defaultReader returns how a column of a field is read unless a rule says
// otherwise.
func defaultReader(field frame.Field) *reader {
	switch field.Name {
	case frame.AlertSeverity:
		return readSeverity
	case frame.AlertType:
		return readType
	case frame.AlertTechniques:
		return readList
	case frame.AlertTitle, frame.AlertDescription:
		return readProse
	case frame.FlowStart, flowEnd, frame.AlertTime:
		return readTime
	case frame.Protocol:
		return readProtocol
	case frame.SrcPort, frame.DstPort:
		return readPort
	case frame.TCPFlags, clientFlags, serverFlags:
		return readFlags
	}
	if field.Kind == frame.Text {
		return readText
	}
	return readNumber
}

// parseEpoch reads a point in time as parseTime does, but a plain number as
// seconds, milliseconds, microseconds or nanoseconds since 1970, whichever
// gives a year from 1973 to 5138. It returns milliseconds.
func parseEpoch(b []byte) (float64, bool) {
	v, ok := parseNumber(b)
	switch {
	case !ok:
		return parseTime(b)
	case math.IsInf(v, 0) || math.IsNaN(v):
		return 0, false
	case v < 1e11:
		return parseSeconds(b)
	case v < 1e14:
		return v, true
	case v < 1e17:
		return v / 1e3, true
	}
	return v / 1e6, true
}

// portNames are the names that argus and others print instead of numbers
// (IANA service names).
var portNames = map[string]float64{
	"ftp-data": 20, "ftp": 21, "ssh": 22, "telnet": 23, "smtp": 25, "domain": 53, "bootps": 67, "bootpc": 68, "tftp": 69, "http": 80,
	"kerberos": 88, "pop3": 110, "sunrpc": 111, "ntp": 123, "epmap": 135, "netbios-ns": 137, "netbios-dgm": 138, "netbios-ssn": 139,
	"imap": 143, "imap2": 143, "snmp": 161, "ldap": 389, "https": 443, "microsoft-ds": 445, "syslog": 514, "ldaps": 636, "imaps": 993, "pop3s": 995,
	"ms-sql-s": 1433, "mysql": 3306, "ms-wbt-server": 3389, "sip": 5060, "postgresql": 5432, "mdns": 5353,
}

// parsePort reads a port as a number, in hexadecimal after 0x as argus prints
// ICMP, or by name.
func parsePort(b []byte) (float64, bool) {
	if v, ok := parseNumber(b); ok {
		return v, true
	}
	b = bytes.TrimSpace(b)
	if len(b) > 2 && b[0] == '0' && b[1] == 'x' {
		return parseHex(b[2:])
	}
	if len(b) > 24 {
		return 0, false
	}
	v, ok := portNames[strings.ToLower(string(b))]
	return v, ok
}

// parseHex reads up to 8 hexadecimal digits.
func parseHex(b []byte) (float64, bool) {
	b = bytes.TrimSpace(b)
	if len(b) == 0 || len(b) > 8 {
		return 0, false
	}
	v := uint32(0)
	for _, c := range b {
		d := strings.IndexByte("0123456789abcdef", c|0x20)
		if c < 0x20|'0' || d < 0 {
			return 0, false
		}
		v = v<<4 | uint32(d)
	}
	return float64(v), true
}

// flagLetters are the letters of TCP flags in bit order.
const flagLetters = "FSRPAUEC"

// parseFlagLetters reads TCP flags as nfdump prints them, ".....AP.SF" or "0x1b"
// or a number.
func parseFlagLetters(b []byte) (float64, bool) {
	b = bytes.TrimSpace(b)
	if len(b) == 0 {
		return 0, false
	}
	if len(b) > 2 && b[0] == '0' && b[1] == 'x' {
		return parseHex(b[2:])
	}
	if v, ok := parseNumber(b); ok {
		return v, true
	}
	sum := 0
	for _, c := range b {
		switch bit := strings.IndexByte(flagLetters, c); {
		case bit >= 0:
			sum |= 1 << bit
		case c != '.':
			return 0, false
		}
	}
	return float64(sum), true
}

// parseIsIPv6 returns 1 for an address with a colon, 0 for others.
func parseIsIPv6(b []byte) (float64, bool) {
	if bytes.IndexByte(b, ':') >= 0 {
		return 1, true
	}
	return 0, true
}

// list reads a JSON array of strings, or a text with commas, spaces or
// semicolons, as words separated by spaces.
func (t *rowTable) list(cell []byte) string {
	cell = bytes.TrimSpace(cell)
	var words []string
	if len(cell) > 0 && cell[0] == '[' {
		err := jsontext.Elements(cell, func(kind jsontext.Kind, text []byte) error {
			if kind == jsontext.String {
				text = jsontext.Unquote(nil, text)
			}
			words = append(words, strings.Fields(string(text))...)
			return nil
		})
		if err != nil {
			t.repairs[repairUnread]++
			return ""
		}
	} else {
		words = strings.FieldsFunc(string(cell), func(r rune) bool { return r == ',' || r == ';' || r == ' ' || r == '\t' })
	}
	return t.word([]byte(strings.Join(words, " ")))
}
