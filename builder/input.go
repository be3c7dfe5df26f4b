package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"cloister/shared/job"
)

// input is an opened data file, or standard input held in memory.
type input struct {
	io.ReaderAt
	name  string
	path  string // "" for standard input
	size  int64
	close func() error
}

var _ job.File = (*input)(nil)

// Name returns the name without folders: bundles and reports do not depend on
// where a file lies.
func (f *input) Name() string { return f.name }

// Path returns where the file lies, for what lies beside it; "" for standard
// input.
func (f *input) Path() string { return f.path }

// Size returns the size in bytes.
func (f *input) Size() int64 { return f.size }

// Close releases the file.
func (f *input) Close() error { return f.close() }

// maxStdin bounds standard input, which has to be kept for reading rows again.
const maxStdin = 1 << 30

// openInput opens the file called name; "-" is standard input.
func openInput(name string, stdin io.Reader) (*input, error) {
	if name == "-" {
		b, err := io.ReadAll(io.LimitReader(stdin, maxStdin+1))
		if err != nil {
			return nil, fmt.Errorf("standard input: %w", err)
		}
		if len(b) > maxStdin {
			return nil, fmt.Errorf("standard input: more than %d bytes: write it to a file first", maxStdin)
		}
		return &input{bytes.NewReader(b), "standard-input", "", int64(len(b)), func() error { return nil }}, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: not a regular file", name)
	}
	if err != nil {
		return nil, closing(f, err)
	}
	return &input{f, filepath.Base(name), name, info.Size(), f.Close}, nil
}

// closing closes c and returns err, the first error being the one that counts.
func closing(c io.Closer, err error) error {
	if e := c.Close(); e != nil && err == nil {
		return e
	}
	return err
}
