//go:build !js

package main_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// memory returns the resident bytes of the workerd processes below a process:
// the one with the program and wrangler's local proxy.
func memory(root int) (int64, error) {
	all, err := workerd(root)
	var sum int64
	for _, p := range all {
		sum += p.bytes
	}
	return sum, err
}

// processorTime returns the seconds that they have worked, to a hundredth.
func processorTime(root int) (float64, error) {
	all, err := workerd(root)
	var sum float64
	for _, p := range all {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
		if err != nil {
			return 0, err
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(rest)
		if len(fields) < 13 {
			return 0, errors.New("no times in /proc")
		}
		user, _ := strconv.ParseFloat(fields[11], 64)
		system, _ := strconv.ParseFloat(fields[12], 64)
		sum += (user + system) / 100
	}
	return sum, err
}

type process struct {
	name               string
	pid, parent, bytes int64
}

// workerd lists the workerd processes below a process.
func workerd(root int) (found []process, err error) {
	status, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		return nil, err
	}
	all := map[int64]process{}
	for _, file := range status {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		field := func(name string) string {
			_, rest, _ := strings.Cut("\n"+string(text), "\n"+name+":")
			line, _, _ := strings.Cut(rest, "\n")
			return strings.TrimSpace(line)
		}
		pid, _ := strconv.ParseInt(field("Pid"), 10, 64)
		parent, _ := strconv.ParseInt(field("PPid"), 10, 64)
		kb, _ := strconv.ParseInt(strings.TrimSuffix(field("VmRSS"), " kB"), 10, 64)
		all[pid] = process{field("Name"), pid, parent, kb << 10}
	}
	for pid, p := range all {
		for at := pid; p.name == "workerd" && at > 1; at = all[at].parent {
			if at == int64(root) {
				found = append(found, p)
				break
			}
		}
	}
	if len(found) == 0 {
		return nil, errors.New("no workerd runs below the process")
	}
	return found, nil
}
