//go:build !js

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// request is one line to a worker. Workers ignore what they do not need.
type request struct {
	Do    string `json:"do"`
	Model string `json:"model,omitempty"`
	As    string `json:"as,omitempty"` // name of what export wrote
	Data  string `json:"data,omitempty"`
	Path  string `json:"path,omitempty"`
	Lib   string `json:"lib,omitempty"`

	Seed          uint64  `json:"seed"`
	Trees         int     `json:"trees"`
	Eta           float64 `json:"eta,omitempty"`
	Terms         int     `json:"terms,omitempty"`
	Contamination float64 `json:"contamination,omitempty"`
	Balanced      bool    `json:"balanced,omitempty"`

	Features int     `json:"features,omitempty"`
	Nodes    int     `json:"nodes,omitempty"`
	Rows     int     `json:"rows,omitempty"`
	All      bool    `json:"all,omitempty"`
	Seconds  float64 `json:"seconds,omitempty"`
	// Plain scores and explains in wasm with Go's own loops.
	Plain bool `json:"plain,omitempty"`
}

// reply is one line back.
type reply struct {
	Error string  `json:"error,omitempty"`
	CPU   float64 `json:"cpu"`  // seconds of the process, all threads
	RSS   float64 `json:"rss"`  // bytes that the work added at its peak
	Rows  int     `json:"rows"` // rows done
	Nodes int     `json:"nodes"`
	Trees int     `json:"trees"`
	Bytes int     `json:"bytes"`
	Bare  int     `json:"bare"` // bytes without covers, of forests
	Text  string  `json:"text"`
}

// worker does requests, one at a time.
type worker interface {
	call(request) (reply, error)
	close() error
}

// oneThread is the environment of every worker: nothing starts a thread of
// its own to help.
var oneThread = []string{"OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1", "MKL_NUM_THREADS=1", "NUMBA_NUM_THREADS=1", "GOMAXPROCS=1", "PYTHONWARNINGS=ignore"}

// process is a worker that is a program speaking JSON lines.
type process struct {
	name string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	log  *os.File
}

// start runs a worker; what it complains about goes to the file log.
func start(name, log, program string, args ...string) (*process, error) {
	p := &process{name: name, cmd: exec.Command(program, args...)}
	p.cmd.Env = append(os.Environ(), oneThread...)
	var err error
	if p.log, err = os.Create(log); err != nil {
		return nil, err
	}
	p.cmd.Stderr = p.log
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReaderSize(out, 1<<16)
	return p, p.cmd.Start()
}

func (p *process) call(r request) (reply, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return reply{}, err
	}
	if _, err = p.in.Write(append(b, '\n')); err != nil {
		return reply{}, fmt.Errorf("%s: %w: see %s", p.name, err, p.log.Name())
	}
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return reply{}, fmt.Errorf("%s: %s %s: worker ended (%w): see %s", p.name, r.Do, r.Model, err, p.log.Name())
	}
	var got reply
	if err := json.Unmarshal(line, &got); err != nil {
		return reply{}, fmt.Errorf("%s: reply %.64q: %w", p.name, line, err)
	}
	if got.Error != "" {
		return got, fmt.Errorf("%s: %s %s: %s", p.name, r.Do, r.Model, got.Error)
	}
	return got, nil
}

// close ends the worker by closing its input.
func (p *process) close() error {
	return errors.Join(p.in.Close(), p.cmd.Wait(), p.log.Close())
}
