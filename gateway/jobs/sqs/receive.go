package sqs

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/pause"
)

// line is what this process knows of one class's queue.
type line struct {
	mu      sync.Mutex
	head    time.Time  // the arrival of its first job is not before: that of the last one it gave, or when it was found empty
	polling bool       // a long poll is under way
	done    chan error // how the last one ended, where nobody has heard it
	ready   []message  // what long polls brought, and no Lease has taken yet
	lag     time.Duration
	known   bool // lag is: how long the last message was in the queue
}

const (
	mostReceived = 10                    // messages of one call of SQS
	unwanted     = 5 * time.Second       // how long a message waits here for a Lease, before others get it
	soon         = 40 * time.Millisecond // in which a queue that has messages gives some
	briefly      = 10 * time.Millisecond // that Lease waits where all polls are under way
	margin       = time.Second           // by which a message is hidden longer than its lease
)

// order gives the classes in the order in which their first jobs are likely to be due: see jobs.Queue.Lease.
func (s *Store) order() [3]int {
	list, place := [3]int{0, 1, 2}, [3]time.Time{}
	for n := range s.lines {
		s.lines[n].mu.Lock()
		place[n] = s.lines[n].head.Add(-classes[n].Lead())
		s.lines[n].mu.Unlock()
	}
	slices.SortStableFunc(list[:], func(a, b int) int { return cmp.Or(place[a].Compare(place[b]), cmp.Compare(a, b)) })
	return list
}

// gather gives up to n messages. None is no failure. A queue is asked by a long poll, which goes on when nobody waits for it any more: so an idle process pays
// for three requests in 20 seconds, and has a new message at once. Where the first queue gives some soon, the others are not asked.
func (s *Store) gather(ctx context.Context, n int, ttl time.Duration) ([]message, error) {
	order := s.order()
	for _, class := range order {
		if list := s.taken(order, n); len(list) > 0 {
			return list, nil
		}
		done := s.listen(class, n, ttl)
		if done == nil {
			continue
		}
		if err := await(ctx, done, soon); err != nil {
			return nil, err
		}
	}
	_ = await(ctx, nil, briefly)
	return s.taken(order, n), nil
}

// await waits for a poll, at most for d, and gives its failure.
func await(ctx context.Context, done <-chan error, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case err := <-done:
		return err
	case <-t.C:
	case <-ctx.Done():
	}
	return nil
}

// taken gives what long polls have brought, of messages that are still ours.
func (s *Store) taken(order [3]int, n int) (list []message) {
	for _, class := range order {
		l := &s.lines[class]
		l.mu.Lock()
		for len(l.ready) > 0 && len(list) < n {
			m := l.ready[0]
			l.ready = l.ready[1:]
			list = append(list, m)
		}
		l.mu.Unlock()
	}
	return list
}

// ask receives messages of a class.
func (s *Store) ask(ctx context.Context, class, n int, ttl time.Duration) ([]message, error) {
	ctx, cancel := context.WithTimeout(ctx, s.patience+time.Duration(s.poll)*time.Second)
	defer cancel()
	u, err := s.address(ctx, class)
	if err != nil {
		return nil, err
	}
	hidden := seconds(min(ttl+margin, longestHidden))
	asked := s.now()
	out, err := s.queues.ReceiveMessage(ctx, &awssqs.ReceiveMessageInput{
		QueueUrl: u, MaxNumberOfMessages: int32(min(max(n, 1), mostReceived)), VisibilityTimeout: hidden, WaitTimeSeconds: s.poll,
		MessageSystemAttributeNames: []sqstypes.MessageSystemAttributeName{sqstypes.MessageSystemAttributeNameApproximateReceiveCount, sqstypes.MessageSystemAttributeNameSentTimestamp},
	}, func(o *awssqs.Options) {
		o.Retryer = aws.NopRetryer{} // Lease looks again anyway
	})
	if err != nil {
		return nil, err
	}
	l := &s.lines[class]
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(out.Messages) == 0 {
		l.head, l.lag, l.known = asked, 0, true
	}
	list := make([]message, 0, len(out.Messages))
	for _, m := range out.Messages {
		r := receive(m, class, s.now().Add(time.Duration(hidden)*time.Second))
		if r.err == nil {
			l.head = jobs.Moment(r.At)
		}
		if !r.sent.IsZero() && r.receives == 1 {
			l.lag, l.known = max(time.Since(r.sent), 0), true
		}
		list = append(list, r)
	}
	return list, nil
}

// listen begins a long poll, unless one is under way, which gives nil. What it brings waits for a Lease, but not for long.
func (s *Store) listen(class, n int, ttl time.Duration) <-chan error {
	l := &s.lines[class]
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.polling || s.ended.Err() != nil {
		return nil
	}
	if len(l.done) > 0 {
		if err := <-l.done; err != nil { // it came when nobody waited any more
			failed := make(chan error, 1)
			failed <- err
			return failed
		}
	}
	l.polling = true
	done := make(chan error, 1)
	l.done = done
	s.later(func() {
		list, err := s.ask(s.ended, class, n, ttl)
		l.mu.Lock()
		l.polling = false
		l.ready = append(l.ready, list...)
		l.mu.Unlock()
		done <- err
		if len(list) == 0 {
			return
		}
		select {
		case s.woken <- struct{}{}:
		default:
		}
		pause.For(s.ended, unwanted)
		s.giveBack(l, list)
	})
	return done
}

// giveBack lets others have messages that no Lease has taken. That was a receive of each: at the last one that SQS allows, a copy is given instead, or SQS would take
// the message for one that nobody can read.
func (s *Store) giveBack(l *line, list []message) {
	var left []message
	l.mu.Lock()
	l.ready = slices.DeleteFunc(l.ready, func(m message) bool {
		ours := slices.ContainsFunc(list, func(o message) bool { return o.receipt == m.receipt })
		if ours {
			left = append(left, m)
		}
		return ours
	})
	l.mu.Unlock()
	for _, m := range left {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ended), 2*time.Second)
		if m.receives >= receives && m.err == nil {
			if r, err := s.load(ctx, m.ID); err == nil && r.msg == m.Token && !r.State.Final() {
				s.renew(ctx, m, r)
				cancel()
				continue
			}
		}
		if err := s.hide(ctx, m, 0); err != nil {
			s.troubled("a message is not given back; it comes again by itself", m, err)
		}
		cancel()
	}
}

// Wake implements jobs.Waker: it tells when a long poll of this store, which Lease begins where it finds nothing, has brought a message.
func (s *Store) Wake(ctx context.Context, timeout time.Duration) bool {
	t := time.NewTimer(timeout)
	defer t.Stop()
	select {
	case <-s.woken:
		return true
	case <-t.C:
	case <-ctx.Done():
	case <-s.ended.Done():
	}
	return false
}
