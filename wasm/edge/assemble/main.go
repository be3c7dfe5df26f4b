// Command assemble turns the built site into the folder that an edge
// deployment uploads:
//
//	go run ./wasm/edge/assemble -site build/site -out build/edge
//
// The folder gets site/ with _headers, worker/shim.mjs with the kernel beside
// it, wrangler.jsonc and the pinned tools of package.json. make edge puts the
// program there, too.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"cloister/shared/model/kernel"
	"cloister/wasm/internal/edge"
)

func main() {
	site := flag.String("site", "build/site", "the built site")
	source := flag.String("source", "wasm/edge", "where the shim and the settings lie")
	out := flag.String("out", "build/edge", "folder to write")
	flag.Parse()
	if err := assemble(*site, *source, *out); err != nil {
		fmt.Fprintln(os.Stderr, "assemble:", err)
		os.Exit(1)
	}
}

// own are the files taken as they are, with their place in the folder.
var own = map[string]string{
	"shim.mjs": "worker/shim.mjs", "kernel.mjs": "worker/kernel.mjs", "wrangler.jsonc": "wrangler.jsonc",
	"package.json": "package.json", "package-lock.json": "package-lock.json",
}

func assemble(site, source, out string) error {
	to := filepath.Join(out, "site")
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	var paths []string
	from := os.DirFS(site)
	err := fs.WalkDir(from, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || compressed(from, p) {
			return err
		}
		paths = append(paths, "/"+p)
		return copyFile(filepath.Join(site, p), filepath.Join(to, p))
	})
	if err != nil {
		return err
	}
	if len(paths) == 0 {
		return errors.New(site + " is empty: make build comes first")
	}
	text, err := edge.HeadersFile(paths)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(to, "_headers"), text, 0o644); err != nil {
		return err
	}
	for name, place := range own {
		if err := copyFile(filepath.Join(source, name), filepath.Join(out, place)); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(out, "worker", "kernel.wasm"), kernel.Module(), 0o644)
}

// compressed reports whether p is a compressed form of a file beside it: the
// platform compresses by itself.
func compressed(site fs.FS, p string) bool {
	for _, ending := range []string{".br", ".gz"} {
		if plain, ok := strings.CutSuffix(p, ending); ok {
			_, err := fs.Stat(site, plain)
			return err == nil
		}
	}
	return false
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o644)
}
