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
func parseNumber(b []byte) (float64, bool) {
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
		if decimals > 0 {
			v /= pow10[decimals]
		}
		if neg {
			v = -v
		}
		return v, true
	}
	if len(s) == 0 || len(b) > 400 || bytes.ContainsAny(s, "xX_pP") {
		return 0, false
	}
	v, err := strconv.ParseFloat(string(b), 64)
	if err != nil && !math.IsInf(v, 0) { // a range error still has a value
		return 0, false
	}
	return v, true
}

// timeLayouts are the forms of a point in time, tried in order. Dates with
// slashes are day first, as CICFlowMeter writes them.
var timeLayouts = []string{
	"2006-01-02 15:04:05", "2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05",
	"02/01/2006 15:04:05", "02/01/2006 03:04:05 PM", "02/01/2006 15:04", "2/1/2006 15:04",
}

// parseTime reads a point in time and returns milliseconds since 1970 UTC. A
// plain number is taken as milliseconds, a text without zone as UTC.
func parseTime(b []byte) (float64, bool) {
	if v, ok := parseNumber(b); ok {
		return v, !math.IsInf(v, 0) && !math.IsNaN(v)
	}
	if len(b) > 40 {
		return 0, false
	}
	text := string(bytes.TrimSpace(b))
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return float64(t.UnixMilli()), true
		}
	}
	return 0, false
}
