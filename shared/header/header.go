// Package header is the table of response headers of the site: which policy a
// document gets, what may be cached and for how long, which media type a file
// has. It hides how the page is sealed from the programs that serve it.
//
//	for _, h := range header.For("/app.html") {
//		w.Header().Set(h.Name, h.Value)
//	}
//
// The server of the builder and the edge worker send the same list; a test in
// wasm tries it in a browser.
package header

import (
	"path"
	"strings"
)

// Header is one response header.
type Header struct{ Name, Value string }

// The policies. Every document gets one; wasm/seal_test.go tries them in a
// browser, channel by channel.
const (
	// policyShell is index.html: one script, one frame of this server, no
	// connection at all, one service worker. boot.js takes the frame's freedom away as well once
	// the program has loaded.
	policyShell = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; frame-src 'self'; connect-src 'none'; worker-src 'self'; manifest-src 'self'; " +
		"form-action 'none'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'; " + policySandbox
	// policyApp is the program before it seals itself: it may load what it
	// needs from this server. boot.js then adds connect-src 'none' and drops
	// 'self' everywhere, because an address of this server can carry data too.
	policyApp = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self'; worker-src blob:; " +
		"img-src 'self' data: blob:; frame-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'; object-src 'none'; " + policySandbox
	// policyWorker is worker.js when it is loaded from its own address; as a
	// blob it inherits the sealed policy of the page, which is stricter still.
	policyWorker = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'none'"
	// policyKeeper is sw.js, which fetches the files it keeps from this server.
	policyKeeper = "default-src 'none'; connect-src 'self'"
	// policyPage is any other document: the error pages.
	policyPage = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
	// policySandbox forbids pop-ups, forms and leaving for another program;
	// downloads stay, for exports.
	policySandbox = "sandbox allow-scripts allow-same-origin allow-downloads"
)

// permissions denies every powerful feature that Chromium 156 knows and that
// needs no more than a policy line to deny.
var permissions = strings.Join([]string{
	"accelerometer=()", "attribution-reporting=()", "autoplay=()", "bluetooth=()", "browsing-topics=()", "camera=()",
	"display-capture=()", "encrypted-media=()", "fullscreen=()", "gamepad=()", "geolocation=()", "gyroscope=()", "hid=()",
	"identity-credentials-get=()", "idle-detection=()", "join-ad-interest-group=()", "local-fonts=()", "magnetometer=()",
	"microphone=()", "midi=()", "otp-credentials=()", "payment=()", "picture-in-picture=()", "private-state-token-issuance=()",
	"publickey-credentials-create=()", "publickey-credentials-get=()", "run-ad-auction=()", "screen-wake-lock=()", "serial=()",
	"shared-storage=()", "storage-access=()", "sync-xhr=()", "unload=()", "usb=()", "web-share=()", "window-management=()",
	"xr-spatial-tracking=()",
}, ", ")

// For returns what every response for the URL path p carries, 404 and 405
// pages included, in a fixed order: policies, isolation, caching. p is clean
// and starts with a slash. The list holds no Content-Type ([ContentType]) and
// nothing that depends on the connection (Strict-Transport-Security).
func For(p string) []Header {
	policy, document := "", false
	switch {
	case p == "/" || p == "/index.html":
		policy, document = policyShell, true
	case p == "/app.html":
		policy, document = policyApp, true
	case p == "/worker.js":
		policy, document = policyWorker, true
	case p == "/sw.js":
		policy, document = policyKeeper, true
	case ContentType(p) == "text/html; charset=utf-8" || !strings.Contains(path.Base(p), "."):
		policy, document = policyPage, true
	default:
		// A file opened by itself, an SVG say, is a document too.
		policy = "default-src 'none'; sandbox"
	}
	list := []Header{{"Content-Security-Policy", policy}}
	if document {
		// Chromium 152 and later: no connection of any kind but to this
		// server; covers what content policies do not (WebRTC, preconnect,
		// navigation) and every document made from this one.
		// Source: WICG Connection Allowlists, draft of 2026.
		connections := "(response-origin)"
		if p == "/worker.js" {
			connections = "()"
		}
		list = append(list, Header{"Connection-Allowlist", connections})
	}
	return append(list,
		Header{"Cache-Control", cacheControl(p)},
		Header{"Cross-Origin-Embedder-Policy", "require-corp"},
		Header{"Cross-Origin-Opener-Policy", "same-origin"},
		Header{"Cross-Origin-Resource-Policy", "same-origin"},
		Header{"Permissions-Policy", permissions},
		Header{"Referrer-Policy", "no-referrer"},
		Header{"X-Content-Type-Options", "nosniff"},
		Header{"X-DNS-Prefetch-Control", "off"},
		Header{"X-Frame-Options", frameOptions(p)},
	)
}

// cacheControl lets caches keep what is named by its own hash for ever, and
// makes them ask again for everything else. sw.js is the exception: a script can
// make a browser look for a new one at any time, seal or not, and for an hour it
// is looked for in the browser's own cache only.
func cacheControl(p string) string {
	if name := path.Base(p); strings.HasPrefix(p, "/bundles/") {
		if hash, _, ok := strings.Cut(name, "."); ok && len(hash) == 64 && strings.Trim(hash, "0123456789abcdef") == "" {
			return "public, max-age=31536000, immutable"
		}
	}
	if p == "/sw.js" {
		return "max-age=3600"
	}
	return "no-cache"
}

func frameOptions(p string) string {
	if p == "/app.html" {
		return "SAMEORIGIN"
	}
	return "DENY"
}

// types lists the kinds of file a site holds. mime.TypeByExtension is not used:
// its answer depends on the machine.
var types = map[string]string{
	".bundle":      "application/zip",
	".css":         "text/css; charset=utf-8",
	".csv":         "text/csv; charset=utf-8",
	".html":        "text/html; charset=utf-8",
	".js":          "text/javascript; charset=utf-8",
	".json":        "application/json",
	".md":          "text/plain; charset=utf-8",
	".pcap":        "application/vnd.tcpdump.pcap",
	".svg":         "image/svg+xml",
	".txt":         "text/plain; charset=utf-8",
	".wasm":        "application/wasm",
	".webmanifest": "application/manifest+json",
}

// ContentType returns the media type of the URL path p by its extension,
// "application/octet-stream" for one it does not know. "/" is HTML.
func ContentType(p string) string {
	if strings.HasSuffix(p, "/") {
		return types[".html"]
	}
	if strings.HasPrefix(path.Base(p), "LICENSE") {
		return types[".txt"]
	}
	if t := types[path.Ext(p)]; t != "" {
		return t
	}
	return "application/octet-stream"
}
