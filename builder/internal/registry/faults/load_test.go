package faults_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"cloister/builder/internal/client"
	"cloister/builder/internal/registry"
	"cloister/builder/internal/registry/registrytest"
	"cloister/shared/sign"
)

// BenchmarkLoad has 8 clients make requests of a kind to the real program on
// loopback, and reports requests a second and the 50th and 99th percentile of
// the time of one in milliseconds.
func BenchmarkLoad(b *testing.B) {
	p := newPlace(b, registry.Options{})
	x := p.start(0)
	defer x.kill()
	private, _ := registrytest.Publisher()
	signed, err := sign.Bundle(private, made(b, "1.0.0"))
	if err != nil {
		b.Fatal(err)
	}
	published, err := x.c.Publish(ctx, signed, false)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := x.c.Promote(ctx, "stable", registrytest.Document(b, "stable", 1, time.Now().Add(time.Hour), published)); err != nil {
		b.Fatal(err)
	}
	get := func(path string, header ...string) func(*client.Client, int) error {
		return func(_ *client.Client, _ int) error {
			req, err := http.NewRequest(http.MethodGet, x.url+path, nil)
			if err != nil {
				return err
			}
			req.Header.Set("Authorization", "Bearer "+p.token)
			for i := 0; i < len(header); i += 2 {
				req.Header.Set(header[i], header[i+1])
			}
			res, err := pool.Do(req)
			if err != nil {
				return err
			}
			defer res.Body.Close()
			if res.StatusCode >= 400 {
				return fmt.Errorf("status %d", res.StatusCode)
			}
			_, err = io.Copy(io.Discard, res.Body)
			return err
		}
	}
	file := "/v1/bundles/" + published.Path
	for _, kind := range []struct {
		name string
		do   func(*client.Client, int) error
	}{
		{"health", get("/healthz")},
		{"list", get("/v1/bundles")},
		{"channel", get("/v1/channels/stable")},
		{fmt.Sprintf("download of %d kB", len(signed)/1000), get(file)},
		{"not modified", get(file, "If-None-Match", `"sha256-`+published.SHA256+`"`)},
		{"range of 1 kB", get(file, "Range", "bytes=1000-1999")},
		{"publish again", func(c *client.Client, _ int) error { _, err := c.Publish(ctx, signed, false); return err }},
		{"upload of 64 kB", func(c *client.Client, i int) error {
			data := fmt.Appendf(nil, "%d %d\n", time.Now().UnixNano(), i)
			data = append(data, bytes.Repeat([]byte("x"), 64000)...)
			_, err := c.Upload(ctx, fmt.Sprintf("%d-%d.csv", time.Now().UnixNano(), i), bytes.NewReader(data), int64(len(data)))
			return err
		}},
	} {
		b.Run(kind.name, func(b *testing.B) {
			const clients = 8
			var mu sync.Mutex
			var took []time.Duration
			next := 0
			begun := time.Now()
			b.ResetTimer()
			var wg sync.WaitGroup
			for range clients {
				wg.Go(func() {
					for {
						mu.Lock()
						i := next
						next++
						mu.Unlock()
						if i >= b.N {
							return
						}
						start := time.Now()
						if err := kind.do(x.c, i); err != nil {
							b.Error(err)
							return
						}
						mu.Lock()
						took = append(took, time.Since(start))
						mu.Unlock()
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			slices.Sort(took)
			if n := len(took); n > 0 {
				b.ReportMetric(float64(n)/time.Since(begun).Seconds(), "req/s")
				b.ReportMetric(float64(took[n/2].Microseconds())/1000, "p50-ms")
				b.ReportMetric(float64(took[n*99/100].Microseconds())/1000, "p99-ms")
			}
		})
	}
}

// pool keeps the connections of the clients.
var pool = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
