package publish

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// GateFiles are what [Replay] needs in its folder; `make build` puts them into
// build/gate.
var GateFiles = []string{"gate.wasm", "wasm_exec.js", "wasm_exec_node.js"}

// ErrNoGate means that the gate in WebAssembly cannot run here: Node or a file
// of [GateFiles] is missing.
var ErrNoGate = errors.New("the test vectors cannot be replayed in WebAssembly here")

// replayTime bounds one run: a bundle at the limits takes seconds.
const replayTime = 2 * time.Minute

// Replay loads file in WebAssembly under Node, with the files in dir, which
// replays its test vectors there, and returns how many passed. What cannot run
// is an [ErrNoGate] that says what is missing; a vector that differs is an
// error with the row and the difference.
func Replay(ctx context.Context, dir string, file []byte) (int, error) {
	node, err := exec.LookPath("node")
	if err != nil {
		return 0, fmt.Errorf("%w: no program node on the PATH", ErrNoGate)
	}
	for _, name := range GateFiles {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return 0, fmt.Errorf("%w: %s is missing: run make build, or name the folder", ErrNoGate, filepath.Join(dir, name))
		}
	}
	f, err := os.CreateTemp("", "cloister-gate-*.bundle")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name()) // best effort: a temporary file
	_, err = f.Write(file)
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, replayTime)
	defer cancel()
	var stdout, stderr bytes.Buffer
	// Go's JavaScript hands the environment to the program and refuses a
	// large one.
	cmd := exec.CommandContext(ctx, node, "--stack-size=8192", filepath.Join(dir, "wasm_exec_node.js"), filepath.Join(dir, "gate.wasm"), f.Name())
	cmd.Env, cmd.Stdout, cmd.Stderr = []string{"PATH=" + os.Getenv("PATH")}, &stdout, &stderr
	if err := cmd.Run(); err != nil {
		text := strings.TrimSpace(stderr.String())
		if text == "" {
			text = err.Error()
		}
		return 0, fmt.Errorf("in WebAssembly: %.512s", text)
	}
	var said struct {
		SHA256  string
		Vectors int
	}
	if err := json.Unmarshal(stdout.Bytes(), &said); err != nil {
		return 0, fmt.Errorf("in WebAssembly: %w", err)
	}
	if want := fmt.Sprintf("%x", sha256.Sum256(file)); said.SHA256 != want || said.Vectors == 0 {
		return 0, fmt.Errorf("in WebAssembly: %d vectors of %.12s, want those of %.12s", said.Vectors, said.SHA256, want)
	}
	return said.Vectors, nil
}
