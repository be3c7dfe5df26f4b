package ingest

import (
	"bytes"
	"math"
	"strconv"
	"time"
)

// pow10 holds the powers of ten that float64 represents exactly.
var pow10 = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10,
	1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// parseNumber reads a decimal number and reports whether b is one. It gives
// the same bits as strconv.ParseFloat; hexadecimal and underscores are not
// numbers here. The words for infinity and NaN read as such.
func parseNumber(b []byte) (float64, bool) { return parseScaled(b, 0) }

// parseSeconds reads a number of seconds and returns milliseconds, rounded
// once: the decimal point is moved before the number is made.
func parseSeconds(b []byte) (float64, bool) { return parseScaled(b, 3) }

// parseScaled reads a decimal number times 10^shift.
func parseScaled(b []byte, shift int) (float64, bool) {
	b = bytes.TrimSpace(b)
	s, neg := b, false
	if len(s) > 0 && (s[0] == '-' || s[0] == '+') {
		neg, s = s[0] == '-', s[1:]
	}
	var mantissa uint64
	digits, decimals, point, i := 0, 0, false, 0
	for ; i < len(s); i++ {
		c := s[i] - '0'
		if c <= 9 {
			mantissa = mantissa*10 + uint64(c)
			digits++
			if point {
				decimals++
			}
			continue
		}
		if s[i] != '.' || point {
			break
		}
		point = true
	}
	// Clinger's fast path: both numbers are exact, so one rounding remains.
	if i == len(s) && digits > 0 && digits <= 19 && mantissa < 1<<53 && decimals < len(pow10) {
		v := float64(mantissa)
		switch {
		case decimals > shift:
			v /= pow10[decimals-shift]
		case v*pow10[shift-decimals] >= 1<<53:
			return parseSlow(b, s, shift)
		default:
			v *= pow10[shift-decimals]
		}
		if neg {
			v = -v
		}
		return v, true
	}
	return parseSlow(b, s, shift)
}

// parseSlow is parseScaled of b, whose part without sign is s, by strconv.
func parseSlow(b, s []byte, shift int) (float64, bool) {
	if len(s) == 0 || len(b) > 400 || bytes.ContainsAny(s, "xX_pP") {
		return 0, false
	}
	text, rest := string(b), 0
	if shift > 0 && !bytes.ContainsAny(s, "eEiInN") {
		text += "e" + strconv.Itoa(shift)
	} else {
		rest = shift
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil && !math.IsInf(v, 0) { // a range error still has a value
		return 0, false
	}
	return v * pow10[rest], true
}

// timeLayouts are the forms of a point in time, tried in order. Dates with
// slashes are day first, as CICFlowMeter writes them, unless the year is.
var timeLayouts = []string{
	"2006-01-02 15:04:05", "2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05",
	"02/01/2006 15:04:05", "02/01/2006 03:04:05 PM", "02/01/2006 15:04", "2/1/2006 15:04",
}

// parseTime reads a point in time and returns milliseconds since 1970 UTC. A
// plain number is taken as milliseconds, a text without zone as UTC. Digits
// below the microsecond are dropped.
func parseTime(b []byte) (float64, bool) {
	if v, ok := parseNumber(b); ok {
		return v, !math.IsInf(v, 0) && !math.IsNaN(v)
	}
	b = bytes.TrimSpace(b)
	if v, ok := parseStamp(b); ok {
		return v, true
	}
	if len(b) > 40 {
		return 0, false
	}
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, string(b)); err == nil {
			return float64(t.UnixMicro()) / 1000, true
		}
	}
	return 0, false
}

// parseStamp reads YYYY-MM-DD with -, / or nothing else between, then, after a
// T or a space, hh:mm:ss, a fraction and Z, +hh:mm or +hhmm: the forms that
// logs are full of, without the cost of time.Parse.
func parseStamp(b []byte) (float64, bool) {
	year, ok1 := digits(b, 0, 4)
	month, ok2 := digits(b, 5, 2)
	day, ok3 := digits(b, 8, 2)
	if !ok1 || !ok2 || !ok3 || b[4] != b[7] || b[4] != '-' && b[4] != '/' {
		return 0, false
	}
	if month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return 0, false
	}
	seconds := int64(daysSince1970(year, month, day)) * 86400
	if len(b) == 10 {
		return float64(seconds * 1000), true
	}
	hour, ok1 := digits(b, 11, 2)
	minute, ok2 := digits(b, 14, 2)
	second, ok3 := digits(b, 17, 2)
	if !ok1 || !ok2 || !ok3 || b[10] != 'T' && b[10] != ' ' || b[13] != ':' || b[16] != ':' || hour > 23 || minute > 59 || second > 60 {
		return 0, false
	}
	seconds += int64(hour*3600 + minute*60 + second)
	b = b[19:]
	micros, unit := int64(0), int64(100_000)
	if len(b) > 1 && (b[0] == '.' || b[0] == ',') {
		for b = b[1:]; len(b) > 0 && b[0] >= '0' && b[0] <= '9'; b = b[1:] {
			micros += int64(b[0]-'0') * unit
			unit /= 10
		}
	}
	zone, ok := parseZone(b)
	return float64((seconds-int64(zone))*1_000_000+micros) / 1000, ok
}

// parseZone reads what follows a time and returns seconds east of UTC.
func parseZone(b []byte) (seconds int, ok bool) {
	switch {
	case len(b) == 0, len(b) == 1 && (b[0] == 'Z' || b[0] == 'z'), string(b) == " UTC":
		return 0, true
	case b[0] != '+' && b[0] != '-':
		return 0, false
	}
	at := 3
	if len(b) == 6 && b[3] == ':' {
		at = 4
	} else if len(b) != 5 {
		return 0, false
	}
	hour, ok1 := digits(b, 1, 2)
	minute, ok2 := digits(b, at, 2)
	seconds = hour*3600 + minute*60
	if b[0] == '-' {
		seconds = -seconds
	}
	return seconds, ok1 && ok2 && hour < 24 && minute < 60
}

// digits reads n digits of b from i on.
func digits(b []byte, i, n int) (v int, ok bool) {
	if len(b) < i+n {
		return 0, false
	}
	for _, c := range b[i : i+n] {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + int(c-'0')
	}
	return v, true
}

func daysIn(year, month int) int {
	switch {
	case month == 2 && year%4 == 0 && (year%100 != 0 || year%400 == 0):
		return 29
	case month == 2:
		return 28
	case month == 4 || month == 6 || month == 9 || month == 11:
		return 30
	}
	return 31
}

// daysSince1970 counts days in the proleptic Gregorian calendar: years start
// in March, so that the leap day comes last.
func daysSince1970(year, month, day int) int {
	if month < 3 {
		year, month = year-1, month+12
	}
	return 365*year + year/4 - year/100 + year/400 + (153*(month-3)+2)/5 + day - 1 - 719468
}
