//go:build !js

package score_test

import (
	"syscall"
	"time"
)

// cpuTime is what this process has computed so far, on all its threads: unlike
// the clock on the wall it hardly depends on what else the machine does.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
