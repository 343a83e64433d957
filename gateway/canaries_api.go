package gateway

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"triton-gateway/gateway/route/book"
	"triton-gateway/internal/fault"
)

// What operators say to canaries, in the audit log.
const (
	actPromote = "route.promote"
	actPause   = "route.pause"
	actResume  = "route.resume"
)

type canaryOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         *canaryView
}

// registerCanaries adds the routes by which operators watch canaries and have their say.
func (s *server) registerCanaries(api huma.API) {
	const where = " Answered on the admin listener, and here with a key of scope admin."
	tags := []string{"routes"}
	register(s, api, huma.Operation{
		OperationID: "get-route-canary", Method: http.MethodGet, Path: "/v1/routes/{name}/canary", Tags: tags,
		Summary: "How a route's canary does", Description: "How far it is and why, what speaks against it on this gateway, and its moves." + where,
		Errors: []int{403, 404},
	}, func(ctx context.Context, in *routePath) (*canaryOutput, error) {
		if s.routes == nil || s.routes.canaries == nil {
			return nil, book.Missing(in.Name)
		}
		v, err := s.routes.canaries.view(ctx, in.Name)
		if err != nil {
			return nil, err
		}
		return &canaryOutput{"no-store", v}, nil
	})
	for _, say := range []struct {
		id, path, action, summary, does string
		edit                            func(now book.Canary) (book.Canary, error)
	}{
		{"promote-route", "promote", actPromote, "Give a route's canary everything", "At once, whatever the guard knows; it does not watch any more.", promoted},
		{"pause-route", "pause", actPause, "Keep a route's canary at its step", "It goes up no more until it is resumed; the guard still watches.", paused},
		{"resume-route", "resume", actResume, "Let a route's canary go on", "From its step, or where it went back, anew from the first one.", resumed},
	} {
		register(s, api, huma.Operation{
			OperationID: say.id, Method: http.MethodPost, Path: "/v1/routes/{name}/" + say.path, Tags: tags,
			Summary: say.summary, Description: say.does + where,
			Errors: []int{400, 403, 404, 409, 412, 503},
		}, func(ctx context.Context, in *routeChangeInput) (*routeOutput, error) {
			return s.sayToCanary(ctx, in, say.action, say.path, say.edit)
		})
	}
}

func (s *server) sayToCanary(ctx context.Context, in *routeChangeInput, action, word string, edit func(book.Canary) (book.Canary, error)) (out *routeOutput, err error) {
	expect, err := expectation(in.IfMatch, "")
	if err != nil {
		return nil, err
	}
	if s.routes == nil {
		return nil, book.Missing(in.Name)
	}
	err = s.audit.do(ctx, action, clip(in.Name), func() error {
		by := operatorOf(ctx)
		e, err := s.routes.book.Move(ctx, in.Name, by, word, expect, func(now book.Canary, _ string) (book.Canary, error) {
			next, err := edit(now)
			next.Rule, next.Reason = "", word+" by an operator"
			if by != "" {
				next.Reason = word + " by " + clip(by)
			}
			return next, err
		})
		if err != nil {
			return err
		}
		out = s.routeAnswer(e)
		s.routes.changed(action, e)
		return nil
	})
	return out, err
}

// contradicts is the fault of a word that does not fit a canary's state.
func contradicts(what string) error { return fault.New(fault.Conflict, "conflict", "%s", what) }

func promoted(now book.Canary) (book.Canary, error) {
	switch now.State {
	case book.Done:
		return now, contradicts("the canary has everything already")
	case book.Back:
		return now, contradicts("the canary went back; resume it first, or put a route without it")
	}
	now.State = book.Done
	return now, nil
}

func paused(now book.Canary) (book.Canary, error) {
	if now.State != book.Running {
		return now, contradicts("the canary does not run: it is " + now.State)
	}
	now.State = book.Paused
	return now, nil
}

func resumed(now book.Canary) (book.Canary, error) {
	switch now.State {
	case book.Paused:
		now.State = book.Running
	case book.Back:
		now.State, now.Step = book.Running, 0
	default:
		return now, contradicts("the canary can only be resumed where it is paused or went back: it is " + now.State)
	}
	return now, nil
}
