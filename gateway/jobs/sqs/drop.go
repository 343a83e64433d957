package sqs

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"triton-gateway/internal/pause"
)

const dropsEach = 10 // messages of one request

// drops are messages that are to be deleted, by class.
type drops struct {
	mu      sync.Mutex
	waiting [3][]message
}

// drop deletes a message soon, with others, since SQS is paid by the request. Nobody waits for it: one that stays, be it that the process ends before, comes again and is found to be of no use.
func (s *Store) drop(m message) {
	if m.receipt == "" {
		return
	}
	s.drops.mu.Lock()
	list := append(s.drops.waiting[m.class], m)
	first, full := len(list) == 1, len(list) >= dropsEach
	if full {
		s.drops.waiting[m.class] = nil
	} else {
		s.drops.waiting[m.class] = list
	}
	s.drops.mu.Unlock()
	switch {
	case full:
		s.later(func() { s.discardAll(list) })
	case first:
		s.later(func() {
			pause.For(s.ended, s.dropAfter)
			s.drops.mu.Lock()
			list := s.drops.waiting[m.class]
			s.drops.waiting[m.class] = nil
			s.drops.mu.Unlock()
			s.discardAll(list)
		})
	}
}

// later runs what Close waits for.
func (s *Store) later(do func()) {
	s.closing.Lock()
	defer s.closing.Unlock()
	if s.ended.Err() == nil {
		s.polls.Go(do)
	}
}

// discardAll deletes up to ten messages of one class.
func (s *Store) discardAll(list []message) {
	if len(list) == 0 {
		return
	}
	ctx, cancel := s.bounded(context.WithoutCancel(s.ended))
	if s.ended.Err() != nil {
		ctx, cancel = context.WithTimeout(ctx, 2*time.Second)
	}
	defer cancel()
	in := &awssqs.DeleteMessageBatchInput{}
	for n := range list {
		in.Entries = append(in.Entries, sqstypes.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(n)), ReceiptHandle: &list[n].receipt})
	}
	var err error
	out := &awssqs.DeleteMessageBatchOutput{}
	if in.QueueUrl, err = s.address(ctx, list[0].class); err == nil {
		out, err = s.queues.DeleteMessageBatch(ctx, in)
	}
	if err == nil && len(out.Failed) > 0 {
		err = fmt.Errorf("%d of %d: %s", len(out.Failed), len(list), aws.ToString(out.Failed[0].Message))
	}
	if err != nil {
		s.troubled("messages are not deleted; they come again and do nothing", list[0], err)
	}
}
