package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"cloister/shared/frame"
	"cloister/shared/ingest/internal/jsontext"
)

// zeekRows is a source of the tab-separated logs of Zeek. Several logs may
// follow each other in one file, each with its own head.
type zeekRows struct {
	rec    *records
	reopen func(offset int64) (io.Reader, error)
	lim    Limits
	path   string
	header []string
	unset  []byte
	empty  []byte
	wanted []int // columns of header that the table binds
	heads  []zeekHead
}

// zeekHead is the layout of the records from an offset on.
type zeekHead struct {
	from    int64
	delim   byte
	width   int
	columns []int // parallel to wanted, -1 for what this head lacks
}

// maxHeads is how many heads one file may have.
const maxHeads = 4096

// newZeekRows reads the head of the first log.
func newZeekRows(rec *records, reopen func(int64) (io.Reader, error), lim Limits) (*zeekRows, error) {
	rec.plain = true
	z := &zeekRows{rec: rec, reopen: reopen, lim: lim, unset: []byte("-"), empty: []byte("(empty)"), heads: []zeekHead{{delim: '\t'}}}
	for z.header == nil {
		if first, err := rec.peek(1); len(first) == 0 || first[0] != '#' {
			if err != nil && !errors.Is(err, io.EOF) {
				return nil, err
			}
			return nil, &FormatError{Format: "zeek", Offset: rec.base + int64(rec.pos), What: "no line #fields before the first record"}
		}
		line, _, _, err := rec.next()
		if err != nil {
			return nil, fmt.Errorf("zeek: head: %w", err)
		}
		fields, err := z.directive(line)
		if err != nil {
			return nil, err
		}
		for _, f := range fields {
			z.header = append(z.header, strings.ToValidUTF8(string(f[:min(len(f), longestWord)]), "\ufffd"))
		}
	}
	return z, nil
}

// zeekColumns is the layout of conn logs without options, which is assumed for
// logs that were cut out of the middle of one: 22 columns since Zeek 8, 21
// since 2.4 without ip_proto, 20 before without local_resp.
var zeekColumns = strings.Fields("ts uid id.orig_h id.orig_p id.resp_h id.resp_p proto service duration orig_bytes resp_bytes conn_state local_orig local_resp missed_bytes history orig_pkts orig_ip_bytes resp_pkts resp_ip_bytes tunnel_parents ip_proto")

// newHeadlessZeek returns a source of the conn log whose head is missing, nil
// if head does not look like one.
func newHeadlessZeek(rec *records, head []byte, reopen func(int64) (io.Reader, error), lim Limits) *zeekRows {
	line, _, _ := bytes.Cut(head, []byte{'\n'})
	f := strings.Split(strings.TrimSuffix(string(line), "\r"), "\t")
	if len(f) < 20 || len(f) > 22 || lim.Columns < len(f) {
		return nil
	}
	ts, ok := parseNumber([]byte(f[0]))
	_, known := protocols[f[6]]
	if !ok || ts < 1e8 || ts > 1e11 || !strings.Contains(f[0], ".") || !isAddress(f[2]) || !isAddress(f[4]) || !known {
		return nil
	}
	columns := zeekColumns[:min(len(f), 21)]
	switch len(f) {
	case 20:
		columns = slices.DeleteFunc(slices.Clone(zeekColumns[:21]), func(c string) bool { return c == "local_resp" })
	case 22:
		columns = zeekColumns
	}
	rec.plain = true
	return &zeekRows{rec: rec, reopen: reopen, lim: lim, path: "conn", header: columns, unset: []byte("-"), empty: []byte("(empty)"), heads: []zeekHead{{delim: '\t', width: len(f)}}}
}

// isAddress reports whether s looks like an IP address. Of IPv6 it looks at the
// characters and colons alone, which tells it from clocks and MAC addresses.
func isAddress(s string) bool {
	if strings.Trim(s, "0123456789abcdefABCDEF:.") != "" {
		return false
	}
	return isIPv4(s) || strings.Contains(s, "::") || strings.Count(s, ":") == 7
}

// directive obeys one line of a head and returns the names of #fields.
func (z *zeekRows) directive(line []byte) ([][]byte, error) {
	head := &z.heads[len(z.heads)-1]
	word, rest, _ := bytes.Cut(line, []byte{' '})
	if string(word) == "#separator" {
		if d := unescapeZeek(nil, bytes.TrimSpace(rest)); len(d) == 1 {
			head.delim = d[0]
		}
		return nil, nil
	}
	word, rest, _ = bytes.Cut(line, []byte{head.delim})
	switch string(word) {
	case "#path":
		if z.header == nil {
			z.path = clip(string(rest))
		}
	case "#unset_field":
		z.unset = bytes.Clone(rest)
	case "#empty_field":
		z.empty = bytes.Clone(rest)
	case "#fields":
		fields := bytes.Split(rest, []byte{head.delim})
		if len(fields) > z.lim.Columns {
			return nil, &LimitError{"columns", int64(z.lim.Columns), int64(len(fields))}
		}
		head.width = len(fields)
		return fields, nil
	}
	return nil, nil
}

func (z *zeekRows) name() string { return "zeek" }

// bind implements [source].
func (z *zeekRows) bind(columns []int) {
	z.wanted = columns
	z.heads[0].columns = columns
}

// next implements [source].
func (z *zeekRows) next(cells [][]byte) (record, error) {
	for {
		raw, offset, cut, err := z.rec.next()
		if limit, ok := errors.AsType[*LimitError](err); ok && limit.What == "record in bytes" {
			z.rec.skip()
			return record{offset: offset, reason: "record too long", detail: err.Error()}, nil
		}
		switch {
		case err != nil:
			return record{}, err
		case len(raw) == 0:
			continue
		case raw[0] == '#':
			if reason := z.rehead(raw, offset); reason != "" {
				return record{offset: offset, reason: reason}, nil
			}
			continue
		}
		return z.cells(raw, offset, cut, cells), nil
	}
}

// rehead obeys a head inside the file: logs that were joined.
func (z *zeekRows) rehead(line []byte, offset int64) (reason string) {
	if bytes.HasPrefix(line, []byte("#separator")) || bytes.HasPrefix(line, []byte("#fields")) {
		if len(z.heads) == maxHeads {
			return "too many heads"
		}
		last := z.heads[len(z.heads)-1]
		last.from = offset
		z.heads = append(z.heads, last)
	}
	fields, err := z.directive(line)
	if err != nil {
		return "too many columns"
	}
	if fields == nil {
		return ""
	}
	head := &z.heads[len(z.heads)-1]
	head.columns = make([]int, len(z.wanted))
	for i, w := range z.wanted {
		head.columns[i] = slices.IndexFunc(fields, func(f []byte) bool { return string(f) == z.header[w] })
	}
	return ""
}

// cells splits one record.
func (z *zeekRows) cells(raw []byte, offset int64, cut bool, cells [][]byte) record {
	i, _ := slices.BinarySearchFunc(z.heads, offset, func(h zeekHead, at int64) int {
		if h.from <= at {
			return -1
		}
		return 1
	})
	head := &z.heads[i-1]
	fields, err := z.rec.split(raw, head.delim)
	switch {
	case err != nil:
		return record{offset: offset, reason: "too many columns", detail: fmt.Sprintf("more than %d", z.lim.Columns)}
	case len(fields) != head.width && cut:
		return record{offset: offset, reason: "cut short", detail: fmt.Sprintf("the file ends after %d of %d columns", len(fields), head.width)}
	case len(fields) != head.width:
		return record{offset: offset, reason: "column count", detail: fmt.Sprintf("%d columns, the head has %d", len(fields), head.width)}
	}
	for i, col := range head.columns {
		cells[i] = nil
		if col < 0 || bytes.Equal(fields[col], z.unset) {
			continue
		}
		cells[i] = fields[col]
		switch {
		case bytes.Equal(fields[col], z.empty):
			cells[i] = nil
		case bytes.Contains(fields[col], []byte(`\x`)):
			cells[i] = unescapeZeek(nil, fields[col])
		}
	}
	return record{offset: offset}
}

// at implements [source].
func (z *zeekRows) at(offset int64) (source, error) {
	in, err := z.reopen(offset)
	if err != nil {
		return nil, err
	}
	one := *z
	one.rec = newRecords(in, z.lim)
	one.rec.plain, one.rec.base = true, offset
	return &one, nil
}

// unescapeZeek appends b with \xHH resolved.
func unescapeZeek(dst, b []byte) []byte {
	for len(b) > 0 {
		if len(b) >= 4 && b[0] == '\\' && b[1] == 'x' {
			if v, ok := parseHex(b[2:4]); ok {
				dst, b = append(dst, byte(v)), b[4:]
				continue
			}
		}
		dst, b = append(dst, b[0]), b[1:]
	}
	return dst
}

// zeekDialect returns the dialect of a log by the names of its columns, nil if
// they are not those of a log that is read. path is Zeek's name of the log.
func zeekDialect(has func(name string) bool) (d *dialect, schema *frame.Schema) {
	switch {
	case has("note") && has("msg"):
		return zeekNotice, frame.Alert
	case !has("idorigh") && !has("srcip"):
		return nil, nil
	case has("connstate") || has("origpkts") || has("missedbytes"):
		return zeekConn, frame.Flow
	case has("query") && has("qtype"):
		return zeekDNS, frame.Flow
	case has("transdepth") && (has("method") || has("statuscode")):
		return zeekHTTP, frame.Flow
	case has("cipher") && (has("version") || has("established")):
		return zeekSSL, frame.Flow
	}
	return nil, nil
}

const (
	zeekOrigin    = "idorigh|srcip|sourceip"
	zeekResponder = "idresph|dstip|destip"
	zeekOrigPort  = "idorigp|srcport"
	zeekRespPort  = "idrespp|dstport|destport"
)

// zeekIdentity are the rules of who and when, which all logs share.
var zeekIdentity = []rule{
	{field: frame.FlowStart, from: []string{"ts|timestamp"}, read: []*reader{readEpoch}},
	{field: frame.SrcAddr, from: []string{zeekOrigin}},
	{field: frame.DstAddr, from: []string{zeekResponder}},
}

// zeekPorts are the ports of logs that are never about ICMP.
var zeekPorts = []rule{
	{field: frame.SrcPort, from: []string{zeekOrigPort}},
	{field: frame.DstPort, from: []string{zeekRespPort}},
}

// zeekConn is the log of connections. Zeek writes durations in seconds, and
// orig_bytes counts payload by sequence numbers: only orig_ip_bytes are the IP
// bytes of the schema. An unset duration of a single packet is 0. Zeek puts
// ICMP type and code in the place of the ports.
var zeekConn = &dialect{
	name: "Zeek conn log",
	rules: [][]rule{zeekIdentity, {
		{field: flowEnd, from: []string{"ts|timestamp", "duration", "?origpkts", "?resppkts"}, read: []*reader{readEpoch, readSeconds, readNumber, readNumber}, say: "$1 + $2",
			make: func(v []float64, _ *[repairs]int64) float64 { return micros(v[0] + zeekMillis(v[1:])) }},
		{field: frame.SrcPort, from: []string{"proto", zeekOrigPort}, read: []*reader{readProto, readPort}, say: "$2, 0 for ICMP", make: portUnlessICMP},
		{field: frame.DstPort, from: []string{"proto", zeekRespPort}, read: []*reader{readProto, readPort}, say: "$2, 0 for ICMP", make: portUnlessICMP},
		{field: frame.Protocol, from: []string{"proto", "?" + zeekOrigin}, read: []*reader{readProto, readIPv6}, make: protocolOf},
		{field: frame.InBytes, from: []string{"origipbytes"}},
		{field: frame.InPackets, from: []string{"origpkts"}},
		{field: frame.OutBytes, from: []string{"respipbytes"}},
		{field: frame.OutPackets, from: []string{"resppkts"}},
		{field: frame.Duration, from: []string{"duration", "?origpkts", "?resppkts"}, read: []*reader{readSeconds, readNumber, readNumber},
			make: func(v []float64, count *[repairs]int64) float64 {
				if math.IsNaN(v[0]) && v[1]+v[2] == 1 {
					count[repairSinglePacket]++
				}
				return zeekMillis(v)
			}},
		{field: inThroughput, from: []string{"origipbytes", "duration", "?origpkts", "?resppkts"}, read: []*reader{readNumber, readSeconds, readNumber, readNumber}, say: rateText,
			make: func(v []float64, _ *[repairs]int64) float64 { return rate(v[0], zeekMillis(v[1:])) }},
		{field: outThroughput, from: []string{"respipbytes", "duration", "?origpkts", "?resppkts"}, read: []*reader{readNumber, readSeconds, readNumber, readNumber}, say: rateText,
			make: func(v []float64, _ *[repairs]int64) float64 { return rate(v[0], zeekMillis(v[1:])) }},
		{field: icmpType, from: []string{"proto", zeekOrigPort, zeekRespPort}, read: []*reader{readProto, readPort, readPort}, say: "$2 x 256 + code ($3 unless it is the type of the answer) for ICMP, else 0", make: zeekICMP},
		{field: icmpIPv4Type, from: []string{"proto", zeekOrigPort, "?" + zeekOrigin}, read: []*reader{readProto, readPort, readIPv6}, say: "$2 for ICMP, else 0", make: icmpTypeOf},
		{field: frame.Label, from: []string{"label"}},
		{field: frame.CommunityID, from: []string{"communityid"}},
	}},
	known: []string{"ts", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "proto", "duration", "orig_pkts", "orig_ip_bytes", "resp_pkts", "resp_ip_bytes"},
	note:  "Zeek keeps no packet sizes, flags, TTLs, windows or gaps: those fields are missing. Its payload bytes (orig_bytes) are not used for IP bytes.",
}

// zeekMillis is the duration v[0], or 0 when it is unset and v[1] + v[2]
// packets make one.
func zeekMillis(v []float64) float64 {
	if math.IsNaN(v[0]) && v[1]+v[2] == 1 {
		return 0
	}
	return v[0]
}

// zeekDNS, zeekHTTP and zeekSSL tell who spoke to whom about what, not how
// much: a row is a transaction, several of which share a connection.
var zeekDNS = &dialect{
	name: "Zeek dns log",
	rules: [][]rule{zeekIdentity, zeekPorts, {
		{field: frame.Protocol, from: []string{"proto"}, read: []*reader{readProto}},
		{field: frame.DNSQuery, from: []string{"query"}},
		{field: frame.DNSCode, from: []string{"rcode"}},
		{field: "DNS_QUERY_ID", from: []string{"transid"}},
		{field: "DNS_QUERY_TYPE", from: []string{"qtype"}},
		{field: "DNS_TTL_ANSWER", from: []string{"answers", "ttls"}, read: []*reader{readProse, readProse}, say: "of $2 the one beside the first IPv4 address of $1", parse: firstATTL},
	}},
	known: []string{"ts", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "proto", "trans_id", "query", "qtype", "rcode", "answers", "TTLs"},
	note:  "A row is one DNS transaction: who asked whom, query id, type and TTL. Bytes, packets and duration are in the conn log of the same folder.",
}

var zeekHTTP = &dialect{
	name: "Zeek http log",
	rules: [][]rule{zeekIdentity, zeekPorts, {
		{field: frame.Protocol, say: "TCP, as every record of this log", is: &constant{number: protocolTCP}},
		{field: frame.HTTPHost, from: []string{"host"}},
		{field: frame.HTTPMethod, from: []string{"method"}},
		{field: frame.HTTPURL, from: []string{"uri"}},
		{field: frame.HTTPAgent, from: []string{"useragent"}},
	}},
	known: []string{"ts", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "host", "method", "uri", "user_agent"},
	note:  "A row is one HTTP request: who asked whom. Bytes, packets and duration are in the conn log of the same folder.",
}

var zeekSSL = &dialect{
	name: "Zeek ssl log",
	rules: [][]rule{zeekIdentity, zeekPorts, {
		{field: frame.Protocol, from: []string{"version"}, read: []*reader{readText}, say: "UDP for DTLS in $1, else TCP", parse: func(s []string) float64 {
			if strings.HasPrefix(s[0], "DTLS") {
				return protocolUDP
			}
			return protocolTCP
		}},
		{field: frame.ServerName, from: []string{"servername"}},
		{field: frame.TLSVersion, from: []string{"version"}},
		{field: frame.JA3, from: []string{"ja3"}},
		{field: frame.JA4, from: []string{"ja4"}},
	}},
	known: []string{"ts", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "version", "server_name"},
	note:  "A row is one TLS session: who spoke to whom. Bytes, packets and duration are in the conn log of the same folder.",
}

// firstATTL returns the TTL in s[1] beside the first IPv4 address in s[0].
// Both are sets as Zeek writes them: a JSON array or joined by commas.
func firstATTL(s []string) float64 {
	answers, ttls := zeekSet(s[0]), zeekSet(s[1])
	for i, a := range answers {
		if i < len(ttls) && isIPv4(a) {
			if v, ok := parseNumber([]byte(ttls[i])); ok {
				return v
			}
			break
		}
	}
	return math.NaN()
}

func zeekSet(text string) []string {
	if !strings.HasPrefix(text, "[") {
		return strings.Split(text, ",")
	}
	var out []string
	if err := jsontext.Elements([]byte(text), func(_ jsontext.Kind, t []byte) error {
		out = append(out, string(t))
		return nil
	}); err != nil {
		return nil
	}
	return out
}

func isIPv4(s string) bool {
	parts := strings.Split(s, ".")
	if len(parts) != 4 {
		return false
	}
	for _, p := range parts {
		if n, err := strconv.Atoi(p); err != nil || n < 0 || n > 255 || len(p) > 3 {
			return false
		}
	}
	return true
}

// zeekNotice is the log of notices: the alerts of Zeek's own policies and of
// packages such as BZAR, which write ATT&CK ids into the texts. A notice has
// no severity.
var zeekNotice = &dialect{
	name: "Zeek notice log",
	rules: [][]rule{{
		{field: frame.AlertTime, from: []string{"ts|timestamp"}, read: []*reader{readEpoch}},
		{field: frame.SrcAddr, from: []string{"src|" + zeekOrigin}},
		{field: frame.SrcPort, from: []string{zeekOrigPort}},
		{field: frame.DstAddr, from: []string{"dst|" + zeekResponder}},
		{field: frame.DstPort, from: []string{"p|" + zeekRespPort}},
		{field: frame.Protocol, from: []string{"proto"}, read: []*reader{readProto}},
		{field: frame.AlertType, from: []string{"note"}, read: []*reader{readText}, say: "$1 up to ::", join: func(s []string) string {
			kind, _, _ := strings.Cut(s[0], "::")
			return kind
		}},
		{field: frame.AlertTitle, from: []string{"note"}},
		{field: frame.AlertDescription, from: []string{"msg", "?sub"}, read: []*reader{readProse, readProse}, say: "$1, then $2", join: func(s []string) string {
			return strings.TrimSpace(s[0] + " " + s[1])
		}},
		{field: frame.AlertTechniques, from: []string{"note", "msg", "?sub"}, read: []*reader{readText, readProse, readProse}, say: "ATT&CK ids in $1, $2 and $3", join: techniquesIn},
	}},
	known: []string{"ts", "src", "dst", "p", "proto", "note", "msg", "sub", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p"},
	note:  "Zeek gives notices no severity.",
}

// techniquesIn returns the ATT&CK technique ids in the texts, T1234 or
// T1234.001, each once, in order.
func techniquesIn(texts []string) string {
	var found []string
	for _, s := range texts {
		for i := 0; i+5 <= len(s); i++ {
			if s[i] != 'T' || i > 0 && isWord(s[i-1]) {
				continue
			}
			n := 5
			if _, ok := digits([]byte(s[i+1:i+5]), 0, 4); !ok {
				continue
			}
			if i+9 <= len(s) && s[i+5] == '.' {
				if _, ok := digits([]byte(s[i+6:i+9]), 0, 3); ok {
					n = 9
				}
			}
			if i+n < len(s) && isWord(s[i+n]) {
				continue
			}
			if id := s[i : i+n]; !slices.Contains(found, id) {
				found = append(found, id)
			}
			i += n - 1
		}
	}
	return strings.Join(found, " ")
}

func isWord(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
}
