package train

// What tests check by itself.
var (
	FindCentres = findCentres
	CoverageOf  = coverage
	AbstainOf   = abstain
)

// Settle decides between rivals.
func Settle(rivals []Rival) (int, *Candidate) {
	list := make([]int, len(rivals))
	for i := range list {
		list[i] = i
	}
	i, c, _ := (&fit{}).settle(&Result{Rivals: rivals}, list)
	return i, c
}

// Balanced is [Recipe.Balanced].
var Balanced = balanced
