package train

// What tests check by itself.
var (
	FindCentres = findCentres
	CoverageOf  = coverage
	AbstainOf   = abstain
)
