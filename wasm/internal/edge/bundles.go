package edge

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cloister/shared/bundle"
	"cloister/shared/channel"
	"cloister/shared/header"
	"cloister/shared/sign"
)

// maxChannel bounds the channel's document, maxIndex that of the site's list.
const (
	maxChannel = sign.MaxSize
	maxIndex   = 1 << 20
)

// immutable is what never changes under its address.
const immutable = "public, max-age=31536000, immutable"

// getChannel serves the signed document as it is stored; the storage compares
// entity tags.
func (t *talk) getChannel() {
	stored := t.do(Op{Kind: OpGet, Key: channelPath[1:], IfNoneMatch: unquote(t.r.Header("If-None-Match"))})
	switch {
	case stored.Err != "":
		t.broken(stored.Err)
	case !stored.Found:
		t.refuse(404, "no channel has been published here")
	default:
		more := []header.Header{{Name: "Cache-Control", Value: "no-cache"}, {Name: "ETag", Value: strconv.Quote(stored.ETag)}}
		if !stored.Modified {
			t.respond(304, "", -1, false, more...)
			return
		}
		t.respond(200, "application/json", stored.Size, true, more...)
	}
}

// unquote returns the entity tag of an If-None-Match header that holds one
// strong or weak tag, "" for everything else: then the whole is sent.
func unquote(tag string) string {
	tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
	if len(tag) < 3 || tag[0] != '"' || strings.IndexByte(tag[1:], '"') != len(tag)-2 {
		return ""
	}
	return tag[1 : len(tag)-1]
}

// bundleAddress takes /bundles/<name>/<version>/<sha256>.bundle apart.
func bundleAddress(p string) (name, version, sum string, ok bool) {
	parts := strings.Split(strings.TrimPrefix(p, "/bundles/"), "/")
	if len(parts) != 3 {
		return "", "", "", false
	}
	sum, ok = strings.CutSuffix(parts[2], ".bundle")
	ok = ok && len(sum) == 64 && strings.Trim(sum, "0123456789abcdef") == "" && plain(parts[0]) && plain(parts[1])
	return parts[0], parts[1], sum, ok
}

// plain reports whether s may be a name or a version in an address.
func plain(s string) bool {
	return len(s) > 0 && len(s) <= 64 && s[0] != '.' &&
		strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == ""
}

// getBundle serves a bundle under the address that holds its hash: from
// storage, or, for those deployed with the site, from there.
func (t *talk) getBundle() {
	_, _, hash, ok := bundleAddress(t.r.Path)
	if !ok {
		t.asset(t.r.Path)
		return
	}
	tag := header.Header{Name: "ETag", Value: `"sha256-` + hash + `"`}
	common := []header.Header{tag, {Name: "Cache-Control", Value: immutable}, {Name: "Accept-Ranges", Value: "bytes"}}
	if matches(t.r.Header("If-None-Match"), tag.Value) { // the address names the content
		t.respond(304, "", -1, false, common...)
		return
	}
	from, length, ranged := byteRange(t.r.Header("Range"))
	if c := t.r.Header("If-Range"); c != "" && c != tag.Value {
		ranged = false
	}
	op := Op{Kind: OpGet, Key: t.r.Path[1:]}
	if ranged {
		op.Offset, op.Length = from, length
	}
	found := t.do(op)
	if found.Err == "" && !found.Found {
		ranged = false // the site's files come whole
		found = t.do(Op{Kind: OpAsset, Key: t.r.Path})
		common = common[:2]
	}
	kind := header.ContentType(t.r.Path)
	switch {
	case found.Err != "":
		t.broken(found.Err)
	case !found.Found:
		t.refuse(404, "no such bundle is stored here")
	case ranged && from >= found.Size:
		t.refuse(416, fmt.Sprintf("the bundle has %d bytes", found.Size), header.Header{Name: "Content-Range", Value: fmt.Sprintf("bytes */%d", found.Size)})
	case ranged:
		end := found.Size
		if length > 0 {
			end = min(end, from+length)
		}
		common = append(common, header.Header{Name: "Content-Range", Value: fmt.Sprintf("bytes %d-%d/%d", from, end-1, found.Size)})
		t.respond(206, kind, end-from, true, common...)
	default:
		t.respond(200, kind, found.Size, true, common...)
	}
}

// matches reports whether an If-None-Match header names tag.
func matches(list, tag string) bool {
	for word := range strings.SplitSeq(list, ",") {
		if word = strings.TrimPrefix(strings.TrimSpace(word), "W/"); word == tag || word == "*" {
			return true
		}
	}
	return false
}

// byteRange reads a Range header of one range with a start: length 0 means to
// the end. Others are not honoured, which RFC 9110, section 14.2, allows.
func byteRange(text string) (from, length int64, ok bool) {
	a, b, ok := strings.Cut(strings.TrimPrefix(text, "bytes="), "-")
	if !ok || !strings.HasPrefix(text, "bytes=") {
		return 0, 0, false
	}
	from, err := strconv.ParseInt(a, 10, 53)
	if err != nil || from < 0 || a[0] == '+' {
		return 0, 0, false
	}
	if b == "" {
		return from, 0, true
	}
	last, err := strconv.ParseInt(b, 10, 53)
	if err != nil || last < from || b[0] == '+' {
		return 0, 0, false
	}
	return from, last - from + 1, true
}

// entry is a bundle in the index; other fields of the site's index are passed
// on as they are.
type entry struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Path    string `json:"path"` // below bundles/
	Bytes   int64  `json:"bytes"`
	SHA256  string `json:"sha256"`
	Title   string `json:"title,omitempty"`
	Schema  string `json:"schema,omitempty"`
}

// index serves the list of bundles that the page starts from: what the channel
// names, or what was deployed with the site where there is no channel that
// holds. A channel that does not hold is an operator's emergency, not a
// visitor's: /readyz and the log tell.
func (t *talk) index() {
	c, _, err := t.channel()
	if err != nil {
		t.fail(err.Error())
	}
	if !t.do(Op{Kind: OpAsset, Key: indexPath}).Found {
		t.refuse(404, "this site was deployed without a list of bundles")
		return
	}
	body := t.do(Op{Kind: OpRead, Length: maxIndex})
	if body.Err != "" {
		t.broken(body.Err)
		return
	}
	text := body.Body
	if c != nil {
		if merged, err := merge(text, c); err != nil {
			t.fail(err.Error())
		} else {
			text = merged
		}
	}
	tag := `"sha256-` + sum(text) + `"`
	more := []header.Header{{Name: "Cache-Control", Value: "no-cache"}, {Name: "ETag", Value: tag}}
	if matches(t.r.Header("If-None-Match"), tag) {
		t.respond(304, "", -1, false, more...)
		return
	}
	t.body(200, "application/json", text, more...)
}

// merge puts the channel's bundles in the place of the site's.
func merge(site []byte, c *channel.Channel) ([]byte, error) {
	var fields map[string]json.RawMessage
	var old struct {
		Default string  `json:"default"`
		Bundles []entry `json:"bundles"`
		Size    int64   `json:"size"`
	}
	if err := json.Unmarshal(site, &fields); err != nil {
		return nil, fmt.Errorf("index of the site: %w", err)
	}
	if err := json.Unmarshal(site, &old); err != nil {
		return nil, fmt.Errorf("index of the site: %w", err)
	}
	list := entries(c)
	if len(list) == 0 {
		return nil, fmt.Errorf("the channel names no bundle")
	}
	name := old.Default
	if first(list, name) < 0 {
		name = list[0].Name
	}
	for k, v := range map[string]any{"default": name, "bundles": list, "size": old.Size - fetched(old.Bundles) + fetched(list)} {
		b, err := json.Marshal(v)
		if err != nil {
			return nil, err // unreachable: strings and numbers
		}
		fields[k] = b
	}
	return json.MarshalIndent(fields, "", "  ")
}

// first returns the place of the newest bundle called name, or -1.
func first(list []entry, name string) int {
	return slices.IndexFunc(list, func(e entry) bool { return e.Name == name })
}

// fetched is how many bytes of a list a page loads: the newest of each name.
func fetched(list []entry) (n int64) {
	for i, e := range list {
		if first(list, e.Name) == i {
			n += e.Bytes
		}
	}
	return n
}

// entries lists the bundles of a channel by name, newest version first.
func entries(c *channel.Channel) []entry {
	var list []entry
	for _, p := range c.Paths() {
		name, version, hash, ok := bundleAddress("/bundles/" + p)
		if target := c.Targets[p]; ok && fmt.Sprintf("%x", target.SHA256) == hash {
			list = append(list, entry{name, version, p, target.Length, hash, target.Title, target.Schema})
		}
	}
	slices.SortStableFunc(list, func(a, b entry) int {
		if d := strings.Compare(a.Name, b.Name); d != 0 {
			return d
		}
		return bundle.CompareVersions(b.Version, a.Version)
	})
	return list
}

// newest returns the bundle called name of the site's index.
func newest(site []byte, name string) (entry, bool) {
	var x struct {
		Bundles []entry `json:"bundles"`
	}
	if json.Unmarshal(site, &x) != nil {
		return entry{}, false
	}
	if i := first(x.Bundles, name); i >= 0 {
		return x.Bundles[i], true
	}
	return entry{}, false
}
