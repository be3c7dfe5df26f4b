//go:build !js

// Peers measures our trees against scikit-learn, XGBoost, LightGBM, shap,
// onnxruntime, onnxruntime-web and the Go library leaves, which it installs into
// build/peers. It hides how eight programs are made to do the same work in turns.
//
//	go run ./builder/internal/peers                     # make peers
//	PEERS_SCALE=full go run ./builder/internal/peers    # 200k × 43, hours
//
// Every side runs with one thread in a process (or tab) of its own and
// answers requests in JSON, so that what is timed is one core's processor
// time of that side alone, and what is read as memory is its own. Contenders
// take turns round by round; a row shows medians with their least and largest
// values, and the ratio of the medians with the least and largest ratio of a
// round. Ratios above 1 mean that we are ahead.
//
// Scoring, loading, explaining and file sizes compare equal models: the
// peer's trees, imported, and of deep forests our own trees, exported; the run
// fails if one label differs. A row that comes alone becomes a label and scores. Training
// compares equal settings, with the quality of both beside it.
//
// Limits: Linux (processor time and memory come from /proc); Chromium's
// processor time has steps of 10 ms and covers the whole renderer; ours is
// called from Go for single rows in wasm, as the scorer does, while
// onnxruntime-web is called from JavaScript.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// workerFlag makes the program our native worker.
const workerFlag = "-worker"

func main() {
	if len(os.Args) == 2 && os.Args[1] == workerFlag {
		if err := serveNative(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	scale := flag.String("scale", orDefault(os.Getenv("PEERS_SCALE"), "small"), "tiny, small or full; the default is PEERS_SCALE or small")
	data := flag.String("data", filepath.Join("..", "shared", "data"), "`folder` of real data; what is missing there is left out")
	only := flag.String("only", "", "measure only models (-quality: data sets) whose name contains this `text`")
	compareKinds := flag.Bool("quality", false, "compare families of models on real data instead of measuring speed")
	out := flag.String("out", filepath.Join("build", "peers.json"), "`file` for the table as JSON")
	flag.Parse()
	size, ok := sizes[*scale]
	if !ok || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "peers: unknown scale or argument: see -help")
		os.Exit(2)
	}
	if *compareKinds {
		if err := quality(*data, *only); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if err := peers(size, *data, *only, *out); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func orDefault(v, d string) string {
	if v == "" {
		return d
	}
	return v
}

// peers does one run.
func peers(size size, data, only, out string) (err error) {
	if only == capturesArea {
		return captures(data, out)
	}
	began := time.Now()
	e, err := setUp(filepath.Join("build", "peers"))
	if err != nil {
		return err
	}
	if e.old == "" {
		say("XGBoost 1.7.6 does not install here, its rows are left out: %s", e.oldWhy)
	}
	cases, err := allCases(size, data)
	if err != nil {
		return err
	}
	cases = slices.DeleteFunc(cases, func(c *contest) bool { return !strings.Contains(c.name, only) })
	if len(cases) == 0 {
		return fmt.Errorf("peers: no model's name contains %.64q", only)
	}
	s, err := begin(e, size)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.end()) }()
	versions, err := s.python.call(request{Do: "versions"})
	if err != nil {
		return err
	}
	fmt.Printf("peers: scale %s; %s, onnxruntime-web %s; load %s\n", size.name, versions.Text, webVersion, loadAverage())
	shared := map[*table]bool{}
	for _, c := range cases {
		if !shared[c.table] {
			fmt.Println("data", c.table.text)
			if err := s.share(c.table); err != nil {
				return err
			}
			shared[c.table] = true
		}
	}
	for _, c := range cases {
		if err := s.measure(c); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	if err := printTable(os.Stdout, s.rows); err != nil {
		return err
	}
	fmt.Printf("\nagreement of equal models\n  %s\n", strings.Join(s.differences, "\n  "))
	fmt.Printf("\nratio > 1: we are ahead. Medians (least..largest) of one core's processor time. %v, load %s\n", time.Since(began).Round(time.Second), loadAverage())
	if err := writeJSON(out, s.rows); err != nil {
		return err
	}
	if len(s.disagreements) > 0 {
		return fmt.Errorf("peers: labels differ on equal models:\n  %s", strings.Join(s.disagreements, "\n  "))
	}
	return nil
}

// loadAverage is the machine's, for people who read the table.
func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	if f := strings.Fields(string(b)); err == nil && len(f) > 2 {
		return strings.Join(f[:3], " ")
	}
	return "unknown"
}

// allCases lists the models, on real tables where they are.
func allCases(size size, data string) ([]*contest, error) {
	made := generatedTable("S", 1, size.train, size.test)
	real := func(read func() (*table, error)) (*table, error) {
		t, err := read()
		if missing(err) {
			fmt.Println("data:", err, "(real data; the generated table takes its place)")
			return made, nil
		}
		return t, err
	}
	k, err := real(func() (*table, error) { return nslKDD(data, size.real) })
	if err != nil {
		return nil, err
	}
	b, err := real(func() (*table, error) { return netflow(data, size.real) })
	if err != nil {
		return nil, err
	}
	sklearn, lightgbm := "scikit-learn", "LightGBM"
	forest := func(key string, t *table, trees int) *contest {
		return &contest{key: key, name: fmt.Sprintf("forest %d, %s", trees, t.key), lib: "forest", table: t, trees: trees,
			peers: []fitPeer{{"forest", sklearn, 0}}, slowShap: 16, fitGoal: 7, singleGoal: 10, bytesGoal: 1.2, onnxGoal: 30, joblibGoal: 80, nativeGoal: 4}
	}
	boost := func(key string, t *table, rounds int, eta float64) *contest {
		return &contest{key: key, name: fmt.Sprintf("boosting %d, %s", rounds, t.key), lib: "xgboost", table: t, trees: rounds, eta: eta,
			peers: []fitPeer{{"xgboost", "XGBoost", 0}, {"lightgbm", lightgbm, 0}}, slowShap: 128,
			fitGoal: 1, singleGoal: 10, nativeGoal: 1.4, webGoal: 4, webNativeGoal: 2, shapGoal: 20, webShapGoal: 50}
	}
	deep := forest("forest100", made, 100)
	deep.own, deep.webGoal, deep.nodeGoal, deep.bytesGoal, deep.joblibGoal = true, 4, 40, 0, 0
	// Half a million nodes in few trees, which need many rows: what onnxruntime-web
	// takes to load grows with the square of a tree's nodes.
	large := generatedTable("L", 1, size.large, size.test)
	deepest := forest("forest20", large, 20)
	deepest.bytesGoal, deepest.joblibGoal = 0, 0
	deepest.own, deepest.webGoal, deepest.loadGoal, deepest.nodeGoal, deepest.once, deepest.slowShap = true, 4, 100, 40, true, 4
	small := forest("forest300", k, 300)
	small.webGoal = 2
	small100 := boost("boost100", made, 100, 0.3)
	small100.browser = true
	list := []*contest{
		deep, deepest, small,
		small100, boost("boost500", k, 500, 0.1),
		{key: "isolation100", name: "isolation 100, " + b.key, lib: "isolation", table: b, trees: 100,
			peers:    []fitPeer{{"isolation", sklearn, 0}, {"isolation", sklearn + " with contamination", 0.01}},
			slowShap: 64, fitGoal: 3, nativeGoal: 3},
	}
	for _, t := range []*table{made, k} {
		list = append(list, &contest{key: "extra100" + t.key, name: "extra trees 100, " + t.key, lib: "extra", table: t, trees: 100,
			fitOnly: true, peers: []fitPeer{{"extra", sklearn, 0}}})
	}
	if size.everythingOnLarge {
		list = append(list, forest("forest300S", made, 300), boost("boost500S", made, 500, 0.1))
	}
	t, err := alerts(data)
	if missing(err) {
		fmt.Println("data:", err, "(real texts; TF-IDF + forest is left out)")
		return list, nil
	} else if err != nil {
		return nil, err
	}
	return append(list, &contest{key: "text100", name: "TF-IDF + forest 100, T", lib: "text", table: t, trees: 100, terms: 1000,
		peers: []fitPeer{{"text", sklearn, 0}}, fitGoal: 3, nativeGoal: 3}), nil
}
