package jobs

import (
	"context"
	"time"
)

// Store keeps jobs. All methods are safe for concurrent use by many processes. Errors are *fault.Error: NotFound job_not_found, Conflict
// conflict or lease_lost, Unavailable job_store_unavailable, TooLarge job_store_full (507), Invalid for a cursor or digest that is none; whatever fails,
// nothing is half done.
type Store interface {
	Records
	Queue
	Blobs
	// Close ends the use of the store by this process.
	Close() error
}

// Termed is a Store that wants leases of another length than the 9 s that are usual, such as one whose queue is slow to prolong them. Heartbeats
// come at three tenths of it.
type Termed interface {
	// Term is how long a lease is to be.
	Term() time.Duration
}

// Waker is a Store that knows when a job has become due, so that idle workers sleep instead of looking again and again.
type Waker interface {
	// Wake waits until a job may have become due since the last Wake, by whichever process, at most for the timeout, and tells whether that is so. It is a
	// hint: what was delayed and what was left by a dead worker may wake nobody. It returns early, with false, when ctx ends or the store is closed.
	Wake(ctx context.Context, timeout time.Duration) bool
}

// Looker is a Store that gives a job at less cost where its Items are not asked for.
type Looker interface {
	// Look is Get, but for Items, which are missing; Total counts them.
	Look(ctx context.Context, id string) (*Job, error)
}

// Keyed is a Store that finds a job by its Key. One that is part of another store has to.
type Keyed interface {
	// ByKey gives the tenant's job with that Key, which is not "", as Look does. NotFound job_not_found.
	ByKey(ctx context.Context, tenant, key string) (*Job, error)
}

// Chooser is a Store that is several: a job's blobs go where the job goes.
type Chooser interface {
	// Choose gives the place for a job whose Items are not known yet. Errors are those of Create.
	Choose(ctx context.Context, s *Spec) (Site, error)
}

// Site is where one job is handed in.
type Site interface {
	// Put is that of Blobs.
	Put(ctx context.Context, digest string, data []byte) error
	// Create is that of Records.
	Create(ctx context.Context, s *Spec) (existing *Job, err error)
}

// Together is the most bytes that the blobs of one Take have.
const Together = 64 << 10

// Taker is a Site that takes a job with its blobs at the cost of one write, where they are small.
type Taker interface {
	// Take is Put of each of the blobs and then Create, in one step: all is done, or nothing is. The blobs are some that the job's items name, each once,
	// and have at most Together bytes; the others have been put before. existing is that of Create; place is the Place of a new job, -1 where it is not known.
	Take(ctx context.Context, s *Spec, blobs []Blob) (existing *Job, place int, err error)
}

// Blob is bytes by their digest: SHA-256, in 64 lower-case hex digits.
type Blob struct {
	Digest string
	Data   []byte
}

// TermOf is how long a store's leases are to be.
func TermOf(s Store) time.Duration {
	if t, ok := s.(Termed); ok {
		return max(t.Term(), time.Second)
	}
	return usualTerm
}

// Records are jobs as callers see them.
type Records interface {
	// Create takes a job in, durably: once it has returned nil error, no crash loses the job. Where the tenant has a job with the same Key, nothing is
	// created and that job is returned; the caller compares the digests. A second job with the same ID is a Conflict. The blobs of the items have been put before.
	Create(ctx context.Context, s *Spec) (existing *Job, err error)
	// Get gives a job without its results.
	Get(ctx context.Context, id string) (*Job, error)
	// List gives jobs without their Items, newest first, and the cursor of the next page, "" at the end. Jobs that come meanwhile are on no later page.
	List(ctx context.Context, f Filter) (page []*Job, next string, err error)
	// Results gives those from the given one on, in the order in which they were done, at most limit; the n-th result of a job (from 0) never
	// changes but by a Retry, which drops the bad ones.
	Results(ctx context.Context, id string, from, limit int) ([]Result, error)
}

// Queue is how workers take jobs, and how what others decide reaches them.
type Queue interface {
	// Lease gives up to n jobs that are due, the most urgent first (the earliest RunAt less Priority.Lead), those whose lease has ended included, and makes them Running with
	// a new fence. Of those whose lease has ended, Crashes grows by one. Jobs whose deadline has passed become Expired instead, and those to be cancelled Canceled. It does not wait.
	Lease(ctx context.Context, n int, ttl time.Duration) ([]*Job, error)
	// Extend prolongs a lease, adds results, and tells whether the job is to be cancelled. An index that has a result keeps it; one new result sets
	// Crashes to 0, here and in Settle. Conflict lease_lost:
	// the job is not Running, or has a newer fence; nothing is written. A lease that has ended holds until another takes the job.
	Extend(ctx context.Context, l Lease, ttl time.Duration, add []Result) (canceled bool, err error)
	// Settle ends a lease: see Outcome. add are the last results. Conflict lease_lost as above. A job that is to be cancelled and is settled as
	// Queued ends Canceled, at the next Lease at the latest.
	Settle(ctx context.Context, l Lease, o Outcome, add []Result) error
	// Change is what callers and the keeper decide from outside: see Change.
	Change(ctx context.Context, id string, c Change) (*Job, error)
}

// Lease names a job and the right to write to it.
type Lease struct {
	ID    string
	Fence int64
}

// Outcome is how a lease ends.
type Outcome struct {
	State   State     // a final one, or Queued: the job is tried again, or was given back
	RunAt   time.Time // of Queued: not before; zero or past: at once, and the job keeps its place
	Burn    bool      // an attempt was used up; of Failed as of Queued
	Problem *Problem  // why the attempt failed
}

// Change is one of the decisions from outside.
type Change string

// The changes.
const (
	// Cancel ends a queued job at once, and asks a running job's worker to, however often. A final job is a Conflict.
	Cancel Change = "cancel"
	// Retry puts a job that is Failed, Canceled or Expired into the queue again, with its attempts and Crashes anew; results that were good stay. Another is
	// a Conflict. The fence stays, and RunAt is now.
	Retry Change = "retry"
	// Told notes that the webhook of a final job needs no more telling. Another is a Conflict.
	Told Change = "told"
)

// Filter chooses jobs of a list.
type Filter struct {
	Tenant   *string // nil: of all tenants
	Model    string
	States   []State // none: all
	Priority Priority
	Untold   bool   // only final jobs whose webhook is not told yet
	Cursor   string // of the page before
	Limit    int    // 1 to 1000
}

// Blobs are the items' bytes, each stored once.
type Blobs interface {
	// Put stores bytes by their digest. A blob that no job names is deleted an hour later at the earliest.
	Put(ctx context.Context, digest string, data []byte) error
	// Blob gives the bytes; NotFound where they are not there.
	Blob(ctx context.Context, digest string) ([]byte, error)
	// Sweep deletes final jobs whose ResultTTL is over, their results, and blobs that no job names. It does a bounded amount of work and tells whether there is more.
	Sweep(ctx context.Context) (more bool, err error)
	// Count gives the figures of the store.
	Count(ctx context.Context) (*Counts, error)
}

// Counts are what a store holds.
type Counts struct {
	Jobs   map[Priority]map[State]int
	Oldest map[Priority]time.Time // the arrival (RunAt) of the oldest job that is Queued and due; missing where none does
	Bytes  int64                  // of blobs; -1 where the store does not know
}
