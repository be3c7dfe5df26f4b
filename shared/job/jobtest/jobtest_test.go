package jobtest_test

import (
	"errors"
	"io"
	"testing"

	"cloister/shared/job"
	"cloister/shared/job/jobtest"
)

// Messages arrive in order, once, with the bytes they had; what was sent before
// the end is still received.
func TestPipe(t *testing.T) {
	near, far := jobtest.Pipe()
	if _, ok := far.Poll(); ok {
		t.Error("a message that nobody sent")
	}
	data := []byte("one")
	for _, m := range []job.Message{{Data: data}, {Data: []byte("two")}, {Data: []byte("three")}} {
		if err := near.Send(m); err != nil {
			t.Fatal(err)
		}
	}
	copy(data, "xxx")
	if m, err := far.Receive(); err != nil || string(m.Data) != "one" {
		t.Errorf("%q, %v", m.Data, err)
	}
	if m, ok := far.Poll(); !ok || string(m.Data) != "two" {
		t.Errorf("%q, %v", m.Data, ok)
	}
	waits := make(chan error)
	go func() {
		_, err := near.Receive()
		waits <- err
	}()
	far.Close()
	if err := <-waits; !errors.Is(err, io.EOF) {
		t.Errorf("the other end hears %v", err)
	}
	if m, err := far.Receive(); err != nil || string(m.Data) != "three" {
		t.Errorf("%q, %v", m.Data, err)
	}
	if _, err := far.Receive(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last: %v", err)
	}
	if err := near.Send(job.Message{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("sent after the end: %v", err)
	}
}
