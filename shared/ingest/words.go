package ingest

import (
	"slices"
	"strings"
)

// Names of columns are taken apart into words, and words that mean the same
// become one: "Tot Fwd Pkts", "src2dst_packets" and "spkts" all speak of
// packets from the source.

// synonyms lists the spellings of each word, the word itself first.
const synonyms = `src source orig originator origin client fwd forward initiator sender tx sent upload out2 toserver src2dst transmitted sending outgoing c2s
dst dest destination resp responder server bwd backward target rx received rcvd download toclient dst2src reply reverse rev receiving incoming s2c
bytes byte byt byts octets octet volume payloadbytes bts
packets packet pkt pkts pck pcks frames datagrams
port prt ports sap dap
addr address ip ipaddr ipaddress host ipv4 ipv6 h
duration dur elapsed lifetime durat length2
start first begin began beginning initial
end last stop finish finished ended
time ts timestamp datetime date when stamp switched seen
proto protocol l4proto transport prot
flags flag flg flgs
tcp
ttl
iat interarrival piat intpkt interpacket ipt
rate throughput bps load bitrate speed bitspersecond bandwidth
min minimum smallest shortest lowest
max maximum largest longest highest
mean avg average
std stddev stdev deviation sd
win window wnd
label class attack annotation verdict
icmp
type
code
dns
query question qry
id identifier
ftp
retrans retransmitted retransmission retransmissions retr rtx
size len length ps sz
sni servername
ja3
ja4
community
http
url uri
method verb
agent useragent
severity level priority
technique techniques mitre
title signature rule
description message msg
total tot bidirectional bidir both overall sum all num number no count cnt nb n
flow session conn connection fl sess`

// units are the words that say a unit, as seconds or bytes.
var units = []struct {
	words  string
	factor float64
}{
	{"ns nsec nanos nanosecond nanoseconds", 1e-9}, {"us usec usecs micros microsecond microseconds", 1e-6},
	{"ms msec msecs millis millisecond milliseconds", 1e-3}, {"s sec secs second seconds", 1},
	{"kb kbytes kib kilobytes", 1024}, {"mb mbytes mib megabytes", 1 << 20}, {"kbps kbit", 125}, {"mbps mbit", 125000},
}

// whole are names that cannot be taken apart: nfdump's and others' shortest.
const whole = `ts=start time,time=start time,date=start time,datetime=start time,eventtime=start time,sa=src addr,da=dst addr,sp=src port,dp=dst port,pr=proto,td=duration,te=end time,ibyt=src bytes,obyt=dst bytes,ipkt=src packets,opkt=dst packets,dsport=dst port,dstport=dst port,stime=start time,ltime=end time,lasttime=end time,starttime=start time,endtime=end time,protocolidentifier=proto`

// noise is in many names and tells nothing apart.
const noise = " flow time total the of in out2 per value field data net network layer l3 l4 stat stats "

// vocabulary maps spellings to words. It is made per proposal: a few hundred
// entries, and package state would be shared by all who read files.
func vocabulary() map[string]string {
	out := map[string]string{}
	for line := range strings.SplitSeq(synonyms, "\n") {
		list := strings.Fields(line)
		for _, spelling := range list {
			out[spelling] = list[0]
		}
	}
	return out
}

// namer takes names apart.
type namer struct {
	words map[string]string
	whole map[string]string
}

func newNamer() *namer {
	n := &namer{words: vocabulary(), whole: map[string]string{}}
	for entry := range strings.SplitSeq(whole, ",") {
		name, words, _ := strings.Cut(entry, "=")
		n.whole[name] = words
	}
	return n
}

// parts splits a name at separators, at changes from lower to upper case and
// before a digit that does not end a word.
func parts(name string) []string {
	var out []string
	var b strings.Builder
	flush := func() {
		if b.Len() > 0 {
			out = append(out, strings.ToLower(b.String()))
			b.Reset()
		}
	}
	for i := 0; i < len(name) && i < longestWord; i++ {
		c := name[i]
		switch {
		case !isWord(c) || c == '_':
			flush()
			continue
		case c >= 'A' && c <= 'Z' && i > 0 && name[i-1] >= 'a' && name[i-1] <= 'z':
			flush()
		}
		b.WriteByte(c)
	}
	flush()
	return out
}

// read returns the words of a name, each once, and the unit it says, 0 for
// none.
func (n *namer) read(name string) (words []string, unit float64) {
	add := func(w string) {
		if !slices.Contains(words, w) {
			words = append(words, w)
		}
	}
	list := parts(name)
	if w, ok := n.whole[strings.Join(list, "")]; ok {
		return strings.Fields(w), 0
	}
	for i, part := range list {
		if _, ok := n.words[strings.Join(list[min(i+1, len(list)):min(i+2, len(list))], "")]; ok && (part == "s" || part == "d") {
			add(map[string]string{"s": "src", "d": "dst"}[part])
			continue
		}
		if w, ok := n.words[part]; ok {
			add(w)
			continue
		}
		if w, ok := n.whole[part]; ok && len(part) > 2 {
			for _, w := range strings.Fields(w) {
				add(w)
			}
			continue
		}
		if u := unitOf(part); u > 0 && i > 0 {
			unit = u
			if u >= 125 {
				add("bytes")
			}
			continue
		}
		for _, w := range n.segment(part) {
			if u := unitOf(w); u > 0 {
				unit = u
				continue
			}
			add(w)
		}
	}
	return words, unit
}

func unitOf(word string) float64 {
	for _, u := range units {
		if slices.Contains(strings.Fields(u.words), word) {
			return u.factor
		}
	}
	return 0
}

// segment splits a run of letters into known words, as few as it can; what is
// not known stays whole. A leading s or d stands for source or destination.
func (n *namer) segment(part string) []string {
	if len(part) > 40 {
		return []string{part}
	}
	best := make([][]string, len(part)+1)
	best[0] = []string{}
	for end := 2; end <= len(part); end++ {
		for from := range end - 1 {
			if best[from] == nil {
				continue
			}
			w, ok := n.words[part[from:end]]
			if !ok || end-from < 2 {
				continue
			}
			if best[end] == nil || len(best[from])+1 < len(best[end]) {
				best[end] = append(slices.Clone(best[from]), w)
			}
		}
	}
	if best[len(part)] != nil {
		return best[len(part)]
	}
	if len(part) > 3 && (part[0] == 's' || part[0] == 'd') {
		side := map[byte]string{'s': "src", 'd': "dst"}[part[0]]
		if w, ok := n.words[part[1:]]; ok {
			return []string{side, w}
		}
	}
	return []string{part}
}

// fieldWords are the words that the name of a column for a field is made of.
var fieldWords = map[string]string{
	"FLOW_START_MILLISECONDS": "start time", "FLOW_END_MILLISECONDS": "end time", "TIME_MILLISECONDS": "time",
	"IPV4_SRC_ADDR": "src addr", "IPV4_DST_ADDR": "dst addr", "L4_SRC_PORT": "src port", "L4_DST_PORT": "dst port", "PROTOCOL": "proto",
	"IN_BYTES": "src bytes", "OUT_BYTES": "dst bytes", "IN_PKTS": "src packets", "OUT_PKTS": "dst packets",
	"TCP_FLAGS": "tcp flags", "CLIENT_TCP_FLAGS": "src tcp flags", "SERVER_TCP_FLAGS": "dst tcp flags",
	"FLOW_DURATION_MILLISECONDS": "duration", "DURATION_IN": "src duration", "DURATION_OUT": "dst duration",
	"MIN_TTL": "min ttl", "MAX_TTL": "max ttl", "MIN_IP_PKT_LEN": "min packets size", "MAX_IP_PKT_LEN": "max packets size",
	"RETRANSMITTED_IN_BYTES": "src retrans bytes", "RETRANSMITTED_IN_PKTS": "src retrans packets",
	"RETRANSMITTED_OUT_BYTES": "dst retrans bytes", "RETRANSMITTED_OUT_PKTS": "dst retrans packets",
	"SRC_TO_DST_AVG_THROUGHPUT": "src rate", "DST_TO_SRC_AVG_THROUGHPUT": "dst rate",
	"TCP_WIN_MAX_IN": "src win max", "TCP_WIN_MAX_OUT": "dst win max", "ICMP_IPV4_TYPE": "icmp type",
	"DNS_QUERY_ID": "dns query id", "DNS_QUERY_TYPE": "dns query type", "DNS_TTL_ANSWER": "dns ttl", "FTP_COMMAND_RET_CODE": "ftp code",
	"SRC_TO_DST_IAT_MIN": "src iat min", "SRC_TO_DST_IAT_MAX": "src iat max", "SRC_TO_DST_IAT_AVG": "src iat mean", "SRC_TO_DST_IAT_STDDEV": "src iat std",
	"DST_TO_SRC_IAT_MIN": "dst iat min", "DST_TO_SRC_IAT_MAX": "dst iat max", "DST_TO_SRC_IAT_AVG": "dst iat mean", "DST_TO_SRC_IAT_STDDEV": "dst iat std",
	"Attack": "label", "COMMUNITY_ID": "community id", "TLS_SERVER_NAME": "sni", "JA3": "ja3", "JA4": "ja4", "DNS_QUERY": "dns query",
	"HTTP_HOST": "http addr", "HTTP_METHOD": "http method", "HTTP_URL": "http url", "HTTP_USER_AGENT": "http agent",
	"PAYLOAD_TYPE": "type", "TITLE": "title", "PAYLOAD_DESCRIPTION": "description", "TECHNIQUES": "technique", "SEVERITY": "severity",
}

// optional are words that a column of a field may do without: flags are TCP's,
// sizes are packets', a gap without another word is the mean.
const optional = " tcp size time mean "

// similar returns how alike the words of a field and of a column are: twice
// what they share by what they have, words that tell nothing apart counting a
// quarter. A column without a word that makes the field is another field.
func similar(field string, column []string) float64 {
	if field == "" || len(column) == 0 {
		return 0
	}
	want := strings.Fields(field)
	shared, sum := 0.0, 0.0
	for _, w := range want {
		weight := wordWeight(w)
		sum += weight
		switch {
		case slices.Contains(column, w):
			shared += 2 * weight
		case !strings.Contains(optional, " "+w+" "):
			return 0
		}
	}
	for _, w := range column {
		sum += wordWeight(w)
	}
	// The sides must not be mixed up, nor one side be taken for both.
	for _, side := range []string{"src", "dst"} {
		if slices.Contains(want, side) != slices.Contains(column, side) {
			shared *= 0.45
		}
	}
	// A largest or mean of something is not the thing itself.
	for _, w := range column {
		if strings.Contains(" min max mean std size rate code syn fin rst psh ack urg ece cwr ", " "+w+" ") && !slices.Contains(want, w) {
			shared *= 0.6
		}
	}
	return shared / sum
}

func wordWeight(w string) float64 {
	if strings.Contains(noise, " "+w+" ") {
		return 0.25
	}
	return 1
}
