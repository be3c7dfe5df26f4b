package edge

import (
	"bytes"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"cloister/shared/header"
	"cloister/shared/job"
	"cloister/shared/report"
	"cloister/shared/score"
)

// maxExplain bounds the rows that one request may have explained.
const maxExplain = 1000

// upload is a body as a file.
type upload struct {
	*bytes.Reader
	size int64
}

func (u upload) Size() int64 { return u.size }
func (upload) Name() string  { return "body" }

// score answers with one line per row of the body. Lines go out while scoring
// goes on; a body that breaks half-way ends with a line that says so.
func (t *talk) score() {
	switch {
	case len(t.e.c.ScoreTokens) == 0:
		t.refuse(404, "scoring is off here: files are scored in the browser, where they lie")
		return
	case t.r.Method != "POST":
		t.refuse(405, "send rows with POST", header.Header{Name: "Allow", Value: "POST"})
		return
	case !t.allowed(t.e.c.ScoreTokens):
		t.unauthorized()
		return
	case t.e.scoring >= t.e.c.MaxScoring:
		t.refuse(429, fmt.Sprintf("%d requests are being scored; try again", t.e.scoring))
		return
	}
	query, err := url.ParseQuery(t.r.Query)
	explain, e := strconv.Atoi(or(query.Get("explain"), "0"))
	format := or(query.Get("format"), "ndjson")
	if err != nil || e != nil || explain < 0 || explain > maxExplain || format != "ndjson" && format != "csv" || format == "csv" && explain > 0 {
		t.refuse(400, fmt.Sprintf("want explain=0 to %d and format=ndjson or csv; csv has no place for attributions", maxExplain))
		return
	}
	t.e.scoring++
	defer func() { t.e.scoring-- }()
	scorer, ok := t.scorer()
	if !ok {
		return
	}
	s := &scoring{t: t, format: format, explain: explain, scorer: scorer}
	s.run()
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// scorer returns a scorer with the bundle that the channel names, or the one
// of the site.
func (t *talk) scorer() (*score.Scorer, bool) {
	key, from, length := "", OpAsset, int64(0)
	c, stored, err := t.channel()
	switch {
	case stored.Err != "":
		t.broken(stored.Err)
		return nil, false
	case err != nil: // never score with what nobody vouches for
		t.fail(err.Error())
		t.refuse(503, "the channel does not hold; the operator has to publish a new one")
		return nil, false
	case c != nil:
		list := entries(c)
		if i := first(list, t.e.c.ScoreBundle); i >= 0 {
			key, from, length = "bundles/"+list[i].Path, OpGet, list[i].Bytes
		}
	default:
		key, length = t.deployed()
	}
	if key == "" {
		t.refuse(503, fmt.Sprintf("no bundle named %q is published here", t.e.c.ScoreBundle))
		return nil, false
	}
	if t.e.loaded.key == key {
		return t.e.loaded.scorer.Fork(), true
	}
	if found := t.do(Op{Kind: from, Key: key}); found.Err != "" || !found.Found {
		t.broken(or(found.Err, key+" is not stored"))
		return nil, false
	}
	body := t.do(Op{Kind: OpRead, Length: length})
	if body.Err != "" {
		t.broken(body.Err)
		return nil, false
	}
	s := score.New()
	s.Trust(t.e.c.Publishers...)
	info, err := s.Load(body.Body)
	if _, _, want, _ := bundleAddress("/" + strings.TrimPrefix(key, "/")); err == nil && info.SHA256 != want {
		err = fmt.Errorf("SHA-256 %s, its address says %s", info.SHA256, want)
	}
	if err != nil {
		t.broken(key + ": " + err.Error())
		return nil, false
	}
	t.e.loaded.key, t.e.loaded.scorer = key, s
	return s.Fork(), true
}

// deployed returns the path of the site's own bundle and its size.
func (t *talk) deployed() (string, int64) {
	if !t.do(Op{Kind: OpAsset, Key: indexPath}).Found {
		return "", 0
	}
	body := t.do(Op{Kind: OpRead, Length: maxIndex})
	e, ok := newest(body.Body, t.e.c.ScoreBundle)
	if !ok {
		return "", 0
	}
	return "/bundles/" + e.Path, e.Bytes
}

// scoring is one body being scored.
type scoring struct {
	t       *talk
	scorer  *score.Scorer
	format  string
	explain int

	out   bytes.Buffer
	w     report.Writer
	info  job.Bundle
	begun bool
}

// flushAt is the size of a chunk of the response.
const flushAt = 32 << 10

func (s *scoring) run() {
	s.info = s.scorer.Bundle()
	s.w = report.NewNDJSON(&s.out)
	if s.format == "csv" {
		s.w = report.NewCSV(&s.out)
	}
	left := s.explain
	var broken error
	sum, err := s.scorer.Score(upload{bytes.NewReader(s.t.r.Body), int64(len(s.t.r.Body))}, job.Options{}, func(_ job.Progress, b *job.Batch) bool {
		broken = report.Batch(s.w, s.info, b, func(l *report.Line) error {
			if left > 0 && l.Error == "" {
				left--
				rec, err := s.scorer.Explain(l.Row)
				if err != nil {
					return err
				}
				l.Explain(rec, s.info)
			}
			s.send(flushAt)
			return nil
		})
		return broken == nil
	})
	if err == nil {
		err = broken
	}
	switch {
	case err != nil && !s.begun && s.out.Len() == 0:
		s.t.refuse(422, err.Error())
		return
	case err != nil:
		s.t.fail(err.Error())
		_ = s.w.Write(report.Line{Error: "stopped: " + err.Error()}) // to memory
	case sum.Stopped != "":
		_ = s.w.Write(report.Line{Error: "stopped: " + sum.Stopped}) // to memory
	}
	_ = s.w.Flush() // to memory
	s.send(0)
}

// send sends what has been written when it is at least size bytes.
func (s *scoring) send(size int) {
	if s.begun && s.out.Len() == 0 || s.out.Len() < size {
		return
	}
	if !s.begun {
		s.begun = true
		kind := "application/x-ndjson"
		if s.format == "csv" {
			kind = "text/csv; charset=utf-8"
		}
		s.t.respond(200, kind, -1, false, header.Header{Name: "Cloister-Bundle", Value: s.info.Name + "/" + s.info.Version + "/" + s.info.SHA256})
	}
	if s.out.Len() > 0 {
		s.t.do(Op{Kind: OpChunk, Body: bytes.Clone(s.out.Bytes())})
		s.out.Reset()
	}
}
