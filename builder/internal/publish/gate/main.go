// Command gate replays the test vectors of a bundle: built for js/wasm and run
// in Node it is the second half of the gate that publish.Replay runs.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"cloister/shared/score"
)

// maxBundle is the default limit of package bundle.
const maxBundle = 64 << 20

func main() {
	if err := replay(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// replay loads the bundle in the file named, which replays its vectors, and
// prints what it is.
func replay(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("usage: gate BUNDLE")
	}
	info, err := os.Stat(args[0])
	if err != nil {
		return err
	}
	if info.Size() > maxBundle {
		return fmt.Errorf("%d bytes, a bundle has at most %d", info.Size(), maxBundle)
	}
	file, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	b, err := score.New().Load(file)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{"sha256": b.SHA256, "vectors": b.Vectors})
}
