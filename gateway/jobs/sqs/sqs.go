// Package sqs keeps jobs in AWS: SQS carries who is next, DynamoDB holds what is true, S3 what is large. It exists so that a fleet of gateways runs jobs
// without a server of its own to keep, and pays by the job.
//
// The table decides, messages only point: a message names a job and a token, and a job is leased by one conditional write of its item, whatever the message
// says. So a message that comes twice, late, or for a job that has ended does nothing but be deleted, and one that is lost is sent again by Sweep, which looks
// for jobs that should have moved. SQS counts the receives of a message and hands it to the dead-letter queue after 3; a worker's crash is such a receive
// and must cost no attempt. So attempts are counted in the table alone, and a message that was received for the third time is replaced by a copy, whose count
// is 0. Where three processes in a row end before they have read a message, Sweep finds it among the dead letters. So only what nobody can read stays there.
//
// Every write of a worker has the condition that the fence in the table is its own. Results go with the count of results in one transaction.
//
// The order: each class has its queue, and SQS shows nobody its head. Lease asks the queue whose head would be first, by the arrival of the
// last message that it gave, less the lead of its class; so a long line of old batch jobs gets its turn between urgent ones. That is the order of the contract, but for
// some messages' length, and but for what SQS itself mixes up within a standard queue.
//
// Writes of jobs of one table meet in one partition of its indexes, which takes 1000 a second: some 200 jobs a second. For more, use several prefixes.
package sqs

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	awssqs "github.com/aws/aws-sdk-go-v2/service/sqs"

	"triton-gateway/gateway/jobs"
)

// Options say where jobs are kept.
type Options struct {
	// URL is sqs://REGION/PREFIX?table=T&bucket=B&endpoint=http://localhost:5000&fifo=true&visibility=300s. The queues are PREFIX-realtime, PREFIX-interactive,
	// PREFIX-batch and PREFIX-dead, the table is PREFIX where it is not named. Without a bucket, large bodies lie in the table. Credentials are found by the SDK's chain.
	URL string
	Now func() time.Time // nil: time.Now. The gateways' clocks have to agree to within some seconds
	Log *slog.Logger     // nil: slog.Default
}

// Store is a jobs.Store. It is safe for concurrent use.
type Store struct {
	names
	now    func() time.Time
	log    *slog.Logger
	queues *awssqs.Client
	table  *dynamodb.Client
	blobs  *s3.Client // nil: no bucket
	http   *http.Client

	patience time.Duration // of one call, with all tries
	poll     int32         // seconds of a long poll
	longest  time.Duration // that SQS delays a message
	spread   time.Duration // see counts

	dropAfter time.Duration // that a message which is to be deleted waits for others

	ended   context.Context // until Close
	stop    context.CancelFunc
	closing sync.Mutex // held while ended comes about, and while polls grow
	polls   sync.WaitGroup
	woken   chan struct{}
	clock   clock
	lines   [3]line // of the classes
	holding holding
	drops   drops
	lists   lists
	figures figures

	known     sync.Mutex
	addresses map[string]*string // of queues, by their names
}

var (
	_ jobs.Store  = (*Store)(nil)
	_ jobs.Termed = (*Store)(nil)
	_ jobs.Waker  = (*Store)(nil)
	_ jobs.Looker = (*Store)(nil)
	_ jobs.Keyed  = (*Store)(nil)
)

// Open makes a store. It asks nobody: queues and a table that cannot be used make calls Unavailable, with a text that says why. The error is that of faulty
// options, and shows nothing secret.
func Open(ctx context.Context, o Options) (*Store, error) {
	n, err := parse(o.URL)
	if err != nil {
		return nil, err
	}
	s := &Store{
		names: n, now: o.Now, log: o.Log, patience: patienceFor, poll: pollFor, longest: longestDelay, spread: countEvery, dropAfter: dropLater, woken: make(chan struct{}, 1),
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	if err := s.connect(ctx); err != nil {
		return nil, err
	}
	s.ended, s.stop = context.WithCancel(context.Background())
	s.addresses, s.holding.leases = map[string]*string{}, map[string]*held{}
	return s, nil
}

// Close ends the use of the store; a second one does nothing. Messages that wait in this process come again when their visibility timeout is over, or at once
// where they can be given back.
func (s *Store) Close() error {
	s.closing.Lock()
	s.stop()
	s.closing.Unlock()
	s.polls.Wait()
	s.http.CloseIdleConnections()
	return nil
}

// Term implements jobs.Termed: the visibility timeout of the queues.
func (s *Store) Term() time.Duration { return s.term }

const (
	patienceFor  = 10 * time.Second
	pollFor      = 20
	longestDelay = 15 * time.Minute // https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
	countEvery   = 5 * time.Second
	dropLater    = 200 * time.Millisecond
)
