package report_test

import (
	"crypto/sha1"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"cloister/shared/report"
)

// Our SHA-1 is the standard library's, over every length of padding.
func TestDigest_standardLibrary(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for n := range 300 {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		if got, want := report.Digest(b), sha1.Sum(b); got != want {
			t.Fatalf("%d bytes: %x, want %x", n, got, want)
		}
	}
}

// addresses are what is refused or spelt in a special way.
var addresses = []string{
	"", "1.2.3.4", "1.2.3", "1.2.3.4.5", "01.2.3.4", "256.1.1.1", "1.2.3.+4", "1..2.3", "::", "::1", "1::", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8",
	"1:2:3:4:5:6:7:8:9", "1::2::3", ":::", ":1", "1:", "::ffff:1.2.3.4", "::1.2.3.4", "1.2.3.4::", "::1.2.3.4:5", "2001:DB8::00A1", "2001:db8:0:0:1:0:0:1", "0:0:1::", "fe80::1%eth0", "fe80::1%", "%eth0", "1.2.3.4%a",
	"12345::", "::g", "1:0:0:2:0:0:0:3", "0:1:0:1:0:1:0:1", "::+1", "0:0:0:0:0:0:0:0", "64:ff9b::1.2.3.4", "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:7:1.2.3.4", "::%x", "1:2:3:4::5:6:7:8", "x", ":", "1:2:3:4:5:6:7:", "::1:",
}

func sameAddress(t *testing.T, s string) (good bool) {
	t.Helper()
	want, err := netip.ParseAddr(s)
	got, ok := report.Address(s)
	if ok != (err == nil) || ok && got != want.WithZone("").String() {
		t.Errorf("%q: %q %v, want %v %v", s, got, ok, want, err)
	}
	return ok
}

func TestAddress_standardLibrary(t *testing.T) {
	good := 0
	for _, s := range addresses {
		if sameAddress(t, s) {
			good++
		}
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for range 20000 {
		var b [16]byte
		for i := range b {
			if rng.IntN(3) == 0 {
				b[i] = byte(rng.Uint32())
			}
		}
		a := netip.AddrFrom16(b)
		sameAddress(t, a.String())
		sameAddress(t, a.StringExpanded())
		sameAddress(t, strings.Replace(a.String(), "0", ":", rng.IntN(3)))
	}
	if good < 15 {
		t.Errorf("%d of the addresses are good", good)
	}
}

func FuzzAddress(f *testing.F) {
	for _, s := range addresses {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if strings.Count(s, "%") > 1 { // a zone may hold anything
			t.Skip()
		}
		sameAddress(t, s)
	})
}
