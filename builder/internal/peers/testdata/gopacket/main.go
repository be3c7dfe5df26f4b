// Gopacketpeer is what a flow meter on gopacket's fastest decoder costs: a
// DecodingLayerParser without copies, and a map of flows with packets and
// bytes. It is a module of its own, so that the product never links gopacket.
//
//	gopacketpeer FILE ROUNDS
package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

type key struct {
	network, transport gopacket.Flow
}

type sums struct{ packets, bytes int64 }

func main() {
	file, err := os.ReadFile(os.Args[1])
	check(err)
	rounds, err := strconv.Atoi(os.Args[2])
	check(err)
	for range rounds {
		meter(file)
	}
}

func meter(file []byte) {
	r, err := pcapgo.NewReader(bytes.NewReader(file))
	check(err)
	var eth layers.Ethernet
	var tag layers.Dot1Q
	var ip4 layers.IPv4
	var ip6 layers.IPv6
	var tcp layers.TCP
	var udp layers.UDP
	parser := gopacket.NewDecodingLayerParser(layers.LayerTypeEthernet, &eth, &tag, &ip4, &ip6, &tcp, &udp)
	parser.IgnoreUnsupported = true
	flows := map[key]*sums{}
	var found []gopacket.LayerType
	for {
		data, _, err := r.ZeroCopyReadPacketData()
		if err == io.EOF {
			break
		}
		check(err)
		if parser.DecodeLayers(data, &found) != nil {
			continue
		}
		var k key
		size := int64(0)
		for _, layer := range found {
			switch layer {
			case layers.LayerTypeIPv4:
				k.network, size = ip4.NetworkFlow(), int64(ip4.Length)
			case layers.LayerTypeIPv6:
				k.network, size = ip6.NetworkFlow(), int64(ip6.Length)+40
			case layers.LayerTypeTCP:
				k.transport = tcp.TransportFlow()
			case layers.LayerTypeUDP:
				k.transport = udp.TransportFlow()
			}
		}
		s := flows[k]
		if s == nil {
			back := key{k.network.Reverse(), k.transport.Reverse()}
			if s = flows[back]; s == nil {
				s = &sums{}
				flows[k] = s
			}
		}
		s.packets++
		s.bytes += size
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
