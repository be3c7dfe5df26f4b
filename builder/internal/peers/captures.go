//go:build !js

package main

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
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

// capturePeer is a program that reads a capture and makes flows of it.
type capturePeer struct {
	name   string
	rounds int
	goal   float64  // how many times its packets/s we want to have, 0 for none
	args   []string // FILE is the capture, FOLDER an empty folder
}

var capturePeers = []capturePeer{
	{"cloister", captureRounds, 0, []string{"build/peers/cloister", "flows", "FILE", "--out", "FOLDER/flows.csv"}},
	{"nfpcapd", captureRounds, 2.5, []string{"nfpcapd", "-r", "FILE", "-w", "FOLDER", "-e", "1800,120"}},
	{"argus", captureRounds, 2.5, []string{"argus", "-r", "FILE", "-w", "FOLDER/flows.argus"}},
	{"softflowd", captureRounds, 1.7, []string{"softflowd", "-r", "FILE", "-n", "127.0.0.1:9", "-v", "9"}},
	{"tshark", 1, 0, []string{"tshark", "-n", "-q", "-z", "conv,tcp", "-z", "conv,udp", "-r", "FILE"}},
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
			compare(capturesArea, "capture to flows", "packets/s of processor time", true, values(ours, rate), p.name, values(theirs, rate), p.goal, ""),
			compare(capturesArea, "capture to flows", "MB at most", false, values(ours, memory), p.name, values(theirs, memory), 0, ""))
	}
	metered, err := inMemory(folder)
	if err != nil {
		return err
	}
	rows = append(rows, metered...)
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

// memoryBytes is the size of the capture of the benchmarks of package ingest.
const memoryBytes = 32_000_000

// inMemory measures packets to flows, without files and rows: ours natively
// against gopacket's fastest decoder with a map of sums, and ours in
// WebAssembly.
func inMemory(folder string) (rows []row, err error) {
	if folder, err = filepath.Abs(folder); err != nil {
		return nil, err
	}
	made := filepath.Join(folder, "made.pcap")
	packets, _, err := makeCapture(made, memoryBytes)
	if err != nil {
		return nil, err
	}
	lab := filepath.Join(folder, "lab.pcap")
	if err := unpack(filepath.Join("models", "sample", "lab.pcap.gz"), lab); err != nil {
		return nil, err
	}
	inputs := []struct {
		name    string
		packets int64
		many    int // rounds
	}{{"made", packets, 130}, {"lab", 40_469, 405}}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, err
	}
	glue := filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", "wasm_exec_node.js")
	bench := []string{"-test.run", "xxx", "-test.bench", "Meter/INPUT$", "-test.benchtime", "ROUNDSx"}
	programs := []struct {
		name, build, from string
		env               []string
		run               []string
	}{
		{"native", "test", "shared/ingest", nil, append([]string{filepath.Join(folder, "native")}, bench...)},
		{"wasm", "test", "shared/ingest", []string{"GOOS=js", "GOARCH=wasm"}, append([]string{"node", "--stack-size=8192", glue, filepath.Join(folder, "wasm")}, bench...)},
		{"gopacket", "build", source + "/testdata/gopacket", nil, []string{filepath.Join(folder, "gopacket"), filepath.Join(folder, "INPUT.pcap"), "ROUNDS"}}, // a module of its own
	}
	for i, p := range programs {
		args := []string{p.build, "-o", filepath.Join(folder, p.name), "."}
		if p.build == "test" {
			args = slices.Insert(args, 1, "-c")
		}
		cmd := exec.Command("go", args...)
		cmd.Dir, cmd.Env = p.from, append(os.Environ(), p.env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			if p.name != "gopacket" {
				return nil, fmt.Errorf("build %s: %w: %.300s", p.name, err, out)
			}
			say("gopacket does not build, its row is left out: %.300s", out)
			programs = programs[:i]
		}
	}
	for _, in := range inputs {
		rates := map[string][]float64{}
		for range captureRounds {
			for _, p := range programs {
				rate, err := perSecond(p.run, in.name, in.packets, in.many)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", p.name, err)
				}
				rates[p.name] = append(rates[p.name], rate)
			}
		}
		const unit = "packets/s of processor time"
		work := "packets to flows in memory, " + in.name + " capture"
		if theirs := rates["gopacket"]; len(theirs) > 0 {
			rows = append(rows, compare(capturesArea, work, unit, true, rates["native"], "gopacket", theirs, 2, "its decoder without copies, a map of packets and bytes"))
		}
		rows = append(rows, against(capturesArea, work+", WebAssembly under Node", unit, true, rates["wasm"], 2e6, ""))
	}
	return rows, nil
}

// unpack writes what a gzip file holds.
func unpack(from, to string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	b, err := io.ReadAll(z)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o644)
}

// perSecond returns how many packets a second of processor time a program
// meters that meters INPUT ROUNDS times: the difference of two runs, so that
// its start does not count.
func perSecond(args []string, input string, packets int64, many int) (float64, error) {
	const few = 5
	took := map[int]float64{}
	for _, rounds := range []int{few, many} {
		var list []string
		for _, a := range args {
			list = append(list, strings.NewReplacer("ROUNDS", strconv.Itoa(rounds), "INPUT", input).Replace(a))
		}
		cmd := exec.Command(list[0], list[1:]...)
		cmd.Dir = filepath.Join("shared", "ingest")
		if text, err := cmd.CombinedOutput(); err != nil {
			return 0, fmt.Errorf("%w: %.300s", err, text)
		}
		took[rounds] = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	}
	return float64(packets) * float64(many-few) / (took[many] - took[few]), nil
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
