package capture_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"cloister/shared/ingest/internal/capture"
)

// feed runs IP packets over Ethernet through a decoder, in one buffer, and
// returns what comes out: number, flow, whether the transport's head is there.
func feed(d *capture.Decoder, packets ...[]byte) (list []string) {
	buf := make([]byte, 1<<16)
	for i := range packets {
		packets[i] = ether(0x800, packets[i])
		b := buf[:copy(buf, packets[i])]
		f := capture.Frame{Number: int64(i + 1), Time: int64(i+1) * 1000, Link: 1, Length: uint32(len(b)), Data: b}
		var p capture.Packet
		for ok := d.Decode(&f, &p); ok; ok = d.Early(&f, &p) {
			note := ""
			if f.Number != p.Number || f.Time != p.Time || string(f.Data) != string(packets[f.Number-1]) {
				note = " frame and packet differ"
			}
			list = append(list, fmt.Sprintf("%d:%d>%d %v%s", p.Number, p.Key.PortA, p.Key.PortB, p.Head, note))
		}
	}
	return list
}

// parts cuts a UDP packet of ports 5 and 6 in n fragments of 24 bytes.
func parts(id uint16, n int) (list [][]byte) {
	body := udp(5, 6, strings.Repeat("x", 24*n-8))
	for i := range n {
		word := uint16(3 * i)
		if i < n-1 {
			word |= 0x2000
		}
		list = append(list, ip4Fragment(17, id, word, body[24*i:24*i+24]))
	}
	return list
}

// Fragments that come before the first one join it when it comes, before it
// and with their own numbers and stamps.
func TestDecoder_earlyFragments(t *testing.T) {
	a := parts(7, 4)
	tests := []struct {
		name    string
		packets [][]byte
		want    []string
	}{
		{"in order", a, []string{"1:5>6 true", "2:5>6 false", "3:5>6 false", "4:5>6 false"}},
		{"backwards", [][]byte{a[3], a[2], a[1], a[0]}, []string{"1:5>6 false", "2:5>6 false", "3:5>6 false", "4:5>6 true"}},
		{"first in the middle", [][]byte{a[2], a[0], a[3]}, []string{"1:5>6 false", "2:5>6 true", "3:5>6 false"}},
		{"others between", [][]byte{a[2], ip4(17, udp(8, 9, "")), a[0]}, []string{"2:8>9 true", "1:5>6 false", "3:5>6 true"}},
		{"of another packet", [][]byte{parts(8, 4)[2], a[0]}, []string{"2:5>6 true"}},
		{"two packets", [][]byte{a[1], parts(8, 2)[1], parts(8, 2)[0], a[0]}, []string{"2:5>6 false", "3:5>6 true", "1:5>6 false", "4:5>6 true"}},
		{"never", [][]byte{a[1], a[2]}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var d capture.Decoder
			if got := feed(&d, tt.packets...); !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
			late := int64(0)
			for _, w := range tt.want {
				if strings.HasSuffix(w, "false") {
					late++
				}
			}
			skipped := int64(0)
			for _, n := range d.Skipped() {
				skipped += n
			}
			if d.Joined() != late || skipped != int64(len(tt.packets)-len(tt.want)) {
				t.Errorf("%d joined, skipped %v", d.Joined(), d.Skipped())
			}
		})
	}
}

// What is held is bounded by number and by bytes; the oldest goes first.
func TestDecoder_earlyFragmentsAreBounded(t *testing.T) {
	var d capture.Decoder
	packets := [][]byte{parts(1, 2)[1]}
	for range 256 {
		packets = append(packets, parts(2, 2)[1])
	}
	packets = append(packets, parts(1, 2)[0], parts(2, 2)[0])
	if got := feed(&d, packets...); len(got) != 258 || got[0] != "258:5>6 true" || got[1] != "2:5>6 false" {
		t.Errorf("%d packets, %q first", len(got), got[:min(2, len(got))])
	}
	d = capture.Decoder{}
	big := ip4Fragment(17, 1, 8, make([]byte, 65000)) // 17 of them are over 1 MiB
	packets = slices.Repeat([][]byte{big}, 17)
	packets = append(packets, parts(1, 2)[0])
	if got := feed(&d, packets...); len(got) != 17 || got[0] != "2:5>6 false" {
		t.Errorf("%d packets, %q first", len(got), got[:min(1, len(got))])
	}
}

// The parts of a tunnel's outer packet are no packets of their own, before the
// first one as after it.
func TestDecoder_earlyFragmentsOfATunnel(t *testing.T) {
	var d capture.Decoder
	got := feed(&d, ip4Fragment(4, 9, 4, []byte("inside")), ip4Fragment(4, 9, 0x2000, ip4(17, udp(1, 2, "inside"))))
	if want := []string{"2:1>2 true"}; !slices.Equal(got, want) || len(d.Skipped()) != 1 || d.Joined() != 0 {
		t.Errorf("got %q, want %q; %v", got, want, d.Skipped())
	}
}

// In whatever order the fragments of several packets come, as many packets
// join each flow.
func TestDecoder_fragmentsInAnyOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		var packets [][]byte
		for id := range uint16(4) {
			packets = append(packets, parts(id, 1+r.IntN(6))...)
		}
		r.Shuffle(len(packets), func(i, j int) { packets[i], packets[j] = packets[j], packets[i] })
		var d capture.Decoder
		if got := feed(&d, packets...); len(got) != len(packets) || len(d.Skipped()) > 0 {
			t.Fatalf("%d of %d packets: %q, %v", len(got), len(packets), got, d.Skipped())
		}
	}
}
