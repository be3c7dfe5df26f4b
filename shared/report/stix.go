package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"cloister/shared/attack"
)

// The first two identifiers are fixed by STIX 2.1: the namespace of observables
// (section 2.9) and the marking TLP:AMBER (section 7.2.1.4). Everything else
// gets its id in a namespace of our own.
const (
	observables = "\x00\xab\xed\xb4\xaa\x42\x46\x6c\x9c\x01\xfe\xd2\x33\x15\xa9\xb7"
	domains     = "\x8c\x1b\x7e\x0e\x5d\x0f\x5c\x1e\x9c\x0a\x3a\x1d\x6f\x2b\x4c\x77"
	tlpAmber    = "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82"
)

// uuid returns the version 5 UUID of a name (RFC 4122, section 4.3).
func uuid(namespace, name string) string {
	h := digest([]byte(namespace + name))
	h[6], h[8] = h[6]&0x0f|0x50, h[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[:4], h[4:6], h[6:8], h[8:10], h[10:16])
}

// stixObject has its fields in the order that encoding/json gives a map: by
// name.
type stixObject = map[string]any

// stixBundle collects objects once each, by id.
type stixBundle struct {
	have map[string]bool
	list []stixObject
	made string
}

func (b *stixBundle) add(o stixObject) string {
	id := o["id"].(string)
	if !b.have[id] {
		b.have[id] = true
		b.list = append(b.list, o)
	}
	return id
}

// observable adds an object whose id follows from what it says.
func (b *stixBundle) observable(kind string, says stixObject, more stixObject) string {
	canonical, err := json.Marshal(says) // sorted keys, no space: what section 2.9 asks for on such values
	if err != nil {
		panic(err) // unreachable: strings and integers
	}
	o := stixObject{"type": kind, "spec_version": "2.1", "id": kind + "--" + uuid(observables, string(canonical)), "object_marking_refs": []string{tlpAmber}}
	for _, m := range []stixObject{says, more} {
		for k, v := range m {
			o[k] = v
		}
	}
	return b.add(o)
}

// domain adds an object with a life of its own. name tells it from others of
// its kind in the same report.
func (b *stixBundle) domain(kind, name string, says stixObject) string {
	o := stixObject{
		"type": kind, "spec_version": "2.1", "id": kind + "--" + uuid(domains, b.made+"\x00"+kind+"\x00"+name),
		"created": b.made, "modified": b.made, "object_marking_refs": []string{tlpAmber},
	}
	for k, v := range says {
		o[k] = v
	}
	return b.add(o)
}

// conversation is what findings have in common that become one observation.
type conversation struct {
	source, destination string
	port, protocol      float64
	class               string
}

// STIX returns a STIX 2.1 bundle in JSON: an observation for the findings of
// one class between two addresses over one protocol and port, a sighting of
// each technique it is evidence for, and the analyst's notes. All are marked
// TLP:AMBER. Ids follow from content and from s.Made, so equal sets give equal
// bytes. A finding without usable addresses is left out; their number is the
// second result. A finding without time is observed at s.Made.
// Source: OASIS, STIX Version 2.1, 10 June 2021.
func STIX(s *Set) ([]byte, int) {
	var text bytes.Buffer
	skipped, err := WriteSTIX(&text, s)
	if err != nil {
		panic(err) // unreachable: a buffer takes all
	}
	return text.Bytes(), skipped
}

// WriteSTIX writes what [STIX] returns, a write for each object, so that w may
// pause. The findings are read before the first write; the error is w's.
func WriteSTIX(w io.Writer, s *Set) (skipped int, err error) {
	b := &stixBundle{have: map[string]bool{}, made: s.Made.UTC().Format("2006-01-02T15:04:05.000Z")}
	tool := b.domain("identity", "tool", stixObject{"name": "Cloister", "identity_class": "system",
		"description": fmt.Sprintf("Scored by bundle %s %s (SHA-256 %s).", s.Bundle.Name, s.Bundle.Version, s.Bundle.SHA256)})
	b.add(stixObject{"type": "marking-definition", "spec_version": "2.1", "id": tlpAmber, "created": "2017-01-20T00:00:00.000Z",
		"definition_type": "tlp", "name": "TLP:AMBER", "definition": stixObject{"tlp": "amber"}})

	type group struct {
		first, last string
		rows        []Finding
	}
	groups := map[conversation]*group{}
	var order []conversation
	for f := range s.Findings {
		source, good := address(f.Source)
		destination, also := address(f.Destination)
		if !good || !also {
			skipped++
			continue
		}
		c := conversation{source, destination, f.DestinationPort, f.Protocol, f.Class.Name}
		if c.port != c.port { // NaN is no key
			c.port = -1
		}
		if c.protocol != c.protocol {
			c.protocol = -1
		}
		g := groups[c]
		if g == nil {
			g = &group{}
			groups[c] = g
			order = append(order, c)
		}
		start, ok := moment(f.Start)
		end := start
		if !ok {
			start, end = b.made, b.made
		} else if last, ok := moment(f.Start + f.Duration); ok {
			end = last
		}
		if g.first == "" || start < g.first {
			g.first = start
		}
		g.last = max(g.last, end)
		g.rows = append(g.rows, f)
	}
	for _, c := range order {
		g := groups[c]
		traffic := b.traffic(c)
		name := fmt.Sprintf("%s|%s|%g|%g|%s", c.source, c.destination, c.port, c.protocol, c.class)
		refs := append([]string{traffic}, b.addresses(c)...)
		seen := b.domain("observed-data", name, stixObject{
			"created_by_ref": tool, "first_observed": g.first, "last_observed": g.last, "number_observed": min(len(g.rows), 999999999), "object_refs": refs,
		})
		for _, t := range g.rows[0].Class.Attack {
			technique, ok := attack.Resolve(t.ID)
			if !ok || g.rows[0].Abstained {
				continue
			}
			pattern := b.pattern(technique)
			b.domain("sighting", name+"|"+technique.ID, stixObject{
				"created_by_ref": tool, "sighting_of_ref": pattern, "observed_data_refs": []string{seen}, "first_seen": g.first, "last_seen": g.last,
				"count": min(len(g.rows), 999999999), "confidence": confidence[t.Confidence],
				"description": fmt.Sprintf("Class %s, basis %s.", c.class, t.Basis),
			})
		}
		var notes []string
		for _, f := range g.rows {
			if f.Note != "" && !slices.Contains(notes, f.Note) {
				notes = append(notes, f.Note)
			}
		}
		if len(notes) > 0 {
			b.domain("note", name, stixObject{"content": strings.Join(notes, "\n"), "object_refs": []string{seen}})
		}
	}
	id := "bundle--" + uuid(domains, b.made+"\x00"+strings.Join(s.Files, "\x00")+s.Bundle.SHA256)
	before := "{\n  \"id\": \"" + id + "\",\n  \"objects\": [\n    "
	for _, o := range b.list {
		text, err := json.MarshalIndent(o, "    ", "  ")
		if err != nil {
			panic(err) // unreachable: strings and integers
		}
		if _, err := w.Write(append([]byte(before), text...)); err != nil {
			return skipped, err
		}
		before = ",\n    "
	}
	_, err = io.WriteString(w, "\n  ],\n  \"type\": \"bundle\"\n}\n")
	return skipped, err
}

// confidence turns a mapping's confidence into STIX's scale of 0 to 100: the
// middle of Low, Med and High of appendix A.
var confidence = map[string]int{"low": 15, "medium": 50, "high": 85}

func kindOf(address string) string {
	if strings.Contains(address, ":") {
		return "ipv6-addr"
	}
	return "ipv4-addr"
}

func (b *stixBundle) addresses(c conversation) []string {
	source := b.observable(kindOf(c.source), stixObject{"value": c.source}, nil)
	destination := b.observable(kindOf(c.destination), stixObject{"value": c.destination}, nil)
	if source == destination {
		return []string{source}
	}
	return []string{source, destination}
}

func (b *stixBundle) traffic(c conversation) string {
	refs := b.addresses(c)
	protocols := []string{strings.TrimSuffix(kindOf(c.source), "-addr")}
	if name := transport(c.protocol); name != "ip" {
		protocols = append(protocols, name)
	}
	says := stixObject{"src_ref": refs[0], "dst_ref": refs[len(refs)-1], "protocols": protocols}
	if port, ok := whole(c.port, 65535); ok && (c.protocol == 6 || c.protocol == 17 || c.protocol == 132) {
		says["dst_port"] = port
	}
	return b.observable("network-traffic", says, nil)
}

// ancient is older than any object of MITRE's: theirs wins wherever both are.
const ancient = "2000-01-01T00:00:00.000Z"

// pattern adds a technique under MITRE's own id.
func (b *stixBundle) pattern(t attack.Technique) string {
	name := t.Name
	if parent, ok := attack.Lookup(t.Parent); ok {
		name = parent.Name + ": " + name
	}
	return b.add(stixObject{
		"type": "attack-pattern", "spec_version": "2.1", "id": t.STIX, "created": ancient, "modified": ancient, "name": name,
		"external_references": []stixObject{{"source_name": "mitre-attack", "external_id": t.ID, "url": t.URL()}},
	})
}
