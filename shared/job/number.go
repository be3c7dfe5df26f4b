package job

import (
	"fmt"
	"math"
	"strconv"
)

// Number is a float64 whose JSON form is null for NaN and the infinities,
// which JSON cannot hold; null reads back as NaN.
type Number float64

// MarshalJSON returns the shortest decimal form that reads back to the same
// bits, or null.
func (n Number) MarshalJSON() ([]byte, error) {
	f := float64(n)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, f, 'g', -1, 64), nil
}

// UnmarshalJSON reads a number or null.
func (n *Number) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*n = Number(math.NaN())
		return nil
	}
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		return fmt.Errorf("not a number: %.64q", b)
	}
	*n = Number(f)
	return nil
}
