package query_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"cloister/site/internal/query"
)

var fields = []query.Field{
	{Name: "score", Kind: query.Number}, {Name: "port", Aliases: []string{"dport", "L4_DST_PORT"}, Kind: query.Number},
	{Name: "class"}, {Name: "src", Aliases: []string{"source"}}, {Name: "time", Kind: query.Moment}, {Name: "flagged", Kind: query.Flag}, {Name: "marked", Kind: query.Flag},
}

// row is what conditions are asked of.
type row struct {
	number  map[string]float64
	text    map[string]string
	flagged bool
}

func (r row) holds(l query.Leaf) bool {
	if l.Field == query.Everywhere {
		return strings.Contains(r.text["class"]+" "+r.text["src"], l.Text)
	}
	f := fields[l.Field]
	if f.Kind == query.Flag {
		return f.Name == "flagged" && r.flagged
	}
	if f.Kind == query.Text {
		switch l.Op {
		case query.Equal:
			return r.text[f.Name] == l.Text
		case query.Unequal:
			return r.text[f.Name] != l.Text
		case query.Has:
			return strings.Contains(r.text[f.Name], l.Text)
		}
		return !strings.Contains(r.text[f.Name], l.Text)
	}
	v := r.number[f.Name]
	return [...]bool{v == l.Number, v != l.Number, v < l.Number, v <= l.Number, v > l.Number, v >= l.Number}[l.Op]
}

func TestQuery_matches(t *testing.T) {
	r := row{map[string]float64{"score": 0.9, "port": 22, "time": 1518611292443}, map[string]string{"class": "SSH-Bruteforce", "src": "10.0.0.1"}, true}
	tests := []struct {
		text, canonical string
		want            bool
	}{
		{"", "", true},
		{"score >= 0.9", "score >= 0.9", true},
		{"SCORE>90%", "score > 90%", false},
		{"score>=90% AND not port=80", "score >= 90% and not port = 80", true},
		{"port = 80 or port == 22 and score < 0.5", "port = 80 or port = 22 and score < 0.5", false},
		{"(port = 80 or dport = 22) score > .5", "(port = 80 or port = 22) and score > .5", true},
		{"not (flagged or marked)", "not (flagged or marked)", false},
		{"not not flagged", "not (not flagged)", true},
		{"class ~ Brute src=10.0.0.1", "class ~ Brute and src = 10.0.0.1", true},
		{`class != "SSH-Bruteforce"`, "class != SSH-Bruteforce", false},
		{`class !~ DoS`, "class !~ DoS", true},
		{"10.0.0", "10.0.0", true},
		{`"flagged"`, `"flagged"`, false}, // the word, not the flag
		{`"a \"b\" \\"`, `"a \"b\" \\"`, false},
		{"time >= 2018-02-14", "time >= 2018-02-14", true},
		{`time < "2018-02-14 12:28:13"`, `time < "2018-02-14 12:28:13"`, true},
		{`time < "2018-02-14 12:28:12"`, `time < "2018-02-14 12:28:12"`, false},
		{"port < 1k and port <> 23", "port < 1k and port != 23", true},
	}
	for _, tt := range tests {
		q, err := query.Parse(tt.text, fields)
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		if got := q.Match(func(k int) bool { return r.holds(q.Leaves[k]) }); got != tt.want {
			t.Errorf("%s: %v", tt.text, got)
		}
		if got := q.String(); got != tt.canonical {
			t.Errorf("%s is written as %s, want %s", tt.text, got, tt.canonical)
		}
	}
}

func TestParse_errorsSayWhere(t *testing.T) {
	tests := []struct {
		text string
		at   int
		says string
	}{
		{"score >", 7, "a value for score is missing"},
		{"score > high", 8, `"high" is no number`},
		{"nothing = 1", 0, `there is no field "nothing"`},
		{"class < a", 6, "has no order"},
		{"score ~ 1", 6, "is a number"},
		{"flagged = 1", 8, "stands alone"},
		{"(score > 1", 0, "not closed"},
		{"score > 1)", 9, "should stand here"},
		{"score > 1 and", 13, "a condition is missing"},
		{"or a", 0, "a condition should stand here"},
		{`class = "a`, 8, "missing"},
		{"class ! a", 6, "no comparison"},
		{"time > yesterday", 7, "no time"},
		{"time > 2018-13-01", 7, "no time"},
		{"score > 1e999", 8, "no number"},
		{strings.Repeat("(", 100) + "a", 65, "64 deep"},
		{strings.Repeat("not ", 100) + "a", 260, "64 deep"},
		{strings.Repeat("a ", 257), 512, "256 conditions"},
		{strings.Repeat("a", 4097), 4096, "4,096 bytes"},
	}
	for _, tt := range tests {
		_, err := query.Parse(tt.text, fields)
		var e *query.Error
		if !errors.As(err, &e) || e.At != tt.at || !strings.Contains(e.Text, tt.says) {
			t.Errorf("%.40s: %+v, want %d %q", tt.text, err, tt.at, tt.says)
		}
	}
	if _, err := query.Parse(strings.Repeat("a ", 256), fields); err != nil {
		t.Errorf("256 conditions: %v", err)
	}
	if _, err := query.Parse(strings.Repeat("(", 64)+"a"+strings.Repeat(")", 64), fields); err != nil {
		t.Errorf("64 deep: %v", err)
	}
}

// Moments agree with package time.
func TestParse_moments(t *testing.T) {
	n := 0
	for at := time.Date(1601, 1, 1, 3, 4, 5, 0, time.UTC); at.Year() < 2500; at = at.Add(377*24*time.Hour + 7919*time.Second) {
		q, err := query.Parse(`time = "`+at.Format("2006-01-02 15:04:05")+`"`, fields)
		if err != nil || q.Leaves[0].Number != float64(at.UnixMilli()) {
			t.Fatalf("%v: %v, %v", at, q, err)
		}
		n++
	}
	if n < 500 {
		t.Errorf("%d moments", n)
	}
}

func TestComplete_offersWhatFits(t *testing.T) {
	values := func(f int, first string) []string {
		if fields[f].Name == "class" && strings.HasPrefix("ssh-bruteforce", strings.ToLower(first)) {
			return []string{"SSH-Bruteforce", "SSH two"}
		}
		return nil
	}
	tests := []struct {
		text string // | is the caret
		want string
	}{
		{"sc|", "score "},
		{"l4|", "port "},
		{"score |", "= |!= |< |<= |> |>= "},
		{"class |", "= |~ |!= |!~ "},
		{"class = |", `SSH-Bruteforce |"SSH two" `},
		{"class = s|", `SSH-Bruteforce |"SSH two" `},
		{"score > 1 a|", "and "},
		{"flagged o|", "or "},
		{"not fl|", "flagged "},
		{"class = \"ssh|", `SSH-Bruteforce |"SSH two" `},
		{"zz|", ""},
		{"(ma|", "marked "},
	}
	for _, tt := range tests {
		caret := strings.IndexByte(tt.text, '|')
		text := tt.text[:caret] + tt.text[caret+1:]
		var got []string
		for _, c := range query.Complete(text, caret, fields, values) {
			got = append(got, c.Text)
			whole := text[:c.From] + c.Text + text[c.To:]
			if c.From > c.To || !strings.Contains(whole, strings.TrimSpace(c.Text)) {
				t.Errorf("%s: %+v", tt.text, c)
			}
		}
		if strings.Join(got, "|") != tt.want {
			t.Errorf("%s: %q, want %q", tt.text, strings.Join(got, "|"), tt.want)
		}
	}
}

// A query that is written out reads back as the same query.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "a b or not (c and d)", `src = "10.0.0.1" or flagged "x\"y"`, "time > 2018-02-14 or score<1k", "not not (a or (b))", `"and" "flagged" flagged`} {
		f.Add(s, 1)
	}
	f.Fuzz(func(t *testing.T, text string, caret int) {
		query.Complete(text, caret, fields, func(int, string) []string { return []string{"v", "and"} })
		q, err := query.Parse(text, fields)
		if err != nil {
			return
		}
		s := q.String()
		again, err := query.Parse(s, fields)
		if err != nil {
			if len(s) > 4096 { // quotes were added
				return
			}
			t.Fatalf("%q is written as %q: %v", text, s, err)
		}
		if again.String() != s || len(again.Leaves) != len(q.Leaves) {
			t.Fatalf("%q, then %q, then %q", text, s, again.String())
		}
		for seed := range 16 {
			answer := func(k int) bool { return (k*2654435761+seed*40503)>>3&1 == 1 }
			if q.Match(answer) != again.Match(answer) {
				t.Fatalf("%q and %q differ", text, s)
			}
		}
		for i, l := range q.Leaves {
			m := again.Leaves[i]
			if l.Field != m.Field || l.Op != m.Op || l.Text != m.Text || l.Number != m.Number || math.IsNaN(l.Number) {
				t.Fatalf("%q: condition %d is %+v, then %+v", text, i, l, m)
			}
		}
	})
}
