package site

import (
	"math"
	"strconv"

	"cloister/shared/job"

	"github.com/vugu/vugu"
)

// TokenCard shows what the words of a text did for a verdict: those in the
// text where they stand, those that are absent in a list.
type TokenCard struct {
	App *App
}

// Build implements [vugu.Builder].
func (c *TokenCard) Build(*vugu.BuildIn) *vugu.BuildOut {
	part := node(nil, "\x1fsection\x1fclass\x1fpart\x1faria-label\x1fWords")
	words(node(part, "\x1fh3"), say("Words"))
	for _, t := range c.App.drawer.record.Texts {
		words(node(part, "\x1fp\x1fclass\x1fmuted small"), featureName(c.App.bundle.Features, t.Feature))
		p := node(part, "\x1fp\x1fclass\x1ftokens breaks")
		top := 1e-12
		for _, k := range t.Tokens {
			top = max(top, math.Abs(k.SHAP))
		}
		at := 0
		for _, k := range t.Tokens {
			if k.Start < at || k.End <= k.Start || k.End > len(t.Text) {
				continue // not as promised: the text stays as it is
			}
			words(p, t.Text[at:k.Start])
			m := node(p, "\x1fmark")
			set(m, "class", tokenClass(k.SHAP, top), "title", phiText(k.SHAP))
			words(m, t.Text[k.Start:k.End])
			words(node(m, "\x1fsmall\x1faria-hidden\x1ftrue"), map[bool]string{true: "−", false: "+"}[k.SHAP < 0])
			at = k.End
		}
		words(p, t.Text[at:])
		rows := tokenRows(t)
		table := &FactTable{Name: say("Words"), Head: []string{say("Word"), say("Where"), "φ"}, Rows: rows}
		part.AppendChild(table.Build(nil).Out[0])
	}
	words(node(part, "\x1fp\x1fclass\x1fmuted small"), say("A word that is absent can speak, too: the model knows it from training and did not find it."))
	return &vugu.BuildOut{Out: []*vugu.VGNode{part}}
}

// tokenClass is the colour of a word by sign and size, in four steps.
func tokenClass(phi, top float64) string {
	step := strconv.Itoa(min(1+int(4*math.Abs(phi)/top), 4))
	if phi < 0 {
		return "tok neg" + step
	}
	return "tok pos" + step
}

// tokenRows lists words with their attributions, the largest first.
func tokenRows(t job.Text) [][]string {
	type word struct {
		text, where string
		phi         float64
	}
	var list []word
	for _, k := range t.Tokens {
		if k.Start >= 0 && k.Start < k.End && k.End <= len(t.Text) {
			list = append(list, word{t.Text[k.Start:k.End], say("in the text"), k.SHAP})
		}
	}
	for _, k := range t.Absent {
		list = append(list, word{k.Term, say("absent"), k.SHAP})
	}
	var rows [][]string
	for _, i := range permutation(len(list), func(i, j int) int {
		switch a, b := math.Abs(list[i].phi), math.Abs(list[j].phi); {
		case a > b:
			return -1
		case a < b:
			return 1
		}
		return 0
	}) {
		if w := list[i]; w.phi != 0 {
			rows = append(rows, []string{short(w.text, 60), w.where, phiText(w.phi)})
		}
		if len(rows) == 30 {
			break
		}
	}
	if t.Rest != 0 {
		rows = append(rows, []string{say("all other absent words"), say("absent"), phiText(t.Rest)})
	}
	return rows
}
