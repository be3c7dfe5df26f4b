package tune

// What tests compare with a reference or check by itself.
var (
	LogLoss = logLoss
	Thin    = thin
)
