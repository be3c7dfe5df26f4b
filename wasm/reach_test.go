//go:build !js

package wasm_test

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// never lists what neither program links, directly or through others, and why.
// A name that ends in /... covers what is below it.
var never = map[string]string{
	"net":                            "a page that is sealed needs no network code",
	"net/http":                       "a page that is sealed needs no network code",
	"net/url":                        "nothing in the page builds addresses",
	"os/exec":                        "there is nothing to run",
	"html/template":                  "half a MB for what Vugu does",
	"text/template":                  "reflection over input",
	"testing":                        "test helpers stay out of the product",
	"cloister/builder/...":           "training is not for the browser",
	"google.golang.org/protobuf/...": "1 MB of reflection",
	"github.com/golang/protobuf/...": "1 MB of reflection",
	"github.com/google/gopacket/...": "ten times slower and 4 MB larger than our own walk",
	"github.com/gopacket/...":        "ten times slower and 4 MB larger than our own walk",
	"github.com/apache/arrow-go/...": "several MB; the page reads Parquet otherwise",
	"github.com/parquet-go/...":      "several MB; the page reads Parquet otherwise",
	"github.com/labstack/...":        "a server",
	"gonum.org/...":                  "runs as plain loops in wasm: an order of magnitude slower",
}

// entries are the two programs and what each alone never links.
var entries = map[string]struct {
	never map[string]string
	must  string // what it links, so that the list is known to be one
}{
	"page": {map[string]string{
		"cloister/shared/score":          "the page never blocks: scoring is the worker's",
		"cloister/shared/ingest":         "files are read by the worker",
		"github.com/vugu/vugu/domrender": "it writes through eval, which the policy forbids",
	}, "cloister/site"},
	"worker": {map[string]string{
		"cloister/site":       "the worker draws nothing",
		"github.com/vugu/...": "the worker draws nothing",
	}, "cloister/shared/score"},
}

func matches(pattern, path string) bool {
	if root, ok := strings.CutSuffix(pattern, "/..."); ok {
		return path == root || strings.HasPrefix(path, root+"/")
	}
	return path == pattern
}

func TestReach_linkedPackages(t *testing.T) {
	for entry, e := range entries {
		cmd := exec.Command("go", "list", "-deps", "./"+entry)
		cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
		var said bytes.Buffer
		cmd.Stderr = &said
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v: %s", entry, err, said.String())
		}
		linked := strings.Fields(string(out))
		found := false
		for _, path := range linked {
			found = found || path == e.must
			for _, list := range []map[string]string{never, e.never} {
				for pattern, why := range list {
					if matches(pattern, path) {
						t.Errorf("%s links %s: %s", entry, path, why)
					}
				}
			}
		}
		if !found {
			t.Errorf("%s: %q is not among %d packages: the list proves nothing", entry, e.must, len(linked))
		}
	}
}

func TestReach_matches(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"net", "net", true}, {"net", "net/http", false}, {"a/b/...", "a/b", true}, {"a/b/...", "a/b/c", true}, {"a/b/...", "a/bc", false},
	} {
		if matches(c.pattern, c.path) != c.want {
			t.Errorf("%q matches %q: %v", c.pattern, c.path, !c.want)
		}
	}
}

// networkNames are the names by which JavaScript reaches the network. Go can
// call only what it holds the name of, as a string in the binary. Each is
// matched as a whole word of letters.
var networkNames = []string{
	"RTCPeerConnection", "XMLHttpRequest", "WebSocket", "WebSocketStream", "sendBeacon", "EventSource", "WebTransport", "fetch", "fetchLater", "importScripts",
}

// networkWord finds a name that no letter precedes or follows. Go packs
// strings without gaps, so that neighbours can hide one: binaries are searched
// for the bare text of the long names as well.
func networkWords(binary []byte) (found []string) {
	for _, name := range networkNames {
		if len(name) > 8 && bytes.Contains(binary, []byte(name)) || regexp.MustCompile(`(^|[^A-Za-z])`+name+`($|[^A-Za-z])`).Match(binary) {
			found = append(found, name)
		}
	}
	return found
}

func TestReach_noNetworkNamesInTheBinaries(t *testing.T) {
	for _, f := range []string{"page.wasm", "worker.wasm"} {
		b, err := os.ReadFile("../build/site/" + f)
		if err != nil {
			t.Fatalf("%v: run `make build` first", err)
		}
		if !bytes.HasPrefix(b, []byte("\x00asm")) || !bytes.Contains(b, []byte("syscall/js")) {
			t.Errorf("%s is no program that could call JavaScript", f)
		}
		if found := networkWords(withoutTexts(t, b)); len(found) > 0 {
			t.Errorf("%s holds %q", f, found)
		}
	}
}

// withoutTexts cuts the embedded tables about attacks out of a program: they
// speak of networks in plain words. What is cut is exactly these files.
func withoutTexts(t *testing.T, program []byte) []byte {
	t.Helper()
	for _, name := range []string{"analytics.tsv", "lookup.json", "low.json"} {
		text, err := os.ReadFile("../shared/attack/" + name)
		if err != nil {
			t.Fatal(err)
		}
		program = bytes.ReplaceAll(program, text, nil)
	}
	return program
}

// The search finds the names in a program that does use them: one that links
// net/http, built on the spot.
func TestReach_findsNetworkNames(t *testing.T) {
	dir := t.TempDir()
	const source = "package main\n\nimport (\n\t\"net/http\"\n\t\"syscall/js\"\n)\n\nfunc main() {\n\t_, _ = http.Get(\"http://127.0.0.1/\")\n\tjs.Global().Get(\"WebSocket\").New(\"x\")\n}\n"
	if err := os.WriteFile(dir+"/main.go", []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", dir+"/main.wasm", dir+"/main.go")
	cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b, err := os.ReadFile(dir + "/main.wasm")
	if err != nil {
		t.Fatal(err)
	}
	found := strings.Join(networkWords(b), " ")
	for _, name := range []string{"fetch", "WebSocket"} {
		if !strings.Contains(found, name) {
			t.Errorf("%q is not found; found %q", name, found)
		}
	}
}
