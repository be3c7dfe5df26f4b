package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"path"
	"runtime"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/protoutil"
	"google.golang.org/protobuf/cmd/protoc-gen-go/internal_gengo"
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

// sources are the schemas, each after those that it imports.
var sources = []string{"messaging_schema.proto", "universal_telemetry.proto"}

// File is a generated file.
type File struct {
	Name    string
	Content []byte
}

// Generate returns the Go files of the schemas in folder. The same schemas and
// module versions give the same bytes.
func Generate(folder fs.FS) ([]File, error) {
	compiler := protocompile.Compiler{
		Resolver:       &protocompile.SourceResolver{Accessor: func(name string) (io.ReadCloser, error) { return folder.Open(name) }},
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	compiled, err := compiler.Compile(context.Background(), sources...)
	if err != nil {
		return nil, err
	}
	var set []*descriptorpb.FileDescriptorProto
	for _, f := range compiled {
		set = append(set, protoutil.ProtoFromFileDescriptor(f))
	}
	plugin, err := protogen.Options{}.New(&pluginpb.CodeGeneratorRequest{
		FileToGenerate: sources, ProtoFile: set, Parameter: proto.String("paths=source_relative"),
	})
	if err != nil {
		return nil, err
	}
	for _, f := range plugin.Files {
		if f.Generate {
			internal_gengo.GenerateFile(plugin, f)
		}
	}
	answer := plugin.Response()
	if answer.Error != nil {
		return nil, fmt.Errorf("%s: made with %s", answer.GetError(), runtime.Version())
	}
	var out []File
	for _, f := range answer.File {
		out = append(out, File{path.Base(f.GetName()), []byte(f.GetContent())})
	}
	return out, nil
}
