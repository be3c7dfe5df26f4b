// Command generate writes the Go code of the .proto files beside it. It needs
// no protoc: the schema is compiled by protocompile, the code is made by the
// generator of google.golang.org/protobuf, both pinned in go.mod.
//
//	go run ./builder/internal/telemetry/pb/generate builder/internal/telemetry/pb
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: generate FOLDER")
		os.Exit(2)
	}
	files, err := Generate(os.DirFS(os.Args[1]))
	for _, f := range files {
		if err == nil {
			err = os.WriteFile(os.Args[1]+"/"+f.Name, f.Content, 0o644)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}
