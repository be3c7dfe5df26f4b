package main

import (
	"io"
	"path/filepath"

	"cloister/builder/internal/phase"
)

// folder is where the files of a phase go. A name may be a path; "" is the
// folder of the process.
type folder string

var _ phase.Out = folder("")

// Write implements [phase.Out].
func (f folder) Write(name string, write func(io.Writer) error) error {
	return writeTo(filepath.Join(string(f), name), write)
}

// openFiles opens files for a phase; done closes them.
func openFiles(names []string, stdin io.Reader) (files []phase.File, done func(), err error) {
	var open []*input
	done = func() {
		for _, f := range open {
			f.Close() // only read
		}
	}
	for _, name := range names {
		f, err := openInput(name, stdin)
		if err != nil {
			done()
			return nil, nil, err
		}
		open = append(open, f)
		files = append(files, phase.File{Name: f.Name(), ReaderAt: f, Size: f.Size()})
	}
	return files, done, nil
}
