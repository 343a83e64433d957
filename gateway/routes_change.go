package gateway

import (
	"context"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"triton-gateway/gateway/route"
	"triton-gateway/gateway/route/book"
	"triton-gateway/internal/caller"
	"triton-gateway/internal/fault"
)

const actRollback = "route.rollback"

type routePutInput struct {
	Name        string `path:"name" maxLength:"256" doc:"Name of the route" example:"shapes-ab"`
	IfMatch     string `header:"If-Match" doc:"The version that is to be changed, as GET's ETag says it; * for any that is there" example:"\"3\""`
	IfNoneMatch string `header:"If-None-Match" doc:"*: only if there is no such route"`
	Body        RouteSpec
}

type routeChangeInput struct {
	Name    string `path:"name" maxLength:"256" doc:"Name of the route" example:"shapes-ab"`
	IfMatch string `header:"If-Match" doc:"The version that is to be changed, as GET's ETag says it" example:"\"3\""`
}

type routeRollbackInput struct {
	Name    string `path:"name" maxLength:"256" doc:"Name of the route" example:"shapes-ab"`
	IfMatch string `header:"If-Match" doc:"The version that is to be changed, as GET's ETag says it" example:"\"3\""`
	Version int    `query:"version" minimum:"1" doc:"The version to go back to. Default: the one before the one in force" example:"2"`
}

type routePutOutput struct {
	Status int
	ETag   string `header:"ETag" doc:"The version of the route, for If-Match"`
	Body   routeView
}

type routeVersionsOutput struct{ Body versionsView }

// registerRouteChanges adds the routes by which operators move traffic.
func (s *server) registerRouteChanges(api huma.API) {
	const where = " Answered on the admin listener, and here with a key of scope admin."
	tags := []string{"routes"}
	register(s, api, huma.Operation{
		OperationID: "put-route", Method: http.MethodPut, Path: "/v1/routes/{name}", Tags: tags, MaxBodyBytes: book.MostSpec,
		Summary: "Make or change a route", Description: "Whole or not at all, and on every gateway that shares the store within a second. Users stay where they were as far as the weights allow. " +
			"A route of gateway.yaml of the same name stands back until this one is deleted." + where,
		Errors: []int{400, 403, 409, 412, 413, 415, 503},
		Responses: map[string]*huma.Response{"201": {Description: "There was no such route before", Content: map[string]*huma.MediaType{
			typeJSON: {Schema: api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[routeView](), true, "")}}}},
	}, s.putRoute)
	register(s, api, huma.Operation{
		OperationID: "delete-route", Method: http.MethodDelete, Path: "/v1/routes/{name}", Tags: tags, DefaultStatus: http.StatusNoContent,
		Summary: "Take a stored route out of force", Description: "The one of gateway.yaml of the same name, if there is one, is in force again." + where,
		Errors: []int{400, 403, 404, 409, 412, 503},
	}, s.deleteRoute)
	register(s, api, huma.Operation{
		OperationID: "rollback-route", Method: http.MethodPost, Path: "/v1/routes/{name}/rollback", Tags: tags,
		Summary: "Put an earlier version of a route into force", Description: "As a new version. Users are back where they were then." + where,
		Errors: []int{400, 403, 404, 409, 412, 503},
	}, s.rollbackRoute)
	register(s, api, huma.Operation{
		OperationID: "list-route-versions", Method: http.MethodGet, Path: "/v1/routes/{name}/versions", Tags: tags,
		Summary: "The last changes of a route, with who and when", Description: where[1:],
		Errors: []int{403, 404, 503},
	}, s.routeVersions)
	versionsAreNumbersToo(api.OpenAPI().Components.Schemas)
}

// versionsAreNumbersToo lets a target's version be written as 2 and as "2".
func versionsAreNumbersToo(r huma.Registry) {
	for _, v := range []any{route.Target{}, route.Candidate{}, route.Shadow{}, route.Canary{}} {
		numberToo(r, v, "version", "^[0-9]{0,19}$")
	}
}

// numberToo lets one member of a body be written as a number too, and not only as a text of this pattern.
func numberToo(r huma.Registry, of any, member, pattern string) {
	s := r.SchemaFromRef(r.Schema(reflect.TypeOf(of), true, "").Ref)
	was := s.Properties[member]
	either := &huma.Schema{Description: was.Description, Examples: was.Examples, OneOf: []*huma.Schema{{Type: "string", Pattern: pattern}, {Type: "integer", Minimum: ptr(0.0)}}}
	for _, one := range either.OneOf {
		one.PrecomputeMessages()
	}
	either.PrecomputeMessages()
	s.Properties[member] = either
}

func (s *server) putRoute(ctx context.Context, in *routePutInput) (out *routePutOutput, err error) {
	expect, err := expectation(in.IfMatch, in.IfNoneMatch)
	if err != nil {
		return nil, err
	}
	if err := s.routes.there(); err != nil {
		return nil, err
	}
	spec := route.Spec(in.Body)
	err = s.audit.do(ctx, actPut, clip(in.Name), func() error {
		if err := s.routes.check(in.Name, &spec); err != nil {
			return err
		}
		e, created, err := s.routes.book.Put(ctx, in.Name, spec, operatorOf(ctx), expect)
		if err != nil {
			return err
		}
		answer := s.routeAnswer(e)
		out = &routePutOutput{http.StatusOK, answer.ETag, answer.Body}
		if created {
			out.Status = http.StatusCreated
		}
		s.routes.changed(actPut, e)
		return nil
	})
	return out, err
}

func (s *server) deleteRoute(ctx context.Context, in *routeChangeInput) (*struct{}, error) {
	expect, err := expectation(in.IfMatch, "")
	if err != nil {
		return nil, err
	}
	if s.routes == nil {
		return nil, book.Missing(in.Name)
	}
	return nil, s.audit.do(ctx, actDelete, clip(in.Name), func() error { return s.routes.book.Delete(ctx, in.Name, operatorOf(ctx), expect) })
}

func (s *server) rollbackRoute(ctx context.Context, in *routeRollbackInput) (out *routeOutput, err error) {
	expect, err := expectation(in.IfMatch, "")
	if err != nil {
		return nil, err
	}
	if s.routes == nil {
		return nil, book.Missing(in.Name)
	}
	err = s.audit.do(ctx, actRollback, clip(in.Name), func() error {
		e, err := s.routes.book.Rollback(ctx, in.Name, operatorOf(ctx), in.Version, expect)
		if err != nil {
			return err
		}
		if e.Plan == nil { // before it there was none
			out = &routeOutput{Body: routeView{Name: in.Name, Kind: kindRoute, Candidates: []candidateView{}}}
			return nil
		}
		out = s.routeAnswer(e)
		s.routes.changed(actRollback, e)
		return nil
	})
	return out, err
}

func (s *server) routeVersions(ctx context.Context, in *routePath) (*routeVersionsOutput, error) {
	if s.routes == nil {
		return nil, book.Missing(in.Name)
	}
	list, err := s.routes.book.History(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	out := &routeVersionsOutput{}
	out.Body.Versions = []routeVersionView{}
	for _, v := range list {
		out.Body.Versions = append(out.Body.Versions, routeVersionView{v.Number, v.At, v.By, v.Action, (*RouteSpec)(v.Spec)})
	}
	return out, nil
}

func (s *server) routeAnswer(e book.Entry) *routeOutput {
	return &routeOutput{ETag: strconv.Quote(strconv.Itoa(e.Number)), Body: s.routes.view(e)}
}

// there is nil where there is a book.
func (r *routeSide) there() error {
	if r == nil {
		return fault.New(fault.Unavailable, "route_store_unavailable", "this gateway keeps no routes")
	}
	return nil
}

// changed says what an operator should know of a change.
func (r *routeSide) changed(action string, e book.Entry) {
	r.log.Info("route changed", "action", action, "route", e.Plan.Name, "version", e.Number, "by", e.By)
	if r.kept == keptInMemory {
		r.log.Warn("the route is kept in memory alone, and ends with this gateway; set cache.redis, or keep jobs in SQLite, to keep it", "route", e.Plan.Name)
	}
}

// operatorOf is who asks; "" where nobody is asked who they are.
func operatorOf(ctx context.Context) string {
	if c := caller.From(ctx); c != nil {
		return c.ID
	}
	return ""
}

// expectation reads the headers of RFC 9110, 13.1: at most one of them, and one version.
func expectation(match, none string) (int, error) {
	switch {
	case match != "" && none != "":
		return 0, badOption("header.If-Match", "If-Match and If-None-Match are both given; send one of them")
	case none == "*":
		return book.Absent, nil
	case none != "":
		return 0, badOption("header.If-None-Match", "If-None-Match can only be *")
	case match == "":
		return book.Any, nil
	case match == "*":
		return book.Present, nil
	}
	text := strings.TrimPrefix(match, "W/")
	n, err := strconv.Atoi(strings.Trim(text, `"`))
	if err != nil || n < 0 || strconv.Quote(strconv.Itoa(n)) != text {
		return 0, badOption("header.If-Match", "If-Match is a version in quotation marks as the ETag of GET says it, such as \"3\", not %q", clip(match))
	}
	return n, nil
}
