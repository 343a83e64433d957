package redis

import (
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/parts"
)

// kinds are the ways in which a Redis keeps its log.
func kinds(b *testing.B, run func(*testing.B, *parts.RedisServer)) {
	b.Run("always", func(b *testing.B) { run(b, durable(b)) })
	b.Run("memory", func(b *testing.B) { run(b, parts.Redis(b)) })
}

// callers is how many goroutines ask at a time.
const callers = 16

func shared(b *testing.B, one func() error) {
	b.Helper()
	var wait sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for w := range callers {
		wait.Go(func() {
			for range (b.N + callers - 1 - w) / callers {
				if err := one(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wait.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
}

// BenchmarkJob is what one job costs: created, leased and settled with its result.
func BenchmarkJob(b *testing.B) {
	kinds(b, func(b *testing.B, server *parts.RedisServer) {
		s := open(b, Options{URL: server.URL()})
		item := blob(b, s, "x")
		shared(b, func() error {
			if _, err := s.Create(b.Context(), specOf(item)); err != nil {
				return err
			}
			list, err := s.Lease(b.Context(), 1, time.Minute)
			if err != nil || len(list) == 0 {
				return err
			}
			return s.Settle(b.Context(), jobs.Lease{ID: list[0].ID, Fence: list[0].Fence}, jobs.Outcome{State: jobs.Succeeded},
				[]jobs.Result{{Body: make([]byte, 300)}})
		})
	})
}

// TestScriptTimes logs how much of the processor Redis uses for each call of a job's life.
func TestScriptTimes(t *testing.T) {
	s := open(t, Options{URL: parts.Redis(t).URL()})
	item := blob(t, s, "x")
	const n = 300
	time := func(what string, one func(i int)) {
		before := busy(t, s)
		for i := range n {
			one(i)
		}
		t.Logf("%s: %.0f us", what, (busy(t, s)-before)/n)
	}
	var leases []jobs.Lease
	ids := make([]string, n)
	time("create", func(i int) { spec := specOf(item); ids[i] = spec.ID; create(t, s, spec) })
	time("get", func(i int) { _, _ = s.Get(t.Context(), ids[i]) })
	time("lease", func(int) {
		list, err := s.Lease(t.Context(), 1, 60e9)
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		leases = append(leases, jobs.Lease{ID: list[0].ID, Fence: list[0].Fence})
	})
	time("extend", func(i int) { _, _ = s.Extend(t.Context(), leases[i], 60e9, nil) })
	time("settle", func(i int) {
		if err := s.Settle(t.Context(), leases[i], jobs.Outcome{State: jobs.Succeeded}, []jobs.Result{{Body: make([]byte, 300)}}); err != nil {
			t.Fatal(err)
		}
	})
	time("nothing", func(int) { _ = s.Ping(t.Context()) })
	time("list of 100", func(int) { _, _, _ = s.List(t.Context(), jobs.Filter{Limit: 100}) })
}

// busy is how many microseconds of the processor Redis has used.
func busy(t *testing.T, s *Store) (total float64) {
	t.Helper()
	text, err := s.client.Info(t.Context(), "cpu").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`used_cpu_(?:user|sys):([\d.]+)`).FindAllStringSubmatch(text, -1) {
		n, _ := strconv.ParseFloat(m[1], 64)
		total += n * 1e6
	}
	return total
}

// BenchmarkRaw is the bare minimum of the same: three writes of as many bytes, one after the other.
func BenchmarkRaw(b *testing.B) {
	kinds(b, func(b *testing.B, server *parts.RedisServer) {
		o, err := goredis.ParseURL(server.URL())
		if err != nil {
			b.Fatal(err)
		}
		client := goredis.NewClient(o)
		defer client.Close()
		value := make([]byte, 500)
		shared(b, func() error {
			key := token()
			for range 3 {
				if err := client.Set(b.Context(), key, value, 0).Err(); err != nil {
					return err
				}
			}
			return nil
		})
	})
}
