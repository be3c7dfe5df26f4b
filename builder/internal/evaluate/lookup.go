package evaluate

import (
	"crypto/sha256"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"cloister/shared/attack"
)

// Lookup is how well the table of words finds the techniques that authors gave
// their texts.
type Lookup struct {
	Version string `json:"version"`
	// Developed and Judged are the texts of either half: the table was developed
	// on one, figures are of the other. Which is which hangs on a hash of seed and
	// key of a text.
	Seed      int      `json:"seed"`
	Developed int      `json:"developed"`
	Judged    int      `json:"judged"`
	Levels    []Level  `json:"levels"`
	Tactics   []Tactic `json:"tactics"` // at medium confidence and above
}

// Level is the figures of the hints of a confidence and above.
type Level struct {
	Confidence string `json:"confidence"`
	Silent     int    `json:"silent"`    // texts without a hint
	Technique  Hits   `json:"technique"` // exact ids
	Parent     Hits   `json:"parent"`    // sub-techniques as their parents
	Tactic     Hits   `json:"tactic"`
}

// Tactic is the figures of one tactic.
type Tactic struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Hits Hits   `json:"hits"`
}

// Hits counts over all texts: techniques that were found and tagged, found
// only, tagged only.
type Hits struct {
	Both      int    `json:"both"`
	Found     int    `json:"found_only"`
	Tagged    int    `json:"tagged_only"`
	Precision Number `json:"precision"`
	Recall    Number `json:"recall"`
}

func (h *Hits) count(found, tagged map[string]bool) {
	for id := range found {
		if tagged[id] {
			h.Both++
		} else {
			h.Found++
		}
	}
	for id := range tagged {
		if !found[id] {
			h.Tagged++
		}
	}
	h.Precision, h.Recall = ratio(h.Both, h.Both+h.Found), ratio(h.Both, h.Both+h.Tagged)
}

func ratio(a, b int) Number {
	if b == 0 {
		return Number(math.NaN())
	}
	return Number(float64(a) / float64(b))
}

// lookupSeed chooses the halves of Lookup. The table in shared/attack was
// developed with it: another seed mixes texts it was developed on into the
// figures.
const lookupSeed = 1

// developed reports whether the text with a key is of the half that the table
// was developed on.
func developed(key string) bool {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d/%s", lookupSeed, key))
	return sum[0]%2 == 0
}

// Text is a text whose author tagged it with techniques.
type Text struct {
	Text       string   // all that the lookup reads
	Key        string   // what the half hangs on; Text if empty
	Techniques []string // of any release
	Tactics    []string // ids; if nil, those of the techniques
}

// Tagged measures the lookup on texts. Those whose techniques are all unknown
// or without any are left out; nil for no texts.
func Tagged(texts []Text) *Lookup {
	l := &Lookup{Version: attack.Version(), Seed: lookupSeed}
	for _, c := range []string{attack.High, attack.Medium, attack.Low} {
		l.Levels = append(l.Levels, Level{Confidence: c})
	}
	for _, t := range attack.Tactics() {
		l.Tactics = append(l.Tactics, Tactic{ID: t.ID, Name: t.Name})
	}
	for _, t := range texts {
		techniques, parents, tactics := map[string]bool{}, map[string]bool{}, map[string]bool{}
		for _, id := range t.Techniques {
			if now, ok := attack.Resolve(id); ok {
				techniques[now.ID], parents[now.ID[:5]] = true, true
				if t.Tactics == nil {
					for _, id := range now.Tactics {
						tactics[id] = true
					}
				}
			}
		}
		for _, id := range t.Tactics {
			tactics[id] = true
		}
		if len(techniques) == 0 {
			continue
		}
		key := t.Key
		if key == "" {
			key = t.Text
		}
		if developed(key) {
			l.Developed++
			continue
		}
		l.Judged++
		hints := attack.FromText(t.Text)
		found, above, serving := map[string]bool{}, map[string]bool{}, map[string]bool{}
		for k := range l.Levels {
			level := &l.Levels[k]
			for _, h := range hints {
				if h.Confidence == level.Confidence {
					found[h.Technique], above[h.Technique[:5]], serving[h.Tactic] = true, true, true
				}
			}
			if len(found) == 0 {
				level.Silent++
			}
			level.Technique.count(found, techniques)
			level.Parent.count(above, parents)
			level.Tactic.count(serving, tactics)
			if level.Confidence == attack.Medium {
				for j := range l.Tactics {
					id := l.Tactics[j].ID
					l.Tactics[j].Hits.count(only(serving, id), only(tactics, id))
				}
			}
		}
	}
	if l.Judged == 0 {
		return nil
	}
	return l
}

// only returns the part of a set that is id.
func only(set map[string]bool, id string) map[string]bool {
	if set[id] {
		return map[string]bool{id: true}
	}
	return nil
}

// maxTexts bounds the texts that ReadTexts takes.
const maxTexts = 1 << 20

// ReadTexts reads texts from a CSV file with a header. Columns are known by
// name: Techniques (ids, separated by spaces) is needed, and one of Title,
// Payload_Description and Payload_Type, which are joined by line ends; Id is the
// key, Tactics holds short names. Short names that this release does not have
// are left out.
func ReadTexts(r io.Reader) ([]Text, error) {
	in := csv.NewReader(r)
	head, err := in.Read()
	if err != nil {
		return nil, fmt.Errorf("texts: header: %w", err)
	}
	column := map[string]int{}
	for i, name := range head {
		column[name] = i
	}
	cell := func(row []string, name string) string {
		if i, ok := column[name]; ok {
			return row[i]
		}
		return ""
	}
	if _, ok := column["Techniques"]; !ok {
		return nil, errors.New("texts: no column Techniques")
	}
	var out []Text
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("texts: %w", err)
		}
		if len(out) == maxTexts {
			return nil, fmt.Errorf("texts: more than %d", maxTexts)
		}
		t := Text{
			Text: cell(row, "Title") + "\n" + cell(row, "Payload_Description") + "\n" + cell(row, "Payload_Type"),
			Key:  cell(row, "Id"), Techniques: strings.Fields(cell(row, "Techniques")),
		}
		for _, name := range strings.Fields(cell(row, "Tactics")) {
			if tactic, ok := attack.TacticByShortname(name); ok {
				t.Tactics = append(t.Tactics, tactic.ID)
			}
		}
		out = append(out, t)
	}
}
