package gateway

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"triton-gateway/gateway/cache"
	"triton-gateway/gateway/kserve"
	"triton-gateway/gateway/pipeline"
)

// BenchmarkTelemetry shows what each part of the telemetry takes of one request.
func BenchmarkTelemetry(b *testing.B) {
	r := newRig(b)
	m := r.metrics
	ctx := context.Background()
	took := func(i int) time.Duration { return time.Duration(100+i%900) * time.Microsecond }
	run := func(name string, part func(i int)) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				part(i)
			}
		})
		b.Run(name+"/parallel", func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					part(i)
				}
			})
		})
	}
	run("request", func(i int) { m.request(ctx, "/v1/models/:model/infer", "POST", 200, took(i)) })
	run("call", func(i int) { m.call(ctx, "grpc", "ModelInfer", "shapes", kserve.Code{}, took(i)) })
	w := m.observer()
	run("stage", func(i int) {
		w.End(w.Begin(ctx, pipeline.Infer), pipeline.Ended{Stage: pipeline.Infer, Model: "shapes", Took: took(i)})
	})
	answer := &pipeline.Answer{FromCache: true, Cache: cache.Outcome{Hit: true, Detail: "memory"}, Model: "shapes"}
	run("answer", func(int) { r.server.observe("", answer, "hit") })
	log, err := os.Create(filepath.Join(b.TempDir(), "log"))
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	lines, end := NewLog(log, Log{Level: "info"})
	defer func() { _ = end() }()
	r.server.log = lines
	request := httptest.NewRequest(http.MethodPost, "/v1/models/shapes/infer", nil)
	m.off = true
	run("line", func(i int) {
		now := time.Now()
		r.server.finish(&state{started: now, id: "01JD8W3V5TQ6Z2M0F4K7N9R1AB", route: "/v1/models/:model/infer", model: "shapes", cached: "hit", status: 200, sent: 345}, request)
	})
}
