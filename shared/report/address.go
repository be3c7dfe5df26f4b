package report

import (
	"strconv"
	"strings"
)

// address returns an IP address in its canonical form, without zone, and
// whether s is one: dotted decimal, or RFC 5952 with a dotted tail only for
// IPv4-mapped addresses. It accepts and writes what package net/netip does,
// which would add 20 kB to every download.
func address(s string) (canonical string, ok bool) {
	if !strings.Contains(s, ":") {
		if _, ok := quad(s); !ok {
			return "", false
		}
		return s, true // without leading zeros there is one spelling
	}
	if i := strings.IndexByte(s, '%'); i >= 0 {
		if i+1 == len(s) {
			return "", false
		}
		s = s[:i]
	}
	head, tail, gap := strings.Cut(s, "::")
	if gap && strings.Contains(tail, "::") || strings.HasPrefix(tail, ":") {
		return "", false
	}
	first, ok := groups(head, !gap)
	last, also := groups(tail, true)
	if !ok || !also {
		return "", false
	}
	n := len(first) + len(last)
	if gap && n > 7 || !gap && n != 8 {
		return "", false
	}
	all := append(first, make([]uint16, 8-n)...)
	return spell(append(all, last...)), true
}

// groups reads the groups of one side of "::"; the last of them may be an IPv4
// address where the address ends.
func groups(s string, end bool) (out []uint16, ok bool) {
	if s == "" {
		return nil, true
	}
	parts := strings.Split(s, ":")
	for i, p := range parts {
		if end && i == len(parts)-1 && strings.Contains(p, ".") {
			q, ok := quad(p)
			if !ok {
				return nil, false
			}
			return append(out, uint16(q>>16), uint16(q)), true
		}
		if len(p) == 0 || len(p) > 4 {
			return nil, false
		}
		v, err := strconv.ParseUint(p, 16, 16)
		if err != nil {
			return nil, false
		}
		if out = append(out, uint16(v)); len(out) > 8 {
			return nil, false
		}
	}
	return out, true
}

// quad reads an IPv4 address.
func quad(s string) (uint32, bool) {
	parts := strings.Split(s, ".")
	if len(parts) != 4 {
		return 0, false
	}
	var q uint32
	for _, p := range parts {
		v, err := strconv.ParseUint(p, 10, 8)
		if err != nil || len(p) > 1 && p[0] == '0' || p[0] == '+' {
			return 0, false
		}
		q = q<<8 | uint32(v)
	}
	return q, true
}

// spell writes an IPv6 address: the longest run of two or more zero groups is
// left out, the first of equal ones.
func spell(g []uint16) string {
	if g[0]|g[1]|g[2]|g[3]|g[4] == 0 && g[5] == 0xffff {
		b := []byte("::ffff:")
		for i, v := range []uint16{g[6] >> 8, g[6] & 255, g[7] >> 8, g[7] & 255} {
			if i > 0 {
				b = append(b, '.')
			}
			b = strconv.AppendUint(b, uint64(v), 10)
		}
		return string(b)
	}
	from, to := -1, -1
	for i := 0; i < 8; i++ {
		j := i
		for j < 8 && g[j] == 0 {
			j++
		}
		if j-i >= 2 && j-i > to-from {
			from, to = i, j
		}
		i = max(i, j-1)
	}
	var b []byte
	for i := 0; i < 8; i++ {
		if i == from {
			b = append(b, "::"...)
			if i = to; i == 8 {
				break
			}
		} else if i > 0 {
			b = append(b, ':')
		}
		b = strconv.AppendUint(b, uint64(g[i]), 16)
	}
	return string(b)
}
