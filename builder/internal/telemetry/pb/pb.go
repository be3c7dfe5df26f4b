// Package pb holds the protobuf messages in which agents keep telemetry, and
// the code generated from them by
//
//	go run ./builder/internal/telemetry/pb/generate builder/internal/telemetry/pb
//
// A test fails when the code is not what the schemas give.
package pb

//go:generate go run ./generate .
