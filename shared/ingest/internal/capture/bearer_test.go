package capture_test

import (
	"fmt"
	"slices"
	"testing"

	"cloister/shared/ingest/internal/capture"
)

// gtpPacket is a UDP packet between hosts 1 and 2 inside GTP-U: up goes from
// gateway 1 to gateway 2.
func gtpPacket(up bool, id uint32, port uint16) []byte {
	inner := ip4(17, udp(port, 53, "hi"))
	if !up {
		inner = ip4(17, udp(53, port, "hi"))
		inner[15], inner[19] = inner[19], inner[15]
	}
	outer := ip4(17, udp(2152, 2152, string(cat([]byte{0x30, 255}, be(uint16(len(inner)), uint16(id>>16), uint16(id)), inner))))
	if !up {
		outer[15], outer[19] = outer[19], outer[15]
	}
	return outer
}

// Which packets share a flow, as letters: equal letters for equal keys.
func TestBearers_findEachOther(t *testing.T) {
	type step struct {
		up   bool
		id   uint32
		port uint16
	}
	tests := []struct {
		name  string
		steps []step
		want  string
	}{
		{"question and answer", []step{{true, 1, 9}, {false, 11, 9}, {true, 1, 9}, {false, 11, 9}}, "aaaa"},
		{"answer seen first", []step{{false, 11, 9}, {true, 1, 9}, {false, 11, 9}}, "aaa"},
		{"two users with equal addresses and ports, one after the other", []step{{true, 1, 9}, {false, 11, 9}, {true, 2, 9}, {false, 12, 9}, {true, 1, 9}, {false, 12, 9}}, "aabbab"},
		{"two users at once, answered in order", []step{{true, 1, 9}, {true, 2, 9}, {false, 11, 9}, {false, 12, 9}, {true, 2, 9}, {false, 11, 9}}, "ababba"},
		{"two users with equal addresses, told apart by their ports", []step{{true, 1, 9}, {true, 2, 8}, {false, 12, 8}, {false, 11, 9}}, "abba"},
		{"the same TEID towards each end", []step{{true, 1, 9}, {false, 1, 9}}, "aa"},
		{"other flows of a bearer", []step{{true, 1, 9}, {false, 11, 9}, {false, 11, 8}, {true, 1, 8}, {true, 2, 8}}, "aabbc"},
		{"who was answered elsewhere does not wait any more", []step{{true, 1, 9}, {true, 1, 8}, {false, 11, 8}, {true, 2, 9}, {false, 12, 9}}, "abbcc"},
		{"equal numbers, handed out by each end", []step{{true, 1, 9}, {false, 2, 9}, {true, 2, 9}, {false, 1, 9}}, "aabb"},
		{"one way only", []step{{true, 1, 9}, {true, 2, 9}, {true, 1, 9}}, "aba"},
		{"both were known without a partner", []step{{true, 1, 7}, {false, 11, 8}, {true, 1, 9}, {false, 11, 9}, {true, 1, 9}}, "abccc"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var d capture.Decoder
			var keys []capture.Key
			got := ""
			for _, s := range tt.steps {
				var p capture.Packet
				b := gtpPacket(s.up, s.id, s.port)
				if !d.Decode(&capture.Frame{Link: 101, Length: uint32(len(b)), Data: b}, &p) || p.Outer == nil || p.Outer.ID != s.id {
					t.Fatalf("%+v was not decoded: %+v", s, p)
				}
				k := slices.Index(keys, p.Key)
				if k < 0 {
					k = len(keys)
					keys = append(keys, p.Key)
				}
				got += string(rune('a' + k))
			}
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

// A flood of TEIDs does not fill memory: they are forgotten together, and new
// ones find each other again.
func TestBearers_areBounded(t *testing.T) {
	var d capture.Decoder
	key := func(up bool, id uint32, port uint16) capture.Key {
		b := gtpPacket(up, id, port)
		var p capture.Packet
		if !d.Decode(&capture.Frame{Link: 101, Length: uint32(len(b)), Data: b}, &p) {
			t.Fatal("not decoded")
		}
		return p.Key
	}
	answer := key(true, 1, 9)
	if key(false, 2, 9) != answer {
		t.Fatal("one bearer, two flows")
	}
	for id := range uint32(1 << 15) {
		key(true, 10+id, 8)
	}
	if key(false, 2, 9) == answer {
		t.Error("nothing was forgotten")
	}
	if fresh := fmt.Sprint(key(true, 1<<20, 7) == key(false, 1<<21, 7), key(true, 3, 9) == key(false, 2, 9)); fresh != "true true" {
		t.Errorf("after a flood: %s", fresh)
	}
}
