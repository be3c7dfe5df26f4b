package feature

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"cloister/shared/frame"
)

// sentenceFields are the flow fields that a sentence is made of; the label is
// none of them.
var sentenceFields = []string{
	frame.Protocol, frame.DstPort, frame.InBytes, frame.OutBytes, frame.InPackets, frame.OutPackets, frame.TCPFlags, frame.Duration,
}

// SentenceFields returns the flow fields that [Sentences] reads, sorted.
func SentenceFields() []string {
	out := slices.Clone(sentenceFields)
	slices.Sort(out)
	return out
}

// Sentences returns the flows of f as alerts, so that a model of texts can
// read them: times, addresses, ports and protocol stay, PAYLOAD_TYPE is
// "flow", and PAYLOAD_DESCRIPTION is one sentence like
//
//	tcp flow to ssh, small request, small answer, few packets, short, flags syn ack psh fin, balanced
//
// in the words of [Sentence]. The same flow gives the same sentence wherever
// it runs, and a field that is missing gives no words.
func Sentences(f *frame.Frame) *frame.Frame {
	has := make([]bool, len(frame.Alert.Fields))
	keep := map[string]string{
		frame.AlertTime: frame.FlowStart, frame.SrcAddr: frame.SrcAddr, frame.SrcPort: frame.SrcPort,
		frame.DstAddr: frame.DstAddr, frame.DstPort: frame.DstPort, frame.Protocol: frame.Protocol,
	}
	for i, field := range frame.Alert.Fields {
		from, ok := keep[field.Name]
		k, _ := f.Schema.Index(from)
		has[i] = ok && (f.Numbers[k] != nil || f.Texts[k] != nil) || field.Name == frame.AlertType || field.Name == frame.AlertDescription
	}
	out := frame.New(frame.Alert, f.Len(), has)
	out.Row, out.Offset, out.Rejects = append(out.Row, f.Row...), append(out.Offset, f.Offset...), f.Rejects
	for i, field := range frame.Alert.Fields {
		k, _ := f.Schema.Index(keep[field.Name])
		switch {
		case !has[i]:
		case field.Name == frame.AlertType:
			for range f.Len() {
				out.Texts[i] = append(out.Texts[i], "flow")
			}
		case field.Name == frame.AlertDescription:
			for row := range f.Len() {
				out.Texts[i] = append(out.Texts[i], Sentence(f, row))
			}
		case field.Kind == frame.Text:
			out.Texts[i] = append(out.Texts[i], f.Texts[k]...)
		default:
			out.Numbers[i] = append(out.Numbers[i], f.Numbers[k]...)
		}
	}
	return out
}

// buckets name ranges: a value falls into the first whose limit it is below.
type buckets []struct {
	below float64
	name  string
}

func (b buckets) of(v float64) string {
	for _, r := range b {
		if v < r.below {
			return r.name
		}
	}
	return ""
}

var (
	inf   = math.Inf(1)
	sizes = buckets{{1, "empty"}, {128, "tiny"}, {1 << 10, "small"}, {32 << 10, "medium"}, {1 << 20, "large"}, {inf, "huge"}}
	packs = buckets{{2, "single packet"}, {10, "few packets"}, {100, "some packets"}, {1000, "many packets"}, {inf, "flood of packets"}}
	times = buckets{{1, "instant"}, {1000, "short"}, {10_000, "seconds long"}, {60_000, "long"}, {inf, "minutes long"}}
	// bytes of the destination per byte of the source
	balance = buckets{{0.1, "mostly sent"}, {0.5, "more sent"}, {2, "balanced"}, {10, "more received"}, {inf, "mostly received"}}
)

var flagNames = []string{"fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr"}

// Sentence returns the words for row i of a frame of flows: protocol, service
// group of the destination port, sizes of request and answer, packets,
// duration, TCP flags and the ratio of the sizes. Limits of the buckets are
// below, values on a limit belong to the upper one:
//
//	bytes     1 empty, 128 tiny, 1 Ki small, 32 Ki medium, 1 Mi large, huge
//	packets   2 single packet, 10 few, 100 some, 1000 many, flood
//	ms        1 instant, 1000 short, 10,000 seconds long, 60,000 long, minutes long
//	out : in  0.1 mostly sent, 0.5 more sent, 2 balanced, 10 more received, mostly received
func Sentence(f *frame.Frame, i int) string {
	value := func(name string) float64 {
		k, _ := f.Schema.Index(name)
		if f.Numbers[k] == nil {
			return math.NaN()
		}
		return f.Numbers[k][i]
	}
	var parts []string
	add := func(text string, words ...string) {
		if text != "" {
			parts = append(parts, strings.Join(append([]string{text}, words...), " "))
		}
	}
	head := "flow"
	if p := protocolName(value(frame.Protocol)); p != "" {
		head = p + " flow"
	}
	if s := service(value(frame.DstPort)); s == s {
		head += " to " + strings.ToLower(Services[int(s)].Name)
	}
	add(head)
	in, out := value(frame.InBytes), value(frame.OutBytes)
	add(sizes.of(in), "request")
	add(sizes.of(out), "answer")
	add(packs.of(value(frame.InPackets) + value(frame.OutPackets)))
	add(times.of(value(frame.Duration)))
	if flags := value(frame.TCPFlags); flags >= 1 && flags < 256 {
		text := "flags"
		for bit, name := range flagNames {
			if int(flags)>>bit&1 == 1 {
				text += " " + name
			}
		}
		add(text)
	}
	if in > 0 {
		add(balance.of(out / in))
	}
	return strings.Join(parts, ", ")
}

// protocolName returns the name of the protocols that are met often, the
// number of others, "" for none.
func protocolName(v float64) string {
	switch v {
	case 1:
		return "icmp"
	case 6:
		return "tcp"
	case 17:
		return "udp"
	case 58:
		return "icmpv6"
	}
	if v >= 0 && v < 256 && v == math.Trunc(v) {
		return "protocol " + strconv.Itoa(int(v))
	}
	return ""
}
