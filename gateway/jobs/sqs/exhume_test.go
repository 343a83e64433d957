package sqs

import (
	"testing"
	"time"

	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"triton-gateway/internal/parts"
)

// TestExhumed: three processes in a row have ended with a job's message in their hands, and SQS has put it among the dead letters, while its queue is long. The next sweep
// finds it there; what nobody can read stays.
func TestExhumed(t *testing.T) {
	c := newCloud(t)
	clock := newSky()
	s := clock.open(t, c.place(t))
	spec := add(t, s)
	class := classOf(spec.Priority)
	for range receives {
		parts.Until(t, "the message is received by a process that ends", time.Minute, func() bool {
			list, err := s.ask(t.Context(), class, 1, 0)
			if err != nil {
				t.Fatal(err)
			}
			return len(list) == 1
		})
	}
	u, err := s.address(t.Context(), -1)
	if err != nil {
		t.Fatal(err)
	}
	unreadable := "no message"
	if _, err := s.queues.SendMessage(t.Context(), &awssqs.SendMessageInput{QueueUrl: u, MessageBody: &unreadable}); err != nil {
		t.Fatal(err)
	}
	parts.Until(t, "SQS has put it among the dead letters", time.Minute, func() bool {
		if list, err := s.ask(t.Context(), class, 1, 0); err != nil || len(list) > 0 {
			t.Fatalf("%v, %v", list, err)
		}
		out, err := s.queues.GetQueueAttributes(t.Context(), &awssqs.GetQueueAttributesInput{QueueUrl: u, AttributeNames: []types.QueueAttributeName{"ApproximateNumberOfMessages"}})
		return err == nil && out.Attributes["ApproximateNumberOfMessages"] == "2"
	})
	was, err := s.load(t.Context(), spec.ID)
	if err != nil {
		t.Fatal(err)
	}
	others := []string{add(t, s).ID, add(t, s).ID} // in the line, so that an empty queue does not tell
	clock.Advance(grace + time.Second)
	parts.Until(t, "the job has been put into its queue", time.Minute, func() bool {
		if _, err := s.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		r, err := s.load(t.Context(), spec.ID)
		if err != nil {
			t.Fatal(err)
		}
		return r.msg != was.msg
	})
	seen := map[string]bool{}
	parts.Until(t, "all are leased", time.Minute, func() bool {
		list, err := s.Lease(t.Context(), 3, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range list {
			seen[j.ID] = true
		}
		return len(seen) == 3
	})
	if !seen[spec.ID] || !seen[others[0]] || !seen[others[1]] {
		t.Errorf("leased: %v", seen)
	}
}
