package site

import (
	"math"
	"strconv"
	"strings"
	"time"

	"cloister/site/internal/text"
)

// noValue stands for a missing number or an empty text in tables.
const noValue = "–"

// count formats n in groups of three digits.
func count(n int64) string {
	s := strconv.FormatInt(n, 10)
	neg := strings.HasPrefix(s, "-")
	s = strings.TrimPrefix(s, "-")
	var b strings.Builder
	if neg {
		b.WriteString("−")
	}
	for i, c := range []byte(s) {
		if i > 0 && (len(s)-i)%3 == 0 && len(s) >= numerals.From {
			b.WriteString(numerals.Group)
		}
		b.WriteByte(c)
	}
	return b.String()
}

// plural returns "1 row", "2 rows".
func plural(n int64, one, many text.Key) string {
	return count(n) + " " + tongue.Plural(n, one, many)
}

// decimal formats v with the given number of digits after the point and a
// real minus sign; NaN and the infinities are noValue.
func decimal(v float64, places int) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return noValue
	}
	s := strings.Replace(strconv.FormatFloat(v, 'f', places, 64), ".", numerals.Decimal, 1)
	if neg, ok := strings.CutPrefix(s, "-"); ok {
		if strings.Trim(neg, "0"+numerals.Decimal) == "" { // -0.00 reads as a direction that is not there
			return neg
		}
		return "−" + neg
	}
	return s
}

// attribute formats a share as an attribute wants it, whatever the language.
func attribute(v float64) string { return strconv.FormatFloat(v, 'f', 4, 64) }

// signed is decimal with a plus sign on numbers that are not negative.
func signed(v float64, places int) string {
	s := decimal(v, places)
	if s == noValue || strings.HasPrefix(s, "−") {
		return s
	}
	return "+" + s
}

// percent formats a share in [0,1]. A share that is neither nothing nor all
// is never rounded to 0 % or 100 %.
func percent(v float64) string {
	switch {
	case math.IsNaN(v):
		return noValue
	case v > 0 && v < 0.001:
		return "<" + decimal(0.1, 1) + " %"
	case v < 1 && v > 0.999:
		return ">" + decimal(99.9, 1) + " %"
	}
	return decimal(100*v, 1) + " %"
}

// share is percent(part/whole), noValue for an empty whole.
func share(part, whole int64) string {
	if whole <= 0 {
		return noValue
	}
	return percent(float64(part) / float64(whole))
}

// number formats a measured value: whole numbers up to 2^53 in groups of
// three, others with six significant digits.
func number(v float64) string {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return noValue
	case v == math.Trunc(v) && math.Abs(v) <= 1<<53:
		return count(int64(v))
	}
	s := strings.Replace(strconv.FormatFloat(v, 'g', 6, 64), ".", numerals.Decimal, 1)
	return strings.Replace(s, "-", "−", 1)
}

// size formats a number of bytes with a decimal unit.
func size(n int64) string {
	v, unit := float64(n), 0
	for v >= 1000 && unit < 4 {
		v, unit = v/1000, unit+1
	}
	if unit == 0 {
		return plural(n, "byte", "bytes")
	}
	return decimal(v, 1) + " " + []string{"", "kB", "MB", "GB", "TB"}[unit]
}

// span formats a duration in seconds as people say it.
func span(seconds float64) string {
	switch s := int64(math.Ceil(seconds)); {
	case math.IsNaN(seconds) || seconds < 0 || seconds > 360000:
		return noValue
	case s < 60:
		return strconv.FormatInt(s, 10) + " s"
	case s < 3600:
		return sayf("{0} min {1} s", strconv.FormatInt(s/60, 10), strconv.FormatInt(s%60, 10))
	default:
		return sayf("{0} h {1} min", strconv.FormatInt(s/3600, 10), strconv.FormatInt(s%3600/60, 10))
	}
}

// moment formats a time since 1970 by the clock of the page. The unit is read off the
// magnitude: seconds up to the year 5138 stay below 1e11, milliseconds of any
// capture are above it.
func moment(v float64) string {
	if math.IsNaN(v) || v <= 0 || v > 1e16 {
		return noValue
	}
	switch {
	case v > 1e14:
		v /= 1e3 // microseconds
	case v < 1e11:
		v *= 1e3
	}
	return clocked(time.UnixMilli(int64(v))).Format("2006-01-02 15:04:05")
}

// protocol formats an IP protocol number with its name.
func protocol(v float64) string {
	names := map[float64]string{1: "ICMP", 2: "IGMP", 6: "TCP", 17: "UDP", 41: "IPv6", 47: "GRE", 50: "ESP", 51: "AH", 58: "ICMPv6", 89: "OSPF", 132: "SCTP"}
	if n, ok := names[v]; ok {
		return n
	}
	return number(v)
}

// short cuts s to n runes, the last one an ellipsis.
func short(s string, n int) string {
	seen := 0
	for i := range s {
		if seen == n-1 {
			rest := s[i:]
			if len([]rune(rest)) > 1 {
				return s[:i] + "…"
			}
		}
		seen++
	}
	return s
}

// sentence gives an error's text, which starts in lower case and has no full
// stop, the form of a sentence.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	if s[0] >= 'a' && s[0] <= 'z' {
		s = string(s[0]-'a'+'A') + s[1:]
	}
	if strings.IndexByte(".!?", s[len(s)-1]) < 0 {
		s += "."
	}
	return s
}

// scientific formats a small number with two digits.
func scientific(v float64) string {
	if v == 0 {
		return "0"
	}
	s := strconv.FormatFloat(v, 'e', 1, 64)
	mantissa, exponent, _ := strings.Cut(s, "e")
	e, err := strconv.Atoi(exponent)
	if err != nil { // NaN or infinite
		return noValue
	}
	return mantissa + "e" + strings.Replace(strconv.Itoa(e), "-", "−", 1)
}
