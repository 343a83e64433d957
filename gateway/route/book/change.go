package book

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"triton-gateway/gateway/route"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/records"
)

// What a change may expect of the version in force, beside a number.
const (
	Any     = -1 // whatever it is
	Absent  = -2 // there is no route of that name
	Present = -3 // there is one
)

// nameForm is what a route may be called: it is a label of metrics and a part of paths.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// CheckName is an Invalid fault for a name that a route cannot have.
func CheckName(name string) error {
	if nameForm.MatchString(name) {
		return nil
	}
	return fault.New(fault.Invalid, "invalid_request", "a route's name has 1 to 128 letters, digits, dots, dashes and underscores, and begins with a letter or digit").At("path.name", "not a name")
}

// Put makes a route, or changes it. Users stay where they were as far as the weights allow. created says that there was none. Putting what is in force changes nothing.
//
// Errors: Invalid with the places in the route; TooLarge; Conflict precondition_failed where expect is not met; Unavailable.
func (b *Book) Put(ctx context.Context, name string, spec route.Spec, by string, expect int) (e Entry, created bool, err error) {
	if err := CheckName(name); err != nil {
		return e, false, err
	}
	if _, err := route.Compile(name, spec, nil); err != nil {
		return e, false, invalid(err)
	}
	if text, err := json.Marshal(spec); err != nil || len(text) > MostSpec {
		return e, false, tooLarge() // Compile has left nothing that JSON lacks
	}
	e, err = b.change(ctx, name, by, expect, func(rec record, before *route.Plan) (*Version, error) {
		created = before == nil
		state := stateOf(&spec, record{})
		if before != nil && state != nil && before.Spec.CanaryID() == state.ID {
			state = stateOf(&before.Spec, rec) // it is the same canary, which goes on
		}
		plan, err := route.CompileAt(name, spec, before, state.Percent(&spec))
		if err != nil {
			return nil, invalid(err)
		}
		if len(rec.Versions) > 0 && rec.Versions[0].Spec != nil && reflect.DeepEqual(*rec.Versions[0].Spec, spec) {
			return nil, nil
		}
		return &Version{Action: "put", Spec: &spec, Shares: plan.Shares, Canary: state}, nil
	})
	return e, created, err
}

// Delete takes a stored route out of force; the one that the settings have of that name, if there is one, is in force again. Errors: NotFound route_not_found; Conflict for a
// route that only the settings have, and precondition_failed; Unavailable.
func (b *Book) Delete(ctx context.Context, name, by string, expect int) error {
	_, err := b.change(ctx, name, by, expect, func(rec record, before *route.Plan) (*Version, error) {
		if len(rec.Versions) == 0 || rec.Versions[0].Spec == nil {
			return nil, b.nothing(name)
		}
		return b.without(name, rec, before)
	})
	return err
}

// nothing is the error for a route that is not stored.
func (b *Book) nothing(name string) error {
	if _, based := b.base[name]; based {
		return fault.New(fault.Conflict, "conflict", "the route %q is in gateway.yaml; take it out there, or put another one over it", name)
	}
	return Missing(name)
}

// Missing is the fault for a name that no route has.
func Missing(name string) *fault.Error {
	return fault.New(fault.NotFound, "route_not_found", "there is no route %q; GET /v1/routes lists them", clip(name))
}

func clip(text string) string {
	if len(text) > 64 {
		text = text[:61] + "..."
	}
	return strings.ToValidUTF8(text, "?")
}

// without is the version after which nothing stored is in force.
func (b *Book) without(name string, rec record, before *route.Plan) (*Version, error) {
	v := &Version{Action: "delete"}
	if base := b.base[name]; base != nil {
		plan, err := route.CompileAt(name, base.Spec, before, stateOf(&base.Spec, rec).Percent(&base.Spec))
		if err != nil {
			return nil, err
		}
		v.Shares = plan.Shares
	}
	return v, nil
}

// Rollback puts an earlier version into force again, as a new one; number 0 is the one before the one in force. Users are back where they were then. Where the route has a canary, number 0
// ends that one: it has nothing any more. A canary of an earlier version is paused. It is an error where the version is not kept: NotFound version_not_found. Others are those of Delete.
func (b *Book) Rollback(ctx context.Context, name, by string, number, expect int) (Entry, error) {
	return b.change(ctx, name, by, expect, func(rec record, before *route.Plan) (*Version, error) {
		if before != nil && number == 0 {
			if now := stateOf(&before.Spec, rec); now != nil {
				return ended(name, by, rec, before, *now)
			}
		}
		if len(rec.Versions) == 0 {
			return nil, b.nothing(name)
		}
		at := 1
		if number != 0 {
			if at = slices.IndexFunc(rec.Versions, func(v Version) bool { return v.Number == number }); at < 0 {
				return nil, noSuch(name, rec)
			}
		}
		if at >= len(rec.Versions) {
			if rec.Versions[0].Number > 1 {
				return nil, noSuch(name, rec) // it was too large to be kept
			}
			return b.without(name, rec, before) // before the first there was what the settings have
		}
		old := rec.Versions[at]
		spec := old.Spec
		if spec == nil {
			base := b.base[name]
			if base == nil || old.Canary == nil {
				return b.without(name, rec, before)
			}
			spec = &base.Spec
		}
		state := asItWas(spec, old.Canary)
		plan, err := route.Restore(name, *spec, old.Shares, state.Percent(spec))
		if err != nil {
			return nil, invalid(err)
		}
		return &Version{Action: "rollback", Spec: old.Spec, Shares: plan.Shares, Canary: state}, nil
	})
}

func noSuch(name string, rec record) error {
	first, last := rec.Versions[len(rec.Versions)-1].Number, rec.Versions[0].Number
	if first == last {
		return fault.New(fault.NotFound, "version_not_found", "of the route %q version %d alone is kept", name, last)
	}
	return fault.New(fault.NotFound, "version_not_found", "versions %d to %d of the route %q are kept", first, last, name)
}

// History gives the versions that are kept, the newest first. Errors: NotFound route_not_found, Unavailable.
func (b *Book) History(ctx context.Context, name string) ([]Version, error) {
	rec, _, err := load[record](ctx, b.o.Records, recordKey+name)
	if err != nil {
		return nil, err
	}
	if _, based := b.base[name]; len(rec.Versions) == 0 && !based {
		return nil, Missing(name)
	}
	return rec.Versions, nil
}

// change writes the next version that edit makes of what is stored now; nil where there is nothing to change. before is the plan in force by that, nil for none.
func (b *Book) change(ctx context.Context, name, by string, expect int, edit func(rec record, before *route.Plan) (*Version, error)) (Entry, error) {
	changed := false
	err := records.Change(ctx, b.o.Records, recordKey+name, func(stored []byte) ([]byte, error) {
		rec, _ := decode[record](stored) // one that cannot be read may be replaced
		before, _, err := b.planOf(name, rec)
		if err != nil {
			before = nil // another version of this program wrote it; it may be replaced
		}
		if err := expected(name, rec.number(), before != nil, expect); err != nil {
			return nil, err
		}
		v, err := edit(rec, before)
		if changed = v != nil; err != nil || !changed {
			return nil, err
		}
		v.Number, v.At, v.By = rec.number()+1, b.o.Now().UTC().Round(0), by
		next, err := record{slices.Insert(slices.Clone(rec.Versions), 0, *v)}.encode()
		if err == nil && stored == nil { // nobody looks for a route whose name is not in the contents
			err = b.announce(ctx, name)
		}
		return next, err
	})
	if err == nil && changed {
		err = b.announce(ctx, name)
	}
	if errors.Is(err, records.ErrBusy) {
		err = fault.New(fault.Unavailable, "route_store_unavailable", "other gateways change the routes all the time; try again").Wrap(err).After(time.Second)
	}
	if err == nil {
		err = b.Look(ctx)
	}
	if err != nil {
		return Entry{}, err
	}
	e, _ := b.Entry(name)
	return e, nil
}

// expected checks what a change expects.
func expected(name string, number int, exists bool, expect int) error {
	switch {
	case expect == Any, expect == Absent && !exists, expect == Present && exists, expect == number && exists:
		return nil
	}
	is := "there is none"
	if exists {
		is = "it is at version " + strconv.Itoa(number)
	}
	return fault.New(fault.Conflict, "precondition_failed", "the route %q is not as expected: %s; read it, and decide anew", name, is)
}

// invalid turns Compile's errors into one fault with their places.
func invalid(err error) error {
	list := []error{err}
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		list = joined.Unwrap()
	}
	f := fault.New(fault.Invalid, "invalid_request", "the route is wrong: %v", list[0])
	for _, e := range list {
		place, what, found := strings.Cut(e.Error(), ": ")
		if !found {
			place, what = "", e.Error()
		}
		f.At(strings.TrimSuffix("body."+place, "."), what)
	}
	return f
}
