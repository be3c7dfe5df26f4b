package score_test

import (
	"syscall/js"
	"time"
)

// cpuTime is what Node's process has computed so far, on all its threads, the
// compiler's among them.
func cpuTime() time.Duration {
	u := js.Global().Get("process").Call("cpuUsage")
	return time.Duration(u.Get("user").Float()+u.Get("system").Float()) * time.Microsecond
}
