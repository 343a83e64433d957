package redis

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/gateway/jobs/jobstest"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/parts"
)

// audit compares every list, count and queue of a store with its jobs.
func audit(tb testing.TB, s *Store) {
	tb.Helper()
	ctx, c := tb.Context(), s.client
	must := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
	}
	names, err := c.Keys(ctx, "*").Result()
	must(err)
	want, counts, refs := map[string][]string{}, map[string]int{}, map[string]int{}
	for _, name := range names {
		rest, ours := strings.CutPrefix(name, s.prefix)
		if !ours {
			tb.Errorf("a key %q outside of the prefix", name)
		}
		id, is := strings.CutPrefix(rest, "j:")
		if !is {
			continue
		}
		h, err := c.HGetAll(ctx, name).Result()
		must(err)
		put := func(list string) { want[list] = append(want[list], id) }
		put("x:all")
		put("x:t:" + h["tenant"])
		put("x:m:" + h["model"])
		put("x:s:" + h["state"] + ":" + h["priority"])
		counts[h["priority"]+":"+h["state"]]++
		switch state := jobs.State(h["state"]); {
		case state.Final():
			put("old")
			if h["told"] != "1" {
				put("x:untold")
			}
		case state == jobs.Queued:
			put("q:" + h["priority"])
			if h["deadline"] != "0" {
				put("ends")
			}
		case c.ZScore(ctx, s.prefix+"leased", id).Err() == nil:
			put("leased")
		default: // its lease has ended
			put("q:" + h["priority"])
			if h["deadline"] != "0" {
				put("ends")
			}
		}
		done := int(c.LLen(ctx, s.prefix+"r:"+id).Val())
		if set := int(c.BitCount(ctx, s.prefix+"d:"+id, nil).Val()); strconv.Itoa(done) != orZero(h["done"]) || set != done {
			tb.Errorf("job %s: %d results, %d marks, %s done", id, done, set, h["done"])
		}
		if bad := int(c.LLen(ctx, s.prefix+"w:"+id).Val()); strconv.Itoa(bad) != orZero(h["bad"]) {
			tb.Errorf("job %s: %d bad results, want %s", id, bad, h["bad"])
		}
		for _, d := range c.SMembers(ctx, s.prefix+"b:"+id).Val() {
			refs[d]++
		}
	}
	for _, name := range names {
		rest := strings.TrimPrefix(name, s.prefix)
		if !strings.HasPrefix(rest, "x:") && !strings.HasPrefix(rest, "q:") && rest != "old" && rest != "ends" && rest != "leased" {
			continue
		}
		got, err := c.ZRange(ctx, name, 0, -1).Result()
		must(err)
		slices.Sort(got)
		slices.Sort(want[rest])
		if !slices.Equal(got, want[rest]) {
			tb.Errorf("%s: %v, want %v", rest, got, want[rest])
		}
		delete(want, rest)
	}
	for list, ids := range want {
		tb.Errorf("%s is not there, want %v", list, ids)
	}
	figures := map[string]int{}
	all, err := s.Count(ctx)
	must(err)
	for class, list := range all.Jobs {
		for state, n := range list {
			figures[string(class)+":"+string(state)] = n
		}
	}
	if !maps.Equal(figures, counts) {
		tb.Errorf("counts %v, want %v", figures, counts)
	}
	noted := map[string]int{}
	for d, v := range c.HGetAll(ctx, s.prefix+"refs").Val() {
		noted[d], _ = strconv.Atoi(v)
	}
	if !maps.Equal(noted, refs) && c.Exists(ctx, s.prefix+"gone", s.prefix+"held").Val() == 0 {
		tb.Errorf("mentions of blobs %v, want %v", noted, refs)
	}
}

func orZero(s string) string {
	if s == "" {
		return "0"
	}
	return s
}

// TestBooksAreKept does very many things in an order that a seed gives, looks at the books now and then, and sweeps all away at the end.
func TestBooksAreKept(t *testing.T) {
	c := jobstest.NewClock()
	s := open(t, Options{URL: parts.Redis(t).URL(), Now: c.Now, MaxJobs: 60})
	ctx, r := t.Context(), rand.New(rand.NewPCG(1, 2))
	var ids []string
	var leases []jobs.Lease
	items := []jobs.Item{blob(t, s, "a"), blob(t, s, "b"), blob(t, s, "c")}
	expected := func(err error) {
		t.Helper()
		switch k := fault.KindOf(err); {
		case err == nil, k == fault.Conflict, k == fault.NotFound, k == fault.TooLarge:
		default:
			t.Fatal(err)
		}
	}
	pick := func() string { return ids[r.IntN(len(ids))] }
	for step := range 3000 {
		switch n := r.IntN(20); {
		case n < 5 || len(ids) == 0:
			spec := specOf(items[:1+r.IntN(3)]...)
			spec.Created, spec.Tenant, spec.Model = c.Now(), fmt.Sprint(r.IntN(2)), fmt.Sprint(r.IntN(3))
			spec.RunAt, spec.Priority = c.Now().Add(time.Duration(r.IntN(20)-10)*time.Second), classes[r.IntN(3)]
			if r.IntN(3) == 0 {
				spec.Deadline, spec.Webhook = c.Now().Add(time.Duration(r.IntN(60))*time.Second), "https://example.com"
			}
			if r.IntN(2) == 0 {
				spec.Key = fmt.Sprint(r.IntN(5))
			}
			_, err := s.Create(ctx, spec)
			expected(err)
			ids = append(ids, spec.ID)
		case n < 9:
			list, err := s.Lease(ctx, 1+r.IntN(4), time.Duration(1+r.IntN(30))*time.Second)
			expected(err)
			for _, j := range list {
				leases = append(leases, jobs.Lease{ID: j.ID, Fence: j.Fence})
			}
		case n < 15 && len(leases) > 0:
			l := leases[r.IntN(len(leases))]
			results := []jobs.Result{{Index: 0, Body: []byte("{}"), Bad: r.IntN(2) == 0}}
			if n < 11 {
				_, err := s.Extend(ctx, l, 5*time.Second, results)
				expected(err)
				break
			}
			o := jobs.Outcome{State: states[r.IntN(len(states))], Burn: r.IntN(2) == 0, RunAt: c.Now().Add(time.Duration(r.IntN(9)) * time.Second)}
			if o.State != jobs.Running {
				expected(s.Settle(ctx, l, o, results))
			}
		case n < 18:
			_, err := s.Change(ctx, pick(), []jobs.Change{jobs.Cancel, jobs.Retry, jobs.Told}[r.IntN(3)])
			expected(err)
		case n < 19:
			_, err := s.Sweep(ctx)
			expected(err)
		default:
			c.Advance(time.Duration(r.IntN(20_000)) * time.Millisecond * time.Duration(1+r.IntN(20)))
		}
		if step%250 == 0 {
			audit(t, s)
		}
		if t.Failed() {
			t.Fatalf("at step %d", step)
		}
	}
	for _, id := range ids {
		_, err := s.Change(ctx, id, jobs.Cancel)
		expected(err)
	}
	c.Advance(time.Hour) // for what runs, too
	if _, err := s.Lease(ctx, 1000, time.Second); err != nil {
		t.Fatal(err)
	}
	for more := true; more; {
		c.Advance(2 * time.Hour)
		var err error
		if more, err = s.Sweep(ctx); err != nil {
			t.Fatal(err)
		}
	}
	c.Advance(2 * time.Hour)
	if _, err := s.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	left := s.client.Keys(ctx, "*").Val()
	slices.Sort(left)
	if want := []string{s.prefix + "n", s.prefix + "wake"}; !slices.Equal(left, want) {
		t.Errorf("left behind: %v, want %v", left, want)
	}
	if n := s.client.HGet(ctx, s.prefix+"n", "bytes").Val(); n != "0" {
		t.Errorf("%s bytes are left", n)
	}
}
