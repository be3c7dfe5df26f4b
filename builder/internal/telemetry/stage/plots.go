package stage

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/palette/moreland"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"cloister/shared/telemetry"
)

// Figure is one drawing.
type Figure struct {
	Name    string // "plots/feature_correlations.svg"
	Content []byte
}

// Colours of the drawings.
var (
	ink    = color.RGBA{R: 0x1f, G: 0x4e, B: 0x79, A: 0xff}
	pale   = color.RGBA{R: 0x9e, G: 0xc1, B: 0xe0, A: 0xff}
	alarm  = color.RGBA{R: 0xc0, G: 0x2d, B: 0x2d, A: 0xff}
	bottom = "window start, hours since the first"
)

// Plots draws the four figures of a run, each as SVG and PNG:
// normalized_distributions, temporal_patterns, feature_correlations and
// preprocessing_effects.
func Plots(c telemetry.Config, full *Table, p *Prepared) ([]Figure, error) {
	var out []Figure
	for _, f := range []struct {
		name string
		grid func() ([][]*plot.Plot, error)
	}{
		{"normalized_distributions", func() ([][]*plot.Plot, error) { return distributions(c, full) }},
		{"temporal_patterns", func() ([][]*plot.Plot, error) { return patterns(full) }},
		{"feature_correlations", func() ([][]*plot.Plot, error) { return correlations(full) }},
		{"preprocessing_effects", func() ([][]*plot.Plot, error) { return effects(full, p) }},
	} {
		grid, err := f.grid()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		figures, err := drawn("plots/"+f.name, grid)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		out = append(out, figures...)
	}
	return out, nil
}

// drawn draws a grid of plots in both forms.
func drawn(name string, grid [][]*plot.Plot) ([]Figure, error) {
	width, height := vg.Length(len(grid[0]))*11*vg.Centimeter, vg.Length(len(grid))*7*vg.Centimeter
	tiles := draw.Tiles{Rows: len(grid), Cols: len(grid[0]), PadX: 4 * vg.Millimeter, PadY: 4 * vg.Millimeter, PadTop: 2 * vg.Millimeter, PadBottom: 2 * vg.Millimeter, PadLeft: 2 * vg.Millimeter, PadRight: 4 * vg.Millimeter}
	render := func(c vg.CanvasSizer) {
		canvases := plot.Align(grid, tiles, draw.New(c))
		for i, row := range grid {
			for j, p := range row {
				p.Draw(canvases[i][j])
			}
		}
	}
	svg := vgsvg.New(width, height)
	render(svg)
	var text bytes.Buffer
	if _, err := svg.WriteTo(&text); err != nil {
		return nil, err
	}
	img := vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(96))
	render(img)
	var pixels bytes.Buffer
	if _, err := (vgimg.PngCanvas{Canvas: img}).WriteTo(&pixels); err != nil {
		return nil, err
	}
	return []Figure{{name + ".svg", text.Bytes()}, {name + ".png", pixels.Bytes()}}, nil
}

// known returns the values of a column that are numbers.
func known(t *Table, name string) []float64 {
	return slices.DeleteFunc(t.Column(name), func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
}

// histogram returns a histogram of 30 bins, or an empty plot that says so.
func histogram(title string, v []float64, limit float64) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text = title
	p.Y.Label.Text = "windows"
	if len(v) == 0 {
		p.Title.Text += ": no values"
		p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, 1, 0, 1
		return p, nil
	}
	h, err := plotter.NewHist(plotter.Values(v), 30)
	if err != nil {
		return nil, err
	}
	h.FillColor, h.LineStyle.Width = pale, vg.Points(0.5)
	p.Add(h)
	if !math.IsNaN(limit) {
		line, err := plotter.NewLine(plotter.XYs{{X: limit, Y: 0}, {X: limit, Y: p.Y.Max}})
		if err != nil {
			return nil, err
		}
		line.Color, line.Width = alarm, vg.Points(1.5)
		p.Add(line)
	}
	return p, nil
}

func distributions(c telemetry.Config, full *Table) ([][]*plot.Plot, error) {
	none := math.NaN()
	cells := []struct {
		title, column string
		limit         float64
	}{
		{"CPU, %", "cpu_avg_pct_mean", c.CPUThreshold}, {"memory, %", "memory_usage_pct_mean", c.MemoryThreshold}, {"network, MiB/s", "net_total_mb_mean", none},
		{"disk, operations/s", "disk_io_total_mean", c.DiskIOThreshold}, {"processes", "proc_count_mean", none}, {"load, 1 min", "load_1min_mean", none},
	}
	grid := make([][]*plot.Plot, 2)
	for i, cell := range cells {
		p, err := histogram(cell.title, known(full, cell.column), cell.limit)
		if err != nil {
			return nil, err
		}
		grid[i/3] = append(grid[i/3], p)
	}
	return grid, nil
}

// patterns draws, for each of three metrics, the mean over devices at each
// time, and one deviation around it.
func patterns(full *Table) ([][]*plot.Plot, error) {
	first := int64(math.MaxInt64)
	for _, r := range full.Rows {
		first = min(first, r.Start)
	}
	var grid [][]*plot.Plot
	for _, cell := range [][2]string{{"CPU, %", "cpu_avg_pct"}, {"memory, %", "memory_usage_pct"}, {"network, MiB/s", "net_total_mb"}} {
		p := plot.New()
		p.Title.Text, p.X.Label.Text = cell[0]+": mean and one standard deviation of the window", bottom
		at := map[int64][]int{}
		var times []int64
		means, stds := full.Column(cell[1]+"_mean"), full.Column(cell[1]+"_std")
		for i, r := range full.Rows {
			if means != nil && !math.IsNaN(means[i]) {
				if at[r.Start] == nil {
					times = append(times, r.Start)
				}
				at[r.Start] = append(at[r.Start], i)
			}
		}
		slices.Sort(times)
		var line, low, high plotter.XYs
		for _, t := range times {
			m, s, n := 0.0, 0.0, 0.0
			for _, i := range at[t] {
				m += means[i]
				if !math.IsNaN(stds[i]) {
					s += stds[i]
				}
				n++
			}
			x := float64(t-first) / 3_600_000
			line = append(line, plotter.XY{X: x, Y: m / n})
			low = append(low, plotter.XY{X: x, Y: (m - s) / n})
			high = append(high, plotter.XY{X: x, Y: (m + s) / n})
		}
		if len(line) == 0 {
			p.Title.Text += ": no values"
			p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, 1, 0, 1
		} else {
			slices.Reverse(low)
			band, err := plotter.NewPolygon(append(high, low...))
			if err != nil {
				return nil, err
			}
			band.Color, band.LineStyle.Width = pale, 0
			l, err := plotter.NewLine(line)
			if err != nil {
				return nil, err
			}
			l.Color, l.Width = ink, vg.Points(1)
			p.Add(band, l)
		}
		grid = append(grid, []*plot.Plot{p})
	}
	return grid, nil
}

// keys are the features of the correlation figure.
var keys = []string{
	"cpu_avg_pct_mean", "memory_usage_pct_mean", "net_total_mb_mean", "disk_io_total_mean", "proc_count_mean",
	"proc_churn_mean", "load_1min_mean", "cpu_memory_ratio", "level_z_rms", "change_z_rms",
}

// matrix is a heat map of correlations.
type matrix [][]float64

func (m matrix) Dims() (c, r int)   { return len(m), len(m) }
func (m matrix) Z(c, r int) float64 { return m[c][r] }
func (m matrix) X(c int) float64    { return float64(c) }
func (m matrix) Y(r int) float64    { return float64(r) }

func correlations(full *Table) ([][]*plot.Plot, error) {
	k := len(keys)
	m := make(matrix, k)
	type pair struct {
		name string
		r    float64
	}
	var pairs []pair
	for i := range m {
		m[i] = make([]float64, k)
	}
	for i := range k {
		for j := range i + 1 {
			r := correlation(full.Column(keys[i]), full.Column(keys[j]))
			m[i][j], m[j][i] = r, r
			if i != j {
				pairs = append(pairs, pair{short(keys[j]) + " / " + short(keys[i]), math.Abs(r)})
			}
		}
	}
	heat := plot.New()
	heat.Title.Text = "correlation, blue -1 to red 1"
	colours := moreland.SmoothBlueRed()
	colours.SetMin(-1)
	colours.SetMax(1)
	h := plotter.NewHeatMap(m, colours.Palette(101))
	h.Min, h.Max = -1, 1
	heat.Add(h)
	var labels []string
	for _, n := range keys {
		labels = append(labels, short(n))
	}
	heat.NominalY(labels...)
	heat.X.Tick.Marker = plot.ConstantTicks(nil)
	slices.SortStableFunc(pairs, func(a, b pair) int {
		switch {
		case a.r > b.r:
			return -1
		case a.r < b.r:
			return 1
		}
		return 0
	})
	pairs = pairs[:10]
	slices.Reverse(pairs)
	bars := plot.New()
	bars.Title.Text = "the ten largest |r|"
	var v plotter.Values
	labels = nil
	for _, p := range pairs {
		v = append(v, p.r)
		labels = append(labels, p.name)
	}
	b, err := plotter.NewBarChart(v, vg.Points(9))
	if err != nil {
		return nil, err
	}
	b.Horizontal, b.Color, b.LineStyle.Width = true, pale, vg.Points(0.5)
	bars.Add(b)
	bars.NominalY(labels...)
	bars.X.Min, bars.X.Max = 0, 1
	return [][]*plot.Plot{{heat, bars}}, nil
}

func short(name string) string { return strings.TrimSuffix(name, "_mean") }

// correlation returns Pearson's r over the rows that have both, 0 where it is
// not defined.
func correlation(a, b []float64) float64 {
	var x, y []float64
	for i := range min(len(a), len(b)) {
		if v := a[i] + b[i]; !math.IsNaN(v) && !math.IsInf(v, 0) {
			x, y = append(x, a[i]), append(y, b[i])
		}
	}
	if len(x) < 2 {
		return 0
	}
	if r := stat.Correlation(x, y, nil); !math.IsNaN(r) {
		return r
	}
	return 0
}

// effects shows one feature before and after stage 4: histograms, and
// quantiles against those of a normal distribution.
func effects(full *Table, p *Prepared) ([][]*plot.Plot, error) {
	const name = "net_total_mb_mean"
	column := name
	if len(known(full, column)) == 0 {
		column = full.Names[0]
	}
	before, after := known(full, column), known(p.Matrix, column)
	grid := make([][]*plot.Plot, 2)
	for i, part := range []struct {
		title string
		v     []float64
	}{{column + " before", before}, {column + " after", after}} {
		h, err := histogram(part.title, part.v, math.NaN())
		if err != nil {
			return nil, err
		}
		q, err := quantiles(part.title, part.v)
		if err != nil {
			return nil, err
		}
		grid[i] = []*plot.Plot{h, q}
	}
	return grid, nil
}

func quantiles(title string, v []float64) (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text, p.X.Label.Text = title+": Q-Q", "quantile of the normal distribution"
	if len(v) == 0 {
		p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, 1, 0, 1
		return p, nil
	}
	v = slices.Sorted(slices.Values(v))
	var points plotter.XYs
	for i, x := range v {
		points = append(points, plotter.XY{X: distuv.UnitNormal.Quantile((float64(i) + .5) / float64(len(v))), Y: x})
	}
	s, err := plotter.NewScatter(points)
	if err != nil {
		return nil, err
	}
	s.GlyphStyle = draw.GlyphStyle{Color: ink, Radius: vg.Points(1), Shape: draw.CircleGlyph{}}
	p.Add(s)
	return p, nil
}
