package sqs

import (
	"context"
	"strings"
	"testing"
	"time"

	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/parts"
)

// dead receives a message from the dead letters; "" where there is none.
func dead(t *testing.T, s *Store) (text, reason string) {
	t.Helper()
	u, err := s.address(t.Context(), -1)
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.queues.ReceiveMessage(t.Context(), &awssqs.ReceiveMessageInput{QueueUrl: u, WaitTimeSeconds: 1, MessageAttributeNames: []string{"All"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Messages) == 0 {
		return "", ""
	}
	if a, ok := out.Messages[0].MessageAttributes["reason"]; ok {
		reason = *a.StringValue
	}
	return *out.Messages[0].Body, reason
}

// TestCrashesBurnNothing: SQS counts receives and buries a message after three; a job whose workers die six times in a row is still there, with all its attempts.
func TestCrashesBurnNothing(t *testing.T) {
	c := newCloud(t)
	clock := newSky()
	s := clock.open(t, c.place(t))
	spec := add(t, s)
	for n := range 6 {
		j, _ := lease(t, s, spec.ID, 10*time.Second)
		if j.Attempt != 0 || j.Crashes != n {
			t.Fatalf("lease %d: attempt %d, %d crashes", n, j.Attempt, j.Crashes)
		}
		clock.Advance(11 * time.Second)
	}
	if text, _ := dead(t, s); text != "" {
		t.Errorf("among the dead letters: %s", text)
	}
}

// TestBuried: SQS has put a job's message among the dead letters, or nobody knows where it is. A sweep finds the job and sends another; the old one does nothing when it comes.
func TestBuried(t *testing.T) {
	c := newCloud(t)
	clock := newSky()
	s := clock.open(t, c.place(t))
	spec := add(t, s)
	other := open(t, Options{URL: "sqs://eu-central-1/" + s.prefix + "?endpoint=" + c.endpoint})
	var old message
	parts.Until(t, "another process has received the message", time.Minute, func() bool {
		list, err := other.ask(t.Context(), classOf(spec.Priority), 1, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 1 {
			old = list[0]
		}
		return len(list) == 1
	})
	for range 2 { // nothing is done before its time
		if _, err := s.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if list, err := s.Lease(t.Context(), 1, time.Minute); err != nil || len(list) > 0 {
		t.Fatalf("%v, %v", list, err)
	}
	clock.Advance(grace + time.Second)
	if _, err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	j, l := lease(t, s, spec.ID, time.Minute)
	if j.Crashes != 0 || j.Attempt != 0 {
		t.Errorf("%+v", j)
	}
	if j, err := other.claim(t.Context(), old, time.Minute); j != nil || err != nil {
		t.Errorf("the old message leases %v, %v", j, err)
	}
	if err := s.Settle(t.Context(), l, jobs.Outcome{State: jobs.Succeeded}, nil); err != nil {
		t.Error(err)
	}
}

// TestPoison: what is no message of a store goes to the dead letters at once, with the reason.
func TestPoison(t *testing.T) {
	c := newCloud(t)
	s := open(t, Options{URL: c.place(t)})
	u, err := s.address(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{`{"id":`, `{"id":"../x","token":"y"}`, strings.Repeat("x", 2000)} {
		if _, err := s.queues.SendMessage(t.Context(), &awssqs.SendMessageInput{QueueUrl: u, MessageBody: &text}); err != nil {
			t.Fatal(err)
		}
		got, reason := "", ""
		parts.Until(t, "it is among the dead letters", time.Minute, func() bool {
			if list, err := s.Lease(t.Context(), 1, time.Minute); err != nil || len(list) > 0 {
				t.Fatalf("%v, %v", list, err)
			}
			got, reason = dead(t, s)
			return got != ""
		})
		if got != text || !strings.Contains(reason, "a message") {
			t.Errorf("buried %q for %q", got, reason)
		}
	}
	spec := add(t, s)
	lease(t, s, spec.ID, time.Minute)
}

// TestLongDelay: a delay that is longer than SQS's longest is waited for in several parts.
func TestLongDelay(t *testing.T) {
	for _, fifo := range []string{"", "&fifo=true"} {
		t.Run(fifo, func(t *testing.T) {
			c := newCloud(t)
			c.options = fifo
			s := open(t, Options{URL: c.place(t)}, func(s *Store) { s.longest = time.Second })
			spec := specOf(s, blob(t, s, "x"))
			spec.RunAt = time.Now().Add(3500 * time.Millisecond).UTC()
			create(t, s, spec)
			j, _ := lease(t, s, spec.ID, time.Minute)
			if now := time.Now(); now.Before(spec.RunAt) {
				t.Errorf("leased %v too early", spec.RunAt.Sub(now))
			}
			if j.Fence != 1 || j.Crashes != 0 {
				t.Errorf("%+v", j)
			}
			if text, _ := dead(t, s); text != "" {
				t.Errorf("among the dead letters: %s", text)
			}
		})
	}
}

// TestRealCrash lets SQS end the lease of a worker that died, and gives the job to a store on another machine.
func TestRealCrash(t *testing.T) {
	c := newCloud(t)
	url := c.place(t)
	first, second := open(t, Options{URL: url}), open(t, Options{URL: url})
	spec := add(t, first)
	_, old := lease(t, first, spec.ID, 5*time.Second)
	if _, err := first.Extend(t.Context(), old, 5*time.Second, []jobs.Result{{Index: 0, Body: []byte("1")}}); err != nil {
		t.Fatal(err)
	}
	j, l := lease(t, second, spec.ID, 20*time.Second)
	if j.Attempt != 0 || j.Crashes != 1 || j.Done != 1 || l.Fence <= old.Fence {
		t.Errorf("taken over: %+v", j)
	}
	if _, err := first.Extend(t.Context(), old, time.Minute, nil); err == nil {
		t.Error("the first worker has not lost its lease")
	}
	if err := second.Settle(t.Context(), l, jobs.Outcome{State: jobs.Succeeded}, []jobs.Result{{Index: 0, Body: []byte("2")}}); err != nil {
		t.Fatal(err)
	}
	if list, err := first.Results(t.Context(), spec.ID, 0, 9); err != nil || len(list) != 1 || string(list[0].Body) != "1" {
		t.Errorf("%v, %v", list, err)
	}
}

// TestOrder: the queue whose first job has waited longest, less the lead of its class, is asked first.
func TestOrder(t *testing.T) {
	s := &Store{}
	now := time.Now()
	for n, c := range []struct {
		ago  [3]time.Duration
		want [3]int
	}{
		{[3]time.Duration{}, [3]int{0, 1, 2}},
		{[3]time.Duration{0, 0, 59 * time.Second}, [3]int{0, 2, 1}},
		{[3]time.Duration{0, 0, 61 * time.Second}, [3]int{2, 0, 1}},
		{[3]time.Duration{0, 50 * time.Second, 65 * time.Second}, [3]int{1, 2, 0}},
	} {
		for class := range s.lines {
			s.lines[class].head = now.Add(-c.ago[class])
		}
		if got := s.order(); got != c.want {
			t.Errorf("%d: %v, want %v", n, got, c.want)
		}
	}
}

// TestGivenBack: a message that this process has received and no worker takes is there for others.
func TestGivenBack(t *testing.T) {
	c := newCloud(t)
	url := c.place(t)
	first, second := open(t, Options{URL: url}, func(s *Store) { s.poll = 10 }), open(t, Options{URL: url})
	if _, err := first.Lease(t.Context(), 1, 10*time.Minute); err != nil {
		t.Fatal(err)
	}
	spec := add(t, second)
	if !first.Wake(t.Context(), 20*time.Second) {
		t.Fatal("the long poll has brought nothing")
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	lease(t, second, spec.ID, time.Minute)
	if first.Wake(context.Background(), time.Hour) {
		t.Error("a closed store wakes")
	}
	if _, err := first.Lease(t.Context(), 1, time.Minute); err == nil {
		t.Error("a closed store leases")
	}
}
