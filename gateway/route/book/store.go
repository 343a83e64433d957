package book

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"triton-gateway/gateway/route"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/records"
)

const (
	contentsKey = "routes"
	recordKey   = "route/"
	// mostBytes is what a record may have; see Records.Swap.
	mostBytes = 64 << 10
	// MostSpec is the most bytes that a route may have in JSON. Two of them fit into a record: the one in force and the one before.
	MostSpec = 24 << 10
	// MostVersions is how many versions of a route are kept, the one in force included. Where they are large, there are fewer.
	MostVersions = 20
	// MostRoutes is how many names may have been put, deleted ones included.
	MostRoutes = 256
)

// Version is one state of a route.
type Version struct {
	Number int          `json:"number"` // from 1; it grows by one with every change
	At     time.Time    `json:"at,omitzero"`
	By     string       `json:"by,omitempty"`     // the id of the key, or the subject of the token; "" where nobody was asked
	Action string       `json:"action,omitempty"` // put, delete, rollback, canary, or what was said to a canary
	Spec   *route.Spec  `json:"spec,omitempty"`   // nil: deleted
	Shares route.Shares `json:"shares,omitempty"` // who has which users; see route.Restore
	Canary *Canary      `json:"canary,omitempty"` // how far the canary is; nil where there is none, or nothing has become of it
}

// record is what the store keeps of one route: its versions, the newest first.
type record struct {
	Versions []Version `json:"versions"`
}

func (r record) number() int {
	if len(r.Versions) == 0 {
		return 0
	}
	return r.Versions[0].Number
}

// encode drops the oldest versions until the rest fits.
func (r record) encode() ([]byte, error) {
	for n := min(len(r.Versions), MostVersions); n > 0; n-- {
		data, err := json.Marshal(record{r.Versions[:n]})
		if err != nil || len(data) <= mostBytes {
			return data, err
		}
	}
	return nil, tooLarge()
}

func tooLarge() error {
	return fault.New(fault.TooLarge, "body_too_large", "a route may have at most %d bytes of JSON; write it with fewer rules", MostSpec).At("body", "too large")
}

// contents say which routes have been put, and how many changes there were.
type contents struct {
	Serial int      `json:"serial"`
	Names  []string `json:"names"` // sorted
}

func (c contents) with(name string) contents {
	next := contents{Serial: c.Serial + 1, Names: c.Names}
	if at, found := slices.BinarySearch(c.Names, name); !found {
		next.Names = slices.Insert(slices.Clone(c.Names), at, name)
	}
	return next
}

// load gives a value decoded, and as it is stored; data is nil where there is none.
func load[T any](ctx context.Context, s records.Store, key string) (v T, data []byte, err error) {
	if data, err = s.Load(ctx, key); err != nil {
		return v, nil, err
	}
	v, err = decode[T](data)
	return v, data, err
}

// decode reads what is stored, which is the zero value where nothing is. Of what cannot be read v holds a part.
func decode[T any](stored []byte) (v T, err error) {
	if stored == nil {
		return v, nil
	}
	if err = json.Unmarshal(stored, &v); err != nil {
		return v, fault.New(fault.Internal, "internal", "the store holds something that is no route").Wrap(err)
	}
	return v, nil
}

// Look reads the store if something has changed there, and puts what it finds into force. The error is Unavailable where the store does not answer; then everything stays.
func (b *Book) Look(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	err := b.look(ctx)
	switch {
	case err != nil && ctx.Err() == nil && !b.away.Load():
		b.o.Log.Warn("the store of the routes does not answer; those that are in force stay", "error", err)
	case err == nil && b.away.Load():
		b.o.Log.Info("the store of the routes answers again")
	}
	b.away.Store(err != nil)
	return err
}

func (b *Book) look(ctx context.Context) error {
	c, data, err := load[contents](ctx, b.o.Records, contentsKey)
	if err != nil {
		return err
	}
	if data == nil && b.seen.Serial > 0 {
		return b.putBack(ctx)
	}
	b.looks++
	if b.known && c.Serial == b.seen.Serial && b.looks%wholeEvery != 0 {
		return nil
	}
	stored, raw := map[string]record{}, map[string][]byte{}
	for _, name := range c.Names {
		rec, bytes, err := load[record](ctx, b.o.Records, recordKey+name)
		switch {
		case fault.KindOf(err) == fault.Internal && err != nil:
			b.o.Log.Error("a stored route cannot be read; what was in force stays", "route", name, "error", err)
			rec = b.inForce(name)
		case err != nil:
			return err
		}
		if bytes != nil {
			stored[name], raw[name] = rec, bytes
		}
	}
	b.publish(stored)
	b.seen, b.rawSeen, b.raw, b.known = c, data, raw, true
	return nil
}

// inForce is a record of what is in force of a stored route.
func (b *Book) inForce(name string) record {
	if e, ok := b.Entry(name); ok && e.Number > 0 {
		return record{[]Version{e.Version}}
	}
	return record{}
}

// putBack gives a store that has lost everything, such as a Redis without persistence that was started anew, what this gateway knows. Several may do so at a time: the first
// one's values stay.
func (b *Book) putBack(ctx context.Context) error {
	b.o.Log.Warn("the store of the routes is empty; they are put back", "routes", len(b.raw))
	for name, data := range b.raw {
		if _, err := b.o.Records.Swap(ctx, recordKey+name, nil, data); err != nil {
			return err
		}
	}
	_, err := b.o.Records.Swap(ctx, contentsKey, nil, b.rawSeen)
	return err
}

// announce tells all gateways that a route has changed, and that there is one of that name.
func (b *Book) announce(ctx context.Context, name string) error {
	return records.Change(ctx, b.o.Records, contentsKey, func(stored []byte) ([]byte, error) {
		c, err := decode[contents](stored)
		if err != nil {
			return nil, err
		}
		next := c.with(name)
		if len(next.Names) > MostRoutes {
			return nil, fault.New(fault.Conflict, "conflict", "%d routes have been made already, deleted ones included; change one of them", MostRoutes)
		}
		return json.Marshal(next)
	})
}
