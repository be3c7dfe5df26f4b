//go:build !js

package main_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// startBudget and requestBudget are milliseconds of processor time: a quarter of
// what the platform gives a program to start, and what its free plan gives a
// request.
const (
	startBudget   = 250
	requestBudget = 10
)

// BenchmarkEdge_load asks both modes in turns, one second each, for an
// answer without storage, one with it, and 20 rows to score, with one and with eight clients:
//
//	make edge && go test ./wasm/edge -run '^$' -bench load -benchtime 5x
//
// Per pair of kind and mode it prints requests per second, the median and the
// 99th percentile of the time to the whole answer, the processor time of workerd
// per request, and what it holds.
// Figures include wrangler's local proxy, which is the same for both.
func BenchmarkEdge_load(b *testing.B) {
	file, err := os.ReadFile("../../models/sample/flows.csv")
	if err != nil {
		b.Fatal(err)
	}
	rows := bytes.Join(bytes.SplitAfterN(file, []byte("\n"), 22)[:21], nil)
	modes := map[string]*deployment{"shim": deploy(b), "stock": deploy(b, "MODE:stock")}
	for _, d := range modes {
		d.publish(1, "flows/1.0.0", d.signed())
	}
	kinds := []struct {
		name, method, path string
		body               []byte
	}{{"health", "GET", "/healthz", nil}, {"ready", "GET", "/readyz", nil}, {"score 20 rows", "POST", "/score", rows}}
	for _, kind := range kinds {
		for _, clients := range []int{1, 8} {
			name := kind.name + map[int]string{1: ", 1 client", 8: ", 8 clients"}[clients]
			took, worked := map[string][]time.Duration{}, map[string]float64{}
			var mu sync.Mutex
			b.Run(name, func(b *testing.B) {
				for range b.N {
					for _, mode := range []string{"shim", "stock"} {
						before, err := processorTime(modes[mode].cmd.Process.Pid)
						if err != nil {
							b.Fatal(err)
						}
						end := time.Now().Add(time.Second)
						var wg sync.WaitGroup
						for range clients {
							wg.Go(func() {
								for time.Now().Before(end) {
									start := time.Now()
									if err := modes[mode].once(kind.method, kind.path, kind.body); err != nil {
										b.Error(err)
										return
									}
									mu.Lock()
									took[mode] = append(took[mode], time.Since(start))
									mu.Unlock()
								}
							})
						}
						wg.Wait()
						after, err := processorTime(modes[mode].cmd.Process.Pid)
						if err != nil {
							b.Fatal(err)
						}
						worked[mode] += after - before
					}
				}
				for _, mode := range []string{"shim", "stock"} {
					t := took[mode]
					if len(t) == 0 {
						b.Fatalf("%s: no answer", mode)
					}
					slices.Sort(t)
					held, err := memory(modes[mode].cmd.Process.Pid)
					if err != nil {
						b.Fatal(err)
					}
					b.ReportMetric(float64(len(t))/float64(b.N), mode+"-req/s")
					b.ReportMetric(float64(t[len(t)/2].Microseconds())/1000, mode+"-p50-ms")
					b.ReportMetric(float64(t[len(t)*99/100].Microseconds())/1000, mode+"-p99-ms")
					b.ReportMetric(float64(held>>20), mode+"-MB")
					b.ReportMetric(worked[mode]*1000/float64(len(t)), mode+"-cpu-ms")
					if mode == "shim" {
						b.ReportMetric(float64(modes[mode].linear()), "linear-MB")
					}
				}
				each := func(mode string) float64 { return worked[mode] * 1000 / float64(len(took[mode])) }
				if kind.name == "health" && clients == 1 {
					b.ReportMetric(each("stock")-each("shim"), "start-cpu-ms")
					if start := each("stock") - each("shim"); start > startBudget {
						b.Errorf("starting the program takes %.0f ms of processor time, the budget is %d", start, startBudget)
					}
					if each("shim") > requestBudget {
						b.Errorf("a request takes %.1f ms of processor time, the budget is %d", each("shim"), requestBudget)
					}
				}
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// linear returns the megabytes of linear memory that the last line of the log
// gives for the program.
func (d *deployment) linear() (mb int) {
	text := d.logged()
	if i := strings.LastIndex(text, `"mb":`); i >= 0 {
		_, _ = fmt.Sscanf(text[i:], `"mb":%d`, &mb) // 0 says that there is none
	}
	return mb
}

func (d *deployment) once(method, path string, body []byte) error {
	req, err := http.NewRequest(method, d.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+scoreToken)
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err = io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != 200 && resp.StatusCode != 429 {
		return &statusError{resp.Status}
	}
	return nil
}

type statusError struct{ status string }

func (e *statusError) Error() string { return "answered " + e.status }
