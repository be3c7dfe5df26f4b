package ingest

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"cloister/shared/frame"
	"cloister/shared/ingest/internal/jsontext"
)

// Profile says what the columns of a CSV, JSON or Parquet file mean: an
// analyst's answer for headers that nobody knows, to be kept as a file and
// used again. Fields that it does not name are missing.
type Profile struct {
	Name   string        // for people, up to 256 bytes
	Schema *frame.Schema // [frame.Flow] or [frame.Alert]
	Fields []ProfileField
}

// ProfileField says where one field comes from: a column, or a constant when
// Column is "".
type ProfileField struct {
	Field  string
	Column string  // as the header spells it, of JSON the path with dots
	Factor float64 // number in the column x Factor = number in the field's unit; 0 means 1
	Number float64 // constant of a number field
	Text   string  // constant of a text field
}

// ProfileError means that a profile is malformed or does not fit a file.
type ProfileError struct {
	What string
}

// Error returns the reason.
func (e *ProfileError) Error() string { return "profile: " + e.What }

// profileVersion is the only version of the format so far; another is refused.
const profileVersion = 1

// What a profile may hold.
const (
	profileBytes    = 64 << 10
	profileText     = 256
	profileFactor   = 1e12 // and its inverse
	profileConstant = 1e15
)

// Check reports whether p makes sense: known fields, each once, texts of up to
// 256 bytes, factors from 1e-12 to 1e12 on number fields. The error is a
// [*ProfileError].
func (p *Profile) Check() error {
	if p.Schema != frame.Flow && p.Schema != frame.Alert {
		return &ProfileError{"the schema is neither flow nor alert"}
	}
	if len(p.Fields) == 0 {
		return &ProfileError{"no field"}
	}
	if !profileString(p.Name) {
		return &ProfileError{fmt.Sprintf("name of more than %d bytes or not UTF-8", profileText)}
	}
	seen := map[string]bool{}
	for _, f := range p.Fields {
		k, ok := p.Schema.Index(f.Field)
		isText := ok && p.Schema.Fields[k].Kind == frame.Text
		var what string
		switch {
		case !ok:
			what = "not a field of the schema"
		case seen[f.Field]:
			what = "occurs twice"
		case !profileString(f.Column) || !profileString(f.Text):
			what = fmt.Sprintf("text of more than %d bytes or not UTF-8", profileText)
		case isText && (f.Factor != 0 && f.Factor != 1 || f.Number != 0):
			what = "a text field with a factor or a number"
		case !isText && f.Text != "":
			what = "a number field with a text"
		case f.Column != "" && (f.Number != 0 || f.Text != ""):
			what = "both a column and a constant"
		case f.Column == "" && f.Factor != 0 && f.Factor != 1:
			what = "a constant with a factor"
		case f.Column == "" && isText && f.Text == "":
			what = "neither a column nor a constant"
		case f.Factor != 0 && !(f.Factor >= 1/profileFactor && f.Factor <= profileFactor):
			what = fmt.Sprintf("factor %g is not between 1e-12 and 1e12", f.Factor)
		case !(f.Number >= 0 && f.Number <= profileConstant):
			what = fmt.Sprintf("constant %g is not between 0 and 1e15", f.Number)
		}
		if what != "" {
			return &ProfileError{fmt.Sprintf("field %.64q: %s", clip(f.Field), what)}
		}
		seen[f.Field] = true
	}
	return nil
}

func profileString(s string) bool {
	return len(s) <= profileText && utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) < 0
}

// AppendText appends p as JSON in its one canonical form: fields in the order
// of the schema, one a line. p must pass Check.
func (p *Profile) AppendText(dst []byte) []byte {
	dst = fmt.Appendf(dst, "{\"profile\":%d,\"name\":", profileVersion)
	dst = appendJSON(dst, p.Name)
	dst = append(dst, ",\"schema\":"...)
	dst = appendJSON(dst, p.Schema.Name)
	dst = append(dst, ",\"fields\":["...)
	comma := ""
	for k, field := range p.Schema.Fields {
		f := p.field(field.Name)
		if f == nil {
			continue
		}
		dst = append(dst, comma...)
		comma = ","
		dst = append(dst, "\n{\"field\":"...)
		dst = appendJSON(dst, f.Field)
		switch {
		case f.Column != "":
			dst = append(dst, ",\"column\":"...)
			dst = appendJSON(dst, f.Column)
			if f.Factor != 0 && f.Factor != 1 {
				dst = append(dst, ",\"factor\":"...)
				dst = strconv.AppendFloat(dst, f.Factor, 'g', -1, 64)
			}
		case p.Schema.Fields[k].Kind == frame.Text:
			dst = append(dst, ",\"text\":"...)
			dst = appendJSON(dst, f.Text)
		default:
			dst = append(dst, ",\"number\":"...)
			dst = strconv.AppendFloat(dst, f.Number, 'g', -1, 64)
		}
		dst = append(dst, '}')
	}
	return append(dst, "\n]}\n"...)
}

// field returns what p says of a field, nil when it says nothing.
func (p *Profile) field(name string) *ProfileField {
	for i := range p.Fields {
		if p.Fields[i].Field == name {
			return &p.Fields[i]
		}
	}
	return nil
}

// appendJSON appends s, which has no control characters, as a JSON string.
func appendJSON(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, s[i])
	}
	return append(dst, '"')
}

// ParseProfile reads what AppendText wrote. Anything else, however close, is a
// [*ProfileError]: unknown versions and members, other orders and spellings,
// more than 64 KiB.
func ParseProfile(b []byte) (*Profile, error) {
	if len(b) > profileBytes {
		return nil, &ProfileError{fmt.Sprintf("more than %d bytes", profileBytes)}
	}
	p, err := parseProfile(b)
	if err != nil {
		return nil, err
	}
	if err := p.Check(); err != nil {
		return nil, err
	}
	if got := p.AppendText(nil); string(got) != string(b) {
		return nil, &ProfileError{"not in its canonical form"}
	}
	return p, nil
}

func parseProfile(b []byte) (*Profile, error) {
	p := &Profile{}
	version := ""
	err := jsontext.Members(b, func(key []byte, kind jsontext.Kind, text []byte) error {
		switch string(key) {
		case "profile":
			version = string(text)
		case "name":
			p.Name = string(jsontext.Unquote(nil, text))
		case "schema":
			switch string(text) {
			case frame.Flow.Name:
				p.Schema = frame.Flow
			case frame.Alert.Name:
				p.Schema = frame.Alert
			}
		case "fields":
			return jsontext.Elements(text, func(kind jsontext.Kind, text []byte) error {
				f, err := parseProfileField(text)
				if len(p.Fields) == profileFields {
					return &ProfileError{"too many fields"}
				}
				p.Fields = append(p.Fields, f)
				return err
			})
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, &ProfileError{err.Error()}
	case version != strconv.Itoa(profileVersion):
		return nil, &ProfileError{fmt.Sprintf("version %.16q, this program reads %d", version, profileVersion)}
	}
	return p, nil
}

// profileFields bounds the fields of a profile before they are checked.
const profileFields = 1000

func parseProfileField(b []byte) (f ProfileField, err error) {
	err = jsontext.Members(b, func(key []byte, kind jsontext.Kind, text []byte) error {
		ok := true
		switch string(key) {
		case "field":
			f.Field = string(jsontext.Unquote(nil, text))
		case "column":
			f.Column = string(jsontext.Unquote(nil, text))
		case "text":
			f.Text = string(jsontext.Unquote(nil, text))
		case "factor":
			f.Factor, ok = parseNumber(text)
		case "number":
			f.Number, ok = parseNumber(text)
		}
		if !ok {
			return &ProfileError{"not a number"}
		}
		return nil
	})
	return f, err
}

// openProfile opens records by a profile alone.
func (s *Source) openProfile(src source, header []string, o Options) error {
	p := o.Profile
	if err := p.Check(); err != nil {
		return err
	}
	s.holds = []*frame.Schema{p.Schema}
	if _, err := s.choose(o.Want); err != nil {
		return err
	}
	plan, err := p.plan(header)
	if err != nil {
		return err
	}
	name := "profile"
	if p.Name != "" {
		name = fmt.Sprintf("profile %q", p.Name)
	}
	d := &dialect{note: "Read by a profile: fields that it does not name are missing."}
	s.use(src, plan, d, fmt.Sprintf("%s by %s, %d columns", strings.ToUpper(src.name()), name, len(header)))
	return nil
}

// plan resolves the columns of p in a header, by their exact names.
func (p *Profile) plan(header []string) (*plan, error) {
	t := &planner{plan: newEmptyPlan(p.Schema), header: header, inputs: map[inputKey]int{}, used: map[int]bool{}}
	for k, field := range p.Schema.Fields {
		f := p.field(field.Name)
		if f == nil {
			continue
		}
		if f.Column == "" {
			from := fmt.Sprintf("constant %g", f.Number)
			if field.Kind == frame.Text {
				from = "constant " + f.Text
			}
			t.make(k, &output{constant: &constant{f.Number, f.Text}}, from, Computed)
			continue
		}
		col := slices.Index(header, f.Column)
		if col < 0 {
			return nil, &ProfileError{fmt.Sprintf("field %s: the file has no column %.64q", f.Field, clip(f.Column))}
		}
		t.make(k, &output{from: []int{t.add(col, profileReader(field, f.Factor))}}, header[col], Column)
	}
	t.finish()
	return t.plan, nil
}

// profileReader reads a column of a field with a factor. Points in time in
// words have no factor; powers of ten move the decimal point before rounding.
func profileReader(field frame.Field, factor float64) *reader {
	read := defaultReader(field)
	if field.Kind == frame.Text || factor == 0 || factor == 1 {
		return read
	}
	scaled := func(b []byte) (float64, bool) {
		if factor == 1000 {
			return parseSeconds(b)
		}
		v, ok := parseNumber(b)
		if inverse := math.Round(1 / factor); inverse >= 10 && 1/inverse == factor {
			return v / inverse, ok
		}
		return v * factor, ok
	}
	return &reader{soft: read.soft, number: func(b []byte) (float64, bool) {
		if v, ok := scaled(b); ok {
			return v, true
		}
		if read == readTime {
			return parseTime(b)
		}
		return 0, false
	}}
}
