package sqs

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync"

	"triton-gateway/gateway/jobs"
)

const (
	inItem    = 2 << 10  // bytes of a job's list of items that its own item holds; a longer one is a blob
	mostItems = 64 << 20 // bytes of such a list, unpacked
	listsKept = 8        // long lists that a process remembers: they are read by every Get
)

// squeeze makes the list of a job's items small.
func squeeze(list []jobs.Item) ([]byte, error) {
	plain, err := json.Marshal(list)
	if err != nil {
		return nil, err
	}
	if len(plain) > mostItems {
		return nil, invalid("a job's list of items may have %d MB; hand in fewer items at a time", mostItems>>20)
	}
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	err = w.Close()
	return b.Bytes(), err
}

// expand reads what squeeze made; a list of another length is an error.
func expand(b []byte, total int) (list []jobs.Item, err error) {
	plain, err := inflate(b, mostItems)
	if err == nil {
		err = json.Unmarshal(plain, &list)
	}
	if err != nil || len(list) != total {
		return nil, damaged(fmt.Errorf("%w: a list of %d items, want %d: %w", errItem, len(list), total, err))
	}
	return list, nil
}

// inflate unpacks no more than the limit.
func inflate(b []byte, limit int64) ([]byte, error) {
	plain, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(b)), limit+1))
	if err == nil && int64(len(plain)) > limit {
		err = fmt.Errorf("more than %d bytes, unpacked", limit)
	}
	return plain, err
}

// lists are the long lists of items that were needed last. They do not change: a digest names each.
type lists struct {
	mu   sync.Mutex
	list []remembered // the newest last
}

type remembered struct {
	digest string
	packed []byte
}

func (l *lists) get(digest string) []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	for n, r := range l.list {
		if r.digest == digest {
			l.list = append(slices.Delete(l.list, n, n+1), r)
			return r.packed
		}
	}
	return nil
}

func (l *lists) keep(digest string, packed []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.list) == listsKept {
		l.list = slices.Delete(l.list, 0, 1)
	}
	l.list = append(l.list, remembered{digest, packed})
}

// fill reads a job's items.
func (s *Store) fill(ctx context.Context, r *record) (err error) {
	packed := r.items
	if r.pointer != "" {
		if packed = s.lists.get(r.pointer); packed == nil {
			if packed, err = s.Blob(ctx, r.pointer); err != nil {
				return err
			}
			s.lists.keep(r.pointer, packed)
		}
	}
	r.Items, err = expand(packed, r.Total)
	return err
}

// digests are the blobs that a job names, each once, sorted.
func (r *record) digests() (list []string) {
	for _, i := range r.Items {
		list = append(list, i.Blob)
	}
	if r.pointer != "" {
		list = append(list, r.pointer)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
