package sqs

import (
	"context"
	"strconv"
	"testing"
	"time"

	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/parts"
)

// messages is how many a class's queue has, hidden ones too.
func messages(t *testing.T, s *Store, class int) int {
	t.Helper()
	u, err := s.address(t.Context(), class)
	if err != nil {
		t.Fatal(err)
	}
	names := []sqstypes.QueueAttributeName{
		sqstypes.QueueAttributeNameApproximateNumberOfMessages, sqstypes.QueueAttributeNameApproximateNumberOfMessagesNotVisible,
		sqstypes.QueueAttributeNameApproximateNumberOfMessagesDelayed,
	}
	out, err := s.queues.GetQueueAttributes(t.Context(), &awssqs.GetQueueAttributesInput{QueueUrl: u, AttributeNames: names})
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, name := range names {
		n, err := strconv.Atoi(out.Attributes[string(name)])
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}

// settleAll makes n jobs and ends them one after the other.
func settleAll(t *testing.T, s *Store, n int) {
	t.Helper()
	for range n {
		add(t, s)
	}
	for done := 0; done < n; {
		list, err := s.Lease(t.Context(), n-done, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range list {
			if err := s.Settle(t.Context(), jobs.Lease{ID: j.ID, Fence: j.Fence}, jobs.Outcome{State: jobs.Succeeded}, nil); err != nil {
				t.Fatal(err)
			}
		}
		done += len(list)
	}
}

// TestDrops: the messages of jobs that are done go, several by one request, and those that wait for others go at Close.
func TestDrops(t *testing.T) {
	c := newCloud(t)
	p := newProxy(t, c.endpoint)
	url := p.through(t, c, c.place(t))
	s, watcher := open(t, Options{URL: url}, func(s *Store) { s.dropAfter = time.Hour }), open(t, Options{URL: url})
	settleAll(t, s, 12)
	class := classOf(jobs.Interactive)
	parts.Until(t, "ten messages are deleted", time.Minute, func() bool { return messages(t, watcher, class) == 2 })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n := messages(t, watcher, class); n != 0 {
		t.Errorf("%d messages are left after Close", n)
	}
	if n := p.count("DeleteMessageBatch"); n != 2 || p.count("DeleteMessage") != 0 {
		t.Errorf("%d requests for 12 messages, and %d for one each", n, p.count("DeleteMessage"))
	}
}

// TestDropsFail: a message that could not be deleted comes again and does nothing but go.
func TestDropsFail(t *testing.T) {
	c := newCloud(t)
	p := newProxy(t, c.endpoint)
	clock := newSky()
	s := open(t, Options{URL: p.through(t, c, c.place(t)), Now: clock.Now}, func(s *Store) { s.patience = 3 * time.Second })
	p.says(func(operation string) (int, string) {
		if operation == "DeleteMessageBatch" {
			return 500, `{}`
		}
		return 0, ""
	})
	id := add(t, s).ID
	_, l := lease(t, s, id, time.Second)
	if err := s.Settle(t.Context(), l, jobs.Outcome{State: jobs.Succeeded}, []jobs.Result{{Body: []byte("1")}}); err != nil {
		t.Fatal(err)
	}
	parts.Until(t, "the deletion has failed", time.Minute, func() bool { return p.count("DeleteMessageBatch") > 0 })
	p.says(nil)
	parts.Until(t, "the message has come again and is deleted", time.Minute, func() bool {
		if list, err := s.Lease(t.Context(), 1, time.Minute); err != nil || len(list) > 0 {
			t.Fatalf("%v, %v", list, err)
		}
		return messages(t, s, classOf(jobs.Interactive)) == 0
	})
	if j, err := s.Get(t.Context(), id); err != nil || j.State != jobs.Succeeded || j.Done != 1 || j.Attempt != 0 || j.Fence != l.Fence {
		t.Errorf("%+v, %v", j, err)
	}
}

// TestSentWhoeverLeaves: once a job is in the table its message is sent, be it that its caller has left, so that nobody waits for a sweep.
func TestSentWhoeverLeaves(t *testing.T) {
	c := newCloud(t)
	p := newProxy(t, c.endpoint)
	s := open(t, Options{URL: p.through(t, c, c.place(t))})
	spec := specOf(s, blob(t, s, "x"))
	ctx, leave := context.WithCancel(t.Context())
	p.says(func(operation string) (int, string) {
		if operation == "SendMessage" {
			leave()
		}
		return 0, ""
	})
	if existing, err := s.Create(ctx, spec); existing != nil || err != nil {
		t.Fatal(existing, err)
	}
	if ctx.Err() == nil {
		t.Fatal("the caller is still there")
	}
	lease(t, s, spec.ID, time.Minute)
}

// TestThrottledQueue: SQS turns calls away for a while. Workers are told so, and go on when it is over; a job is accepted all the same.
func TestThrottledQueue(t *testing.T) {
	c := newCloud(t)
	p := newProxy(t, c.endpoint)
	clock := newSky()
	s := open(t, Options{URL: p.through(t, c, c.place(t)), Now: clock.Now}, func(s *Store) { s.patience = 3 * time.Second })
	if _, err := s.address(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	p.says(func(operation string) (int, string) {
		switch operation {
		case "ReceiveMessage", "SendMessage", "GetQueueUrl":
			return 400, `{"__type":"com.amazonaws.sqs#RequestThrottled","message":"slow"}`
		}
		return 0, ""
	})
	spec := add(t, s)
	parts.Until(t, "a worker is told", time.Minute, func() bool {
		_, err := s.Lease(t.Context(), 1, time.Minute)
		if err != nil {
			wantFault(t, err, fault.Unavailable, "job_store_unavailable")
		}
		return err != nil
	})
	p.says(nil)
	clock.Advance(grace + time.Second)
	if _, err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	parts.Until(t, "the job is leased", time.Minute, func() bool {
		list, err := s.Lease(t.Context(), 1, time.Minute)
		if err != nil { // what a poll of before has to tell
			wantFault(t, err, fault.Unavailable, "job_store_unavailable")
		}
		return len(list) == 1 && list[0].ID == spec.ID
	})
}

// TestGivenBackTooOften: a process that is too busy to lease what its polls bring gives it back, again and again. No job's message ends among the dead letters by that.
func TestGivenBackTooOften(t *testing.T) {
	c := newCloud(t)
	s := open(t, Options{URL: c.place(t)})
	spec := add(t, s)
	class := classOf(spec.Priority)
	l := &s.lines[class]
	for n := range 8 {
		var got []message
		parts.Until(t, "the message is received", time.Minute, func() bool {
			list, err := s.ask(t.Context(), class, 1, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, list...)
			return len(got) == 1
		})
		if got[0].receives != n%receives+1 {
			t.Errorf("time %d: %d receives", n, got[0].receives)
		}
		l.mu.Lock()
		l.ready = append(l.ready, got...)
		l.mu.Unlock()
		s.giveBack(l, got)
	}
	if text, _ := dead(t, s); text != "" {
		t.Errorf("among the dead letters: %s", text)
	}
	if j, _ := lease(t, s, spec.ID, time.Minute); j.Crashes != 0 || j.Attempt != 0 {
		t.Errorf("%+v", j)
	}
}

// TestTTL: DynamoDB is told to delete by itself, a week after its result_ttl, what no sweep has deleted; not before a job is final, and not after a Retry.
func TestTTL(t *testing.T) {
	c := newCloud(t)
	clock := newSky()
	s := clock.open(t, c.place(t))
	spec := add(t, s)
	ttl := func() int64 {
		i, err := s.item(t.Context(), jobKey(spec.ID))
		if err != nil || len(i) == 0 {
			t.Fatal(i, err)
		}
		return num(i, "ttl")
	}
	if n := ttl(); n != 0 {
		t.Errorf("a queued job: %d", n)
	}
	_, l := lease(t, s, spec.ID, time.Minute)
	if n := ttl(); n != 0 {
		t.Errorf("a running job: %d", n)
	}
	if err := s.Settle(t.Context(), l, jobs.Outcome{State: jobs.Failed}, nil); err != nil {
		t.Fatal(err)
	}
	if n, want := ttl(), clock.Now().Add(spec.ResultTTL+7*24*time.Hour).Unix(); n != want {
		t.Errorf("a final job: %d, want %d", n, want)
	}
	if _, err := s.Change(t.Context(), spec.ID, jobs.Retry); err != nil {
		t.Fatal(err)
	}
	if n := ttl(); n != 0 {
		t.Errorf("a job that is retried: %d", n)
	}
	until := clock.Now().Add(time.Minute)
	if _, err := s.Claim(t.Context(), "t", "k", "elsewhere", until); err != nil {
		t.Fatal(err)
	}
	if i, err := s.item(t.Context(), idempotency("t", "k")); err != nil || num(i, "ttl") != until.Add(7*24*time.Hour).Unix() {
		t.Errorf("a claim: %d, %v", num(i, "ttl"), err)
	}
}
