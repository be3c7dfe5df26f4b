//go:build !js

package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"cloister/shared/ingest/capturetest"
)

// capturesArea is the name of the area that captures does.
const capturesArea = "captures"

// captureRounds is how often each contender takes its turn; tshark, which
// dissects everything and takes minutes, has one.
const captureRounds = 3

// meter is a program that reads a capture and makes flows of it.
type capturePeer struct {
	name   string
	rounds int
	args   []string // FILE is the capture, FOLDER an empty folder
}

var capturePeers = []capturePeer{
	{"cloister", captureRounds, []string{"build/peers/cloister", "flows", "FILE", "--out", "FOLDER/flows.csv"}},
	{"nfpcapd", captureRounds, []string{"nfpcapd", "-r", "FILE", "-w", "FOLDER", "-e", "1800,120"}},
	{"argus", captureRounds, []string{"argus", "-r", "FILE", "-w", "FOLDER/flows.argus"}},
	{"softflowd", captureRounds, []string{"softflowd", "-r", "FILE", "-n", "127.0.0.1:9", "-v", "9"}},
	{"tshark", 1, []string{"tshark", "-n", "-q", "-z", "conv,tcp", "-z", "conv,udp", "-r", "FILE"}},
}

// used is what one run took.
type used struct {
	seconds float64 // of the processor
	bytes   float64 // most memory at once
}

// captures measures reading a capture of 500 MB from a seeded generator, from
// file to flows on disk, against other meters, in turns, and compares flows
// with those of nDPI and TShark on captures that cannot be in the repository.
// Programs that are not installed are left out by name.
func captures(data, out string) error {
	folder := filepath.Join("build", "peers")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	if err := build(folder); err != nil {
		return err
	}
	file := filepath.Join(folder, "captures.pcap")
	packets, size, err := makeCapture(file, 500_000_000)
	if err != nil {
		return err
	}
	say("capture of %d packets, %d bytes, load %s", packets, size, loadAverage())
	took := map[string][]used{}
	for round := range captureRounds {
		for _, p := range capturePeers {
			if round >= p.rounds {
				continue
			}
			if _, err := exec.LookPath(p.args[0]); err != nil {
				if round == 0 {
					say("%s is not installed, its rows are left out", p.name)
				}
				continue
			}
			u, err := p.run(file)
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			took[p.name] = append(took[p.name], u)
		}
	}
	var rows []row
	values := func(list []used, of func(used) float64) (v []float64) {
		for _, u := range list {
			v = append(v, of(u))
		}
		return v
	}
	rate := func(u used) float64 { return float64(packets) / u.seconds }
	memory := func(u used) float64 { return u.bytes / 1e6 }
	for _, p := range capturePeers[1:] {
		theirs := took[p.name]
		if len(theirs) == 0 {
			continue
		}
		ours := took["cloister"][:len(theirs)]
		rows = append(rows,
			compare(capturesArea, "capture to flows", "packets/s of processor time", true, values(ours, rate), p.name, values(theirs, rate), 0, ""),
			compare(capturesArea, "capture to flows", "MB at most", false, values(ours, memory), p.name, values(theirs, memory), 0, ""))
	}
	wasm, err := captureInNode()
	if err != nil {
		return err
	}
	rows = append(rows, against(capturesArea, "packets to flows, WebAssembly under Node", "packets/s", true, []float64{wasm}, 1e6, "sample capture, from memory"))
	if err := printTable(os.Stdout, rows); err != nil {
		return err
	}
	return errors.Join(writeJSON(out, rows), parity(folder, data))
}

// makeCapture writes the seeded capture to a file.
func makeCapture(path string, size int64) (packets, bytes int64, err error) {
	f, err := os.Create(path)
	if err != nil {
		return 0, 0, err
	}
	packets, bytes, err = capturetest.Write(f, size, rand.New(rand.NewPCG(1, 2)))
	return packets, bytes, errors.Join(err, f.Close())
}

// build makes our program.
func build(folder string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(folder, "cloister"), "./builder")
	cmd.Stderr = os.Stderr
	return cmd.Run()
}

// run runs the program once on file.
func (p capturePeer) run(file string) (u used, err error) {
	folder, err := os.MkdirTemp(filepath.Dir(file), p.name)
	if err != nil {
		return u, err
	}
	defer os.RemoveAll(folder)
	args := slices.Clone(p.args)
	for i := range args {
		args[i] = strings.NewReplacer("FILE", file, "FOLDER", folder).Replace(args[i])
	}
	cmd := exec.Command(args[0], args[1:]...)
	text, err := cmd.CombinedOutput()
	if err != nil {
		return u, fmt.Errorf("%w: %.300s", err, text)
	}
	state := cmd.ProcessState
	u.seconds = (state.UserTime() + state.SystemTime()).Seconds()
	if usage, ok := state.SysUsage().(*syscall.Rusage); ok {
		u.bytes = float64(usage.Maxrss) * 1024
	}
	say("%-10s %7.2f s of processor time, %5.0f MB", p.name, u.seconds, u.bytes/1e6)
	return u, nil
}

// captureInNode runs the benchmark of package ingest in WebAssembly.
func captureInNode() (float64, error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return 0, err
	}
	cmd := exec.Command("go", "test", "-run", "xxx", "-bench", "Capture$", "-benchtime", "2s",
		"-exec", filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", "go_js_wasm_exec"), "./shared/ingest")
	cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	text, err := cmd.CombinedOutput()
	m := regexp.MustCompile(`([0-9.]+) packets/s`).FindSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("benchmark in Node: %w: %.300s", err, text)
	}
	return strconv.ParseFloat(string(m[1]), 64)
}

// parity compares flows with those of nDPI and of TShark on nDPI's captures,
// which are under a licence of their own.
func parity(folder, data string) error {
	captures := filepath.Join(data, "pcaps", "oracle-ndpi")
	if _, err := os.Stat(captures); err != nil {
		say("%s is missing: no comparison with nDPI", captures)
		return nil
	}
	oracle, err := filepath.Abs(filepath.Join(folder, "oracle"))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(oracle, 0o755); err != nil {
		return err
	}
	began := time.Now()
	for _, args := range [][]string{
		{"python3", "shared/ingest/testdata/capture/oracle.py", oracle, captures},
		{"go", "test", "-count", "1", "-run", "Parity", "-v", "./shared/ingest", "-oracle", oracle},
	} {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s: %w", strings.Join(args[:3], " "), err)
		}
	}
	say("parity took %v", time.Since(began).Round(time.Second))
	return nil
}
