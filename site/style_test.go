package site

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	variable = regexp.MustCompile(`--([a-z0-9-]+):\s*(#[0-9a-f]{6});`)
	block    = regexp.MustCompile(`(?s)(:root[^{]*)\{([^}]*)\}`)
)

// palettes returns the colours of the style sheet: light, dark by the system's
// preference, dark by choice.
func palettes(t *testing.T) (light, system, chosen map[string]string, css string) {
	t.Helper()
	b, err := os.ReadFile("static/app.css")
	if err != nil {
		t.Fatal(err)
	}
	css = string(b)
	blocks := block.FindAllStringSubmatch(css, -1)
	if len(blocks) != 3 || !strings.Contains(blocks[1][1], `not([data-theme="light"])`) || !strings.Contains(blocks[2][1], `[data-theme="dark"]`) {
		t.Fatalf("%d blocks of variables", len(blocks))
	}
	read := func(s string) map[string]string {
		m := map[string]string{}
		for _, v := range variable.FindAllStringSubmatch(s, -1) {
			m[v[1]] = v[2]
		}
		return m
	}
	return read(blocks[0][2]), read(blocks[1][2]), read(blocks[2][2]), css
}

// contrast is the ratio of WCAG 2.2, from 1 to 21.
func contrast(a, b string) float64 {
	luminance := func(hex string) float64 {
		sum := 0.0
		for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
			n, _ := strconv.ParseUint(hex[1+2*i:3+2*i], 16, 8)
			c := float64(n) / 255
			if c <= 0.04045 {
				c /= 12.92
			} else {
				c = math.Pow((c+0.055)/1.055, 2.4)
			}
			sum += weight * c
		}
		return sum
	}
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func TestContrast_knownPairs(t *testing.T) {
	// WCAG's own extremes, and two pairs whose ratios are published by
	// webaim.org's checker.
	for pair, want := range map[string]string{"#000000 #ffffff": "21.00", "#777777 #ffffff": "4.48", "#c2410c #ffffff": "5.18", "#ffffff #ffffff": "1.00"} {
		a, b, _ := strings.Cut(pair, " ")
		if got := fmt.Sprintf("%.2f", contrast(a, b)); got != want {
			t.Errorf("%s: %s, want %s", pair, got, want)
		}
	}
}

func TestStyle_colorsHaveContrast(t *testing.T) {
	light, dark, chosen, _ := palettes(t)
	if fmt.Sprint(dark) != fmt.Sprint(chosen) {
		t.Error("dark by preference and dark by choice differ")
	}
	cases := 0
	for name, p := range map[string]map[string]string{"light": light, "dark": dark} {
		check := func(least float64, fronts, backs string) {
			for _, f := range strings.Fields(fronts) {
				for _, b := range strings.Fields(backs) {
					if p[f] == "" || p[b] == "" {
						t.Fatalf("%s: no colour %s or %s", name, f, b)
					}
					if c := contrast(p[f], p[b]); c < least {
						t.Errorf("%s: %s on %s has %.2f:1, want %g", name, f, b, c, least)
					}
					cases++
				}
			}
		}
		check(4.5, "text muted", "bg surface raised")
		check(4.5, "text", "accent-soft bad-soft warn-soft")
		check(4.5, "muted hot sev1 sev2 sev3 sev4", "surface raised accent-soft")
		check(4.5, "accent cold good", "surface")
		check(4.5, "sev4", "bad-soft")
		check(4.5, "muted", "bad-soft")
		check(4.5, "accent-text", "accent")
		check(3, "edge bar hot cold accent", "surface")
		check(3, "edge accent", "bg")
		check(3, "warn-line bad-line", "surface")
	}
	if cases < 60 {
		t.Errorf("%d cases", cases)
	}
}

// The policy of the page allows its own style sheet and nothing else.
func TestStyle_loadsNothing(t *testing.T) {
	_, _, _, css := palettes(t)
	for _, banned := range []string{"url(", "@import", "@font-face", "http:", "https:", "expression("} {
		if strings.Contains(css, banned) {
			t.Errorf("the style sheet has %q", banned)
		}
	}
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".vugu") {
			continue
		}
		seen++
		b, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, banned := range []string{" href=", " src=", "<style", "<script", " style=", "vg-html", "vugu.HTML"} {
			if strings.Contains(string(b), banned) {
				t.Errorf("%s has %q", f.Name(), banned)
			}
		}
	}
	if seen < 15 {
		t.Errorf("%d components", seen)
	}
}

func TestStyle_pitchIsTheTables(t *testing.T) {
	_, _, _, css := palettes(t)
	for _, want := range []string{fmt.Sprintf("--pitch: %dpx;", rowPitch), fmt.Sprintf(".grid-head { position: sticky; top: 0; z-index: 1; display: flex; height: %dpx;", headHeight)} {
		if !strings.Contains(css, want) {
			t.Errorf("the style sheet lacks %q", want)
		}
	}
}
