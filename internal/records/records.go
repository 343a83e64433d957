// Package records changes small facts that several gateways agree on, such as which version of a model serves. It exists because each of them may be written by two gateways at a
// time, and what one of them wrote must not be lost.
package records

import (
	"bytes"
	"context"
	"errors"
)

// Store keeps one value under each key. Both calls fail with fault.Unavailable where it does not answer.
type Store interface {
	// Load gives the value of a key; nil where there is none.
	Load(ctx context.Context, key string) ([]byte, error)
	// Swap sets a key to value, of at most 64 KiB, if it has the value old, where none stands for no value, and reports whether it did.
	Swap(ctx context.Context, key string, old, value []byte) (bool, error)
}

// tries bounds how often a change is made anew. Somebody has written each time, so that it takes as many writers to get there.
const tries = 100

// ErrBusy is the error of a change that others were always faster than.
var ErrBusy = errors.New("others write it all the time")

// Change has edit make the next value of a key of the one that is stored, nil where there is none, and writes it. If somebody else has written meanwhile, edit is asked again, with what
// that one wrote; it must not depend on what it has said before. A next value of nil, or the same one, leaves all as it is. Errors are edit's, the store's, and ErrBusy.
func Change(ctx context.Context, s Store, key string, edit func(stored []byte) (next []byte, err error)) error {
	for range tries {
		stored, err := s.Load(ctx, key)
		if err != nil {
			return err
		}
		next, err := edit(stored)
		if err != nil || next == nil || bytes.Equal(next, stored) {
			return err
		}
		if swapped, err := s.Swap(ctx, key, stored, next); err != nil || swapped {
			return err
		}
	}
	return ErrBusy
}
