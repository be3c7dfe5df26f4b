package flow

import "bytes"

// httpMethods are those of RFC 9110 and of WebDAV, RFC 4918 and 3253.
var httpMethods = [...]string{
	"GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "CONNECT", "TRACE", "PATCH",
	"PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "REPORT", "MERGE", "SEARCH",
}

// httpMethod returns the method that b starts with, followed by a space, or "".
func httpMethod(b []byte) string {
	for _, m := range httpMethods {
		if len(b) > len(m) && b[len(m)] == ' ' && string(b[:len(m)]) == m {
			return m
		}
	}
	return ""
}

// request is the head of an HTTP/1 request. The slices point into it.
type request struct {
	method           string
	url, host, agent []byte
}

// readRequest reads the request line and the two fields: RFC 9112, section 3.
// complete means that the empty line was there. A line that is cut off is not
// read. What starts like a request but has no HTTP version is none, unless it
// asks for a path alone, as HTTP/0.9 did.
func readRequest(b []byte) (r request, complete bool) {
	line, ok := firstLine(b)
	if !ok {
		return r, len(b) > maxPending
	}
	method := httpMethod(b)
	end := bytes.LastIndexByte(line, ' ')
	if end == len("GET") && bytes.HasPrefix(line, []byte("GET /")) { // RFC 1945, section 5: Simple-Request
		return request{method: method, url: line[end+1:]}, true
	}
	if end <= len(method) || !bytes.HasPrefix(line[end+1:], []byte("HTTP/")) {
		return r, true
	}
	r.method, r.url = method, line[len(method)+1:end]
	if i := bytes.IndexByte(r.url, ' '); i >= 0 { // a target has no space: what follows is nonsense of the client
		r.url = r.url[:i]
	}
	for {
		b = b[len(line):]
		b = b[bytes.IndexByte(b, '\n')+1:]
		if line, ok = firstLine(b); !ok {
			return r, false
		}
		if len(line) == 0 {
			return r, true
		}
		colon := bytes.IndexByte(line, ':')
		if colon < 0 {
			continue
		}
		value := bytes.Trim(line[colon+1:], " \t")
		switch name := line[:colon]; {
		case r.host == nil && bytes.EqualFold(name, []byte("Host")):
			r.host = value
		case r.agent == nil && bytes.EqualFold(name, []byte("User-Agent")):
			r.agent = value
		}
	}
}

// firstLine returns the first line of b without its end, and whether it ends.
func firstLine(b []byte) ([]byte, bool) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return nil, false
	}
	return bytes.TrimSuffix(b[:i], []byte("\r")), true
}
