//go:build !amd64 || noasm

package tree

// NativeKernels returns none: package native has loops for amd64 only.
func NativeKernels() []*Kernel { return nil }
