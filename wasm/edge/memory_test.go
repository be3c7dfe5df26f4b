//go:build !js

package main_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// memory returns the resident bytes of workerd below a process.
func memory(root int) (int64, error) {
	status, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		return 0, err
	}
	type process struct {
		name          string
		parent, bytes int64
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
		all[pid] = process{field("Name"), parent, kb << 10}
	}
	for pid, p := range all {
		for at := pid; at > 1; at = all[at].parent {
			if at == int64(root) && p.name == "workerd" {
				return p.bytes, nil
			}
		}
	}
	return 0, errors.New("no workerd runs below the process")
}
