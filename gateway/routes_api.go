package gateway

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/caller"
)

type routeListOutput struct {
	Body struct {
		Routes []routeView `json:"routes"`
	}
}

type routeOutput struct {
	ETag string `header:"ETag" doc:"The version of a route, for If-Match"`
	Body routeView
}

type routePath struct {
	Name string `path:"name" maxLength:"256" doc:"Name of the route" example:"shapes-ab"`
}

// explainView says what would answer a request, and why.
type explainView struct {
	Route      string `json:"route" example:"shapes-ab"`
	Model      string `json:"model" example:"shapes"`
	Version    string `json:"version" example:"2"`
	Reason     string `json:"reason" example:"sticky:user" doc:"policy: the model's version policy; requested: the request names the version. Of a route: rule[0] and so on, weight, sticky:user and so on, fallback[0] and so on"`
	Task       string `json:"task" example:"image-classification"`
	TaskSource string `json:"task_source" example:"task.yaml" doc:"Where the task comes from"`
	Shadow     bool   `json:"shadow,omitempty" doc:"The route's shadow would be asked too"`
}

// registerRoutes adds the routes that show traffic.
func (s *server) registerRoutes(api huma.API) {
	register(s, api, huma.Operation{
		OperationID: "list-routes", Method: http.MethodGet, Path: "/v1/routes", Tags: []string{"routes"},
		Summary: "All routes", Description: "Names over several models, and every model, which is a route to itself.",
	}, func(context.Context, *struct{}) (*routeListOutput, error) {
		out := &routeListOutput{}
		out.Body.Routes = s.routeViews()
		return out, nil
	})
	register(s, api, huma.Operation{
		OperationID: "get-route", Method: http.MethodGet, Path: "/v1/routes/{name}", Tags: []string{"routes"},
		Summary: "One route", Errors: []int{404, 503},
	}, func(_ context.Context, in *routePath) (*routeOutput, error) {
		if s.routes != nil {
			if e, found := s.routes.book.Entry(in.Name); found {
				return s.routeAnswer(e), nil
			}
		}
		m, err := s.models.Lookup(in.Name)
		if err != nil {
			return nil, err
		}
		return &routeOutput{Body: m.trivialRoute()}, nil
	})
}

// explain takes what infer takes, and says what would answer instead of running it.
func (s *server) explain(c *gin.Context) error {
	name, version, err := s.target(c)
	if err != nil {
		return err
	}
	m, err := s.models.Lookup(name)
	if err != nil {
		return err
	}
	request := pipeline.Request{Model: name, Version: version, Tenant: caller.TenantOf(c.Request.Context()), ID: requestID(c), Header: c.Request.Header}
	at := &call{}
	if c.Request.ContentLength != 0 { // without a body, the question is about any request
		if at, err = s.readCall(c.Writer, c.Request); err != nil {
			return err
		}
		defer at.release()
		if err := at.items[0].err; err != nil {
			return at.locate(err, 0)
		}
		request.Item, request.Options, request.Rows = at.items[0].Item, at.opts.post, len(at.items)
	}
	if s.routes.plan(name) != nil {
		x, err := s.routes.explain(c.Request.Context(), &request)
		if err != nil {
			return at.locate(err, 0)
		}
		c.JSON(http.StatusOK, explainView{Route: name, Model: x.Model, Version: x.Version, Reason: x.Reason, Task: x.Task, TaskSource: x.Source, Shadow: x.Routed != nil && x.Routed.Shadow})
		return nil
	}
	view := explainView{Route: name, Model: m.Name, Reason: "policy", Task: string(m.Spec.Task), TaskSource: m.Source}
	if version != "" {
		view.Reason = "requested"
	}
	if view.Version, err = m.Resolve(version); err != nil {
		return err
	}
	c.JSON(http.StatusOK, view)
	return nil
}
