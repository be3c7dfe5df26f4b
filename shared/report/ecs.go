package report

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"cloister/shared/attack"
	"cloister/shared/job"
)

// ecsVersion is the release of the Elastic Common Schema whose names are used.
const ecsVersion = "8.17.0"

type ecs struct {
	Timestamp   string     `json:"@timestamp,omitempty"`
	Version     ecsName    `json:"ecs"`
	Event       ecsEvent   `json:"event"`
	Rule        ecsRule    `json:"rule"`
	Network     ecsNetwork `json:"network"`
	Source      *ecsEnd    `json:"source,omitempty"`
	Destination *ecsEnd    `json:"destination,omitempty"`
	Threat      *ecsThreat `json:"threat,omitempty"`
	Log         *ecsLog    `json:"log,omitempty"`
	Labels      ecsLabels  `json:"labels"`
	Message     string     `json:"message"`
}

type ecsName struct {
	Version string `json:"version"`
}

type ecsEvent struct {
	Kind     string   `json:"kind"`
	Category []string `json:"category"`
	Type     []string `json:"type"`
	Module   string   `json:"module"`
	Severity int      `json:"severity"` // 0 Informational to 4 Critical
	Risk     float64  `json:"risk_score"`
	Duration *float64 `json:"duration,omitempty"` // nanoseconds
	Sequence int64    `json:"sequence"`           // row of the file
}

type ecsRule struct {
	Name    string `json:"name"`
	Ruleset string `json:"ruleset"`
	Version string `json:"version"`
}

type ecsNetwork struct {
	Transport string `json:"transport,omitempty"`
	IANA      string `json:"iana_number,omitempty"`
	Community string `json:"community_id,omitempty"`
}

type ecsEnd struct {
	Address string `json:"address,omitempty"`
	IP      string `json:"ip,omitempty"`
	Port    *int64 `json:"port,omitempty"`
	Bytes   *int64 `json:"bytes,omitempty"`
	Packets *int64 `json:"packets,omitempty"`
}

type ecsThreat struct {
	Framework string       `json:"framework"`
	Tactic    ecsReference `json:"tactic"`
	Technique ecsReference `json:"technique"`
}

type ecsReference struct {
	ID        []string `json:"id"`
	Name      []string `json:"name"`
	Reference []string `json:"reference"`
}

type ecsLog struct {
	File struct {
		Path string `json:"path"`
	} `json:"file"`
}

// ecsLabels hold what the schema has no name for; keys and values are texts.
type ecsLabels struct {
	Abstained   string `json:"cloister_abstained"`
	Probability string `json:"cloister_probability"`
	Anomaly     string `json:"cloister_anomaly,omitempty"`
	Confidence  string `json:"cloister_confidence,omitempty"`
	Note        string `json:"cloister_note,omitempty"`
}

// ECS writes one JSON object per finding with the names of the Elastic Common
// Schema 8.17, one a line, for bulk loading. A row's time is that of its first
// packet; a row without time has no @timestamp.
func ECS(w io.Writer, s *Set) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	for f := range s.Findings {
		if err := e.Encode(s.ecs(f)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Set) ecs(f Finding) ecs {
	o := ecs{
		Version: ecsName{ecsVersion},
		Event:   ecsEvent{Kind: "alert", Category: []string{"network", "threat"}, Type: []string{"connection", "indicator"}, Module: "cloister", Severity: max(slices.Index(job.Severities, f.Severity), 0), Risk: f.Score * 100, Sequence: f.Row},
		Rule:    ecsRule{f.Class.Name, s.Bundle.Name, s.Bundle.Version},
		Network: ecsNetwork{Community: f.Community},
		Labels:  ecsLabels{Abstained: fmt.Sprint(f.Abstained), Probability: number(f.Probability), Anomaly: number(f.Anomaly), Note: f.Note},
		Message: fmt.Sprintf("%s (%s %%) from %s to %s", f.Class.Name, number(f.Probability*100), f.Source, f.Destination),
	}
	o.Timestamp, _ = moment(f.Start)
	if d := f.Duration * 1e6; d >= 0 {
		o.Event.Duration = &d
	}
	if p, ok := whole(f.Protocol, 255); ok {
		o.Network.IANA = fmt.Sprint(p)
		if name := transport(f.Protocol); name != "ip" {
			o.Network.Transport = name
		}
	}
	o.Source = ecsSide(f.Source, f.SourcePort, f.BytesOut, f.PacketsOut)
	o.Destination = ecsSide(f.Destination, f.DestinationPort, f.BytesIn, f.PacketsIn)
	if f.File != "" {
		o.Log = &ecsLog{}
		o.Log.File.Path = f.File
	}
	if !f.Abstained && len(f.Class.Attack) > 0 {
		o.Threat = &ecsThreat{Framework: "MITRE ATT&CK"}
		var sure []string
		for _, t := range f.Class.Attack {
			if tactic, ok := attack.TacticByID(t.Tactic); ok {
				o.Threat.Tactic.add(tactic.ID, tactic.Name, tactic.URL())
			}
			if technique, ok := attack.Resolve(t.ID); ok {
				o.Threat.Technique.add(technique.ID, technique.Name, technique.URL())
				sure = append(sure, technique.ID+" "+t.Confidence)
			}
		}
		o.Labels.Confidence = strings.Join(sure, ", ")
	}
	return o
}

func (r *ecsReference) add(id, name, url string) {
	if !slices.Contains(r.ID, id) {
		r.ID, r.Name, r.Reference = append(r.ID, id), append(r.Name, name), append(r.Reference, url)
	}
}

// ecsSide is one end of a flow, nil if nothing is known of it.
func ecsSide(address string, port, bytes, packets float64) *ecsEnd {
	var e ecsEnd
	e.Address = address
	if isAddress(address) {
		e.IP = address
	}
	e.Port, e.Bytes, e.Packets = counted(port, 65535), counted(bytes, 1<<53), counted(packets, 1<<53)
	if e == (ecsEnd{}) {
		return nil
	}
	return &e
}

func counted(v, most float64) *int64 {
	if n, ok := whole(v, most); ok {
		return &n
	}
	return nil
}
