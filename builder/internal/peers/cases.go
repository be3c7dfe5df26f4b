//go:build !js

package main

import (
	"cmp"
	"fmt"
	"math"
	"path/filepath"

	"cloister/builder/internal/metric"
)

// contest is one model: how it is fitted by us and by its peers, and the goals
// of TREES.md, first wave, for the comparisons of its area (0: none).
type contest struct {
	key, name string // "forest100S", "forest 100, S"
	lib       string // in the words of both workers
	table     *table
	trees     int
	eta       float64
	terms     int
	peers     []fitPeer
	browser   bool // ends with the model for browsers and the curve
	own       bool // our own trees too, see [session.ownTrees]
	grown     bool // these are our own trees
	exported  int  // trees of the first peer's model that all sides got
	fitOnly   bool // ends after training: what it makes is another family's form
	slowShap  int  // rows that SHAP peers explain at once
	once      bool // one round of slow work, for a peer that takes a minute to load

	fitGoal, nativeGoal, webGoal, webNativeGoal, singleGoal, loadGoal float64
	bytesGoal, onnxGoal, joblibGoal                                   float64
	shapGoal, webShapGoal, nodeGoal                                   float64
}

// fitPeer is a peer of training.
type fitPeer struct {
	lib, name     string
	contamination float64
}

// measure does everything for one model.
func (s *session) measure(c *contest) error {
	say("%s: training", c.name)
	if err := s.fits(c); err != nil || c.fitOnly {
		return err
	}
	say("%s: equal models", c.name)
	if err := s.equal(c); err != nil {
		return err
	}
	say("%s: loading", c.name)
	if err := s.loading(c); err != nil {
		return err
	}
	say("%s: scoring", c.name)
	if err := s.scoring(c); err != nil {
		return err
	}
	if c.lib != "text" {
		say("%s: explaining", c.name)
		if err := s.explaining(c); err != nil {
			return err
		}
	}
	if c.browser {
		say("%s: the model for browsers", c.name)
		if err := s.browserModel(c); err != nil {
			return err
		}
		say("the curve over size")
		if err := s.curve(c); err != nil {
			return err
		}
	}
	if err := s.forget(c); err != nil || !c.own {
		return err
	}
	say("%s: our own trees", c.name)
	return s.ownTrees(c)
}

// slow is how many rounds of slow work a model gets.
func (s *session) slow(c *contest) int {
	if c.once {
		return 1
	}
	return s.size.slow
}

// fits trains with equal settings, another seed each round.
func (s *session) fits(c *contest) error {
	base := request{Do: "fit", Data: c.table.key, Trees: c.trees, Eta: c.eta, Terms: c.terms}
	ours := base
	ours.Lib, ours.Model = c.lib, "fit:us"
	list := []contender{{s.ours, ours}}
	for _, p := range c.peers {
		r := base
		r.Lib, r.Model, r.Contamination = p.lib, "fit:"+p.name, p.contamination
		list = append(list, contender{s.python, r})
	}
	quality := make([][2][]float64, len(list)) // accuracy and log loss, or AUC
	got, err := interleave(s.slow(c), len(list), func(at, round int) (reply, error) {
		w, r := list[at].w, list[at].r
		r.Seed = uint64(round + 1)
		got, err := w.call(r)
		if err != nil {
			return got, err
		}
		p, err := s.scores(w, r.Model, c.table.key, "fit")
		if err != nil {
			return got, err
		}
		a, l := c.quality(p)
		quality[at][0], quality[at][1] = append(quality[at][0], a), append(quality[at][1], l)
		return got, nil
	})
	if err != nil {
		return err
	}
	seconds := func(r reply) float64 { return r.CPU }
	first := "accuracy"
	if c.lib == "isolation" {
		first = "ROC-AUC of rare classes"
	}
	for i, p := range c.peers {
		i++
		mine, theirs := quality[0], quality[i]
		note := fmt.Sprintf("%s %s against %s", first, number(spreadOf(mine[0]).mid), number(spreadOf(theirs[0]).mid))
		s.rows = append(s.rows,
			compare("fit", c.name, "CPU-s", false, each(got[0], seconds), p.name, each(got[i], seconds), c.fitGoal, note),
			compare("memory of fit", c.name, "MB added", false, each(got[0], megabytes), p.name, each(got[i], megabytes), 0, ""),
			compare("quality", c.name, first, true, mine[0], p.name, theirs[0], 0, ""))
		if c.lib != "isolation" {
			s.rows = append(s.rows, compare("quality", c.name, "log loss", false, mine[1], p.name, theirs[1], 0, ""))
		}
	}
	return nil
}

// quality of scores on the test part: accuracy and log loss; for an isolation
// forest how well it finds the classes of less than 2 % of the rows.
func (c *contest) quality(p []float64) (float64, float64) {
	y := c.table.test.y
	if c.lib != "isolation" {
		return metric.NewConfusion(y, best(p, c.table.classes), c.table.classes).Accuracy(), logLoss(p, y, c.table.classes)
	}
	counts := make([]int, c.table.classes)
	for _, v := range y {
		counts[v]++
	}
	rare := make([]bool, len(y))
	for i, v := range y {
		rare[i] = counts[v]*50 < len(y)
	}
	return metric.AUC(metric.Curve(p, rare)), math.NaN()
}

// equal hands the first peer's trees to every side and checks that all say
// the same.
func (s *session) equal(c *contest) error {
	path := filepath.Join(s.env.dir, "models", c.key)
	fitted := "fit:" + c.peers[0].name
	limit := 0
	if c.lib == "forest" {
		limit = s.size.webNodes
	}
	size, err := s.python.call(request{Do: "export", Model: fitted, As: c.key, Data: c.table.key, Path: path, Nodes: limit})
	if err != nil {
		return err
	}
	for _, m := range []string{"fit:us", fitted} {
		w := s.python
		if m == "fit:us" {
			w = s.ours
		}
		if _, err := w.call(request{Do: "drop", Model: m}); err != nil {
			return err
		}
	}
	if size.Trees < c.trees && c.lib == "forest" {
		c.name += fmt.Sprintf(" (%d trees)", size.Trees)
	}
	c.exported = size.Trees
	say("%s: %d trees, %d nodes", c.name, size.Trees, size.Nodes)
	mine, err := s.ours.call(request{Do: "import", Model: c.key, Path: path})
	if err != nil {
		return err
	}
	if mine.Nodes != size.Nodes {
		return fmt.Errorf("%s: imported %d nodes of %d", c.name, mine.Nodes, size.Nodes)
	}
	if err := s.sizes(c, path, mine); err != nil {
		return err
	}
	return s.agreement(c, s.python, path)
}

// agreement loads path into every side and checks that all say what first
// says.
func (s *session) agreement(c *contest, first worker, path string) error {
	data := c.table.key
	want, err := s.scores(first, c.key, data, "want")
	if err != nil {
		return err
	}
	// float32 sums of the peer against our float64 ones may turn a tie.
	tie := 1e-9
	if c.lib == "xgboost" {
		tie = 1e-5
	}
	k := len(want) / c.table.test.rows()
	check := func(w worker, exact bool, data string) error {
		got, err := s.scores(w, c.key, data, "got")
		if err != nil {
			return err
		}
		limit := tie
		if !exact {
			limit = 1e-5
		}
		d, labels := agree(want, got, k, limit)
		s.differences = append(s.differences, fmt.Sprintf("%s: %s: largest difference %.2g, %d of %d labels", c.name, workerName(w), d, labels, c.table.test.rows()))
		if labels > 0 {
			s.disagreements = append(s.disagreements, s.differences[len(s.differences)-1])
		}
		return nil
	}
	if err := check(s.ours, true, data); err != nil {
		return err
	}
	for _, w := range []worker{s.nodeOurs, s.chromeOurs} {
		if _, err := w.call(request{Do: "load", Model: c.key, Path: path + ".bin"}); err != nil {
			return err
		}
		if err := check(w, true, data); err != nil {
			return err
		}
	}
	if s.hasLeaves(c) {
		if _, err := s.leaves.call(request{Do: "load", Model: c.key, Path: path + ".lightgbm"}); err != nil {
			return err
		}
		if err := check(s.leaves, true, data); err != nil {
			return err
		}
	}
	webs := []worker{s.onnx, s.nodeWeb, s.chromeWeb}
	if c.lib == "text" {
		webs = webs[1:]
		data = c.key
		for _, w := range webs {
			if _, err := w.call(request{Do: "data", Data: data, Path: path + ".f32", Features: c.terms}); err != nil {
				return err
			}
		}
	}
	for _, w := range webs {
		if _, err := w.call(request{Do: "load", Lib: "onnx", Model: c.key, Path: path + ".onnx"}); err != nil {
			return err
		}
		if err := check(w, false, data); err != nil {
			return err
		}
	}
	return nil
}

// sizes compares files.
func (s *session) sizes(c *contest, path string, mine reply) error {
	ours, nodes := float64(mine.Bytes), float64(mine.Nodes)
	type file struct {
		suffix, name string
		goal         float64
	}
	files := []file{{".onnx", "ONNX", c.onnxGoal}}
	switch {
	case c.lib == "xgboost":
		files = append(files, file{".ubj", "XGBoost UBJSON", 0})
	case !c.grown:
		files = append(files, file{".joblib", "joblib", c.joblibGoal})
	}
	for _, f := range files {
		b, err := fileBytes(path + f.suffix)
		if err != nil {
			return err
		}
		size, note := ours, ""
		if c.grown { // that ONNX file is small: it has no zeros and no covers
			size, note = float64(mine.Bare), "both without covers"
		}
		s.rows = append(s.rows, compare("file size", c.name, "kB", false, []float64{size / 1e3}, f.name, []float64{b / 1e3}, f.goal, note))
	}
	if mine.Bare > 0 {
		r := against("file size", c.name, "bytes a node", false, []float64{float64(mine.Bare) / nodes}, cmp.Or(c.bytesGoal, ownBytesGoal),
			fmt.Sprintf("edges included; %.3g with the covers that SHAP needs", ours/nodes))
		if c.bytesGoal == 0 {
			r.goal = 0
		}
		s.rows = append(s.rows, r)
	}
	return nil
}

// loading compares the way from a file in memory or on disk to a model.
func (s *session) loading(c *contest) error {
	path := filepath.Join(s.env.dir, "models", c.key)
	mine := request{Do: "load", Model: "load", Path: path + ".bin"}
	onnx := request{Do: "load", Model: "load", Lib: "onnx", Path: path + ".onnx"}
	own := request{Do: "load", Model: "load", Lib: "joblib", Path: path + ".joblib"}
	name := "scikit-learn joblib"
	if c.lib == "xgboost" {
		own.Lib, own.Path, name = "xgboost", path+".ubj", "XGBoost UBJSON"
	}
	for _, group := range []struct {
		place string
		names []string
		list  []contender
		goal  float64
	}{
		{"native", []string{name, "onnxruntime"}, []contender{{s.ours, mine}, {s.python, own}, {s.onnx, onnx}}, 0},
		{"Node", []string{"onnxruntime-web"}, []contender{{s.nodeOurs, mine}, {s.nodeWeb, onnx}}, 0},
		{"Chromium", []string{"onnxruntime-web"}, []contender{{s.chromeOurs, mine}, {s.chromeWeb, onnx}}, c.loadGoal},
	} {
		got, err := interleave(s.slow(c), len(group.list), func(at, _ int) (reply, error) {
			g := group.list[at]
			if group.place == "Chromium" {
				g.r.Seconds = s.size.chromiumSeconds()
			}
			return g.w.call(g.r)
		})
		if err != nil {
			return err
		}
		milliseconds := func(r reply) float64 { return 1e3 * r.CPU / float64(max(1, r.Rows)) }
		for i, peer := range group.names {
			s.rows = append(s.rows, compare("load", c.name+", "+group.place, "CPU-ms", false,
				each(got[0], milliseconds), peer, each(got[i+1], milliseconds), group.goal, s.clockNote(group.place)))
			if group.place != "Chromium" { // it does not tell the memory of one tab's work
				s.rows = append(s.rows, compare("memory of load", c.name+", "+group.place, "MB added", false,
					each(got[0], megabytes), peer, each(got[i+1], megabytes), 0, ""))
			}
		}
		for _, g := range group.list {
			if _, err := g.w.call(request{Do: "drop", Model: "load"}); err != nil {
				return err
			}
		}
	}
	return nil
}

// hasLeaves says whether leaves, which reads boosted trees only, scores this model.
func (s *session) hasLeaves(c *contest) bool { return s.leaves != nil && c.lib == "xgboost" }

// leavesGoal is how many times the rows of leaves TREES.md wants.
const (
	leavesName = "leaves"
	leavesGoal = 4
)

// side is one contender of scoring and where it runs; ours has no name.
type side struct {
	place, name string
	contender
}

// scoring compares batches and single rows, natively and in wasm.
func (s *session) scoring(c *contest) error {
	for _, kind := range []struct {
		do, work, unit string
		more           bool
	}{
		{"score", fmt.Sprintf("batch of %d", min(s.size.batch, c.table.test.rows())), "rows/s", true},
		{"single", "single rows", "µs a row", false},
	} {
		sides := s.sides(c, kind.do)
		var list []contender
		for _, d := range sides {
			list = append(list, d.contender)
		}
		v, err := turns(s.size.rounds, true, list, func(r reply) float64 {
			if kind.more {
				return rowsPerSecond(r)
			}
			return 1e6 / rowsPerSecond(r)
		})
		if err != nil {
			return err
		}
		us := map[string][]float64{}
		for i, d := range sides {
			if d.name == "" {
				us[d.place] = v[i]
			}
		}
		add := func(place string, d side, peer string, them []float64) {
			s.rows = append(s.rows, compare("score, "+place, c.name+", "+kind.work, kind.unit, kind.more,
				us[place], peer, them, c.scoreGoal(kind.do, place, d), s.clockNote(place)))
		}
		for i, d := range sides {
			if d.name != "" {
				add(d.place, d, d.name, v[i])
			}
		}
		for i, d := range sides {
			if d.name != "" && d.name == c.library() {
				add("Chromium", d, d.name+" native", v[i])
			}
		}
	}
	return nil
}

// library is the peer whose trees are scored, "" for our own trees.
func (c *contest) library() string {
	switch {
	case c.grown:
		return ""
	case c.lib == "xgboost":
		return "XGBoost"
	}
	return "scikit-learn"
}

// sides lists who scores c: each place ours first.
func (s *session) sides(c *contest, do string) []side {
	r := request{Do: do, Model: c.key, Data: c.table.key, Rows: s.size.batch, Seconds: s.size.seconds}
	web, webName := r, "onnxruntime-web"
	list := []side{{"native", "", contender{s.ours, r}}}
	if name := c.library(); name != "" {
		list = append(list, side{"native", name, contender{s.python, r}})
	}
	if c.lib == "text" {
		web.Data, webName = c.key, "onnxruntime-web, from numbers not text"
	} else {
		list = append(list, side{"native", "onnxruntime", contender{s.onnx, r}})
	}
	if s.hasLeaves(c) {
		list = append(list, side{"native", leavesName, contender{s.leaves, r}})
	}
	list = append(list, side{"Node", "", contender{s.nodeOurs, r}}, side{"Node", webName, contender{s.nodeWeb, web}})
	r.Seconds, web.Seconds = s.size.chromiumSeconds(), s.size.chromiumSeconds()
	return append(list, side{"Chromium", "", contender{s.chromeOurs, r}}, side{"Chromium", webName, contender{s.chromeWeb, web}})
}

// scoreGoal is what TREES.md wants of ours in place against d.
func (c *contest) scoreGoal(do, place string, d side) float64 {
	batch := do == "score"
	switch {
	case place == "Chromium" && d.place == "Chromium" && batch:
		return c.webGoal
	case place == "Chromium" && d.place == "Chromium":
		return c.singleGoal
	case place == "Chromium" && batch:
		return c.webNativeGoal
	case place == "native" && batch && d.name == leavesName:
		return leavesGoal
	case place == "native" && batch && d.name == c.library():
		return c.nativeGoal
	}
	return 0
}

// explaining compares SHAP values of all classes, and times those of each
// row's own class.
func (s *session) explaining(c *contest) error {
	r := request{Do: "shap", Model: c.key, Data: c.table.key, Rows: c.slowShap, All: true, Seconds: s.size.seconds}
	names := []string{"shap"}
	inTab := r
	inTab.Seconds = s.size.chromiumSeconds()
	list := []contender{{s.ours, r}, {s.nodeOurs, r}, {s.chromeOurs, inTab}, {s.python, r}}
	if c.lib == "xgboost" {
		names[0] = "XGBoost"
		if s.old != nil {
			path := filepath.Join(s.env.dir, "models", c.key) + ".old.json"
			if _, err := s.old.call(request{Do: "load", Lib: "xgboost", Model: c.key, Path: path}); err != nil {
				return err
			}
			names = append(names, "XGBoost 1.7.6")
			list = append(list, contender{s.old, r})
		}
	}
	v, err := turns(s.slow(c), true, list, rowsPerSecond)
	if err != nil {
		return err
	}
	for i, name := range names {
		goal, webGoal := 0.0, 0.0
		if name != "XGBoost" {
			goal, webGoal = c.shapGoal, c.webShapGoal
		}
		for at, place := range []string{"native", "Node", "Chromium"} {
			g := goal
			if at > 0 {
				g = 0
			}
			if at == 2 {
				g = webGoal
			}
			s.rows = append(s.rows, compare("explain", c.name+", all classes, "+place, "rows/s", true, v[at], name+" native", v[3+i], g, ""))
		}
	}
	if c.nodeGoal == 0 {
		return nil
	}
	r.All, inTab.All = false, false
	size, err := s.ours.call(request{Do: "import", Model: c.key, Path: filepath.Join(s.env.dir, "models", c.key)})
	if err != nil {
		return err
	}
	v, err = turns(s.slow(c), true, []contender{{s.ours, r}, {s.chromeOurs, inTab}}, func(r reply) float64 {
		return 1e9 * r.CPU / float64(r.Rows) / float64(size.Nodes)
	})
	if err != nil {
		return err
	}
	s.rows = append(s.rows,
		against("explain", c.name+", predicted class, native", "ns a node", false, v[0], c.nodeGoal, "the goal is one for the browser"),
		against("explain", c.name+", predicted class, Chromium", "ns a node", false, v[1], c.nodeGoal, join("includes the prediction", s.clockNote("Chromium"))))
	return nil
}

// join puts two notes together.
func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}

// forget lets every worker drop the model.
func (s *session) forget(c *contest) error {
	list := []worker{s.ours, s.python, s.onnx, s.nodeOurs, s.nodeWeb, s.chromeOurs, s.chromeWeb}
	if s.old != nil {
		list = append(list, s.old)
	}
	if s.leaves != nil {
		list = append(list, s.leaves)
	}
	for _, w := range list {
		if _, err := w.call(request{Do: "drop", Model: c.key}); err != nil {
			return err
		}
	}
	return nil
}
