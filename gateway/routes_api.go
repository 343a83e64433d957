package gateway

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"
)

// routeView is a name that clients can call and what stands behind it. Every model is a route to itself.
type routeView struct {
	Name       string          `json:"name" example:"shapes"`
	Kind       string          `json:"kind" enum:"model" doc:"A model is a route to itself"`
	Candidates []candidateView `json:"candidates"`
}

type candidateView struct {
	Model   string `json:"model" example:"shapes"`
	Version string `json:"version" example:"2" doc:"The version that the model's policy gives now; empty where none is ready"`
	Weight  int    `json:"weight" example:"100" doc:"Percent"`
}

type routeListOutput struct {
	Body struct {
		Routes []routeView `json:"routes"`
	}
}

type routeOutput struct{ Body routeView }

type routePath struct {
	Name string `path:"name" maxLength:"256" doc:"Name of the route" example:"shapes"`
}

// explainView says what would answer a request, and why.
type explainView struct {
	Route      string `json:"route" example:"shapes"`
	Model      string `json:"model" example:"shapes"`
	Version    string `json:"version" example:"2"`
	Reason     string `json:"reason" enum:"policy,requested" doc:"policy: the model's version policy; requested: the request names the version"`
	Task       string `json:"task" example:"image-classification"`
	TaskSource string `json:"task_source" example:"task.yaml" doc:"Where the task comes from"`
}

func (m *modelInfo) trivialRoute() routeView {
	version, err := "", error(nil)
	if m.Resolve != nil {
		if version, err = m.Resolve(""); err != nil {
			version = ""
		}
	}
	return routeView{Name: m.Name, Kind: "model", Candidates: []candidateView{{m.Name, version, 100}}}
}

// registerRoutes adds the routes that show traffic.
func (s *server) registerRoutes(api huma.API) {
	register(s, api, huma.Operation{
		OperationID: "list-routes", Method: http.MethodGet, Path: "/v1/routes", Tags: []string{"routes"},
		Summary: "All routes", Description: "Every model is a route to itself; other routes cannot be made yet.",
	}, func(context.Context, *struct{}) (*routeListOutput, error) {
		out := &routeListOutput{}
		out.Body.Routes = []routeView{}
		for _, m := range s.models.List() {
			out.Body.Routes = append(out.Body.Routes, m.trivialRoute())
		}
		return out, nil
	})
	register(s, api, huma.Operation{
		OperationID: "get-route", Method: http.MethodGet, Path: "/v1/routes/{name}", Tags: []string{"routes"},
		Summary: "One route", Errors: []int{404, 503},
	}, func(_ context.Context, in *routePath) (*routeOutput, error) {
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
	if c.Request.ContentLength != 0 { // without a body, the question is about any request
		call, err := s.readCall(c.Writer, c.Request)
		if err != nil {
			return err
		}
		call.release()
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
