package sqlite

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"triton-gateway/gateway/jobs"
)

// item puts a blob and gives the item.
func item(tb testing.TB, s *Store, data string) jobs.Item {
	tb.Helper()
	sum := sha256.Sum256([]byte(data))
	digest := hex.EncodeToString(sum[:])
	if err := s.Put(context.Background(), digest, []byte(data)); err != nil {
		tb.Fatal(err)
	}
	return jobs.Item{Kind: jobs.Image, Name: "a.jpg", Blob: digest, Size: int64(len(data))}
}

// spec is a job of one item; n makes its id.
func spec(n int, now time.Time, i jobs.Item) *jobs.Spec {
	return &jobs.Spec{
		ID: fmt.Sprintf("%032x", n), Tenant: fmt.Sprint("tenant-", n%7), Model: []string{"shapes", "iris", "plates"}[n%3],
		Priority: priorities[n%3], Options: []byte(`{"top_k":5}`), Items: []jobs.Item{i}, Created: now, RunAt: now, ResultTTL: time.Hour, Attempts: 3,
	}
}

// preload fills a store with finished jobs, each with a result.
func preload(tb testing.TB, s *Store, n int) {
	tb.Helper()
	i, now := item(tb, s, "preloaded"), s.options.Now()
	for from := 0; from < n; from += 2000 {
		err := s.writes.do(context.Background(), func(t *tx) error {
			for k := from; k < min(from+2000, n); k++ {
				c, err := newCreated(spec(k, now, i))
				if err != nil {
					return err
				}
				if _, err := t.insert(c); err != nil {
					return err
				}
				var seq int64
				if err := t.row(`UPDATE jobs SET state = ?2, done = 1, finished = ?3, sweep_at = ?3 + ttl, fence = 1 WHERE id = ?1 RETURNING seq`,
					[]any{c.spec.ID, succeeded + k%100/98, s.now()}, &seq); err != nil {
					return err
				}
				if err := t.append(&held{seq: seq}, []jobs.Result{{Body: []byte(`{"predictions":[{"label":"circle","index":0,"score":0.981}]}`)}}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			tb.Fatal(err)
		}
	}
}

// size is how many finished jobs the store of a benchmark holds: JOBS, or 100,000.
func size(b *testing.B) int {
	n, err := strconv.Atoi(os.Getenv("JOBS"))
	if err != nil {
		return 100_000
	}
	return n
}

// latencies are reported as quantiles.
type latencies struct {
	mu   sync.Mutex
	list []time.Duration
}

func (l *latencies) since(begin time.Time) {
	d := time.Since(begin)
	l.mu.Lock()
	l.list = append(l.list, d)
	l.mu.Unlock()
}

func (l *latencies) report(b *testing.B) {
	slices.Sort(l.list)
	for _, q := range []int{50, 99} {
		b.ReportMetric(float64(l.list[(len(l.list)-1)*q/100].Microseconds())/1000, fmt.Sprintf("ms-p%d", q))
	}
	b.ReportMetric(float64(l.list[len(l.list)-1].Microseconds())/1000, "ms-max")
}

// BenchmarkStore measures each call beside finished jobs. Paced is 200 creates a second, while two workers finish what comes.
func BenchmarkStore(b *testing.B) {
	s, ctx := open(b, Options{Path: filepath.Join(b.TempDir(), "jobs.db")}), context.Background()
	n := size(b)
	begin := time.Now()
	preload(b, s, n)
	b.Logf("%d jobs in %v", n, time.Since(begin))
	next, i := n, item(b, s, "item")
	var mu sync.Mutex
	create := func(tb testing.TB) {
		mu.Lock()
		next++
		id := next
		mu.Unlock()
		if _, err := s.Create(ctx, spec(id, time.Now(), i)); err != nil {
			tb.Error(err)
		}
	}
	finish := func(tb testing.TB, n int) int {
		list, err := s.Lease(ctx, n, time.Minute)
		if err != nil {
			tb.Error(err)
		}
		for _, j := range list {
			if err := s.Settle(ctx, jobs.Lease{ID: j.ID, Fence: j.Fence}, jobs.Outcome{State: jobs.Succeeded}, []jobs.Result{{Body: []byte(`{}`)}}); err != nil {
				tb.Error(err)
			}
		}
		return len(list)
	}
	b.Run("Create", func(b *testing.B) {
		for b.Loop() {
			create(b)
		}
	})
	b.Run("CreateBy16", func(b *testing.B) {
		b.SetParallelism(8)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				create(b)
			}
		})
	})
	b.Run("LeaseSettle", func(b *testing.B) {
		for b.Loop() {
			if finish(b, 1) == 0 {
				create(b)
			}
		}
	})
	b.Run("Get", func(b *testing.B) {
		var l latencies
		for k := 0; b.Loop(); k++ {
			begin := time.Now()
			if _, err := s.Get(ctx, fmt.Sprintf("%032x", k*7919%n)); err != nil {
				b.Fatal(err)
			}
			l.since(begin)
		}
		l.report(b)
	})
	tenant := "tenant-3"
	for name, f := range map[string]jobs.Filter{"All": {}, "Failed": {States: []jobs.State{jobs.Failed}}, "TenantModel": {Tenant: &tenant, Model: "iris"}, "None": {Model: "none"}} {
		b.Run("List"+name, func(b *testing.B) {
			f.Limit = 50
			for b.Loop() {
				if _, _, err := s.List(ctx, f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("Count", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.Count(ctx); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Paced", func(b *testing.B) { paced(b, create, finish) })
}

// paced creates 200 jobs a second, each in its own goroutine when it is time, while two workers finish jobs.
func paced(b *testing.B, create func(testing.TB), finish func(testing.TB, int) int) {
	var (
		l       latencies
		callers sync.WaitGroup
		workers sync.WaitGroup
	)
	stop := make(chan struct{})
	for range 2 {
		workers.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(5 * time.Millisecond):
					finish(b, 4)
				}
			}
		})
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for b.Loop() {
		due := <-tick.C
		callers.Go(func() {
			create(b)
			l.since(due)
		})
	}
	callers.Wait()
	close(stop)
	workers.Wait()
	l.report(b)
}

// BenchmarkTwoStores has two processes create as fast as they can: neither may keep the file from the other.
func BenchmarkTwoStores(b *testing.B) {
	path := filepath.Join(b.TempDir(), "jobs.db")
	stores := []*Store{open(b, Options{Path: path}), open(b, Options{Path: path})}
	i := item(b, stores[0], "item")
	var (
		l    latencies
		wait sync.WaitGroup
		next atomic.Int64
	)
	for worker := range 16 {
		wait.Go(func() {
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				begin := time.Now()
				if _, err := stores[worker%2].Create(context.Background(), spec(int(n), begin, i)); err != nil {
					b.Error(err)
				}
				l.since(begin)
			}
		})
	}
	wait.Wait()
	l.report(b)
}

// BenchmarkPut measures where a blob is better kept, by 8 callers: small ones in the database, large ones in files.
func BenchmarkPut(b *testing.B) {
	for _, size := range []int{4 << 10, 32 << 10, 64 << 10, 128 << 10, 512 << 10} {
		b.Run(fmt.Sprint(size>>10, "KiB"), func(b *testing.B) {
			s := open(b, Options{Path: filepath.Join(b.TempDir(), "jobs.db")})
			b.SetBytes(int64(size))
			b.SetParallelism(4)
			var mu sync.Mutex
			k := 0
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					mu.Lock()
					k++
					data := fmt.Sprintf("%*d", size, k)
					mu.Unlock()
					item(b, s, data)
				}
			})
		})
	}
}
