package edge

import (
	"fmt"
	"strings"

	"cloister/shared/header"
)

// maxHeaderLine and maxHeaderRules are the platform's limits for a _headers
// file. Source: Cloudflare's documentation of Workers static assets, 2026.
const (
	maxHeaderLine  = 2000
	maxHeaderRules = 100
)

// HeadersFile returns the _headers file that gives each file of the site, by
// its path from the root with a leading slash, the headers of the product's
// table. The platform serves those files itself; everything else gets the same
// table from [Edge].
func HeadersFile(paths []string) ([]byte, error) {
	if len(paths) > maxHeaderRules {
		return nil, fmt.Errorf("%d files, the platform takes rules for %d", len(paths), maxHeaderRules)
	}
	var b strings.Builder
	for _, p := range paths {
		if strings.ContainsAny(p, " *:\r\n") || !strings.HasPrefix(p, "/") {
			return nil, fmt.Errorf("%.64q: want a path of plain characters", p)
		}
		fmt.Fprintf(&b, "%s\n", p)
		list := append(header.For(p), header.Header{Name: "Content-Type", Value: header.ContentType(p)},
			header.Header{Name: "Strict-Transport-Security", Value: transport})
		for _, h := range list {
			line := fmt.Sprintf("  %s: %s\n", h.Name, h.Value)
			if len(line) > maxHeaderLine {
				return nil, fmt.Errorf("%s: %s has %d bytes, the platform takes %d", p, h.Name, len(line), maxHeaderLine)
			}
			b.WriteString(line)
		}
	}
	return []byte(b.String()), nil
}

// transport tells browsers never to come without TLS again.
const transport = "max-age=63072000; includeSubDomains"
