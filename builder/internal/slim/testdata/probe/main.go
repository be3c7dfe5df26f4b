// Command probe does what depends on the runtime's tables of functions: it
// grows stacks, collects garbage while they hold pointers, recovers, asks who
// called it, and falls.
package main

import (
	"fmt"
	"runtime"
	"strings"
)

type list struct {
	next  *list
	value [8]int
}

// deep grows the stack and holds pointers on all of it.
//
//go:noinline
func deep(n int, l *list) int {
	if n == 0 {
		runtime.GC()
		sum := 0
		for ; l != nil; l = l.next {
			sum += l.value[3]
		}
		return sum
	}
	here := &list{next: l}
	here.value[3] = n
	return deep(n-1, here) + here.value[3]
}

// caught returns what stopped it.
func caught(f func()) (text string) {
	defer func() { text = fmt.Sprint(recover()) }()
	f()
	return ""
}

func main() {
	fmt.Println(deep(20000, nil))
	done := make(chan int)
	for i := range 8 {
		go func() { done <- deep(100*i, nil) }()
	}
	sum := 0
	for range 8 {
		sum += <-done
	}
	fmt.Println(sum)
	var none []int
	var nothing *list
	fmt.Println(caught(func() { none[len(none)+3]++ }))
	fmt.Println(caught(func() { fmt.Println(nothing.next) }))
	fmt.Println(callers())
	fall()
}

// callers names the functions on the stack that are never inlined.
//
//go:noinline
func callers() (names []string) {
	var pcs [16]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(0, pcs[:])])
	for more := true; more; {
		var f runtime.Frame
		if f, more = frames.Next(); strings.HasPrefix(f.Function, "main.") {
			names = append(names, f.Function, runtime.FuncForPC(f.PC).Name())
		}
	}
	return names
}

//go:noinline
func fall() { panic("down") }
