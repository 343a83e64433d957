package sqlite

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

// created is a job made ready to be written.
type created struct {
	spec     *jobs.Spec
	priority int
	body     []byte // the spec without its items
	items    []byte
	digests  string      // of the items, each once: a JSON list
	count    int64       // how many these are
	blobs    []jobs.Blob // to be written with the job
}

// Create implements jobs.Records.
func (s *Store) Create(ctx context.Context, spec *jobs.Spec) (*jobs.Job, error) {
	existing, _, err := s.create(ctx, spec, nil)
	return existing, err
}

// create writes a job and blobs, and gives what its place goes by; or the job that has its key.
func (s *Store) create(ctx context.Context, spec *jobs.Spec, blobs []jobs.Blob) (existing *jobs.Job, r *row, err error) {
	c, err := newCreated(spec)
	if err != nil {
		return nil, nil, err
	}
	c.blobs = blobs
	var (
		id  string
		seq int64
	)
	if err = s.writes.do(ctx, func(t *tx) (err error) {
		id, seq, err = s.write(t, c)
		return err
	}); err != nil {
		return nil, nil, err
	}
	if id == "" {
		return nil, &row{seq: seq, priority: c.priority, runAt: jobs.Micros(spec.RunAt)}, nil
	}
	existing, err = s.Get(ctx, id)
	return existing, nil, err
}

// newCreated checks and encodes a job, before its turn to be written.
func newCreated(s *jobs.Spec) (*created, error) {
	c := &created{spec: s}
	var ok bool
	if c.priority, ok = priorityNumber(s.Priority); !ok {
		return nil, fault.New(fault.Invalid, "invalid_request", "priority %q is none; use realtime, interactive or batch", s.Priority).At("query.priority", "unknown")
	}
	if s.ID == "" || s.ResultTTL < 0 {
		return nil, fault.New(fault.Invalid, "invalid_request", "a job needs an id, and a result_ttl that is not negative")
	}
	seen, list := make(map[string]bool, len(s.Items)), make([]string, 0, len(s.Items))
	for i, item := range s.Items {
		if !isDigest(item.Blob) {
			return nil, badDigest(item.Blob).At(fmt.Sprintf("items[%d].blob", i), "no digest")
		}
		if !seen[item.Blob] {
			seen[item.Blob] = true
			list = append(list, item.Blob)
		}
	}
	bare := *s
	bare.Items = nil
	parts := [3][]byte{}
	for i, v := range []any{bare, s.Items, list} {
		b, err := json.Marshal(v)
		if err != nil {
			return nil, fault.New(fault.Invalid, "invalid_request", "the job cannot be kept as JSON").Wrap(err)
		}
		parts[i] = b
	}
	c.body, c.items, c.digests, c.count = parts[0], parts[1], string(parts[2]), int64(len(list))
	return c, nil
}

// write writes a job and its blobs, unless its key is taken; then it gives the id of the job that has it. All is looked at before anything is written.
func (s *Store) write(t *tx, c *created) (existing string, seq int64, err error) {
	if existing, err = t.admit(c.spec, s.options.MaxJobs); existing != "" || err != nil {
		return existing, 0, err
	}
	known, err := s.lookAt(t, c)
	if err != nil {
		return "", 0, err
	}
	now := s.now()
	for i, b := range c.blobs {
		key, _ := hex.DecodeString(b.Digest) // isDigest
		if known[i] {
			err = t.exec(putAgain, now, key)
		} else {
			err = t.putBlob(key, b.Data, nil, now)
		}
		if err != nil {
			return "", 0, err
		}
	}
	seq, err = t.insert(c)
	return "", seq, err
}

// admit gives the id of the job that has the key already, and the error of a job that cannot be added.
func (t *tx) admit(s *jobs.Spec, most int) (existing string, err error) {
	if s.Key != "" {
		err := t.row(`SELECT id FROM jobs WHERE tenant = ? AND key = ?`, []any{s.Tenant, s.Key}, &existing)
		if !errors.Is(err, sql.ErrNoRows) {
			return existing, err
		}
	}
	var n int64
	if err := t.row(`SELECT count(*) FROM jobs WHERE id = ?`, []any{s.ID}, &n); err != nil {
		return "", err
	}
	if n > 0 {
		return "", fault.New(fault.Conflict, "conflict", "there is a job with this id already")
	}
	if most > 0 {
		if err := t.row(`SELECT sum(n) FROM counts`, nil, &n); err != nil {
			return "", err
		}
		if n >= int64(most) {
			return "", fault.New(fault.TooLarge, "job_store_full", "the store holds %d jobs, which is its limit; come again when older ones are deleted, or raise jobs.max_jobs", most)
		}
	}
	return "", nil
}

func (t *tx) insert(c *created) (seq int64, err error) {
	s, key := c.spec, any(nil)
	if s.Key != "" {
		key = s.Key
	}
	hook := 0
	if s.Webhook != "" {
		hook = 1
	}
	err = t.row(`INSERT INTO jobs (id, tenant, model, priority, state, run_at, deadline, ttl, total, told, hook, key)
		VALUES (?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?) RETURNING seq`,
		[]any{s.ID, s.Tenant, s.Model, c.priority, jobs.Micros(s.RunAt), micro(s.Deadline), s.ResultTTL.Microseconds(), len(s.Items), 1 - hook, hook, key}, &seq)
	if err != nil {
		return 0, err
	}
	if err := t.exec(`INSERT INTO specs (seq, spec, items) VALUES (?, ?, ?)`, seq, c.body, c.items); err != nil {
		return 0, err
	}
	return seq, t.exec(`UPDATE blobs SET refs = refs + 1 WHERE digest IN (SELECT unhex(value) FROM json_each(?))`, c.digests)
}
