package sqs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"triton-gateway/gateway/jobs"
)

// body is what a message says. It has some 100 bytes; SQS takes 256 KiB.
type body struct {
	ID    string `json:"id"`
	Token string `json:"token"` // the job's own, or the message does not count
	At    int64  `json:"at"`    // the job's arrival, microseconds
}

// message is one that was received.
type message struct {
	body
	class    int
	text     string // as it came
	receipt  string
	receives int
	sent     time.Time
	until    time.Time // it is visible to nobody else until then
	err      error     // why it cannot be read
}

// address gives a queue's URL, which is asked for once.
func (s *Store) address(ctx context.Context, class int) (*string, error) {
	name := s.queue(class)
	s.known.Lock()
	defer s.known.Unlock()
	if u := s.addresses[name]; u != nil {
		return u, nil
	}
	out, err := s.queues.GetQueueUrl(ctx, &awssqs.GetQueueUrlInput{QueueName: &name})
	if err != nil {
		return nil, err
	}
	s.addresses[name] = out.QueueUrl
	return out.QueueUrl, nil
}

// parseBody reads a message.
func parseBody(text string) (b body, err error) {
	if len(text) > 1000 {
		return b, fmt.Errorf("a message of %d bytes, those of this store have 100", len(text))
	}
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&b); err != nil {
		return b, fmt.Errorf("a message that is no JSON of this store: %w", err)
	}
	if !idForm.MatchString(b.ID) || !idForm.MatchString(b.Token) || b.At < 0 || b.At > 1<<53 {
		return b, fmt.Errorf("a message that names no job")
	}
	return b, nil
}

// receive makes a message of SQS's. now is when it was asked for.
func receive(m sqstypes.Message, class int, until time.Time) message {
	r := message{class: class, text: aws.ToString(m.Body), receipt: aws.ToString(m.ReceiptHandle), until: until}
	r.body, r.err = parseBody(r.text)
	r.receives, _ = strconv.Atoi(m.Attributes["ApproximateReceiveCount"])
	if ms, err := strconv.ParseInt(m.Attributes["SentTimestamp"], 10, 64); err == nil && ms > 0 && ms < 1<<53 {
		r.sent = time.UnixMilli(ms)
	}
	return r
}

// send puts a message for a job into its queue, to come when the job is due, or after SQS's longest delay, when it is sent again. A FIFO queue delays no single
// message: it comes at once and is hidden then.
func (s *Store) send(ctx context.Context, r *record, token, dedupe string) error {
	b, err := json.Marshal(body{ID: r.ID, Token: token, At: jobs.Micros(r.RunAt)})
	if err != nil {
		return err
	}
	in := &awssqs.SendMessageInput{MessageBody: aws.String(string(b))}
	if s.fifo {
		in.MessageGroupId, in.MessageDeduplicationId = &r.ID, &dedupe
	} else {
		in.DelaySeconds = seconds(min(r.RunAt.Sub(s.now()), s.longest))
	}
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	if in.QueueUrl, err = s.address(ctx, r.class); err != nil {
		return err
	}
	_, err = s.queues.SendMessage(ctx, in)
	return err
}

// seconds rounds up.
func seconds(d time.Duration) int32 {
	return int32(math.Ceil(max(d, 0).Seconds()))
}

// renew sends a fresh copy of a message, which nobody has received yet, and deletes it.
func (s *Store) renew(ctx context.Context, m message, r *record) {
	if err := s.send(ctx, r, r.msg, token()); err != nil {
		s.troubled("a message is not sent anew; it comes again by itself", m, err)
		return
	}
	s.drop(m)
}

const longestHidden = 12 * time.Hour // https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html

// hide lets a message come again after d.
func (s *Store) hide(ctx context.Context, m message, d time.Duration) error {
	if m.receipt == "" {
		return nil
	}
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	u, err := s.address(ctx, m.class)
	if err != nil {
		return err
	}
	_, err = s.queues.ChangeMessageVisibility(ctx, &awssqs.ChangeMessageVisibilityInput{
		QueueUrl: u, ReceiptHandle: &m.receipt, VisibilityTimeout: seconds(min(d, longestHidden-time.Minute)),
	})
	return err
}

// bury hands a message that cannot be read to the dead letters, with the reason.
func (s *Store) bury(ctx context.Context, m message) {
	in := &awssqs.SendMessageInput{MessageBody: &m.text, MessageAttributes: map[string]sqstypes.MessageAttributeValue{
		"reason": {DataType: aws.String("String"), StringValue: aws.String(m.err.Error())},
	}}
	if s.fifo {
		in.MessageGroupId, in.MessageDeduplicationId = aws.String("unreadable"), aws.String(digest([]byte(m.receipt)))
	}
	s.troubled("a message cannot be read; it goes to the dead letters", m, m.err)
	send, cancel := s.bounded(ctx)
	defer cancel()
	var err error
	if in.QueueUrl, err = s.address(send, -1); err == nil {
		_, err = s.queues.SendMessage(send, in)
	}
	if err != nil {
		s.troubled("a message that cannot be read stays in its queue", m, err)
		return
	}
	s.drop(m)
}

func (s *Store) troubled(what string, m message, err error) {
	s.log.Warn(what, slog.String("queue", s.queue(m.class)), slog.String("job", m.ID), slog.String("cause", err.Error()))
}
