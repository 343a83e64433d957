package jobs_test

import (
	"path/filepath"
	"testing"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/gateway/jobs/memory"
	"triton-gateway/gateway/jobs/sqlite"
)

// BenchmarkJob is one job of one item, from Submit to its end, while others are on their way: what the engine costs, and what a file adds.
func BenchmarkJob(b *testing.B) {
	file, err := sqlite.Open(b.Context(), sqlite.Options{Path: filepath.Join(b.TempDir(), "jobs.db")})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	for name, store := range map[string]jobs.Store{"memory": memory.New(nil), "sqlite": file} {
		b.Run(name, func(b *testing.B) {
			s := jobs.New(jobs.Deps{Store: store, Runner: &model{}, Decoder: decoder{}, Problem: problem})
			defer begin(s.Work)()
			b.ReportAllocs()
			b.SetParallelism(8)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					j, _, err := s.Submit(b.Context(), submission("a"))
					if err != nil {
						b.Error(err)
						return
					}
					if j, err = s.Wait(b.Context(), nil, j.ID, time.Minute); err != nil || j.State != jobs.Succeeded {
						b.Errorf("%+v, %v", j, err)
						return
					}
				}
			})
		})
	}
}
