package frame

// Names of flow fields that code refers to; the rest is reached by name
// through [Schema.Index].
const (
	FlowStart  = "FLOW_START_MILLISECONDS"
	SrcAddr    = "IPV4_SRC_ADDR"
	DstAddr    = "IPV4_DST_ADDR"
	SrcPort    = "L4_SRC_PORT"
	DstPort    = "L4_DST_PORT"
	Protocol   = "PROTOCOL"
	InBytes    = "IN_BYTES"
	OutBytes   = "OUT_BYTES"
	InPackets  = "IN_PKTS"
	OutPackets = "OUT_PKTS"
	TCPFlags   = "TCP_FLAGS"
	Duration   = "FLOW_DURATION_MILLISECONDS"
	Label      = "Attack"
)

// Names of the fields by which people recognise a flow. No model learns from
// them.
const (
	CommunityID = "COMMUNITY_ID"
	VLAN        = "VLAN"
	Tunnel      = "TUNNEL"
	ServerName  = "TLS_SERVER_NAME"
	ALPN        = "TLS_ALPN"
	TLSVersion  = "TLS_VERSION"
	JA3         = "JA3"
	JA4         = "JA4"
	DNSQuery    = "DNS_QUERY"
	DNSCode     = "DNS_RET_CODE"
	HTTPHost    = "HTTP_HOST"
	HTTPMethod  = "HTTP_METHOD"
	HTTPURL     = "HTTP_URL"
	HTTPAgent   = "HTTP_USER_AGENT"
	SSHClient   = "SSH_CLIENT"
	SSHServer   = "SSH_SERVER"
	Entropy     = "PAYLOAD_ENTROPY"
	FirstPacket = "FIRST_PACKET"
	LastPacket  = "LAST_PACKET"
)

// Flow is the schema of one bidirectional flow: the columns of NetFlow v9 as
// the NF-*-v3 data sets name them, which contain those of v1 and v2. Source is
// the side that sent the first packet. Bytes are IP-layer bytes. The SECOND_BYTES
// columns are left out: in the data sets they are glued text, not numbers.
// IPv6 addresses stand in the address columns as text.
//
// Source: Luay et al., arXiv:2503.04404, table of the v3 features; units and
// relations checked on the data.
var Flow = NewSchema("flow", []Field{
	{Name: FlowStart, Unit: "ms", Help: "first packet, milliseconds since 1970 UTC", Show: true},
	{Name: "FLOW_END_MILLISECONDS", Unit: "ms", Help: "last packet, milliseconds since 1970 UTC"},
	{Name: SrcAddr, Kind: Text, Help: "address that sent the first packet", Show: true},
	{Name: SrcPort, Help: "its transport port", Show: true},
	{Name: DstAddr, Kind: Text, Help: "address that was contacted", Show: true},
	{Name: DstPort, Help: "its transport port", Show: true},
	{Name: Protocol, Help: "IANA protocol number", Show: true},
	{Name: "L7_PROTO", Help: "nDPI application id, master.sub"},
	{Name: InBytes, Unit: "bytes", Help: "IP bytes from source to destination", Show: true},
	{Name: InPackets, Unit: "packets", Help: "packets from source to destination", Show: true},
	{Name: OutBytes, Unit: "bytes", Help: "IP bytes from destination to source", Show: true},
	{Name: OutPackets, Unit: "packets", Help: "packets from destination to source", Show: true},
	{Name: TCPFlags, Help: "OR of all TCP flags: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128"},
	{Name: "CLIENT_TCP_FLAGS", Help: "OR of the source's TCP flags"},
	{Name: "SERVER_TCP_FLAGS", Help: "OR of the destination's TCP flags"},
	{Name: Duration, Unit: "ms", Help: "last packet minus first packet", Show: true},
	{Name: "DURATION_IN", Unit: "ms", Help: "duration of the source's packets"},
	{Name: "DURATION_OUT", Unit: "ms", Help: "duration of the destination's packets"},
	{Name: "MIN_TTL", Help: "smallest IP time to live"},
	{Name: "MAX_TTL", Help: "largest IP time to live"},
	{Name: "LONGEST_FLOW_PKT", Unit: "bytes", Help: "longest packet"},
	{Name: "SHORTEST_FLOW_PKT", Unit: "bytes", Help: "shortest packet"},
	{Name: "MIN_IP_PKT_LEN", Unit: "bytes", Help: "shortest IP packet"},
	{Name: "MAX_IP_PKT_LEN", Unit: "bytes", Help: "longest IP packet"},
	{Name: "RETRANSMITTED_IN_BYTES", Unit: "bytes", Help: "retransmitted by the source"},
	{Name: "RETRANSMITTED_IN_PKTS", Unit: "packets", Help: "retransmitted by the source"},
	{Name: "RETRANSMITTED_OUT_BYTES", Unit: "bytes", Help: "retransmitted by the destination"},
	{Name: "RETRANSMITTED_OUT_PKTS", Unit: "packets", Help: "retransmitted by the destination"},
	{Name: "SRC_TO_DST_AVG_THROUGHPUT", Unit: "bit/s", Help: "mean rate from source to destination"},
	{Name: "DST_TO_SRC_AVG_THROUGHPUT", Unit: "bit/s", Help: "mean rate from destination to source"},
	{Name: "NUM_PKTS_UP_TO_128_BYTES", Unit: "packets", Help: "packets of up to 128 bytes"},
	{Name: "NUM_PKTS_128_TO_256_BYTES", Unit: "packets", Help: "packets of 128 to 256 bytes"},
	{Name: "NUM_PKTS_256_TO_512_BYTES", Unit: "packets", Help: "packets of 256 to 512 bytes"},
	{Name: "NUM_PKTS_512_TO_1024_BYTES", Unit: "packets", Help: "packets of 512 to 1024 bytes"},
	{Name: "NUM_PKTS_1024_TO_1514_BYTES", Unit: "packets", Help: "packets of 1024 to 1514 bytes"},
	{Name: "TCP_WIN_MAX_IN", Unit: "bytes", Help: "largest TCP window of the source"},
	{Name: "TCP_WIN_MAX_OUT", Unit: "bytes", Help: "largest TCP window of the destination"},
	{Name: "ICMP_TYPE", Help: "ICMP type x 256 + code"},
	{Name: "ICMP_IPV4_TYPE", Help: "ICMP type"},
	{Name: "DNS_QUERY_ID", Help: "DNS transaction id"},
	{Name: "DNS_QUERY_TYPE", Help: "DNS query type, 1 is A"},
	{Name: "DNS_TTL_ANSWER", Help: "TTL of the first A record of the answer"},
	{Name: "FTP_COMMAND_RET_CODE", Help: "FTP reply code"},
	{Name: "SRC_TO_DST_IAT_MIN", Unit: "ms", Help: "smallest gap between the source's packets"},
	{Name: "SRC_TO_DST_IAT_MAX", Unit: "ms", Help: "largest gap between the source's packets"},
	{Name: "SRC_TO_DST_IAT_AVG", Unit: "ms", Help: "mean gap between the source's packets"},
	{Name: "SRC_TO_DST_IAT_STDDEV", Unit: "ms", Help: "standard deviation of the source's gaps"},
	{Name: "DST_TO_SRC_IAT_MIN", Unit: "ms", Help: "smallest gap between the destination's packets"},
	{Name: "DST_TO_SRC_IAT_MAX", Unit: "ms", Help: "largest gap between the destination's packets"},
	{Name: "DST_TO_SRC_IAT_AVG", Unit: "ms", Help: "mean gap between the destination's packets"},
	{Name: "DST_TO_SRC_IAT_STDDEV", Unit: "ms", Help: "standard deviation of the destination's gaps"},
	{Name: Label, Kind: Text, Help: "label of the row, when the file has one"},

	{Name: CommunityID, Kind: Text, Help: "Community ID version 1, seed 0: names the same flow in other tools"},
	{Name: VLAN, Kind: Text, Help: "VLAN ids, outer first: 5, 3.5"},
	{Name: Tunnel, Kind: Text, Help: "innermost tunnel around the flow: kind, id, ends"},
	{Name: ServerName, Kind: Text, Help: "server name the TLS client asked for (SNI)", Show: true},
	{Name: ALPN, Kind: Text, Help: "protocols the TLS client offered, with commas"},
	{Name: TLSVersion, Kind: Text, Help: "TLS version the server chose"},
	{Name: JA3, Kind: Text, Help: "JA3 fingerprint of the TLS client"},
	{Name: JA4, Kind: Text, Help: "JA4 fingerprint of the TLS client"},
	{Name: DNSQuery, Kind: Text, Help: "name of the first DNS question", Show: true},
	{Name: DNSCode, Help: "code of the first DNS answer: 0 none, 2 failure, 3 no such name"},
	{Name: HTTPHost, Kind: Text, Help: "Host of the first HTTP request", Show: true},
	{Name: HTTPMethod, Kind: Text, Help: "method of the first HTTP request"},
	{Name: HTTPURL, Kind: Text, Help: "target of the first HTTP request, cut to 255 bytes"},
	{Name: HTTPAgent, Kind: Text, Help: "User-Agent of the first HTTP request, cut to 255 bytes"},
	{Name: SSHClient, Kind: Text, Help: "SSH banner of the source"},
	{Name: SSHServer, Kind: Text, Help: "SSH banner of the destination"},
	{Name: Entropy, Unit: "bit/byte", Help: "entropy of the first payload, of at most its first 256 bytes as captured"},
	{Name: FirstPacket, Help: "number of the first packet in the capture, from 1"},
	{Name: LastPacket, Help: "number of the last packet in the capture"},
})
