// Assemble finishes a built site: it adds the bundles and their index and
// writes the compressed twins, or, with -budget, prints what a visitor
// downloads and fails when that is too much.
//
//	go run ./builder/internal/serve/assemble -site build/site -models models
//	go run ./builder/internal/serve/assemble -site build/site -budget 2500000
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"

	"cloister/builder/internal/serve"
	"cloister/builder/internal/slim"
)

func main() {
	site := flag.String("site", "build/site", "folder of the built site")
	models := flag.String("models", "", "folder of <name>/<version>.bundle files to add")
	name := flag.String("default", "", "name of the bundle the page loads; needed when there are several")
	budget := flag.Int64("budget", 0, "print the sizes and fail if page.wasm and worker.wasm in brotli exceed this many bytes")
	flag.Parse()
	err := run(*site, *models, *name, *budget)
	if err != nil {
		fmt.Fprintln(os.Stderr, "assemble:", err)
		os.Exit(1)
	}
}

func run(site, models, name string, budget int64) error {
	if models != "" {
		if err := slimmed(site); err != nil {
			return err
		}
		index, err := serve.WriteBundles(os.DirFS(models), site, name)
		if err != nil {
			return err
		}
		if index.Default == "" {
			fmt.Fprintf(os.Stderr, "assemble: %s holds no bundle: the page will start without one\n", models)
		}
		if err := serve.WritePrecache(site, index); err != nil {
			return err
		}
		n, err := serve.Precompress(site)
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "assemble: %d bundles, %d files compressed\n", len(index.Bundles), n)
	}
	if budget > 0 {
		return sizes(os.Stdout, site, budget)
	}
	return nil
}

// slimmed leaves out of the programs what only debuggers read. Reports of a
// fault still name the functions of this module.
func slimmed(site string) error {
	for _, name := range []string{"page.wasm", "worker.wasm"} {
		path := filepath.Join(site, name)
		program, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if program, err = slim.Wasm(program, "main.", "cloister/"); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := os.WriteFile(path, program, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// sizes prints the entry points and what surrounds them.
func sizes(w io.Writer, site string, budget int64) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "file\traw\tgzip\tbrotli\t")
	var programs int64
	for _, f := range []string{"page.wasm", "worker.wasm", "wasm_exec.js", "boot.js", "confine.js", "worker.js", "reader.js", "app.css", "app.html", "index.html"} {
		var n [3]int64
		for i, ext := range []string{"", ".gz", ".br"} {
			info, err := os.Stat(filepath.Join(site, f+ext))
			if err != nil {
				return err
			}
			n[i] = info.Size()
		}
		if filepath.Ext(f) == ".wasm" {
			programs += n[2]
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t\n", f, n[0], n[1], n[2])
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "page.wasm and worker.wasm in brotli: %d of %d bytes (%+d)\n", programs, budget, programs-budget)
	if programs > budget {
		return fmt.Errorf("%d bytes over the budget", programs-budget)
	}
	return nil
}
