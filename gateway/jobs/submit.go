package jobs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"iter"
	"time"

	"triton-gateway/internal/fault"
)

// Submission is what a caller hands in.
type Submission struct {
	Tenant   string
	Caller   string // as in Spec
	Tier     string // as in Spec
	Model    string
	Version  string
	Priority Priority        // "": Interactive
	Options  json.RawMessage // as in Spec
	Cache    string          // as in Spec
	Single   bool            // as in Spec; there is one item

	Delay     time.Duration // before it may run; 0 to 30 days
	RunAt     time.Time     // instead of Delay; zero: none
	ResultTTL time.Duration // 0: Limits.ResultTTL; 1 s to 30 days
	Deadline  time.Duration // from now; 0: none; at most 30 days, and more than the delay
	Attempts  int           // 0: Limits.Attempts; 1 to 20
	Webhook   string        // "": none
	Key       string        // the Idempotency-Key; "": none; at most 255 printable ASCII characters

	// Items are what to answer, in order. Their bytes must not change until Submit returns. An error ends the submission and is returned.
	Items iter.Seq2[Input, error]
}

// Input is one item with its bytes.
type Input struct {
	Kind Kind
	Name string // as in Item
	Data []byte
}

// Each gives the inputs of a list one by one.
func Each(list []Input) iter.Seq2[Input, error] {
	return func(yield func(Input, error) bool) {
		for _, in := range list {
			if !yield(in, nil) {
				return
			}
		}
	}
}

// Submit takes a job in. Once it has returned nil error, no crash loses the job. Where the tenant has handed in the same before with the same
// Key, that job is returned, and created is false. A submission that fails leaves no job.
//
// Errors: Invalid invalid_request with the field, TooLarge body_too_large or job_store_full, Busy queue_full, Conflict conflict where the Key was
// used for something else, Unavailable job_store_unavailable, and those of Items.
func (s *Service) Submit(ctx context.Context, in *Submission) (j *Job, created bool, err error) {
	now := s.Now().UTC().Truncate(time.Millisecond)
	spec, err := s.check(in, now)
	if err != nil {
		return nil, false, err
	}
	if err := s.checkWebhook(ctx, in.Webhook); err != nil {
		return nil, false, err
	}
	if err := s.room(ctx); err != nil {
		return nil, false, err
	}
	site := Site(s.Store)
	if c, ok := s.Store.(Chooser); ok {
		if site, err = c.Choose(ctx, spec); err != nil {
			return nil, false, err
		}
	}
	held, err := s.collect(ctx, in, spec, site)
	if err != nil {
		return nil, false, err
	}
	spec.Digest = in.digest(spec)
	existing, j, err := s.create(ctx, spec, site, held)
	if err != nil {
		return nil, false, err
	}
	if existing != nil {
		if existing.Digest != spec.Digest {
			return nil, false, fault.New(fault.Conflict, "conflict", "this Idempotency-Key was used for another job; send a new key with a new job").
				At("header.Idempotency-Key", "used for another request")
		}
		return existing, false, nil
	}
	s.meter.add(spec.Priority)
	if !spec.RunAt.After(now) {
		s.woken()
	}
	return j, true, nil
}

// create writes a job whose other blobs are in the store, and gives it as it was taken in.
func (s *Service) create(ctx context.Context, spec *Spec, site Site, held []Blob) (existing, created *Job, err error) {
	created = &Job{Spec: *spec, State: Queued, Total: len(spec.Items), Place: -1, Told: spec.Webhook == ""}
	if t, ok := site.(Taker); ok {
		existing, created.Place, err = t.Take(ctx, spec, held)
		return existing, created, err
	}
	existing, err = site.Create(ctx, spec)
	if existing != nil || err != nil {
		return existing, nil, err
	}
	// The job is accepted: that its place cannot be told is no failure.
	if j, err := s.Store.Get(ctx, spec.ID); err == nil {
		created = j
	}
	return nil, created, nil
}

// digest names what was asked for, without what depends on the moment.
func (in *Submission) digest(spec *Spec) string {
	b, _ := json.Marshal([]any{spec.Model, spec.Version, spec.Priority, spec.Options, spec.Cache, spec.Single, spec.Items,
		in.Delay, in.RunAt.UnixMilli(), spec.ResultTTL, in.Deadline, spec.Attempts, spec.Webhook}) // options were checked: cannot fail
	return digestOf(b)
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
