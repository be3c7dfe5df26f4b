package main

import (
	"time"

	"github.com/schollz/progressbar/v3"
)

// barSteps is the resolution of a progress bar.
const barSteps = 1000

// bar shows progress with an estimate of the time left, or nothing.
type bar struct{ b *progressbar.ProgressBar }

func newBar(s streams, what string) *bar {
	if !s.progress {
		return &bar{}
	}
	return &bar{progressbar.NewOptions(barSteps, progressbar.OptionSetWriter(s.err), progressbar.OptionSetDescription(what),
		progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())}
}

// share shows that a share of the work, in [0,1], is done.
func (b *bar) share(stage string, done float64) {
	if b.b == nil {
		return
	}
	b.b.Describe(stage)
	b.set(done)
}

func (b *bar) set(done float64) {
	// the bar is decoration: work goes on when the terminal is gone
	if err := b.b.Set(int(done * barSteps)); err != nil {
		b.b = nil
	}
}

// done clears the bar.
func (b *bar) done() {
	if b.b != nil {
		b.set(1)
	}
}
