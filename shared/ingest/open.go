package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"cloister/shared/frame"
)

// minColumns is how many columns must be known before a file counts as flows.
const minColumns = 4

// openRows opens what is not a capture: Parquet, SQLite, Zeek's logs, JSON, CSV.
func (s *Source) openRows(rec *records, head []byte, o Options) error {
	if c, err := s.newCells(head, o); c != nil || err != nil {
		if err != nil {
			return err
		}
		return s.openCells(c, o)
	}
	if name := otherFormat(head); name != "" {
		return &UnsupportedError{name}
	}
	if i := bytes.IndexByte(head, 0); i >= 0 {
		return &UnknownError{[]string{fmt.Sprintf("csv: not text, NUL at byte %d", i)}}
	}
	gap := jsonGap(head)
	switch {
	case gap < len(head) && head[gap] == '{':
		return s.openJSON(rec, o)
	case o.Profile == nil && isZeekHead(head):
		return s.openZeek(rec, o)
	case o.Profile == nil:
		if z := newHeadlessZeek(rec, head, s.content, s.lim); z != nil {
			return s.useZeek(z, o, " without its head, default columns assumed")
		}
	}
	return s.openCSV(rec, o)
}

// isZeekHead reports whether head starts as a tab-separated log of Zeek does:
// with lines that start with #, one of them #fields.
func isZeekHead(head []byte) bool {
	return head[0] == '#' && (bytes.HasPrefix(head, []byte("#fields")) || bytes.HasPrefix(head, []byte("#separator")) || bytes.Contains(head, []byte("\n#fields")))
}

// use makes the table of a source with a plan.
func (s *Source) use(src source, p *plan, d *dialect, name string) {
	t := newRowTable(src, p)
	t.noted = d.note
	t.named = func() string {
		return fmt.Sprintf("%s, %d of %d %s fields", name, p.mapped, len(p.has), p.schema.Name)
	}
	s.table = t
}

// choose returns want when the file has it, and what comes first otherwise.
func (s *Source) choose(want *frame.Schema) (*frame.Schema, error) {
	switch {
	case want == nil:
		return s.holds[0], nil
	case slices.Contains(s.holds, want):
		return want, nil
	}
	return nil, &SchemaError{want, s.holds[0]}
}

func (s *Source) openZeek(rec *records, o Options) error {
	z, err := newZeekRows(rec, s.content, s.lim)
	if err != nil {
		return err
	}
	return s.useZeek(z, o, "")
}

func (s *Source) useZeek(z *zeekRows, o Options, remark string) error {
	d, schema := zeekDialect(hasNames(z.header))
	if d == nil {
		return &UnsupportedError{fmt.Sprintf("Zeek %s log", z.path)}
	}
	s.holds = []*frame.Schema{schema}
	if _, err := s.choose(o.Want); err != nil {
		return err
	}
	s.use(z, newPlan(schema, z.header, d), d, fmt.Sprintf("%s%s, %d columns", d.name, remark, len(z.header)))
	return nil
}

// hasNames returns a test for normalised names.
func hasNames(header []string) func(string) bool {
	names := map[string]bool{}
	for _, h := range header {
		names[normalise(h)] = true
	}
	return func(name string) bool { return names[name] }
}

func (s *Source) openJSON(rec *records, o Options) error {
	j, err := newJSONRows(rec, s.content, s.lim)
	if err != nil {
		return err
	}
	has := hasNames(j.header)
	switch {
	case o.Profile != nil:
		if known := len(j.header); slices.ContainsFunc(o.Profile.Fields, func(f ProfileField) bool { return slices.Contains(j.header[:known], f.Column) }) {
			for _, f := range o.Profile.Fields {
				if f.Column != "" && !slices.Contains(j.header, f.Column) {
					j.header = append(j.header, f.Column) // later records may have it
				}
			}
		}
		return s.openProfile(j, j.header, o)
	case has("eventtype") && has("timestamp") && slices.Contains(j.header, "event_type"):
		return s.openEVE(j, o)
	}
	isZeek := has("ts") && (has("uid") && has("idorigh") || has("note"))
	d, schema := zeekDialect(has)
	switch {
	case isZeek && d == nil:
		return &UnsupportedError{"Zeek log that is none of conn, dns, http, ssl and notice"}
	case d != nil && (isZeek || has("uid")):
		s.holds = []*frame.Schema{schema}
		if _, err := s.choose(o.Want); err != nil {
			return err
		}
		j.know(d.known)
		s.use(j, newPlan(schema, j.header, d), d, d.name+", JSON")
		return nil
	}
	return s.openKnown(j, j.header, openDialect, "JSON records", "json", o)
}

func (s *Source) openEVE(j *jsonRows, o Options) error {
	m := s.meter
	in, err := s.content(0)
	if err != nil {
		return err
	}
	kinds, whole, err := eveEvents(in)
	s.meter = m
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	flows, kind := eveFlow, "flow"
	if kinds["flow"] == 0 && kinds["netflow"] > 0 {
		flows, kind = eveNetFlow, "netflow"
	}
	if kinds["flow"]+kinds["netflow"] > 0 {
		s.holds = append(s.holds, frame.Flow)
	}
	if kinds["alert"] > 0 {
		s.holds = append(s.holds, frame.Alert)
	}
	if len(s.holds) == 0 {
		where := ""
		if !whole {
			where = fmt.Sprintf(" in its first %d MiB", eveBytes>>20)
		}
		return &UnknownError{[]string{"json: Suricata EVE without flow, netflow or alert events" + where + ": " + eveContent(kinds)}}
	}
	schema, err := s.choose(o.Want)
	if err != nil {
		return err
	}
	d := flows
	if schema == frame.Alert {
		d, kind = eveAlert, "alert"
	}
	j.know(d.known)
	j.kind, j.kinds = "event_type", eveOnly(kind)
	p := newPlan(schema, j.header, d)
	p.unmapped = slices.DeleteFunc(p.unmapped, func(name string) bool {
		part, _, nested := strings.Cut(name, ".")
		return name == "event_type" || nested && part != kind && (part != "tcp" || schema != frame.Flow)
	})
	s.use(j, p, d, d.name)
	return nil
}

func (s *Source) openCSV(rec *records, o Options) error {
	c, err := newDelimited(rec, s.content, s.lim)
	if err != nil {
		return err
	}
	if o.Profile != nil {
		return s.openProfile(c, c.header, o)
	}
	d := csvDialect(c.header)
	if d == nfdump {
		c.trailer = []byte("Summary")
		if head, _ := rec.peek(namesBytes); oneWay(head, c.header, c.delim) {
			d = nfdumpOneWay
		}
	}
	name := d.name
	if d == openDialect {
		name = csvName(c.header)
	}
	if err := s.openKnown(c, c.header, d, name, "csv", o); err != nil {
		return err
	}
	if c.ended {
		return ErrEmpty
	}
	return nil
}

// openKnown opens records whose names are looked up: as flows when enough of
// them are flow fields, as alerts when they are alert fields with words.
func (s *Source) openKnown(src source, header []string, d *dialect, name, format string, o Options) error {
	flows := newPlan(frame.Flow, header, d)
	alerts := newPlan(frame.Alert, header, openDialect)
	isAlerts := alerts.words() && alerts.columns >= minAlertColumns && !flows.measures()
	if !isAlerts {
		if is, err := s.openTelemetry(src, header, flows.columns); is {
			return err
		}
	}
	switch {
	case isAlerts:
		s.holds = []*frame.Schema{frame.Alert}
	case flows.columns >= minColumns:
		s.holds = []*frame.Schema{frame.Flow}
	default:
		return &UnknownError{[]string{fmt.Sprintf(
			"%s: only %d of the %d columns of the first line are known flow fields (first: %.64q)", format, flows.columns, len(header), clip(header[0]))}}
	}
	schema, err := s.choose(o.Want)
	if err != nil {
		return err
	}
	p := flows
	if schema == frame.Alert {
		p = alerts
		name = "alerts, " + strings.ToUpper(format)
	}
	s.use(src, p, d, fmt.Sprintf("%s, %d columns", name, len(header)))
	return nil
}

// minAlertColumns is how many columns must be known before a file counts as
// alerts: a text and two others.
const minAlertColumns = 3
