package serve

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"cloister/shared/header"
)

// precached are the files that the page needs to start without a network,
// besides bundles and sample, in the order in which sw.js fetches them. The first
// three are those that it does not find in the browser's own cache.
var precached = append([]string{"manifest.webmanifest", "app.html", "favicon.svg", "", "boot.js", "shell.css", "app.css", "dom.js", "bundles/index.json", "reader.js"}, loaded...)

// precache is the list in sw.js: which files it keeps, and how it serves them.
type precache struct {
	Version string              `json:"version"` // SHA-256 of the rest, hexadecimal
	Headers []map[string]string `json:"headers"` // each set once
	Files   files               `json:"files"`
}

type kept struct {
	path    string
	SHA256  string `json:"sha256"`  // hexadecimal
	Headers int    `json:"headers"` // index into Headers
}

// files are written as an object in the order of the slice.
type files []kept

// MarshalJSON writes the files as an object, in order.
func (f files) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, k := range f {
		name, err := json.Marshal(k.path)
		if err != nil {
			return nil, err // unreachable: a string
		}
		value, err := json.Marshal(k)
		if err != nil {
			return nil, err // unreachable: a string and an integer
		}
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%s:%s", name, value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

var listLine = regexp.MustCompile(`(?m)^const list = .*;$`)

// WritePrecache writes into <site>/sw.js the list of the files that it keeps
// for use without a network: the page's own, the newest bundle of each name and
// the sample, each with the SHA-256 of its content and the headers of package header. Call
// it when every other file is final. A file that is missing is an error, as is a
// sw.js without a line that starts with "const list = ". The same files give the
// same bytes, and another file another sw.js, by which browsers notice a new
// deployment.
func WritePrecache(site string, index Index) error {
	paths := slices.Clone(precached)
	for i, e := range index.Bundles {
		if i == 0 || index.Bundles[i-1].Name != e.Name { // the newest, which boot.js loads
			paths = append(paths, "bundles/"+e.Path)
		}
	}
	if index.Sample != nil {
		paths = append(paths, index.Sample.Path)
	}
	list := precache{}
	var sets []string
	for _, p := range paths {
		name := p
		if p == "" {
			name = "index.html"
		}
		body, err := os.ReadFile(filepath.Join(site, filepath.FromSlash(name)))
		if err != nil {
			return fmt.Errorf("precache: %w", err)
		}
		set := map[string]string{"Content-Type": header.ContentType("/" + p)}
		for _, h := range header.For("/" + p) {
			set[h.Name] = h.Value
		}
		text, err := json.Marshal(set)
		if err != nil {
			return err // unreachable: strings
		}
		at := slices.Index(sets, string(text))
		if at < 0 {
			at = len(sets)
			sets, list.Headers = append(sets, string(text)), append(list.Headers, set)
		}
		list.Files = append(list.Files, kept{"/" + p, fmt.Sprintf("%x", sha256.Sum256(body)), at})
	}
	text, err := json.Marshal(list)
	if err != nil {
		return err // unreachable: strings and integers
	}
	list.Version = fmt.Sprintf("%x", sha256.Sum256(text))
	if text, err = json.Marshal(list); err != nil {
		return err // unreachable: strings and integers
	}
	worker := filepath.Join(site, "sw.js")
	script, err := os.ReadFile(worker)
	if err != nil {
		return fmt.Errorf("precache: %w", err)
	}
	if n := len(listLine.FindAll(script, -1)); n != 1 {
		return fmt.Errorf("precache: sw.js has %d lines for the list, want 1", n)
	}
	line := slices.Concat([]byte("const list = "), text, []byte(";"))
	return os.WriteFile(worker, listLine.ReplaceAllLiteral(script, line), 0o644)
}
