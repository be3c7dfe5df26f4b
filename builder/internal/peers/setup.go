//go:build !js

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// source is where this program's files are, from the root of the module, and
// workerScript what joins the scorer's two modules in the page, and here.
const (
	source       = "builder/internal/peers"
	workerScript = "site/static/worker.js"
)

// webVersion is the onnxruntime-web that is installed, leavesVersion the Go library
// leaves.
const (
	webVersion    = "1.30.0"
	leavesVersion = "v0.0.0-20230708180554-25d19a787328"
)

// environment says where the peers are installed. All of it can be thrown
// away; what is there already is used again.
type environment struct {
	dir      string // build/peers
	python   string // of the newest libraries
	old      string // of XGBoost 1.7, "" if it does not install here
	oldWhy   string
	leaves   string // worker with the Go library leaves, "" if it does not install here
	node     string // folder of onnxruntime-web
	wasm     string // our scorer
	wasmExec string // Go's JavaScript for it
}

// setUp installs what is missing.
func setUp(dir string) (*environment, error) {
	if b, err := os.ReadFile("go.mod"); err != nil || !strings.HasPrefix(string(b), "module cloister\n") {
		return nil, errors.New("peers: run it in the root of the module: go run ./" + source)
	}
	for name, what := range map[string]string{"python3": "Python 3 with venv", "node": "Node", "npm": "npm"} {
		if _, err := exec.LookPath(name); err != nil {
			return nil, fmt.Errorf("peers: no program %q on the PATH: install %s", name, what)
		}
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	e := &environment{dir: dir, node: filepath.Join(dir, "node"), wasm: filepath.Join(dir, "peers.wasm")}
	for _, d := range []string{"data", "models", "scores", "logs", "node"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, err
		}
	}
	if e.python, err = venv(filepath.Join(dir, "venv"), filepath.Join(source, "py", "requirements.txt")); err != nil {
		return nil, err
	}
	if e.old, err = venv(filepath.Join(dir, "venv-old"), filepath.Join(source, "py", "requirements-old.txt")); err != nil {
		e.oldWhy = err.Error()
	}
	if e.leaves, err = leavesWorker(filepath.Join(dir, "leaves")); err != nil {
		say("the Go library leaves does not install here, its rows are left out: %v", err)
		e.leaves = ""
	}
	installed := filepath.Join(e.node, "node_modules", "onnxruntime-web", "package.json")
	if b, err := os.ReadFile(installed); err != nil || !strings.Contains(string(b), `"version": "`+webVersion+`"`) {
		say("installing onnxruntime-web %s", webVersion)
		if err := run("npm", "install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", e.node, "onnxruntime-web@"+webVersion); err != nil {
			return nil, err
		}
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("peers: go env: %w", err)
	}
	e.wasmExec = filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", "wasm_exec.js")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", e.wasm, "./"+source)
	build.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("peers: build for wasm: %w: %s", err, out)
	}
	return e, nil
}

// venv makes a virtual environment with the packages of a list, or finds the
// one that was made of the same list, and returns its Python.
func venv(dir, list string) (string, error) {
	want, err := os.ReadFile(list)
	if err != nil {
		return "", err
	}
	python, done := filepath.Join(dir, "bin", "python"), filepath.Join(dir, "installed.txt")
	if have, err := os.ReadFile(done); err == nil && bytes.Equal(have, want) {
		return python, nil
	}
	say("installing %s", list)
	if err := run("python3", "-m", "venv", dir); err != nil {
		return "", err
	}
	if err := run(python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", list); err != nil {
		return "", err
	}
	return python, os.WriteFile(done, want, 0o644)
}

// leavesWorker builds the worker of folder leaves in a module that is made for it.
func leavesWorker(dir string) (string, error) {
	b, err := os.ReadFile(filepath.Join(source, "leaves", "worker.go"))
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	for name, text := range map[string][]byte{"worker.go": b, "go.mod": []byte("module worker\n\ngo 1.26\n")} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return "", err
		}
	}
	for _, args := range [][]string{{"get", "github.com/dmitryikh/leaves@" + leavesVersion}, {"build", "-o", "worker", "worker.go"}} {
		cmd := exec.Command("go", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("go %s: %w: %s", args[0], err, bytes.TrimSpace(out))
		}
	}
	return filepath.Join(dir, "worker"), nil
}

// run runs a program that prints only when something is wrong.
func run(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("peers: %s %s: %w: %s", filepath.Base(name), strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

// say tells what goes on, beside the table.
func say(format string, args ...any) { fmt.Fprintf(os.Stderr, "peers: "+format+"\n", args...) }
