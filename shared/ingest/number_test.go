package ingest

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
)

func TestParseNumber(t *testing.T) {
	tests := []struct {
		in   string
		want float64
		ok   bool
	}{
		{"0", 0, true}, {"-0", math.Copysign(0, -1), true}, {" 42 ", 42, true}, {"+7", 7, true}, {"1.5", 1.5, true}, {".5", .5, true}, {"5.", 5, true},
		{"9007199254740993", 9007199254740992, true}, {"1e3", 1000, true}, {"1E-400", 0, true}, {"1e400", math.Inf(1), true},
		{"Infinity", math.Inf(1), true}, {"-inf", math.Inf(-1), true}, {"nan", math.NaN(), true},
		{"", 0, false}, {"-", 0, false}, {".", 0, false}, {"0x10", 0, false}, {"1_000", 0, false}, {"1,5", 0, false}, {"1p3", 0, false}, {"abc", 0, false}, {"1.2.3", 0, false},
	}
	for _, tt := range tests {
		got, ok := parseNumber([]byte(tt.in))
		if ok != tt.ok || ok && math.Float64bits(got) != math.Float64bits(tt.want) && !(math.IsNaN(got) && math.IsNaN(tt.want)) {
			t.Errorf("%q: got %v, %v, want %v, %v", tt.in, got, ok, tt.want, tt.ok)
		}
	}
}

// The fast path gives the bits of strconv on random decimals.
func TestParseNumber_likeStrconv(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		text := strconv.FormatUint(rng.Uint64()>>rng.UintN(64), 10)
		if cut := rng.IntN(len(text) + 1); rng.IntN(2) == 0 {
			text = text[:cut] + "." + text[cut:]
		}
		want, err := strconv.ParseFloat(text, 64)
		got, ok := parseNumber([]byte(text))
		if ok != (err == nil) || got != want {
			t.Fatalf("%q: got %v, %v, want %v, %v", text, got, ok, want, err)
		}
	}
}

func FuzzParseNumber(f *testing.F) {
	f.Add("1.25")
	f.Add("-0.0000001e19")
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := parseNumber([]byte(text))
		if !ok {
			return
		}
		want, err := strconv.ParseFloat(string(trim(text)), 64)
		if err != nil && !math.IsInf(want, 0) || math.Float64bits(got) != math.Float64bits(want) && !math.IsNaN(got) {
			t.Errorf("%q: got %v, strconv %v, %v", text, got, want, err)
		}
	})
}

func trim(s string) string {
	for len(s) > 0 && (s[0] == ' ' || s[0] == '\t' || s[0] == '\n' || s[0] == '\r' || s[0] == '\v' || s[0] == '\f') {
		s = s[1:]
	}
	for len(s) > 0 && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t' || s[len(s)-1] == '\n' || s[len(s)-1] == '\r' || s[len(s)-1] == '\v' || s[len(s)-1] == '\f') {
		s = s[:len(s)-1]
	}
	return s
}

func TestParseTime(t *testing.T) {
	tests := []struct {
		in   string
		want float64
		ok   bool
	}{
		{"1518633543480", 1518633543480, true},
		{"2017-07-05 14:17:48.269119", 1499264268269.119, true},
		{"2021-06-06T15:59:46.457984+0200", 1622987986457.984, true},
		{"2015-03-29T11:01:38.221126-06:00", 1427648498221.126, true},
		{"2019/04/04 16:24:47.672448", 1554395087672.448, true},
		{"2024-02-29", 1709164800000, true}, {"2023-02-29", 0, false}, {"1900-02-29", 0, false}, {"2000-02-29 23:59:60", 951868800000, true},
		{"1969-12-31T23:59:59Z", -1000, true}, {"2020-01-01T00:00:00.5Z", 1577836800500, true},
		{"2020-01-01T24:00:00Z", 0, false}, {"2020-01-01T00:00:00+99:00", 0, false}, {"2020-13-01", 0, false}, {"2020-01-01T00:00:00.", 0, false},
		{"20/02/2018 05:11:47", 1519103507000, true},
		{"05/07/2017 02:17:48 PM", 1499264268000, true},
		{"2017-07-05T14:17:48Z", 1499264268000, true},
		{"", 0, false}, {"yesterday", 0, false}, {"32/01/2018 00:00:00", 0, false}, {"Infinity", 0, false},
	}
	for _, tt := range tests {
		if got, ok := parseTime([]byte(tt.in)); ok != tt.ok || got != tt.want && ok {
			t.Errorf("%q: got %v, %v, want %v, %v", tt.in, got, ok, tt.want, tt.ok)
		}
	}
}

// Seconds become milliseconds with one rounding, as if the decimal point had
// been moved before reading.
func TestParseSeconds(t *testing.T) {
	tests := []struct {
		in   string
		want float64
	}{
		{"0.447460", 447.46}, {"1379288667.706265", 1379288667706.265}, {"1379288667.706", 1379288667706}, {"3", 3000}, {"1e-3", 1},
		{"9007199254740993", 9007199254740993e3}, {"0.0012309551239013672", 1.2309551239013672}, {"-1.5", -1500},
	}
	for _, tt := range tests {
		if got, ok := parseSeconds([]byte(tt.in)); !ok || got != tt.want {
			t.Errorf("%q: got %v, %v, want %v", tt.in, got, ok, tt.want)
		}
	}
}

// A number is taken as the unit that gives a plausible year.
func TestParseEpoch(t *testing.T) {
	for _, in := range []string{"1379288667.706", "1379288667706", "1379288667706000", "1379288667706000000", "2013-09-15T23:44:27.706Z"} {
		if got, ok := parseEpoch([]byte(in)); !ok || math.Abs(got-1379288667706) > 0.001 {
			t.Errorf("%q: got %v, %v", in, got, ok)
		}
	}
}
