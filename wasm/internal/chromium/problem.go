//go:build !js

package chromium

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
)

// Kind says who complained.
type Kind string

// The kinds of complaint.
const (
	Console   Kind = "console"   // console.error or a failed console.assert
	Exception Kind = "exception" // an exception or rejection that nothing caught
	Violation Kind = "violation" // a securitypolicyviolation event
	Browser   Kind = "browser"   // an error line of the browser's own: a failed load, a refused script
)

// Problem is one complaint, in the order of arrival. A refused load usually
// makes two: the page's Violation and the Browser's line.
type Problem struct {
	Kind Kind
	Text string // for a Violation: directive, what was blocked, where
	URL  string // of the document or resource, where known
}

// Problems returns the complaints so far, oldest first. Chromium's own search
// for /favicon.ico is left out.
func (tab *Tab) Problems() []Problem {
	tab.problems.mu.Lock()
	defer tab.problems.mu.Unlock()
	return slices.Clone(tab.problems.list)
}

// NoProblems fails the test, but does not stop it, if anything complained.
func (tab *Tab) NoProblems(t testing.TB) {
	t.Helper()
	for _, p := range tab.Problems() {
		t.Errorf("chromium: %s: %s (%s)", p.Kind, p.Text, p.URL)
	}
}

// binding is the name under which the observing script reaches the test, and
// observe that script, run before any script of every document.
const (
	binding = "__chromiumTestViolation"
	observe = `addEventListener('securitypolicyviolation', e => ` + binding + `(JSON.stringify({
		Text: e.effectiveDirective + ' blocked ' + e.blockedURI + ' at ' + e.sourceFile + ':' + e.lineNumber + ' ' + e.sample, URL: e.documentURI})));`
)

type collector struct {
	mu   sync.Mutex
	list []Problem
}

// event sorts one protocol event into the list.
func (c *collector) event(ev any) {
	var p Problem
	switch e := ev.(type) {
	case *runtime.EventConsoleAPICalled:
		if e.Type != runtime.APITypeError && e.Type != runtime.APITypeAssert {
			return
		}
		p.Kind = Console
		var words []string
		for _, a := range e.Args {
			switch {
			case a.Description != "":
				words = append(words, a.Description)
			case len(a.Value) > 0:
				words = append(words, strings.Trim(string(a.Value), `"`))
			default:
				words = append(words, string(a.Type))
			}
		}
		p.Text = strings.Join(words, " ")
	case *runtime.EventExceptionThrown:
		p = Problem{Exception, e.ExceptionDetails.Text, e.ExceptionDetails.URL}
		if x := e.ExceptionDetails.Exception; x != nil && x.Description != "" {
			p.Text += " " + x.Description
		}
	case *runtime.EventBindingCalled:
		if e.Name != binding {
			return
		}
		p.Kind = Violation
		if err := json.Unmarshal([]byte(e.Payload), &p); err != nil {
			p.Text = fmt.Sprintf("%q: %v", e.Payload, err)
		}
	case *log.EventEntryAdded:
		if e.Entry.Level != log.LevelError || strings.HasSuffix(e.Entry.URL, "/favicon.ico") {
			return
		}
		p = Problem{Browser, e.Entry.Text, e.Entry.URL}
	default:
		return
	}
	c.mu.Lock()
	c.list = append(c.list, p)
	c.mu.Unlock()
}
