package tune_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"cloister/builder/internal/tune"
)

// childDir names the directory of a search that the test program makes
// instead of testing.
const childDir = "CLOISTER_TUNE_TEST_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		if err := child(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// victim is the search that is killed.
func victim(dir string) (tune.Space, tune.Options) {
	space, _ := tune.DefaultSpace(tune.Forest)
	return space, tune.Options{Search: tune.Halving, Draws: 12, Folds: 5, Seed: 3, Workers: 2, Journal: filepath.Join(dir, "journal.ndjson")}
}

func child(dir string) error {
	data, err := readFlows()
	if err != nil {
		return err
	}
	space, o := victim(dir)
	r, err := tune.Run(context.Background(), data, space, o)
	if err != nil {
		return err
	}
	b, err := r.JSON()
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "result.json"), b, 0o644)
}

// size returns the length of a file, 0 while it is not there.
func size(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// A search killed at random points, its process gone without a word, gives in
// the end what an uninterrupted one gives, byte for byte.
func TestRun_killed(t *testing.T) {
	const kills, total = 4, 15_000 // bytes of the whole journal, about
	dir := t.TempDir()
	space, o := victim(dir)
	rng := rand.New(rand.NewPCG(11, uint64(time.Now().UnixNano()))) // other points each time
	start := func() *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childDir+"="+dir)
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	result := filepath.Join(dir, "result.json")
	for range kills {
		before := size(o.Journal)
		cmd := start()
		exited := make(chan error, 1)
		go func() { exited <- cmd.Wait() }()
		more := rng.Int64N(total / kills / 2)
		tick := time.NewTicker(200 * time.Microsecond)
		deadline := time.After(10 * time.Second)
		for waiting := true; waiting; {
			select {
			case <-tick.C:
				waiting = size(o.Journal) <= before+more
			case err := <-exited:
				t.Fatalf("the search ended before it was killed: %v", err)
			case <-deadline:
				t.Error("the journal does not grow")
				waiting = false
			}
		}
		tick.Stop()
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-exited
		if size(result) != 0 {
			t.Fatal("a result before the end")
		}
		t.Logf("killed with %d bytes in the journal", size(o.Journal))
	}
	if err := start().Wait(); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(result)
	if err != nil {
		t.Fatal(err)
	}
	o.Journal, o.Workers = "", 1
	if want := text(t, run(t, flows(t), space, o)); string(got) != want {
		t.Error("killed and gone on with, the search gives another result")
	}
}
