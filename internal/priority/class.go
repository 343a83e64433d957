// Package priority is the class of a request and the line in which requests of several classes wait. It is below everything that has a line, so that the same rule holds
// wherever a request waits: for memory, for a decoder, for a model, for a batch.
package priority

import "context"

// Class is how urgent a request is: the lower, the more. The zero value is Interactive.
type Class int8

// The classes.
const (
	Realtime    Class = iota - 1 // somebody, or a machine, waits for every single answer
	Interactive                  // a person waits; what requests are that say nothing
	Batch                        // nobody waits
)

// Classes is how many there are.
const Classes = 3

// Index is 0 for the most urgent class, and Classes-1 for the least urgent.
func (c Class) Index() int { return int(c - Realtime) }

// All gives the classes, the most urgent first.
func All() [Classes]Class { return [...]Class{Realtime, Interactive, Batch} }

// String is the class's name.
func (c Class) String() string {
	switch c {
	case Realtime:
		return "realtime"
	case Batch:
		return "batch"
	}
	return "interactive"
}

// Parse gives the class of a name.
func Parse(name string) (c Class, ok bool) {
	for _, c := range All() {
		if c.String() == name {
			return c, true
		}
	}
	return Interactive, false
}

type key struct{}

// With gives a context in which From finds c, whatever becomes of work that is shared.
func With(ctx context.Context, c Class) context.Context {
	if _, shared := ctx.Value(key{}).(*Shared); !shared && From(ctx) == c {
		return ctx
	}
	return context.WithValue(ctx, key{}, c)
}

// From is the class of what runs under ctx; Interactive where nobody has said. That of work that is shared may rise; see Share.
func From(ctx context.Context) Class {
	switch c := ctx.Value(key{}).(type) {
	case Class:
		return c
	case *Shared:
		return c.Class()
	}
	return Interactive
}
