package bundle

import (
	"cmp"
	"strconv"
	"strings"
)

// CompareVersions returns a negative number if version a is older than b, 0 if
// they are equal and a positive one if it is newer: 1.2.10 comes after 1.2.9, and
// 1.2.0 after 1.2.0-rc1. Parts that are no numbers count as 0; then the texts
// decide. Cost: O(len(a) + len(b)).
func CompareVersions(a, b string) int {
	a, preA, _ := strings.Cut(a, "-")
	b, preB, _ := strings.Cut(b, "-")
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range max(len(as), len(bs)) {
		var x, y int
		if i < len(as) {
			x, _ = strconv.Atoi(as[i]) // what is no number counts as 0
		}
		if i < len(bs) {
			y, _ = strconv.Atoi(bs[i])
		}
		if x != y {
			return cmp.Compare(x, y)
		}
	}
	switch {
	case preA == preB:
		return strings.Compare(a, b)
	case preA == "":
		return 1
	case preB == "":
		return -1
	}
	return strings.Compare(preA, preB)
}
