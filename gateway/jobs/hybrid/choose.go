package hybrid

import (
	"context"

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
func (t *site) Create(ctx context.Context, spec *jobs.Spec) (*jobs.Job, error) {
	other := t.other(t.in)
	if spec.Key != "" && !other.gone() {
		j, err := other.byKey(ctx, spec.Tenant, spec.Key)
		if other.note(err) == nil {
			return j, nil
		}
		if k := fault.KindOf(err); k != fault.NotFound && k != fault.Unavailable {
			return nil, err
		}
	}
	existing, err := t.in.Create(ctx, spec)
	if t.in.note(err) == nil && existing == nil {
		t.in.add(spec)
	}
	return existing, err
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
