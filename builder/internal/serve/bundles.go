package serve

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"cloister/shared/bundle"
)

// Index is bundles/index.json: what boot.js needs to know before it loads
// anything.
type Index struct {
	Default string  `json:"default"` // name of the bundle to load, "" if there is none
	Bundles []Entry `json:"bundles"` // by name, newest version first
	Sample  *Sample `json:"sample"`  // nil if the site has none
	// Size is the number of bytes, uncompressed, that the page loads before it
	// seals itself, for its progress bar.
	Size int64 `json:"size"`
}

// Entry is one bundle. Its path holds its hash, so that caches may keep it.
type Entry struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Path    string `json:"path"` // below bundles/
	Bytes   int64  `json:"bytes"`
	SHA256  string `json:"sha256"` // hexadecimal
	// Title and Schema are what the bundle says of itself: its name for people,
	// and what it reads. Empty if it says nothing that can be read.
	Title  string `json:"title,omitempty"`
	Schema string `json:"schema,omitempty"`
}

// Sample is the example capture.
type Sample struct {
	Path string `json:"path"` // from the site's root
	Name string `json:"name"`
	Info string `json:"info"` // a sentence on what it is
}

// sampleName is the file in models/sample that visitors are offered.
const sampleName = "lab.csv"

// loaded are the files besides bundle and sample that boot.js fetches.
var loaded = []string{"page.wasm", "worker.wasm", "confine.js", "wasm_exec.js", "worker.js"}

// WriteBundles copies every bundle of models, laid out as
// <name>/<version>.bundle, to <site>/bundles/<name>/<version>/<sha256>.bundle
// and writes <site>/bundles/index.json. Bundles of an earlier call are removed.
// The default is the bundle of the name given, in its newest version, or the
// only name there is. The sample is sample/lab.csv of models, described by the
// first sentence on it in the README.md beside it; models without it make a
// site without a sample.
func WriteBundles(models fs.FS, site, name string) (Index, error) {
	index := Index{Bundles: []Entry{}}
	out := filepath.Join(site, "bundles")
	if err := os.RemoveAll(out); err != nil {
		return index, err
	}
	files, err := fs.Glob(models, "*/*.bundle")
	if err != nil {
		return index, err
	}
	for _, f := range files {
		body, err := fs.ReadFile(models, f)
		if err != nil {
			return index, err
		}
		hash := fmt.Sprintf("%x", sha256.Sum256(body))
		e := Entry{Name: path.Dir(f), Version: strings.TrimSuffix(path.Base(f), ".bundle"), Bytes: int64(len(body)), SHA256: hash}
		e.Path = path.Join(e.Name, e.Version, hash+".bundle")
		to := filepath.Join(out, filepath.FromSlash(e.Path))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return index, err
		}
		if err := os.WriteFile(to, body, 0o644); err != nil {
			return index, err
		}
		if b, err := bundle.Decode(body, bundle.Limits{}); err == nil { // what is wrong is said where it is loaded
			m := b.Manifest()
			e.Title, e.Schema = m.Title, m.Schema.Name
		}
		index.Bundles = append(index.Bundles, e)
	}
	slices.SortFunc(index.Bundles, func(a, b Entry) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), bundle.CompareVersions(b.Version, a.Version))
	})
	if len(index.Bundles) > 0 && name == "" {
		name = index.Bundles[0].Name
		if last := index.Bundles[len(index.Bundles)-1].Name; last != name {
			return index, fmt.Errorf("bundles: several names, from %q to %q, and none is the default", name, last)
		}
	}
	at := slices.IndexFunc(index.Bundles, func(e Entry) bool { return e.Name == name })
	switch {
	case at >= 0:
		index.Default = name
		for i, e := range index.Bundles { // boot.js fetches the newest of each name
			if i == 0 || index.Bundles[i-1].Name != e.Name {
				index.Size += e.Bytes
			}
		}
	case len(index.Bundles) > 0:
		return index, fmt.Errorf("bundles: none is named %q", name)
	}
	if err := index.addSample(models, site); err != nil {
		return index, err
	}
	for _, f := range loaded {
		if info, err := os.Stat(filepath.Join(site, f)); err == nil {
			index.Size += info.Size()
		}
	}
	text, err := json.MarshalIndent(index, "", "  ")
	if err != nil {
		return index, err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return index, err
	}
	return index, os.WriteFile(filepath.Join(out, "index.json"), append(text, '\n'), 0o644)
}

// addSample copies the sample and takes its description, with the licence, from
// the README beside it.
func (x *Index) addSample(models fs.FS, site string) error {
	out := filepath.Join(site, "sample")
	if err := os.RemoveAll(out); err != nil {
		return err
	}
	body, err := fs.ReadFile(models, "sample/"+sampleName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a site without a sample
	}
	if err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(out, sampleName), body, 0o644); err != nil {
		return err
	}
	x.Size += int64(len(body))
	readme, err := fs.ReadFile(models, "sample/README.md")
	if err != nil {
		return fmt.Errorf("sample: %q is not described: %w", sampleName, err)
	}
	info, err := described(string(readme), sampleName)
	x.Sample = &Sample{Path: "sample/" + sampleName, Name: sampleName, Info: info}
	return err
}

// described returns the first sentence of the paragraph of a Markdown text that
// starts with the file's name as code and a colon, without its marks.
func described(markdown, file string) (string, error) {
	for paragraph := range strings.SplitSeq(markdown, "\n\n") {
		for line := range strings.SplitSeq(paragraph, "\n") { // a heading may stand above
			if !strings.HasPrefix(line, "`"+file+"`:") {
				continue
			}
			_, text, _ := strings.Cut(paragraph, line)
			sentence := strings.Join(strings.Fields(line+text), " ")
			if i := strings.Index(sentence, ". "); i >= 0 {
				sentence = sentence[:i+1]
			}
			return strings.NewReplacer("`", "", "**", "").Replace(sentence), nil
		}
	}
	return "", fmt.Errorf("sample: README.md has no paragraph that starts with %q", "`"+file+"`:")
}
