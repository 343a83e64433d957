package sqs

import (
	"context"
	"strconv"
	"time"

	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

const (
	behind  = 5 * time.Minute     // by which a message is later than others before it is taken for lost
	forever = 13 * 24 * time.Hour // SQS itself forgets a message after 14 days
)

// late is how long after a job's time its message is taken for lost: at once where its queue is empty, and after twice of what messages wait in a long line. A
// process that receives nothing from the queue leaves that to those which do, as long as SQS keeps messages.
func (s *Store) late(ctx context.Context, class int) (time.Duration, error) {
	list, err := s.due(ctx, active(class), 1)
	if err != nil || len(list) == 0 {
		return 0, err // nobody is late
	}
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	u, err := s.address(ctx, class)
	if err != nil {
		return 0, err
	}
	out, err := s.queues.GetQueueAttributes(ctx, &awssqs.GetQueueAttributesInput{QueueUrl: u, AttributeNames: []sqstypes.QueueAttributeName{
		sqstypes.QueueAttributeNameApproximateNumberOfMessages,
	}})
	if err != nil {
		return 0, err
	}
	if n, err := strconv.Atoi(out.Attributes["ApproximateNumberOfMessages"]); err == nil && n == 0 {
		return 0, nil
	}
	l := &s.lines[class]
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.known {
		return forever, nil
	}
	return behind + 2*l.lag, nil
}
