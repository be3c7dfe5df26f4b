//go:build !noasm

package tree_test

import (
	"testing"

	"cloister/shared/model/tree"
)

// Without kernels the tests that compare them compare nothing.
func TestNativeKernels_areThere(t *testing.T) {
	if len(tree.NativeKernels()) == 0 {
		t.Error("none: this processor has no AVX2")
	}
}
