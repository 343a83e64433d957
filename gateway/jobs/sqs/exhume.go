package sqs

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"triton-gateway/internal/fault"
)

// opened is how long a message of the dead letters is hidden once it has been looked at, so that those which nobody can read do not stand before the others.
const opened = 5 * time.Minute

// exhume puts jobs whose message SQS has taken for a dead letter into their queue again: those of which three processes in a row have ended between receiving it and
// reading it. What nobody can read stays where it is. A failure is no reason to leave the rest of a Sweep.
func (s *Store) exhume(ctx context.Context) {
	list, err := s.deadLetters(ctx)
	if err != nil {
		s.troubled("the dead letters cannot be looked through; jobs whose messages are among them wait longer", message{class: -1}, err)
		return
	}
	for _, m := range list {
		if m.err != nil {
			continue
		}
		r, err := s.load(ctx, m.ID)
		switch {
		case err == nil && r.msg == m.Token && !r.State.Final():
			var again bool
			if again, err = s.rescueOne(ctx, r, 0); !again {
				continue // its time has not come, or another process was faster
			}
		case fault.KindOf(err) == fault.NotFound:
			err = nil
		}
		if err != nil {
			s.troubled("a dead letter stays where it is", m, err)
			continue
		}
		s.reclaim(ctx, m)
	}
}

func (s *Store) deadLetters(ctx context.Context) ([]message, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	u, err := s.address(ctx, -1)
	if err != nil {
		return nil, err
	}
	out, err := s.queues.ReceiveMessage(ctx, &awssqs.ReceiveMessageInput{
		QueueUrl: u, MaxNumberOfMessages: mostReceived, VisibilityTimeout: seconds(opened), WaitTimeSeconds: 0,
	}, func(o *awssqs.Options) { o.Retryer = aws.NopRetryer{} })
	if err != nil {
		return nil, err
	}
	list := make([]message, len(out.Messages))
	for i, m := range out.Messages {
		list[i] = receive(m, -1, s.now().Add(opened))
	}
	return list, nil
}

// reclaim deletes a dead letter whose job has another message or needs none.
func (s *Store) reclaim(ctx context.Context, m message) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	u, err := s.address(ctx, -1)
	if err == nil {
		_, err = s.queues.DeleteMessage(ctx, &awssqs.DeleteMessageInput{QueueUrl: u, ReceiptHandle: &m.receipt})
	}
	if err != nil {
		s.troubled("a dead letter stays where it is", m, err)
	}
}
