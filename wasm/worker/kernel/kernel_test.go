//go:build !js

package kernel_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"cloister/wasm/internal/chromium"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

const (
	workerScript = "../../../site/static/worker.js"
	bundleFile   = "../../../models/flows/1.bundle"
)

// compiled builds the program of testdata/check.
func compiled(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "check.wasm")
	cmd := exec.Command("go", "build", "-o", program, "./testdata/check")
	cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

func wasmExec(t *testing.T) string {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(strings.TrimSpace(string(root)), "lib/wasm/wasm_exec.js")
}

// posted is what the program says.
type posted struct {
	Wrong          []string
	Values, Models int
}

func (p posted) check(t *testing.T) {
	t.Helper()
	for _, w := range p.Wrong {
		t.Error(w)
	}
	if p.Values < 100_000 || p.Models != 2 {
		t.Errorf("compared %d values, %d real models", p.Values, p.Models)
	}
}

func TestKernel_sameBitsInNode(t *testing.T) {
	out, err := exec.Command("node", "testdata/node.mjs", wasmExec(t), workerScript, compiled(t), bundleFile).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var p posted
	if err := json.Unmarshal(out, &p); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	p.check(t)
}

func TestKernel_sameBitsInChromium(t *testing.T) {
	files := map[string]string{
		"/worker.js": workerScript, "/wasm_exec.js": wasmExec(t), "/check.wasm": compiled(t), "/bundle": bundleFile,
	}
	// The sealed page's policy, as far as a worker made of a blob inherits it,
	// with requests allowed for this page to load its parts.
	const policy = "default-src 'none'; script-src 'wasm-unsafe-eval'; worker-src blob:; img-src data:; connect-src 'self'"
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		if f := files[r.URL.Path]; f != "" {
			http.ServeFile(w, r, f)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<!doctype html><title>kernel</title><link rel=icon href=data:,>")
	}))
	t.Cleanup(s.Close)
	tab := chromium.Start(t, chromium.Options{})
	var p posted
	err := chromedp.Run(tab, chromedp.Navigate(s.URL), chromedp.Evaluate(`(async () => {
		const bytes = async (path) => new Uint8Array(await (await fetch(path)).arrayBuffer());
		const [exec, worker] = await Promise.all(['wasm_exec.js', 'worker.js'].map(async (f) => (await fetch(f)).text()));
		const bundle = await bytes('bundle');
		const before = 'self.cloisterBundle = new Uint8Array([' + bundle + ']);\n';
		const w = new Worker(URL.createObjectURL(new Blob([exec, '\n', before, worker], { type: 'text/javascript' })));
		const said = new Promise((done, fail) => {
			w.onmessage = (e) => { if (e.data.wrong !== undefined) done(e.data); else if (e.data.ended) fail(new Error('the program ended')); };
			w.onerror = (e) => fail(new Error(e.message));
		});
		w.postMessage({ module: await WebAssembly.compile(await bytes('check.wasm')) });
		return await said;
	})()`, &p, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	if err != nil {
		t.Fatal(err)
	}
	p.check(t)
}

// Every function that is imported is one of the module's, with as many
// parameters: whoever joins the two checks neither.
func TestKernel_importsMatchTheModule(t *testing.T) {
	out, err := exec.Command("node", "-e", `
		const m = new WebAssembly.Module(require('fs').readFileSync('../../../shared/model/kernel/kernel.wasm'));
		const e = new WebAssembly.Instance(m, {env: {memory: new WebAssembly.Memory({initial: 1})}}).exports;
		console.log(Object.entries(e).map(([n, f]) => n + ' ' + f.length).join('\n'));`).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	exported := strings.Split(strings.TrimSpace(string(out)), "\n")
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, "kernel_js.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var imported []string
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Body != nil {
			continue
		}
		m := regexp.MustCompile(`go:wasmimport kernel (\w+)`).FindStringSubmatch(fn.Doc.List[len(fn.Doc.List)-1].Text)
		if m == nil || m[1] != fn.Name.Name {
			t.Errorf("%s imports %q", fn.Name.Name, m)
		}
		imported = append(imported, fmt.Sprint(fn.Name.Name, " ", fn.Type.Params.NumFields()))
	}
	slices.Sort(exported)
	slices.Sort(imported)
	if !slices.Equal(imported, exported) || len(imported) < 10 {
		t.Errorf("imported %q, exported %q", imported, exported)
	}
}
