package feature

import "math"

// Service is a group of destination ports that serve one purpose.
type Service struct {
	Name  string
	Ports []int
}

// Services are the groups of [OpService]; the index is the feature's value.
// Ports that no group names fall into the last three by IANA range. The order
// puts remote access and file transfer next to each other, then web, then
// infrastructure, so that a tree can cut between neighbours.
//
// Source of the port numbers: IANA service name registry.
var Services = []Service{
	{"none (port 0)", []int{0}},
	{"FTP", []int{20, 21, 989, 990}},
	{"SSH", []int{22}},
	{"Telnet", []int{23, 992, 2323}},
	{"RDP, VNC, WinRM", []int{3389, 5900, 5901, 5985, 5986}},
	{"HTTP", []int{80, 8000, 8008, 8080, 8081, 8888}},
	{"HTTPS", []int{443, 8443, 9443}},
	{"mail", []int{25, 110, 143, 465, 587, 993, 995}},
	{"DNS", []int{53, 853, 5353, 5355}},
	{"NTP", []int{123}},
	{"DHCP", []int{67, 68, 546, 547}},
	{"SMB, NetBIOS, RPC", []int{135, 137, 138, 139, 445}},
	{"Kerberos, LDAP", []int{88, 389, 464, 636, 3268, 3269}},
	{"SNMP, syslog", []int{161, 162, 514, 6514}},
	{"discovery (SSDP, WS-Discovery)", []int{1900, 3702}},
	{"database", []int{1433, 1521, 3306, 5432, 6379, 9042, 9200, 27017}},
	{"industrial control", []int{102, 502, 2404, 4840, 20000, 44818, 47808}},
	{"other well-known port", nil},
	{"registered port", nil},
	{"dynamic port", nil},
}

const (
	wellKnown  = 1024  // below: system ports, RFC 6335 section 6
	registered = 49152 // below: user ports; from here on: dynamic ports
	ports      = 65536
)

var serviceOf = func() []uint8 {
	of := make([]uint8, ports)
	for p := range of {
		switch {
		case p < wellKnown:
			of[p] = uint8(len(Services) - 3)
		case p < registered:
			of[p] = uint8(len(Services) - 2)
		default:
			of[p] = uint8(len(Services) - 1)
		}
	}
	for i, s := range Services {
		for _, p := range s.Ports {
			of[p] = uint8(i)
		}
	}
	return of
}()

// service returns the index into [Services] of a port, NaN for what is no
// port.
func service(port float64) float64 {
	if !(port >= 0 && port < ports) || port != math.Trunc(port) {
		return math.NaN()
	}
	return float64(serviceOf[int(port)])
}
