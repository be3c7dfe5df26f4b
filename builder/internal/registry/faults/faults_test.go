// Package faults_test does to the real program what machines do: it is killed
// at any moment, its disk is full, its files cannot be read.
package faults_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cloister/builder/internal/client"
	"cloister/builder/internal/registry"
	"cloister/builder/internal/registry/registrytest"
	"cloister/builder/internal/registry/trainer"
	"cloister/shared/sign"
)

var ctx = context.Background()

// program is the real one, built for the tests.
var program string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "cloister-faults-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "cloister")
	build := exec.Command("go", "build", "-o", program, "cloister/builder")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v: %s\n", err, out)
		return 1
	}
	return m.Run()
}

// place is a registry that processes come to and are killed.
type place struct {
	t     testing.TB
	dir   string
	args  []string // of serve
	o     registry.Options
	token string
}

func newPlace(t testing.TB, o registry.Options) *place {
	t.Helper()
	_, key := registrytest.Publisher()
	p := &place{t: t, dir: t.TempDir()}
	if o.Dir == "" {
		o.Dir = filepath.Join(p.dir, "registry")
	}
	o.Keys, o.Log = []sign.Key{key}, slog.New(slog.DiscardHandler)
	p.o = o
	keyFile, site := filepath.Join(p.dir, "key.pub"), filepath.Join(p.dir, "site")
	if err := os.WriteFile(keyFile, key.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(site, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(site, "index.html"), []byte("<!doctype html>"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.args = []string{"serve", "--addr", "127.0.0.1:0", "--site", site, "--registry", o.Dir, "--key", keyFile,
		"--lease", "300ms", "--attempts", "1000000", "--rate", "100000", "--database", o.Database, "--objects", o.Objects}
	p.open(func(r *registry.Registry) {
		var err error
		if p.token, _, err = r.CreateToken(ctx, registry.Local, "faults", registry.Admin, 0); err != nil {
			t.Fatal(err)
		}
	})
	return p
}

// open opens the registry while no process has it.
func (p *place) open(f func(*registry.Registry)) {
	p.t.Helper()
	r, err := registry.Open(ctx, p.o)
	if err != nil {
		p.t.Fatal(err)
	}
	f(r)
	if err := r.Close(); err != nil {
		p.t.Error(err)
	}
}

// process is a running program.
type process struct {
	cmd *exec.Cmd
	c   *client.Client
	url string
	log *bytes.Buffer
}

// start starts the program; it returns nil if the program was killed before it
// listened.
func (p *place) start(killAfter time.Duration) *process {
	p.t.Helper()
	x := &process{log: &bytes.Buffer{}}
	x.cmd = exec.Command(program, p.args...)
	x.cmd.Stderr = x.log
	out, err := x.cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := x.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	if killAfter > 0 {
		time.AfterFunc(killAfter, func() { _ = x.cmd.Process.Kill() }) // it may have ended
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		_ = x.cmd.Wait() // killed
		if killAfter == 0 {
			p.t.Fatalf("it does not start: %s", x.log)
		}
		return nil
	}
	x.url = strings.TrimPrefix(lines.Text(), "Cloister is at ")
	go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the process
	x.c, err = client.New(x.url, client.Options{Token: p.token, Retries: -1, HTTP: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}})
	if err != nil {
		p.t.Fatal(err)
	}
	return x
}

// kill ends the process at once and waits.
func (x *process) kill() {
	_ = x.cmd.Process.Kill() // it may have ended
	_ = x.cmd.Wait()         // "signal: killed"
}

// small is training data for jobs that take a moment.
var small = sync.OnceValue(func() []byte {
	text, err := os.ReadFile(registrytest.Sample())
	if err != nil {
		panic(err)
	}
	var out []byte
	n := 0
	for line := range bytes.Lines(text) {
		if n == 0 || n%3 == 0 || bytes.Contains(line, []byte("nject")) {
			out = append(out, line...)
		}
		n++
	}
	return out
})

// made returns what a job of that version makes, unsigned.
func made(t testing.TB, version string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "small.csv")
	if err := os.WriteFile(path, small(), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := trainer.Train(ctx, registry.Spec{Recipe: "flows", Version: version}, []registry.Input{{Name: "small.csv", File: f, Size: int64(len(small()))}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// acks is what the program said was done: it must still be so after it died.
type acks struct {
	mu        sync.Mutex
	published map[string]string // version to digest
	channel   int64
	jobs      map[string]string // id to version
	cut       map[string]int    // calls that no answer came to, by kind
}

func (a *acks) note(kind string, err error, done func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil {
		done()
	} else if _, ok := errors.AsType[*client.Error](err); !ok {
		a.cut[kind]++
	}
}

// The program is killed at a hundred random moments while it trains, publishes
// and promotes. After each the registry is consistent and has everything that
// was acknowledged; at the end every job has been done, with the bytes that an
// undisturbed run gives.
func TestKill_atAnyMoment(t *testing.T) {
	const kills, places = 100, 4
	_, bundles := prepare(t)
	total := &acks{cut: map[string]int{}}
	running := 0
	t.Run("group", func(t *testing.T) {
		for i := range places {
			t.Run(fmt.Sprintf("sqlite and folder %d", i), func(t *testing.T) {
				t.Parallel()
				p := newPlace(t, registry.Options{})
				killing(t, p, rand.New(rand.NewPCG(uint64(i), 5)), kills/places, bundles, total, &running)
			})
		}
		if pg, s3 := os.Getenv("CLOISTER_TEST_POSTGRES"), os.Getenv("CLOISTER_TEST_S3"); pg != "" && s3 != "" {
			t.Run("postgres and s3", func(t *testing.T) {
				t.Parallel()
				p := newPlace(t, registry.Options{Database: registrytest.FreshSchema(t, pg), Objects: registrytest.FreshPrefix(t, s3)})
				killing(t, p, rand.New(rand.NewPCG(9, 5)), kills/places, bundles, total, &running)
			})
		}
	})
	t.Logf("calls cut off: %v; jobs found running after a kill: %d", total.cut, running)
	for _, kind := range []string{"publish", "promote", "upload"} {
		if total.cut[kind] < 3 {
			t.Errorf("%d kills hit %s: the test does not do what it says", total.cut[kind], kind)
		}
	}
	if running < kills/10 {
		t.Errorf("%d kills hit training", running)
	}
}

// prepare makes the bundles that are published and their versions.
func prepare(t *testing.T) (versions []string, bundles map[string][]byte) {
	t.Helper()
	private, _ := registrytest.Publisher()
	bundles = map[string][]byte{}
	for i := range 8 {
		version := fmt.Sprintf("1.%d.0", i)
		signed, err := sign.Bundle(private, made(t, version))
		if err != nil {
			t.Fatal(err)
		}
		versions, bundles[version] = append(versions, version), signed
	}
	return versions, bundles
}

func killing(t *testing.T, p *place, rng *rand.Rand, kills int, bundles map[string][]byte, total *acks, running *int) {
	a := &acks{published: map[string]string{}, jobs: map[string]string{}, cut: map[string]int{}}
	window := int64(200 * time.Millisecond)
	for n := range kills {
		if n%5 == 4 && (len(a.jobs) == 0 || len(a.published) == 0 || a.channel == 0) {
			window *= 2 // a slow machine: nothing of a kind has come to an answer yet
		}
		early := time.Duration(0)
		if rng.IntN(8) == 0 {
			early = time.Duration(1 + rng.Int64N(int64(60*time.Millisecond)))
		}
		x := p.start(early)
		if x != nil {
			stop := make(chan struct{})
			var wg sync.WaitGroup
			seed := rng.Uint64()
			wg.Go(func() { a.submitting(x, stop) })
			wg.Go(func() { a.publishing(x, stop, bundles, seed) })
			wg.Go(func() { a.promoting(t, x, stop) })
			time.Sleep(time.Duration(rng.Int64N(window)))
			x.kill()
			close(stop)
			wg.Wait()
		}
		p.open(func(r *registry.Registry) {
			registrytest.Consistent(t, r)
			a.holds(t, r)
			states, err := r.JobStates(ctx)
			if err != nil {
				t.Fatal(err)
			}
			total.mu.Lock()
			*running += states[registry.Running]
			total.mu.Unlock()
		})
		if t.Failed() {
			t.Fatalf("after kill %d", n+1)
		}
	}
	// Everything that was begun comes to its end.
	x := p.start(0)
	defer x.kill()
	for id, version := range a.jobs {
		j, err := x.c.Watch(ctx, id, func(registry.Job) {})
		if err != nil || j.State != registry.Done {
			t.Fatalf("job %s: %+v, %v", id, j, err)
		}
		file, err := x.c.Result(ctx, j)
		if err != nil || !bytes.Equal(file, unsigned(t, bundles[version])) {
			t.Errorf("job %s of version %s, attempt %d: other bytes than an undisturbed run makes, %v", id, version, j.Attempt, err)
		}
	}
	if len(a.jobs) == 0 || len(a.published) == 0 || a.channel == 0 {
		t.Errorf("%d jobs, %d bundles, channel %d: nothing was acknowledged", len(a.jobs), len(a.published), a.channel)
	}
	total.mu.Lock()
	defer total.mu.Unlock()
	for kind, n := range a.cut {
		total.cut[kind] += n
	}
}

// submitting keeps two jobs going.
func (a *acks) submitting(x *process, stop <-chan struct{}) {
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		default:
		}
		if _, err := x.c.Upload(ctx, "small.csv", bytes.NewReader(small()), int64(len(small()))); err != nil {
			a.note("upload", err, nil)
			time.Sleep(5 * time.Millisecond)
			continue
		}
		waiting := 0
		for _, state := range []string{registry.Queued, registry.Running} {
			list, err := x.c.Jobs(ctx, state)
			if err != nil {
				return
			}
			waiting += len(list)
		}
		if waiting < 2 {
			version := fmt.Sprintf("1.%d.0", i%8)
			j, err := x.c.Submit(ctx, registry.Spec{Recipe: "flows", Data: []string{"small.csv"}, Version: version})
			a.note("submit", err, func() { a.jobs[j.ID] = version })
		}
	}
}

// publishing publishes bundles, new ones and again.
func (a *acks) publishing(x *process, stop <-chan struct{}, bundles map[string][]byte, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	for {
		select {
		case <-stop:
			return
		default:
		}
		version := fmt.Sprintf("1.%d.0", rng.IntN(len(bundles)))
		b, err := x.c.Publish(ctx, bundles[version], false)
		a.note("publish", err, func() { a.published[version] = b.SHA256 })
		if err != nil {
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// promoting makes the channel hand out one published bundle after the other.
func (a *acks) promoting(t *testing.T, x *process, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		list, err := x.c.Bundles(ctx, "flows")
		if err != nil || len(list) == 0 {
			time.Sleep(5 * time.Millisecond)
			continue
		}
		a.mu.Lock()
		next := a.channel + 1
		a.mu.Unlock()
		c, err := x.c.Promote(ctx, "stable", registrytest.Document(t, "stable", next, time.Now().Add(time.Hour), list[int(next)%len(list)]))
		a.note("promote", err, func() { a.channel = c.Version })
		if e, ok := errors.AsType[*client.Error](err); ok && e.Status == http.StatusConflict {
			a.mu.Lock()
			a.channel = next // it was done, and the answer was cut off
			a.mu.Unlock()
		}
	}
}

// holds checks that what was acknowledged is there.
func (a *acks) holds(t *testing.T, r *registry.Registry) {
	t.Helper()
	for version, sha := range a.published {
		if b, err := r.Bundle(ctx, "flows", version); err != nil || b.SHA256 != sha {
			t.Errorf("version %s was acknowledged as %.12s and is %.12s: %v", version, sha, b.SHA256, err)
		}
	}
	if a.channel > 0 {
		if c, err := r.Channel(ctx, "stable"); err != nil || c.Version < a.channel || c.Version > a.channel+1 {
			t.Errorf("channel version %d was acknowledged, it is %d: %v", a.channel, c.Version, err)
		}
	}
	for id := range a.jobs {
		if _, err := r.Job(ctx, id); err != nil {
			t.Errorf("a job that was acknowledged: %v", err)
		}
	}
}

// unsigned returns the bundle that was signed, by its version.
func unsigned(t *testing.T, signed []byte) []byte {
	t.Helper()
	b, err := sign.Detach(signed)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// SIGTERM during a job: the job goes back to the queue at once, and the
// process ends without an error.
func TestStop_handsBack(t *testing.T) {
	p := newPlace(t, registry.Options{})
	p.args = append(p.args, "--lease", "1h")
	x := p.start(0)
	if _, err := x.c.Upload(ctx, "small.csv", bytes.NewReader(small()), int64(len(small()))); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for range 5 {
		j, err := x.c.Submit(ctx, registry.Spec{Recipe: "flows", Data: []string{"small.csv"}})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, j.ID)
	}
	time.Sleep(30 * time.Millisecond)
	if err := x.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := x.cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, x.log)
	}
	x = p.start(0)
	defer x.kill()
	for _, id := range ids {
		if j, err := x.c.Watch(ctx, id, func(registry.Job) {}); err != nil || j.State != registry.Done || j.Attempt != 1 {
			t.Errorf("%+v, %v", j, err)
		}
	}
}
