package hybrid

import (
	"context"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

// Choose implements jobs.Chooser. A realtime job goes near, unless too many wait there or that store is away; others go far.
//
// A job with a Key has one home, whatever is full or away, since only within one store two jobs with one Key are told from each other without fail: a realtime
// one the near store, others the far one. The other store is looked into all the same, for a job of another priority, and of days when there was one store.
func (s *Store) Choose(ctx context.Context, spec *jobs.Spec) (jobs.Site, error) {
	d := s.far
	if spec.Priority == jobs.Realtime && (spec.Key != "" || s.room(ctx)) {
		d = s.near
	}
	if err := ctx.Err(); err != nil {
		return nil, fault.Ended(err, "before the store was asked")
	}
	return &site{s, d}, nil
}

// room reports whether a realtime job may go near.
func (s *Store) room(ctx context.Context) bool {
	if s.near.gone() {
		return false
	}
	c, added, err := s.near.figures(ctx, fresh)
	return err == nil && c.Jobs[jobs.Realtime][jobs.Queued]+added < s.options.Overflow
}

// claimer is a store that can keep a Key for a job which another store is about to take in.
type claimer interface {
	// Claim lets Create refuse a job of that Key, with a Conflict, until the given time. Where a job of this store has the Key, that is given, as by Look, and nothing is
	// kept. Many may claim one Key: those who do tell their jobs from each other in another way.
	Claim(ctx context.Context, tenant, key, id string, until time.Time) (existing *jobs.Job, err error)
}

// claimed is how long a Key is kept, from before a job of it is created near until every Create of the far store that did not see it there has ended.
const claimed = 2 * time.Minute

// site is a store that was chosen for a job.
type site struct {
	*Store
	in *side
}

// Put implements jobs.Site.
func (t *site) Put(ctx context.Context, digest string, data []byte) error {
	return t.in.note(t.in.Put(ctx, digest, data))
}

// Create implements jobs.Site. After an error the job is not handed in elsewhere: the store may have it all the same.
//
// Two jobs of one Key and of different priorities, handed in at the same moment, have different homes, and each would look into the other's before either is
// there. So a job that goes near claims its Key in the far store first, where that can be: a job that is created there meanwhile is refused.
func (t *site) Create(ctx context.Context, spec *jobs.Spec) (*jobs.Job, error) {
	other := t.other(t.in)
	if spec.Key != "" && !other.gone() {
		j, err := t.elsewhere(ctx, other, spec)
		if other.note(err) == nil && j != nil {
			return j, nil
		}
		if k := fault.KindOf(err); err != nil && k != fault.NotFound && k != fault.Unavailable {
			return nil, err
		}
	}
	existing, err := t.in.Create(ctx, spec)
	if t.in.note(err) == nil && existing == nil {
		t.in.add(spec)
	}
	return existing, err
}

// elsewhere gives the job of the Key that the other store has. None is NotFound, or nil where the Key was claimed.
func (t *site) elsewhere(ctx context.Context, other *side, spec *jobs.Spec) (*jobs.Job, error) {
	if c, ok := other.Store.(claimer); ok && other == t.far {
		return c.Claim(ctx, spec.Tenant, spec.Key, spec.ID, t.options.Now().Add(claimed))
	}
	return other.byKey(ctx, spec.Tenant, spec.Key)
}

// Create implements jobs.Records, for those who have not asked Choose before they put the blobs, which then are in the far store: a job that goes near takes its
// blobs with it.
func (s *Store) Create(ctx context.Context, spec *jobs.Spec) (*jobs.Job, error) {
	if _, err := s.Get(ctx, spec.ID); err == nil {
		return nil, fault.New(fault.Conflict, "conflict", "there is a job with this id already")
	}
	chosen, err := s.Choose(ctx, spec)
	if err != nil {
		return nil, err
	}
	if chosen.(*site).in == s.near {
		moved := map[string]bool{}
		for _, i := range spec.Items {
			if moved[i.Blob] {
				continue
			}
			moved[i.Blob] = true
			data, err := s.far.Blob(ctx, i.Blob)
			if err == nil {
				err = s.near.Put(ctx, i.Blob, data)
			}
			if err != nil && fault.KindOf(err) != fault.NotFound { // then the near store may have it
				return nil, err
			}
		}
	}
	return chosen.Create(ctx, spec)
}

// Put implements jobs.Blobs: see Create.
func (s *Store) Put(ctx context.Context, digest string, data []byte) error {
	return s.far.note(s.far.Put(ctx, digest, data))
}

// Blob implements jobs.Blobs. The bytes are those of their digest, whichever store has them.
func (s *Store) Blob(ctx context.Context, digest string) (data []byte, err error) {
	err = s.find(func(d *side) (err error) {
		data, err = d.Blob(ctx, digest)
		return err
	})
	return data, err
}
