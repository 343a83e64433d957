package redis

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"

	goredis "github.com/redis/go-redis/v9"

	"triton-gateway/gateway/jobs"
)

const (
	longestID = 256  // bytes
	piece     = 1000 // items, results or digests that one script takes
)

// encode checks a spec and gives it without its items, and these.
func encode(spec *jobs.Spec) (head, items []byte, err error) {
	switch {
	case spec.ID == "" || len(spec.ID) > longestID:
		return nil, nil, invalid("a job's id has 1 to %d bytes", longestID)
	case !known(classes, spec.Priority):
		return nil, nil, invalid("the priority of a job is realtime, interactive or batch").At("query.priority", "is none of these")
	case spec.ResultTTL < 0:
		return nil, nil, invalid("the result_ttl of a job must not be negative").At("query.result_ttl", "is negative")
	}
	bare := *spec
	bare.Items = nil
	if head, err = json.Marshal(&bare); err != nil {
		return nil, nil, invalid("the job's options cannot be stored").Wrap(err)
	}
	if items, err = json.Marshal(spec.Items); err != nil {
		return nil, nil, invalid("the job's items cannot be stored").Wrap(err)
	}
	return head, items, nil
}

// blobsOf gives the digests of the items, each once.
func blobsOf(items []jobs.Item) ([]any, error) {
	seen := make(map[string]struct{}, len(items))
	list := make([]any, 0, len(items))
	for i := range items {
		d := items[i].Blob
		if _, ok := seen[d]; ok {
			continue
		}
		if !isDigest(d) {
			return nil, invalid("item %d of the job names no blob: a SHA-256 has 64 small hex digits", i)
		}
		seen[d] = struct{}{}
		list = append(list, d)
	}
	return list, nil
}

// nameOfKey is one for every pair of tenant and key, and "" where there is no key.
func nameOfKey(spec *jobs.Spec) string {
	if spec.Key == "" {
		return ""
	}
	b := binary.BigEndian.AppendUint64(nil, uint64(len(spec.Tenant)))
	sum := sha256.Sum256(append(append(b, spec.Tenant...), spec.Key...))
	return hex.EncodeToString(sum[:])
}

// token names a call, so that a second try of it is known as such.
func token() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// Get implements jobs.Records.
func (s *Store) Get(ctx context.Context, id string) (*jobs.Job, error) {
	return s.get(ctx, asked, id, true)
}

// Look implements jobs.Looker.
func (s *Store) Look(ctx context.Context, id string) (*jobs.Job, error) {
	return s.get(ctx, worked, id, false)
}

// ByKey implements jobs.Keyed.
func (s *Store) ByKey(ctx context.Context, tenant, key string) (j *jobs.Job, err error) {
	var id string
	err = s.again(ctx, asked, 0, func(ctx context.Context) (err error) {
		if id, err = s.client.Get(ctx, s.prefix+"k:"+nameOfKey(&jobs.Spec{Tenant: tenant, Key: key})).Result(); errors.Is(err, goredis.Nil) {
			return notFound()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.Look(ctx, id)
}

func (s *Store) get(ctx context.Context, m manner, id string, items bool) (*jobs.Job, error) {
	if id == "" || len(id) > longestID {
		return nil, notFound()
	}
	word, rest, err := s.call(ctx, s.scripts.get, m, id, flag(items))
	switch {
	case err != nil:
		return nil, err
	case word == "none":
		return nil, notFound()
	case word != "ok" || len(rest) != 2:
		return nil, damaged(errReply)
	}
	j, _, err := decode(id, rest[1], items)
	if err != nil {
		return nil, err
	}
	if place, ok := rest[0].(int64); ok {
		j.Place = int(place)
	}
	return j, nil
}

// Results implements jobs.Records.
func (s *Store) Results(ctx context.Context, id string, from, limit int) (list []jobs.Result, err error) {
	if id == "" || len(id) > longestID {
		return nil, notFound()
	}
	from, limit = max(from, 0), max(limit, 0)
	for {
		n := min(limit, piece)
		part, err := s.entries(ctx, id, from, n)
		if err != nil {
			return nil, err
		}
		for _, v := range part {
			r, err := parseEntry(v)
			if err != nil {
				return nil, err
			}
			list = append(list, r)
		}
		if from, limit = from+n, limit-n; limit == 0 || len(part) < n {
			return list, nil
		}
	}
}

// entries reads n results from the given one on; n may be 0.
func (s *Store) entries(ctx context.Context, id string, from, n int) ([]any, error) {
	word, rest, err := s.call(ctx, s.scripts.results, worked, id, from, n)
	switch {
	case err != nil:
		return nil, err
	case word == "none":
		return nil, notFound()
	case len(rest) != 1:
		return nil, damaged(errReply)
	}
	part, _ := rest[0].([]any)
	if len(part) > n {
		return nil, damaged(errReply)
	}
	return part, nil
}
