//go:build !js

package wasm_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// A model that XGBoost trained and wrote becomes a bundle on the command line;
// the sealed page opens it, scores a file and shows of each row what XGBoost
// itself said: the class, its probability and the contributions of the columns.
func TestImport_xgboostInThePage(t *testing.T) {
	var golden struct {
		Columns     []string
		Rows        [][]*float64
		Score, SHAP [][]float64
	}
	if err := json.Unmarshal(readFile(t, "testdata/import/golden.json"), &golden); err != nil {
		t.Fatal(err)
	}
	labels, columns := []string{"Benign", "DoS", "Recon"}, golden.Columns
	file := filepath.Join(t.TempDir(), "xgboost.bundle")
	if out, err := exec.Command("../bin/cloister", "import", "../builder/internal/foreign/testdata/xgb-multi.ubj", "--labels", strings.Join(labels, ","), "--out", file).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var csv strings.Builder
	csv.WriteString(strings.Join(columns, ","))
	for _, row := range golden.Rows {
		csv.WriteString("\n")
		for j, cell := range row {
			if j > 0 {
				csv.WriteString(",")
			}
			if cell != nil {
				csv.WriteString(strconv.FormatFloat(*cell, 'g', -1, 64))
			}
		}
	}

	v := started(t)
	v.useBundle(t, file)
	v.waitFor(t, "the bundle", `document.body.innerText.includes('Imported boosted trees')`)
	v.drop(t, "rows.csv", []byte(csv.String()+"\n"))
	v.waitFor(t, "verdicts", finished+` && document.querySelector('#run-title').innerText === 'rows.csv'`)
	if got := v.text(t, ".tile dd"); got != fmt.Sprint(len(golden.Rows)) || len(golden.Rows) < 12 {
		t.Fatalf("%q rows scored of %d", got, len(golden.Rows))
	}
	seen := map[string]bool{}
	for i, p := range golden.Score {
		class := 0
		for k := range p {
			if p[k] > p[class] {
				class = k
			}
		}
		seen[labels[class]] = true
		v.click(t, fmt.Sprintf(`#grid [role=row][aria-rowindex="%d"]`, i+2))
		v.waitFor(t, "the record", fmt.Sprintf(`document.querySelector('#record-title')?.innerText === 'Row %d' && document.querySelector('.drawer .sentence')?.innerText.includes('ow %[1]d ') && document.querySelector('#shap-title')`, i+1))
		if i == 0 {
			v.click(t, `#shap-title ~ .card-tools button`)
		}
		if got := v.text(t, ".drawer .sentence"); !strings.Contains(got, labels[class]) {
			t.Errorf("row %d: the page says %q, XGBoost %s", i+1, got, labels[class])
		}
		if got := number(t, v.text(t, ".verdict-figures dd")); math.Abs(got/100-p[class]) > 0.000501 {
			t.Errorf("row %d: probability %v %%, XGBoost says %v", i+1, got, p[class])
		}
		var shown [][2]string
		if err := v.frame(`[...document.querySelectorAll('[aria-label="Attributions as a table"] tbody tr')].map(r => [r.querySelector('th').innerText, r.querySelector('td:last-child').innerText])`, &shown); err != nil {
			t.Fatal(err)
		}
		want := golden.SHAP[i][class*(len(columns)+1):]
		if len(shown) != len(columns) {
			t.Fatalf("row %d: attributions %q", i+1, shown)
		}
		for _, s := range shown {
			for j, name := range columns {
				if phi := number(t, s[1]); s[0] == name && math.Abs(phi-want[j]) > shownDigits+1e-6 {
					t.Errorf("row %d: %s contributes %v, XGBoost says %v", i+1, name, phi, want[j])
				}
			}
		}
		if base := number(t, v.text(t, ".facts dd")); math.Abs(base-want[len(columns)]) > shownDigits+1e-6 {
			t.Errorf("row %d: the base is %v, XGBoost says %v", i+1, base, want[len(columns)])
		}
	}
	if len(seen) < 3 {
		t.Errorf("only the classes %v", seen)
	}
	v.shot(t, "import")
	if p := v.Problems(); len(p) > 0 {
		t.Errorf("problems: %+v", p)
	}
}
