//go:build !js

package shared_test

import (
	"errors"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "cloister/"

// layers lists every package of the module with those it may import, tests
// aside. A package without a line, an import that is not listed, a listed
// import that is not there and a line that names no package all fail.
var layers = map[string]string{
	// leaves
	"shared/wire":   "",
	"shared/frame":  "",
	"shared/attack": "",
	"shared/chart":  "",
	"shared/job":    "shared/wire",
	"shared/model":  "shared/wire",
	"shared/header": "",

	"shared/job/jobtest":              "shared/job",
	"shared/model/kernel":             "",
	"shared/model/modeltest":          "shared/model",
	"shared/model/native":             "",
	"shared/model/tree":               "shared/model shared/model/native shared/wire",
	"shared/model/tree/treetest":      "shared/model/tree",
	"shared/feature":                  "shared/frame shared/wire",
	"shared/ingest":                   "shared/frame shared/ingest/internal/capture shared/ingest/internal/flow shared/ingest/internal/jsontext shared/telemetry",
	"shared/ingest/capturetest":       "",
	"shared/ingest/internal/capture":  "",
	"shared/ingest/internal/flow":     "shared/frame shared/ingest/internal/capture",
	"shared/ingest/internal/jsontext": "",
	"shared/report":                   "shared/attack shared/chart shared/job",
	"shared/explain":                  "shared/model shared/model/tree",
	"shared/telemetry":                "shared/frame",
	"shared/bundle":                   "shared/wire",
	"shared/sign":                     "shared/bundle",
	"shared/channel":                  "shared/bundle shared/sign",
	"shared/score":                    "shared/attack shared/bundle shared/explain shared/feature shared/frame shared/ingest shared/job shared/model shared/model/tree shared/sign shared/telemetry shared/wire",

	"site/internal/pool":     "shared/job",
	"site/internal/compact":  "",
	"site/internal/query":    "",
	"site/internal/session":  "",
	"site/internal/text":     "",
	"site":                   "shared/attack shared/chart shared/job shared/report site/internal/pool site/internal/query site/internal/session site/internal/text",
	"wasm/internal/chromium": "",
	"wasm/internal/dom":      "",
	"wasm/internal/edge":     "shared/attack shared/bundle shared/channel shared/header shared/job shared/report shared/score shared/sign",
	"wasm/edge":              "shared/score shared/sign wasm/internal/edge wasm/worker/kernel",
	"wasm/edge/assemble":     "shared/model/kernel wasm/internal/edge",
	"wasm/internal/jsio":     "shared/job",
	"wasm/internal/window":   "shared/job site wasm/internal/jsio",
	"wasm/page":              "site wasm/internal/dom wasm/internal/window",
	"wasm/worker":            "shared/job shared/score wasm/internal/jsio wasm/internal/unpack wasm/worker/kernel",
	"wasm/internal/unpack":   "shared/ingest shared/telemetry wasm/internal/jsio",
	"wasm/worker/kernel":     "shared/model/kernel shared/model/tree",

	"builder":                                "builder/internal/client builder/internal/evaluate builder/internal/packed builder/internal/phase builder/internal/prep builder/internal/publish builder/internal/registry builder/internal/registry/trainer builder/internal/serve builder/internal/serve/api builder/internal/standalone builder/internal/telemetry/detect builder/internal/telemetry/simulate builder/internal/telemetry/stage builder/internal/telemetry/table builder/internal/telemetry/wal builder/internal/train builder/internal/tune shared/bundle shared/channel shared/frame shared/ingest shared/job shared/report shared/score shared/sign shared/telemetry builder/internal/foreign builder/internal/foreign/carry shared/model/tree",
	"builder/internal/metric":                "",
	"builder/internal/parquet":               "",
	"builder/internal/packed":                "builder/internal/parquet builder/internal/telemetry/table builder/internal/telemetry/wal shared/ingest",
	"builder/internal/calibrate":             "builder/internal/metric builder/internal/prep shared/model",
	"builder/internal/evaluate":              "builder/internal/document builder/internal/metric builder/internal/packed builder/internal/prep builder/internal/publish builder/internal/train builder/internal/train/grow shared/attack shared/bundle shared/chart shared/frame shared/job shared/model/tree shared/score",
	"builder/internal/document":              "shared/chart",
	"builder/internal/prep":                  "builder/internal/document builder/internal/packed shared/attack shared/chart shared/frame shared/ingest shared/telemetry",
	"builder/internal/train":                 "builder/internal/calibrate builder/internal/metric builder/internal/packed builder/internal/prep builder/internal/train/grow builder/internal/train/past shared/attack shared/bundle shared/feature shared/frame shared/ingest shared/model shared/model/tree shared/telemetry shared/wire",
	"builder/internal/train/past":            "shared/frame",
	"builder/internal/phase":                 "builder/internal/evaluate builder/internal/prep builder/internal/train builder/internal/train/grow builder/internal/tune shared/feature",
	"builder/internal/train/grow":            "shared/model/tree",
	"builder/internal/foreign":               "shared/model/tree shared/wire",
	"builder/internal/foreign/carry":         "builder/internal/foreign builder/internal/metric builder/internal/publish builder/internal/train shared/attack shared/bundle shared/explain shared/feature shared/frame shared/model/tree shared/score",
	"builder/internal/tune":                  "builder/internal/metric builder/internal/prep builder/internal/train/grow shared/model/tree",
	"builder/internal/peers":                 "builder/internal/foreign builder/internal/metric builder/internal/train/grow shared/explain shared/feature shared/ingest/capturetest shared/model/tree wasm/worker/kernel",
	"builder/internal/publish":               "builder/internal/calibrate builder/internal/prep builder/internal/train shared/attack shared/bundle shared/explain shared/feature shared/frame shared/job shared/score shared/sign",
	"builder/internal/publish/gate":          "shared/score",
	"builder/internal/registry":              "builder/internal/publish shared/bundle shared/channel shared/sign",
	"builder/internal/registry/registrytest": "builder/internal/registry builder/internal/registry/trainer shared/bundle shared/channel shared/sign",
	"builder/internal/registry/trainer":      "builder/internal/evaluate builder/internal/phase builder/internal/prep builder/internal/publish builder/internal/registry builder/internal/train builder/internal/tune",
	"builder/internal/serve":                 "shared/bundle shared/header",
	"builder/internal/telemetry/detect":      "builder/internal/train/grow shared/model/tree",
	"builder/internal/telemetry/pb":          "",
	"builder/internal/telemetry/pb/generate": "",
	"builder/internal/telemetry/table":       "shared/telemetry",
	"builder/internal/telemetry/wal":         "builder/internal/telemetry/pb builder/internal/telemetry/table shared/telemetry",
	"builder/internal/telemetry/stage":       "builder/internal/telemetry/table shared/telemetry",
	"builder/internal/telemetry/simulate":    "builder/internal/telemetry/table shared/telemetry",
	"builder/internal/serve/api":             "builder/internal/publish builder/internal/registry shared/sign",
	"builder/internal/client":                "builder/internal/publish builder/internal/registry shared/sign",
	"builder/internal/standalone":            "shared/header",
	"builder/internal/serve/assemble":        "builder/internal/serve builder/internal/slim",
	"builder/internal/slim":                  "",
}

// deny lists what packages under shared never import, tests aside, and why.
var deny = map[string]string{
	"encoding/gob": "it is no format for hostile input",
	"log":          "shared returns errors, programs print them",
	"log/slog":     "shared returns errors, programs print them",
	"math/rand":    "randomness is a *rand.Rand of math/rand/v2, passed in",
	"net":          "scoring makes no connection",
	"net/http":     "scoring makes no connection",
	"net/url":      "it links the unicode tables of net for a browser to download",
	"os":           "shared is handed readers and opens nothing",
	"os/exec":      "shared is handed readers and runs nothing",
	"syscall":      "shared is the same on every system",
	"syscall/js":   "JavaScript stays in wasm",
	"unsafe":       "hostile bytes are read with bounds checks",
}

// targets are the systems whose imports are read.
var targets = [][2]string{{"linux", "amd64"}, {"js", "wasm"}}

// imported is one package of the module as its files are.
type imported struct {
	name    string
	imports map[string]bool
}

// walkPackages reads the imports of every package below the module's root for
// every target.
func walkPackages(root string) ([]imported, error) {
	var list []imported
	err := filepath.WalkDir(root, func(dir string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, dir)
		if err != nil {
			return err
		}
		if n := d.Name(); rel != "." && (n == "testdata" || n == "node_modules" || n == "build" || n == "bin" || n[0] == '.' || n[0] == '_') {
			return fs.SkipDir
		}
		p := imported{filepath.ToSlash(rel), map[string]bool{}}
		files := 0
		for _, target := range targets {
			ctx := build.Default
			ctx.GOOS, ctx.GOARCH, ctx.CgoEnabled = target[0], target[1], false
			pkg, err := ctx.ImportDir(dir, 0)
			if _, none := errors.AsType[*build.NoGoError](err); err != nil && !none {
				return err
			}
			files += len(pkg.GoFiles)
			for _, imp := range pkg.Imports {
				p.imports[imp] = true
			}
		}
		if files > 0 {
			list = append(list, p)
		}
		return nil
	})
	return list, err
}

// checkLayers returns what is wrong with the imports of packages.
func checkLayers(packages []imported, layers, deny map[string]string) []string {
	var wrong []string
	seen := map[string]bool{}
	for _, p := range packages {
		seen[p.name] = true
		may, listed := layers[p.name]
		if !listed {
			wrong = append(wrong, p.name+" has no line in layers")
		}
		for imp := range p.imports {
			if ours, ok := strings.CutPrefix(imp, module); ok && listed && !slices.Contains(strings.Fields(may), ours) {
				wrong = append(wrong, p.name+" may not import "+ours)
			}
			if why := deny[imp]; why != "" && strings.HasPrefix(p.name, "shared/") {
				wrong = append(wrong, p.name+" may not import "+imp+": "+why)
			}
		}
		for ours := range strings.FieldsSeq(may) {
			if !p.imports[module+ours] {
				wrong = append(wrong, p.name+" does not import "+ours+": take it from its line")
			}
		}
	}
	for name := range layers {
		if !seen[name] {
			wrong = append(wrong, "layers names "+name+", which is no package")
		}
	}
	slices.Sort(wrong)
	return wrong
}

func TestLayers_realImports(t *testing.T) {
	packages, err := walkPackages("..")
	if err != nil {
		t.Fatal(err)
	}
	if len(packages) < 10 {
		t.Fatalf("found %d packages", len(packages))
	}
	for _, w := range checkLayers(packages, layers, deny) {
		t.Error(w)
	}
}

// The checker itself finds each kind of fault.
func TestLayers_findsEveryFault(t *testing.T) {
	wrong := checkLayers(
		[]imported{
			{"shared/a", map[string]bool{module + "shared/b": true, "os": true}},
			{"shared/b", map[string]bool{"fmt": true}},
			{"builder", map[string]bool{"os": true}},
			{"stray", nil},
		},
		map[string]string{"shared/a": "", "shared/b": "shared/c", "builder": "", "gone": ""},
		map[string]string{"os": "because"})
	want := []string{
		"layers names gone, which is no package",
		"shared/a may not import os: because",
		"shared/a may not import shared/b",
		"shared/b does not import shared/c: take it from its line",
		"stray has no line in layers",
	}
	if !slices.Equal(wrong, want) {
		t.Errorf("found %q, want %q", wrong, want)
	}
}

// Packages under shared start no goroutine: their callers decide what runs at
// the same time, and in a browser nothing does.
func TestLayers_noGoroutines(t *testing.T) {
	files := 0
	eachFile(t, ".", func(path string, set *token.FileSet, f *ast.File) {
		files++
		ast.Inspect(f, func(n ast.Node) bool {
			if g, ok := n.(*ast.GoStmt); ok {
				t.Errorf("%s: starts a goroutine", set.Position(g.Pos()))
			}
			return true
		})
	})
	if files < 20 {
		t.Fatalf("looked at %d files", files)
	}
}

// eachFile parses the Go files below root that are neither tests nor generated
// nor test data.
func eachFile(t *testing.T, root string, f func(path string, set *token.FileSet, file *ast.File)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if n := d.Name(); d.IsDir() && (n == "testdata" || n == "node_modules" || n == "build" || n == "bin" || len(n) > 1 && n[0] == '.' && n != "..") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, parser.ParseComments)
		if err == nil && !ast.IsGenerated(file) {
			f(path, set, file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
