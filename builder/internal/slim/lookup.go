package slim

import (
	"bytes"
	"errors"
)

// Where things stand in what the runtime knows of the module, by its pointers of
// 8 bytes (runtime, type moduledata), and in a bucket of the table that leads
// from a place in the code to its function (runtime, type findfuncbucket).
const (
	atNames    = 8
	atBuckets  = 152
	atLowest   = 160 // places start here
	atHighest  = 168
	bucketSize = 20   // an index and 16 further bytes
	bucketSpan = 4096 // places, of which a function has 65,536 (internal/abi, FuncTabBucketSize)

	// coarse is how many functions one index serves.
	coarse = 64
)

// coarsen rounds the indices of that table down. The runtime searches on from
// there, which costs it 32 steps in the mean, and a visitor downloads a few of
// the numbers.
func coarsen(memory []byte, head int) error {
	var module []byte
	for at := 0; ; at++ {
		next := bytes.Index(memory[at:], le.AppendUint64(nil, uint64(head)))
		if next < 0 || at+next+atHighest+8 > len(memory) {
			return errors.New("slim: nothing refers to the table of functions")
		}
		at += next
		if module = memory[at:]; le.Uint64(module[atNames:]) == uint64(head)+le.Uint64(memory[head+8*(1+3):]) {
			break
		}
	}
	from, places := le.Uint64(module[atBuckets:]), le.Uint64(module[atHighest:])-le.Uint64(module[atLowest:])
	n := (places + bucketSpan - 1) / bucketSpan
	if places > maxMemory*bucketSpan || from > uint64(len(memory)) || n > (uint64(len(memory))-from)/bucketSize {
		return errors.New("slim: the table from places to functions is of no known layout")
	}
	for bucket := memory[from:]; n > 0; n, bucket = n-1, bucket[bucketSize:] {
		index := le.Uint32(bucket)
		clear(bucket[:bucketSize])
		le.PutUint32(bucket, index-index%coarse)
	}
	return nil
}
