// Package standalone writes the page as one file that works from a disk, with
// program, scorer and bundle inside. It hides how a page without a server gets
// a policy: every script and style is named by its hash, and no connection is
// ever allowed.
//
//	err := standalone.Write(out, os.DirFS("build/site"), bundle, "flows", "1.0.0")
//
// Files are embedded in elements that no browser executes, gzip in base64, and
// handed to the program by boot.js. The same input gives the same bytes.
package standalone

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"strings"

	"cloister/shared/header"
)

// embedded are the files of the site that boot.js asks for while it loads.
var embedded = []string{"page.wasm", "worker.wasm", "confine.js", "wasm_exec.js", "worker.js", "reader.js"}

// Write writes the page to w. site is the built site, bundle the one to score
// with, of the given name and version; the site's own bundles stay out, its
// sample goes in. A site that lacks a file, or refers to one in a way that
// cannot be embedded, is an error.
func Write(w io.Writer, site fs.FS, bundle []byte, name, version string) error {
	p := &page{site: site}
	app, err := p.document("app.html")
	if err != nil {
		return err
	}
	shell, err := p.document("index.html")
	if err != nil {
		return err
	}
	if err := p.embed("app.html", []byte(app)); err != nil {
		return err
	}
	if err := p.index(bundle, name, version); err != nil {
		return err
	}
	for _, f := range embedded {
		b, err := fs.ReadFile(site, f)
		if err != nil {
			return err
		}
		if err := p.embed(f, b); err != nil {
			return err
		}
	}
	before, after, ok := strings.Cut(shell, metaCharset)
	if !ok {
		return fmt.Errorf("index.html: no %s", metaCharset)
	}
	head, body, ok := strings.Cut(after, "<noscript>")
	if !ok {
		return fmt.Errorf("index.html: no <noscript>")
	}
	policy := "default-src 'none'; script-src " + strings.Join(p.scripts, " ") + " 'wasm-unsafe-eval'; style-src " + strings.Join(p.styles, " ") +
		"; worker-src blob:; img-src data: blob:; connect-src 'none'; frame-src 'none'; form-action 'none'; base-uri 'none'; object-src 'none'"
	for _, part := range []string{before, metaCharset, "\n<meta http-equiv=\"Content-Security-Policy\" content=\"", policy, "\">", head, p.files.String(), "<noscript>", body} {
		if _, err := io.WriteString(w, part); err != nil {
			return err
		}
	}
	return nil
}

const metaCharset = `<meta charset="utf-8">`

// page is the page being put together.
type page struct {
	site            fs.FS
	scripts, styles []string // hashes as a policy writes them
	files           strings.Builder
}

var (
	script  = regexp.MustCompile(`<script src="([^"]+)"></script>`)
	style   = regexp.MustCompile(`<link rel="stylesheet" href="([^"]+)">`)
	icon    = regexp.MustCompile(`<link rel="icon" href="([^"]+)" type="image/svg\+xml">`)
	install = regexp.MustCompile(`<link rel="manifest" href="[^"]+">\n?`)
	frame   = regexp.MustCompile(` src="app.html"`)
	scripts = regexp.MustCompile(`(?s)<script>.*?</script>`)
	outside = regexp.MustCompile(`(src|href|action)="([^"]*)"`)
)

// document returns an HTML file with its scripts, styles and icon inside.
func (p *page) document(name string) (string, error) {
	text, err := fs.ReadFile(p.site, name)
	if err != nil {
		return "", err
	}
	var failed error
	inline := func(re *regexp.Regexp, html string, put func(content []byte) string) string {
		return re.ReplaceAllStringFunc(html, func(tag string) string {
			content, err := fs.ReadFile(p.site, re.FindStringSubmatch(tag)[1])
			if err == nil && re != icon && bytes.Contains(bytes.ToLower(content), []byte("</s")) {
				err = fmt.Errorf("%s would end its element early", re.FindStringSubmatch(tag)[1])
			}
			if err != nil {
				failed = err
			}
			return put(content)
		})
	}
	html := inline(script, string(text), func(b []byte) string {
		p.scripts = add(p.scripts, b)
		return "<script>" + string(b) + "</script>"
	})
	html = inline(style, html, func(b []byte) string {
		p.styles = add(p.styles, b)
		return "<style>" + string(b) + "</style>"
	})
	if failed != nil {
		return "", failed
	}
	html = inline(icon, html, func(b []byte) string {
		return `<link rel="icon" type="image/svg+xml" href="data:image/svg+xml;base64,` + base64.StdEncoding.EncodeToString(b) + `">`
	})
	if failed != nil {
		return "", failed
	}
	html = frame.ReplaceAllString(html, "")
	html = install.ReplaceAllString(html, "") // a file on a disk installs nothing
	for _, m := range outside.FindAllStringSubmatch(scripts.ReplaceAllString(html, ""), -1) {
		if !strings.HasPrefix(m[2], "data:") && !strings.HasPrefix(m[2], "#") {
			return "", fmt.Errorf("%s: %.64q would have to be loaded", name, m[0])
		}
	}
	return html, nil
}

// add appends the hash of an inline script or style.
func add(list []string, content []byte) []string {
	h := sha256.Sum256(content)
	source := "'sha256-" + base64.StdEncoding.EncodeToString(h[:]) + "'"
	for _, s := range list {
		if s == source {
			return list
		}
	}
	return append(list, source)
}

// embed adds a file that boot.js will ask for.
func (p *page) embed(name string, content []byte) error {
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return err // unreachable: a constant level
	}
	if _, err := z.Write(content); err != nil {
		return err // unreachable: memory
	}
	if err := z.Close(); err != nil {
		return err // unreachable: memory
	}
	fmt.Fprintf(&p.files, "<script type=\"application/octet-stream\" id=\"file:%s\" data-type=\"%s\">%s</script>\n",
		name, header.ContentType("/"+name), base64.StdEncoding.EncodeToString(packed.Bytes()))
	return nil
}

// index embeds the bundle, the sample and the list that names them; other
// fields of the site's list are kept.
func (p *page) index(bundle []byte, name, version string) error {
	text, err := fs.ReadFile(p.site, "bundles/index.json")
	if err != nil {
		return err
	}
	var fields map[string]json.RawMessage
	var known struct {
		Sample *struct{ Path string }
	}
	if err := json.Unmarshal(text, &fields); err != nil {
		return fmt.Errorf("bundles/index.json: %w", err)
	}
	if err := json.Unmarshal(text, &known); err != nil {
		return fmt.Errorf("bundles/index.json: %w", err)
	}
	sum := fmt.Sprintf("%x", sha256.Sum256(bundle))
	at := name + "/" + version + "/" + sum + ".bundle"
	for key, v := range map[string]any{
		"default": name,
		"bundles": []map[string]any{{"name": name, "version": version, "path": at, "bytes": len(bundle), "sha256": sum}},
	} {
		if fields[key], err = json.Marshal(v); err != nil {
			return err // unreachable: strings and integers
		}
	}
	list, err := json.Marshal(fields)
	if err != nil {
		return err // unreachable: raw JSON
	}
	if err := p.embed("bundles/index.json", list); err != nil {
		return err
	}
	if known.Sample != nil {
		b, err := fs.ReadFile(p.site, known.Sample.Path)
		if err != nil {
			return err
		}
		if err := p.embed(known.Sample.Path, b); err != nil {
			return err
		}
	}
	return p.embed("bundles/"+at, bundle)
}
