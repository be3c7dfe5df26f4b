package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"cloister/builder/internal/registry"
	"cloister/builder/internal/serve/api"
)

// locked is a writer for several goroutines.
type locked struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// operation is a route as the document describes it.
type operation struct {
	OperationID string `json:"operationId"`
	Description string
	Security    []map[string][]string
	Parameters  []struct {
		Name, In string
		Required bool
		Schema   map[string]any
	}
	RequestBody map[string]any
	Responses   map[string]struct {
		Description string
		Content     map[string]struct{ Schema map[string]any }
	}
}

// document is an OpenAPI document.
type document struct {
	OpenAPI    string
	Info       struct{ Title, Version string }
	Paths      map[string]map[string]operation
	Components struct {
		Schemas         map[string]map[string]any
		SecuritySchemes map[string]map[string]any
	}
	raw map[string]any
}

// recorder holds every answer against the document.
type recorder struct {
	t    *testing.T
	doc  document
	mu   sync.Mutex
	seen map[string]bool // operation and status
}

func newRecorder(t *testing.T, a *api.API) *recorder {
	t.Helper()
	text, err := a.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{t: t, seen: map[string]bool{}}
	if err := json.Unmarshal(text, &r.doc); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &r.doc.raw); err != nil {
		t.Fatal(err)
	}
	return r
}

// find returns the operation of a request.
func (r *recorder) find(method, path string) (operation, bool) {
	best, found := "", operation{}
	for template, item := range r.doc.Paths {
		pattern := "^" + regexp.MustCompile(`\\\{[a-z]+\\\}`).ReplaceAllString(regexp.QuoteMeta(template), "[^/]+") + "$"
		if op, ok := item[strings.ToLower(method)]; ok && regexp.MustCompile(pattern).MatchString(path) && (best == "" || strings.Count(template, "{") < strings.Count(best, "{")) {
			best, found = template, op
		}
	}
	return found, best != ""
}

// RoundTrip implements http.RoundTripper.
func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil || strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		return res, err
	}
	body, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	op, ok := r.find(req.Method, req.URL.Path)
	if !ok || res.StatusCode == http.StatusNotModified || res.StatusCode == http.StatusPartialContent || res.StatusCode == http.StatusRequestedRangeNotSatisfiable {
		return res, nil // not a route, or HTTP's own
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen[op.OperationID+" "+fmt.Sprint(res.StatusCode)] = true
	answer, ok := op.Responses[fmt.Sprint(res.StatusCode)]
	if !ok {
		answer, ok = op.Responses["default"]
	}
	if !ok && res.StatusCode != http.StatusBadRequest && res.StatusCode != http.StatusUnsupportedMediaType { // huma's, for bodies that do not read
		r.t.Errorf("%s: status %d is not described: %s", op.OperationID, res.StatusCode, body)
		return res, nil
	}
	kind, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";")
	if content, ok := answer.Content[kind]; ok && strings.HasSuffix(kind, "json") {
		var v any
		if err := json.Unmarshal(body, &v); err != nil {
			r.t.Errorf("%s: %v", op.OperationID, err)
		} else if content.Schema["format"] != "binary" {
			for _, wrong := range r.check(op.OperationID, content.Schema, v) {
				r.t.Errorf("%s %d: %s", req.URL.Path, res.StatusCode, wrong)
			}
		}
	} else if len(answer.Content) > 0 && !ok {
		r.t.Errorf("%s: %q is not described for status %d", op.OperationID, kind, res.StatusCode)
	}
	return res, nil
}

// check compares v with a schema: type, properties, required, no others,
// items, enum.
func (r *recorder) check(at string, schema map[string]any, v any) (wrong []string) {
	if ref, ok := schema["$ref"].(string); ok {
		target, ok := r.doc.Components.Schemas[strings.TrimPrefix(ref, "#/components/schemas/")]
		if !ok {
			return []string{at + ": " + ref + " leads nowhere"}
		}
		return r.check(at, target, v)
	}
	got := map[string]bool{}
	switch x := v.(type) {
	case nil:
		got["null"] = true
	case bool:
		got["boolean"] = true
	case string:
		got["string"] = true
	case float64:
		got["number"] = true
		got["integer"] = x == float64(int64(x))
	case []any:
		got["array"] = true
		if items, ok := schema["items"].(map[string]any); ok {
			for i, e := range x {
				wrong = append(wrong, r.check(fmt.Sprintf("%s[%d]", at, i), items, e)...)
			}
		}
	case map[string]any:
		got["object"] = true
		properties, _ := schema["properties"].(map[string]any)
		for name, e := range x {
			if p, ok := properties[name].(map[string]any); ok {
				wrong = append(wrong, r.check(at+"."+name, p, e)...)
			} else if schema["additionalProperties"] == false {
				wrong = append(wrong, at+"."+name+" is not described")
			}
		}
		required, _ := schema["required"].([]any)
		for _, name := range required {
			if _, ok := x[name.(string)]; !ok {
				wrong = append(wrong, fmt.Sprintf("%s: %s is missing", at, name))
			}
		}
	}
	switch want := schema["type"].(type) {
	case string:
		if !got[want] {
			wrong = append(wrong, fmt.Sprintf("%s: %v, want %s", at, v, want))
		}
	case []any:
		if !slices.ContainsFunc(want, func(w any) bool { return got[w.(string)] }) {
			wrong = append(wrong, fmt.Sprintf("%s: %v, want %v", at, v, want))
		}
	}
	if list, ok := schema["enum"].([]any); ok && !slices.Contains(list, v) {
		wrong = append(wrong, fmt.Sprintf("%s: %v is none of %v", at, v, list))
	}
	return wrong
}

// The document is OpenAPI 3.1 by its rules: ids are unique, references lead
// somewhere, path parameters are described, every answer has a text.
func TestOpenAPI_isSound(t *testing.T) {
	s := start(t, registry.Options{}, api.Options{})
	d := s.record.doc
	if !strings.HasPrefix(d.OpenAPI, "3.1.") || d.Info.Title == "" || d.Info.Version == "" {
		t.Errorf("%s %+v", d.OpenAPI, d.Info)
	}
	ids := map[string]bool{}
	for path, item := range d.Paths {
		for method, op := range item {
			at := method + " " + path
			if op.OperationID == "" || ids[op.OperationID] {
				t.Errorf("%s: id %q", at, op.OperationID)
			}
			ids[op.OperationID] = true
			if len(op.Responses) < 2 {
				t.Errorf("%s: %d answers", at, len(op.Responses))
			}
			for code, a := range op.Responses {
				if a.Description == "" || !regexp.MustCompile(`^([1-5][0-9][0-9]|default)$`).MatchString(code) {
					t.Errorf("%s: answer %q, %q", at, code, a.Description)
				}
			}
			described := map[string]bool{}
			for _, p := range op.Parameters {
				if described[p.In+" "+p.Name] || p.Schema == nil || p.In == "path" && (!p.Required || !strings.Contains(path, "{"+p.Name+"}")) {
					t.Errorf("%s: parameter %+v", at, p)
				}
				described[p.In+" "+p.Name] = true
			}
			for _, m := range regexp.MustCompile(`\{([a-z]+)\}`).FindAllStringSubmatch(path, -1) {
				if !described["path "+m[1]] {
					t.Errorf("%s: %s is not described", at, m[1])
				}
			}
			for _, x := range op.Security {
				for name := range x {
					if d.Components.SecuritySchemes[name] == nil {
						t.Errorf("%s: security scheme %q", at, name)
					}
				}
			}
		}
	}
	refs := 0
	var walk func(any)
	walk = func(v any) {
		switch x := v.(type) {
		case map[string]any:
			if ref, ok := x["$ref"].(string); ok {
				refs++
				if d.Components.Schemas[strings.TrimPrefix(ref, "#/components/schemas/")] == nil {
					t.Errorf("%s leads nowhere", ref)
				}
			}
			for _, e := range x {
				walk(e)
			}
		case []any:
			for _, e := range x {
				walk(e)
			}
		}
	}
	walk(d.raw)
	if len(ids) < 25 || refs < 20 {
		t.Errorf("%d operations, %d references", len(ids), refs)
	}
	// It is served as it was generated.
	res, text := s.do("GET", "/openapi.json", "", nil)
	want, err := s.a.OpenAPI()
	if err != nil || res.StatusCode != 200 || !bytes.Equal(bytes.TrimSpace(text), bytes.TrimSpace(want)) {
		t.Errorf("%d, %v: %.80s", res.StatusCode, err, text)
	}
}
