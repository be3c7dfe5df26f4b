// Command compact rewrites what vugugen generates into calls of the helpers in
// site/node.go, which halves the code of a template and with it a large part
// of the page's download, makes its texts messages of the catalogue, and leaves
// out the white space that merely indents markup.
//
//	go run ./internal/compact 0_components_gen.go
//
// It is run by go generate. Forms that it does not know stay as they are; it
// fails if it finds nothing to rewrite, since then vugugen writes otherwise.
package main

import (
	"bytes"
	"fmt"
	"html"
	"os"
	"regexp"
	"strconv"
	"strings"
)

var (
	indent  = regexp.MustCompile(`(?m)^\s*vgn = &vugu\.VGNode\{Type: vugu\.VGNodeType\(1\), Data: "(\\n *)"\}\n\s*vgparent\.AppendChild\(vgn\)\n`)
	text    = regexp.MustCompile(`(?m)^\s*vgn = &vugu\.VGNode\{Type: vugu\.VGNodeType\(1\), Data: ("(?:[^"\\]|\\.)*")\}\n\s*vgparent\.AppendChild\(vgn\)\n`)
	element = regexp.MustCompile(`(?m)^\s*vgn = &vugu\.VGNode\{Type: vugu\.VGNodeType\(3\), Namespace: "(svg)?", Data: "([\w-]+)", Attr: \[\]vugu\.VGAttribute(?:\(nil\)|\{(.*)\})\}\n(\s*vgparent\.AppendChild\(vgn\)\n)?`)
	attr    = regexp.MustCompile(`Namespace: "", Key: ("(?:[^"\\]|\\.)*"), Val: ("(?:[^"\\]|\\.)*")`)
	listen  = regexp.MustCompile(`vgn\.DOMEventHandlerSpecList = append\(vgn\.DOMEventHandlerSpecList, vugu\.DOMEventHandlerSpec\{\s*EventType:\s+("\w+"),\s*Func:\s+(func\(event vugu\.DOMEvent\) \{[^\n]*\}),\s*// implementation[^\n]*\s*\}\)|vgn\.DOMEventHandlerSpecList = append\(vgn\.DOMEventHandlerSpecList, vugu\.DOMEventHandlerSpec\{\s*EventType:\s+("\w+"),\s*Func:\s+(func\(event vugu\.DOMEvent\) \{[^\n]*\}),\s*\}\)`)
	static  = regexp.MustCompile(`vgn\.SetInnerHTML\(vugu\.HTML\(("(?:[^"\\]|\\.)*")\)\)`)
)

func main() {
	for _, path := range os.Args[1:] {
		if err := rewrite(path); err != nil {
			fmt.Fprintln(os.Stderr, "compact:", err)
			os.Exit(1)
		}
	}
}

func rewrite(path string) error {
	src, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if len(element.FindAll(src, 2)) < 2 || !listen.Match(src) {
		return fmt.Errorf("%s: no elements or listeners in the form that is known", path)
	}
	out := indent.ReplaceAll(src, nil)
	out = text.ReplaceAll(out, []byte("told(vgparent, $1)\n"))
	// what stands in a template literally is a message: told translates it
	out = static.ReplaceAllFunc(out, func(m []byte) []byte {
		s, err := strconv.Unquote(string(static.FindSubmatch(m)[1]))
		if err != nil {
			return m
		}
		if strings.Contains(s, "<") {
			return fmt.Appendf(nil, "translated(vgn, %s)", strconv.Quote(s))
		}
		return fmt.Appendf(nil, "told(vgn, %s)", strconv.Quote(html.UnescapeString(s)))
	})
	out = element.ReplaceAllFunc(out, func(m []byte) []byte {
		p := element.FindSubmatch(m)
		parent := "nil"
		if len(p[4]) > 0 {
			parent = "vgparent"
		}
		spec := string(p[1]) + "\x1f" + string(p[2])
		for _, a := range attr.FindAllSubmatch(p[3], -1) {
			for _, s := range a[1:] {
				v, err := strconv.Unquote(string(s))
				if err != nil || strings.Contains(v, "\x1f") {
					return m
				}
				spec += "\x1f" + v
			}
		}
		return fmt.Appendf(nil, "vgn = node(%s, %s)\n", parent, strconv.Quote(spec))
	})
	out = listen.ReplaceAllFunc(out, func(m []byte) []byte {
		p := listen.FindSubmatch(m)
		if len(p[1]) == 0 {
			p = append(p[:1], p[3:]...)
		}
		return fmt.Appendf(nil, "on(vgn, %s, %s)", p[1], p[2])
	})
	if left := bytes.Count(out, []byte("VGNodeType(")); left > 0 {
		return fmt.Errorf("%s: %d nodes are in an unknown form", path, left)
	}
	return os.WriteFile(path, out, 0o644)
}
