//go:build !js

package shared_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// maxLines is the size at which a file is split by idea.
const maxLines = 800

// plain are methods whose name says it all.
var plain = map[string]bool{"Error": true, "Is": true, "As": true, "String": true, "Unwrap": true, "Len": true, "Less": true, "Swap": true}

// checkDocs returns what is wrong with the comments and the length of a file.
func checkDocs(set *token.FileSet, f *ast.File) []string {
	var wrong []string
	if n := set.File(f.Pos()).LineCount(); n > maxLines {
		wrong = append(wrong, fmt.Sprintf("%s: %d lines, at most %d", set.Position(f.Package).Filename, n, maxLines))
	}
	check := func(id *ast.Ident, docs ...*ast.CommentGroup) {
		if !id.IsExported() {
			return
		}
		for _, doc := range docs {
			for _, article := range []string{"", "A ", "An ", "The "} {
				rest, ok := strings.CutPrefix(doc.Text(), article+id.Name)
				if ok && (rest == "" || strings.ContainsAny(rest[:1], " \n,.:;'")) {
					return
				}
			}
		}
		wrong = append(wrong, fmt.Sprintf("%s: %s has no comment that starts with its name", set.Position(id.Pos()), id.Name))
	}
	for _, decl := range f.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			if decl.Recv == nil || !plain[decl.Name.Name] && receiverExported(decl.Recv) {
				check(decl.Name, decl.Doc)
			}
		case *ast.GenDecl:
			for _, spec := range decl.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					check(spec.Name, spec.Doc, decl.Doc)
				case *ast.ValueSpec:
					// A group of constants or variables may share a comment.
					if spec.Doc == nil && spec.Comment == nil && (decl.Doc == nil || !decl.Lparen.IsValid()) {
						for _, id := range spec.Names {
							check(id, decl.Doc)
						}
					}
				}
			}
		}
	}
	return wrong
}

func receiverExported(list *ast.FieldList) bool {
	t := list.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return true
		}
	}
}

func TestDocs_everyExportedName(t *testing.T) {
	files := 0
	described := map[string]bool{}
	eachFile(t, "..", func(path string, set *token.FileSet, f *ast.File) {
		files++
		for _, w := range checkDocs(set, f) {
			t.Error(w)
		}
		dir := filepath.Dir(path)
		text := f.Doc.Text()
		// a main's comment starts with the command's name, in any case
		good := strings.HasPrefix(text, "Package "+f.Name.Name+" ") || f.Name.Name == "main" && len(strings.Fields(text)) > 4
		described[dir] = described[dir] || good
	})
	for dir, good := range described {
		if !good {
			t.Errorf("%s: no package comment that says what the package hides", dir)
		}
	}
	if files < 40 || len(described) < 10 {
		t.Fatalf("looked at %d files in %d packages", files, len(described))
	}
}

func TestDocs_findsEveryFault(t *testing.T) {
	const source = `package p
// Good is fine.
func Good() {}
func Bad() {}
// Another comment.
type Worse struct{}
// WorseThanThat starts with another name.
func (Worse) WorseTh() {}
func (Worse) String() string { return "" }
func (hidden) Exported() {}
type hidden struct{}
// Limits.
const (
	Max = 1
	Min = 2
)
var Loose int
`
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, "p.go", source+strings.Repeat("\n", maxLines), parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range checkDocs(set, f) {
		got = append(got, strings.Fields(strings.SplitN(w, ": ", 2)[1])[0])
	}
	if want := []string{"817", "Bad", "Worse", "WorseTh", "Loose"}; !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}

// leftovers are words that mean unfinished work, in pieces so that this file
// does not hold them.
var leftovers = []string{"TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"}

// No file of ours holds a note to finish it later.
func TestDocs_nothingLeftOver(t *testing.T) {
	files := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if n := d.Name(); d.IsDir() && (n == "node_modules" || n == "build" || n == "bin" || n == "testdata" || n == "models" || len(n) > 1 && n[0] == '.' && n != "..") {
			return fs.SkipDir
		}
		switch filepath.Ext(path) {
		case ".go", ".vugu", ".js", ".css", ".html", ".md", "":
		default:
			return nil
		}
		if d.IsDir() {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		for i, line := range strings.Split(string(b), "\n") {
			for _, word := range leftovers {
				// what a generator leaves behind is named where it is removed
				if strings.Contains(line, word) && !strings.HasPrefix(line, "//go:generate") {
					t.Errorf("%s:%d: %s", path, i+1, word)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 50 {
		t.Fatalf("looked at %d files", files)
	}
}
