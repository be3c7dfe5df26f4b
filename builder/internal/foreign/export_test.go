package foreign

// Threshold returns the float64 up to which "x op t" holds for x rounded to
// float32.
func Threshold(op string, t float32) float64 {
	n := node{}
	if err := compare(&n, op, float64(t), true, func(what string) error { panic(what) }); err != nil {
		panic(err)
	}
	return n.threshold
}
