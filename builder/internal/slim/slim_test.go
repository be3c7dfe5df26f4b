package slim_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cloister/builder/internal/slim"
)

// probe builds testdata/probe for a browser.
func probe(t testing.TB) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "probe.wasm")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, "./testdata/probe")
	build.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	program, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// run has Node run a program, which has to fall.
func run(t *testing.T, program []byte) (out, trace string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "run.wasm")
	if err := os.WriteFile(file, program, 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	node := exec.Command("node", "--stack-size=8192", filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", "wasm_exec_node.js"), file)
	var stdout, stderr bytes.Buffer
	node.Stdout, node.Stderr = &stdout, &stderr
	node.Env = []string{"PATH=" + os.Getenv("PATH")}
	if err := node.Run(); err == nil {
		t.Fatal("the probe ends well; it should fall")
	}
	return stdout.String(), stderr.String()
}

// The program does the same, its traces name functions, and it is smaller.
func TestWasm_sameProgram(t *testing.T) {
	program := probe(t)
	small, err := slim.Wasm(program, "main.")
	if err != nil {
		t.Fatal(err)
	}
	again, err := slim.Wasm(small, "main.")
	if err != nil || !bytes.Equal(again, small) {
		t.Errorf("a second time gives other bytes: %v", err)
	}
	want, trace := run(t, program)
	if !strings.Contains(trace, "main.go:") || strings.Count(want, "\n") != 5 {
		t.Fatalf("before: %q, %q", want, trace)
	}
	got, trace := run(t, small)
	if got != want {
		t.Errorf("after: %q, want %q", got, want)
	}
	for _, part := range []string{"panic: down", "main.fall(", "main.main(", "?:0"} {
		if !strings.Contains(trace, part) {
			t.Errorf("the trace lacks %q: %s", part, trace)
		}
	}
	if strings.Contains(trace, ".go:") {
		t.Errorf("the trace names a file: %s", trace)
	}
	for _, name := range []string{"runtime/proc.go", "runtime.newproc1", "strings.HasPrefix"} {
		if !bytes.Contains(program, []byte(name)) || bytes.Contains(small, []byte(name)) {
			t.Errorf("%q: in the program %v, then %v", name, bytes.Contains(program, []byte(name)), bytes.Contains(small, []byte(name)))
		}
	}
}

// Whatever is no program of the Go linker is refused.
func TestWasm_refuses(t *testing.T) {
	head := "\x00asm\x01\x00\x00\x00"
	section := func(data string) string {
		return head + string(append(binary.AppendUvarint([]byte{11}, uint64(len(data))), data...))
	}
	piece := func(to byte, data string) string { // to is below 64
		return "\x00\x41" + string(to) + "\x0b" + string(rune(len(data))) + data
	}
	table := "\xf1\xff\xff\xff\x00\x00\x01\x08" + strings.Repeat("\x00", 64)
	huge := "\xf1\xff\xff\xff\x00\x00\x01\x08" + strings.Repeat("\x7f", 64)
	tests := []struct{ name, program, want string }{
		{"nothing", "", "WebAssembly"},
		{"another version", "\x00asm\x02\x00\x00\x00", "WebAssembly"},
		{"no section", head, "no data"},
		{"a section cut short", head + "\x0b\x05\x00", "cut short"},
		{"a size that never ends", head + "\x0b\xff\xff\xff\xff\xff\xff", "cut short"},
		{"more pieces than there are", section("\x02" + piece(0, "abc")), "cut short"},
		{"bytes behind the pieces", section("\x01" + piece(0, "abc") + "x"), "cut short"},
		{"a passive piece", section("\x01\x01\x03abc"), "constant address"},
		{"a negative address", section("\x01" + piece(0x7f, "abc")), "between"},
		{"an address beyond memory", section("\x01\x00\x41\xff\xff\xff\xff\x07\x0b\x01a"), "between"},
		{"no functions", section("\x01" + piece(0, "abc")), "no table"},
		{"a head cut short", section("\x01" + piece(0, table[:20])), "two things"},
		{"two heads", section("\x02" + piece(0, table) + "\x00\x41\xc8\x00\x0b\x48" + table), "two things"},
		{"offsets beyond memory", section("\x01" + piece(0, huge)), "no known layout"},
	}
	for _, tt := range tests {
		if _, err := slim.Wasm([]byte(tt.program)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want it to say %q", tt.name, err, tt.want)
		}
	}
}

func FuzzWasm(f *testing.F) {
	f.Add([]byte("\x00asm\x01\x00\x00\x00\x0b\x08\x01\x00\x41\x00\x0b\x01a"))
	f.Fuzz(func(t *testing.T, b []byte) {
		small, err := slim.Wasm(b)
		if err != nil {
			return
		}
		if again, err := slim.Wasm(small); err != nil || !bytes.Equal(again, small) {
			t.Fatalf("a second time: %v", err)
		}
	})
}
