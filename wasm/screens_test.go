//go:build !js

package wasm_test

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cloister/wasm/internal/chromium"

	"github.com/chromedp/chromedp"
)

var updateScreens = flag.Bool("update-screens", false, "write the screenshots in testdata/screens anew; look at each before it is kept")

const (
	screensDir = "testdata/screens"
	// maxScreens bounds what they add to the repository, in bytes.
	maxScreens = 2_000_000
	// A pixel differs if one of its channels does by more than channelOff of
	// 255: the palette and another release's smoothing of letters stay below.
	channelOff = 48
	// shareOff is the share of pixels that may differ: a line of text that is
	// there or not is about 0.6 %.
	shareOff = 0.004
	// shareElsewhere is the share where browser or fonts are not those that the
	// pictures were made with: letters then stand a pixel off. A screen that is
	// broken differs by more.
	shareElsewhere = 0.08
)

// madeWith says what draws the letters here: the browser and the files of the
// page's fonts.
func madeWith(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, args := range [][]string{{"chromium", "--version"}, {"fc-list", "--format", "%{file|basename}\n", ":family=DejaVu Sans"}} {
		out, err := exec.Command(args[0], args[1:]...).Output()
		if err != nil {
			t.Logf("%s: %v", args[0], err) // no such list: another place
		}
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		slices.Sort(lines)
		b.WriteString(strings.Join(lines, "\n") + "\n")
	}
	return b.String()
}

// settled hides what differs from run to run: speeds, memory, the caret.
const settled = `(() => { const s = new CSSStyleSheet(); s.replaceSync('.run-line, .run-memory { visibility: hidden } * { caret-color: transparent !important; transition: none !important }'); document.adoptedStyleSheets = [s] })()`

// Of every screen, light and dark: axe-core reports nothing, the screenshot is
// what somebody has looked at, and at 320 px nothing is wider than the window.
// Where a screenshot differs, it and the differing pixels are in build/screens.
// They are of Debian's fonts-dejavu, which `make setup` installs.
func TestScreens_tour(t *testing.T) {
	v := startVisit(t, serveBuilt(t, &witness{}, nil)+"/", chromium.Options{Width: 1100, Height: 840, Timeout: 6 * time.Minute})
	if err := chromedp.Run(v, chromium.Viewport(1100, 840, false)); err != nil {
		t.Fatal(err)
	}
	script := string(readFile(t, axe))
	here, off := madeWith(t), shareOff
	if *updateScreens {
		if err := os.WriteFile(filepath.Join(screensDir, "made-with.txt"), []byte(here), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if there := string(readFile(t, filepath.Join(screensDir, "made-with.txt"))); there != here {
		off = shareElsewhere
		t.Logf("the pictures were made with\n%s\nhere it is\n%s", there, here)
	}
	want := map[string]bool{"made-with.txt": true}
	total := int64(0)
	for _, s := range tour {
		s.go_(t, v)
		if s.name == "landing" {
			for _, code := range []string{settled, script} {
				if err := v.frame(code, nil); err != nil {
					t.Fatal(err)
				}
			}
		}
		// what it is about on top, and the focus nowhere but in the filter, whose offers it opens
		if err := v.frame(`(() => { const f = document.activeElement; if (f?.id !== 'search') f?.blur(); const top = document.querySelector('#top'); top.scrollTop = 0; const at = document.querySelector(`+quoted(cmp.Or(s.at, "main:not(:has(.note-error)) .tabs"))+`); if (at) top.scrollTop = at.getBoundingClientRect().top - 60 })()`, nil); err != nil {
			t.Fatal(err)
		}
		for _, dark := range []bool{false, true} {
			name := s.name + map[bool]string{false: "-light.png", true: "-dark.png"}[dark]
			want[name] = true
			var shot []byte
			if err := chromedp.Run(v, chromium.ColorScheme(dark), chromedp.Sleep(250*time.Millisecond), chromedp.CaptureScreenshot(&shot)); err != nil {
				t.Fatal(err)
			}
			got, err := png.Decode(bytes.NewReader(shot))
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(screensDir, name)
			if *updateScreens {
				writePNG(t, path, quantised(got))
			}
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			total += info.Size()
			golden, err := png.Decode(bytes.NewReader(readFile(t, path)))
			if err != nil {
				t.Fatal(err)
			}
			share, diff := compare(got, golden)
			if share > off {
				out := filepath.Join("..", "build", "screens", name)
				writePNG(t, out, got)
				writePNG(t, strings.TrimSuffix(out, ".png")+".diff.png", diff)
				t.Errorf("%s: %.2f %% of the pixels differ, %.2f %% may: see %s", name, 100*share, 100*off, out)
			}
			for _, line := range v.violations(t) {
				t.Errorf("%s: %s", name, line)
			}
		}
		if err := chromedp.Run(v, chromium.Viewport(320, 640, false)); err != nil {
			t.Fatal(err)
		}
		v.waitFor(t, "a narrow window", `innerWidth === 320`)
		for _, what := range v.tooWide(t) {
			t.Errorf("%s: wider than 320 px: %s", s.name, what)
		}
		if err := v.frame(`document.querySelector(`+quoted(cmp.Or(s.at, ".tabs", "#main"))+`)?.scrollIntoView()`, nil); err != nil {
			t.Fatal(err)
		}
		v.shot(t, "narrow-"+s.name)
		if err := chromedp.Run(v, chromium.Viewport(1100, 840, false)); err != nil {
			t.Fatal(err)
		}
		v.waitFor(t, "a wide window", `innerWidth === 1100`)
	}
	files, err := os.ReadDir(screensDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !want[f.Name()] {
			t.Errorf("%s is of no screen", f.Name())
		}
	}
	if len(want) < 41 || total > maxScreens {
		t.Errorf("%d screenshots with %d bytes, want 40 and more, with a list of what made them, with at most %d", len(want), total, maxScreens)
	}
}

// The comparison sees a missing line and does not see other smoothing.
func TestScreens_compare(t *testing.T) {
	base := image.NewRGBA(image.Rect(0, 0, 200, 100))
	for i := range base.Pix {
		base.Pix[i] = 240
	}
	soft, line := image.NewRGBA(base.Rect), image.NewRGBA(base.Rect)
	copy(soft.Pix, base.Pix)
	copy(line.Pix, base.Pix)
	for i := range soft.Pix {
		soft.Pix[i] -= channelOff
	}
	for x := range 100 {
		line.Set(x, 50, color.Black)
	}
	if s, _ := compare(soft, base); s != 0 {
		t.Errorf("other smoothing: %v", s)
	}
	if s, diff := compare(line, base); s != 0.005 || diff.Bounds() != base.Rect {
		t.Errorf("a line of half a percent: %v", s)
	}
	if s, _ := compare(base, image.NewRGBA(image.Rect(0, 0, 200, 99))); s != 1 {
		t.Errorf("another size: %v", s)
	}
	many := image.NewRGBA(image.Rect(0, 0, 64, 64))
	for i := range 64 * 64 {
		many.Set(i%64, i/64, color.RGBA{uint8(i % 64 * 4), uint8(i / 64 * 4), 128, 255})
	}
	if s, _ := compare(quantised(many), many); s > 0.05 {
		t.Errorf("4,096 colours as 256: %v differ", s)
	}
}

// compare returns the share of pixels that differ, and a picture of them.
func compare(a, b image.Image) (share float64, diff *image.Paletted) {
	r := a.Bounds()
	diff = image.NewPaletted(r, color.Palette{color.White, color.RGBA{200, 0, 0, 255}})
	if r != b.Bounds() {
		return 1, diff
	}
	n := 0
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			p, q := rgb(a.At(x, y)), rgb(b.At(x, y))
			for k := range p {
				if max(p[k], q[k])-min(p[k], q[k]) > channelOff {
					diff.SetColorIndex(x, y, 1)
					n++
					break
				}
			}
		}
	}
	return float64(n) / float64(r.Dx()*r.Dy()), diff
}

func rgb(c color.Color) [3]uint8 {
	r, g, b, _ := c.RGBA()
	return [3]uint8{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8)}
}

// quantised keeps the 256 colours that a picture has most of, counting those
// that are alike as one; every pixel gets the nearest.
func quantised(m image.Image) *image.Paletted {
	r := m.Bounds()
	type bin struct {
		key [3]uint8
		n   int
		sum [3]int
	}
	bins := map[[3]uint8]*bin{}
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			c := rgb(m.At(x, y))
			key := [3]uint8{c[0] >> 3, c[1] >> 3, c[2] >> 3}
			b := bins[key]
			if b == nil {
				b = &bin{key: key}
				bins[key] = b
			}
			b.n++
			for k := range c {
				b.sum[k] += int(c[k])
			}
		}
	}
	var list []*bin
	for _, b := range bins {
		list = append(list, b)
	}
	slices.SortFunc(list, func(a, b *bin) int {
		if a.n != b.n {
			return b.n - a.n
		}
		return slices.Compare(a.key[:], b.key[:])
	})
	var colours color.Palette
	for _, b := range list[:min(len(list), 64)] {
		colours = append(colours, color.RGBA{uint8(b.sum[0] / b.n), uint8(b.sum[1] / b.n), uint8(b.sum[2] / b.n), 255})
	}
	for _, level := range []uint8{0, 51, 102, 153, 204, 255} { // and a coarse cube for the rest
		for _, g := range []uint8{0, 64, 128, 192, 255} {
			for _, b := range []uint8{0, 64, 128, 192, 255} {
				if len(colours) < 256 {
					colours = append(colours, color.RGBA{level, g, b, 255})
				}
			}
		}
	}
	out := image.NewPaletted(r, colours)
	near := map[[3]uint8]uint8{}
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			c := rgb(m.At(x, y))
			i, ok := near[c]
			if !ok {
				i = uint8(colours.Index(color.RGBA{c[0], c[1], c[2], 255}))
				near[c] = i
			}
			out.SetColorIndex(x, y, i)
		}
	}
	return out
}

func writePNG(t *testing.T, path string, m image.Image) {
	t.Helper()
	var b bytes.Buffer
	e := png.Encoder{CompressionLevel: png.BestCompression}
	err := e.Encode(&b, m)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o755)
	}
	if err == nil {
		err = os.WriteFile(path, b.Bytes(), 0o644)
	}
	if err != nil {
		t.Fatal(fmt.Errorf("%s: %w", path, err))
	}
}
