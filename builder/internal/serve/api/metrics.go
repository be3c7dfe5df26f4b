package api

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"cloister/builder/internal/registry"
)

// metrics is what Prometheus reads.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	received prometheus.Counter
	r        *registry.Registry
	log      *slog.Logger

	jobs, bundles, yanked, expiry *prometheus.Desc
}

var _ prometheus.Collector = (*metrics)(nil)

func newMetrics(r *registry.Registry, log *slog.Logger) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "cloister_http_request_seconds", Help: "Time to answer, by route, method and status.", Buckets: prometheus.ExponentialBuckets(0.0005, 4, 9),
		}, []string{"route", "method", "status"}),
		received: prometheus.NewCounter(prometheus.CounterOpts{Name: "cloister_received_bytes_total", Help: "Bytes of bundles and data that came in."}),
		r:        r, log: log,
		jobs:    prometheus.NewDesc("cloister_jobs", "Jobs by state.", []string{"state"}, nil),
		bundles: prometheus.NewDesc("cloister_bundles", "Published bundles that are not yanked.", nil, nil),
		yanked:  prometheus.NewDesc("cloister_bundles_yanked", "Published bundles that are yanked.", nil, nil),
		expiry:  prometheus.NewDesc("cloister_channel_expires_seconds", "Unix time at which the current state of a channel expires.", []string{"channel"}, nil),
	}
	m.registry.MustRegister(m.requests, m.received, m, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.jobs, m.bundles, m.yanked, m.expiry} {
		ch <- d
	}
}

// Collect implements prometheus.Collector: it asks the registry.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	states, err := m.r.JobStates(ctx)
	if err == nil {
		for state, n := range states {
			gauge(m.jobs, float64(n), state)
		}
	}
	current, yanked, e := m.r.CountBundles(ctx)
	if e == nil {
		gauge(m.bundles, float64(current))
		gauge(m.yanked, float64(yanked))
	} else {
		err = e
	}
	channels, e := m.r.Channels(ctx)
	if e == nil {
		for _, c := range channels {
			gauge(m.expiry, float64(c.Document.Expires.Unix()), c.Name)
		}
	} else {
		err = e
	}
	if err != nil {
		m.log.Error("metrics", "error", err.Error())
	}
}

// status is the answer of healthz and readyz.
type status struct {
	Body struct {
		Status string `json:"status"`
	}
}

// service registers health, readiness and metrics.
func (a *API) service() {
	huma.Register(a.huma, operation(http.MethodGet, "/healthz", "health", "The process is alive", ""), func(context.Context, *struct{}) (*status, error) {
		s := &status{}
		s.Body.Status = "alive"
		return s, nil
	})
	ready := operation(http.MethodGet, "/readyz", "ready", "Database and objects answer, and the process is not stopping", "")
	ready.Errors = append(ready.Errors, http.StatusServiceUnavailable)
	huma.Register(a.huma, ready, func(ctx context.Context, _ *struct{}) (*status, error) {
		select {
		case <-a.closing:
			return nil, huma.NewError(http.StatusServiceUnavailable, "stopping")
		default:
		}
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		if err := a.r.Ready(ctx); err != nil {
			a.log.Error("not ready", "error", err.Error())
			return nil, huma.NewError(http.StatusServiceUnavailable, "database or objects do not answer; the log of the server has the cause")
		}
		s := &status{}
		s.Body.Status = "ready"
		return s, nil
	})
	op := operation(http.MethodGet, "/metrics", "metrics", "Metrics for Prometheus", registry.Read)
	op.Responses = binary("text/plain", "Prometheus text format")
	handler := promhttp.HandlerFor(a.metrics.registry, promhttp.HandlerOpts{})
	huma.Register(a.huma, op, func(context.Context, *struct{}) (*huma.StreamResponse, error) {
		return &huma.StreamResponse{Body: func(ctx huma.Context) {
			c := humaecho.Unwrap(ctx)
			handler.ServeHTTP(c.Response(), c.Request())
		}}, nil
	})
}

// binary describes an answer that is no JSON.
func binary(kind, what string) map[string]*huma.Response {
	return map[string]*huma.Response{"200": {Description: what, Content: map[string]*huma.MediaType{kind: {Schema: &huma.Schema{Type: "string", Format: "binary"}}}}}
}
