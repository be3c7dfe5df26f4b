package main

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"cloister": func() {
			os.Exit(run(context.Background(), os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr}))
		},
	})
}

// TestScript runs the command line as people do, one file a story.
func TestScript(t *testing.T) {
	models, err := filepath.Abs("../models")
	if err != nil {
		t.Fatal(err)
	}
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts found, %v", err)
	}
	testscript.Run(t, testscript.Params{Dir: "testdata/script", Setup: func(e *testscript.Env) error {
		e.Setenv("MODELS", models)
		e.Setenv("ADDR", freeAddr(t))
		return nil
	}, Cmds: map[string]func(*testscript.TestScript, bool, []string){
		// readenv NAME FILE sets a variable to the first line of a file.
		"readenv": func(ts *testscript.TestScript, _ bool, args []string) {
			line, _, _ := strings.Cut(ts.ReadFile(args[1]), "\n")
			ts.Setenv(args[0], line)
		},
	}})
}

// freeAddr returns an address of loopback that nobody listens on.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Scripts rely on the exit status: 0 done, 1 a check failed, 2 usage.
func TestRun_status(t *testing.T) {
	tests := []struct {
		args []string
		want int
	}{
		{[]string{"--help"}, 0},
		{[]string{"inspect", "../models/flows/1.bundle"}, 0},
		{[]string{"score", "--bundle", "script_test.go", "script_test.go"}, 1},
		{[]string{"train", "--recipe", "x", "script_test.go", "--out", "x"}, 2},
		{[]string{"nothing"}, 2},
		{[]string{"score"}, 2},
	}
	for _, tt := range tests {
		if got := run(context.Background(), tt.args, streams{in: os.Stdin, out: io.Discard, err: io.Discard}); got != tt.want {
			t.Errorf("%q: status %d, want %d", tt.args, got, tt.want)
		}
	}
}
