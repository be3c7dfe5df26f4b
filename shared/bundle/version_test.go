package bundle_test

import (
	"testing"

	"cloister/shared/bundle"
)

func TestCompareVersions(t *testing.T) {
	ascending := []string{"", "1.2.0-rc1", "1.2.0-rc2", "1.2.0", "1.2.9", "1.2.10", "2", "10.0.0"}
	for i, a := range ascending {
		for j, b := range ascending {
			got := bundle.CompareVersions(a, b)
			if (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("%q against %q: %d", a, b, got)
			}
		}
	}
}
