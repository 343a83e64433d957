package gateway

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"triton-gateway/gateway/rollout"
	"triton-gateway/gateway/route"
	"triton-gateway/internal/fault"
)

type switchInput struct {
	Model  string `path:"model" maxLength:"256" doc:"Name of the model" example:"shapes"`
	Prefer string `header:"Prefer" doc:"respond-async: answer at once, with 202; GET says how far it is" example:"respond-async"`
	Body   switchInputBody
}

type switchInputBody struct {
	To route.Version `json:"to" doc:"The version that is to serve" example:"2"`
}

type switchPath struct {
	Model string `path:"model" maxLength:"256" doc:"Name of the model" example:"shapes"`
}

// switchView is where the switch of a model stands, and what the last call has done.
type switchView struct {
	Model    string              `json:"model" example:"shapes"`
	Serving  string              `json:"serving,omitempty" example:"2" doc:"The version that answers where none is asked for"`
	Phase    string              `json:"phase" enum:"none,loading,flipping,kept,unloading,done,taking_back,taken_back" doc:"none: it was never switched; kept: the earlier version is loaded for a rollback"`
	From     string              `json:"from,omitempty" example:"1"`
	To       string              `json:"to,omitempty" example:"2"`
	Until    *time.Time          `json:"until,omitempty" doc:"When the earlier version is unloaded"`
	Reason   string              `json:"reason,omitempty" doc:"Why it was taken back, or does not go on"`
	By       string              `json:"by,omitempty" doc:"Who asked last"`
	At       *time.Time          `json:"at,omitempty" doc:"When"`
	Kept     string              `json:"kept_in" enum:"redis,file,memory" doc:"Where this is written down; what is in memory alone ends with the gateway"`
	Replicas []switchReplicaView `json:"replicas,omitempty" doc:"What the last call on this gateway has done, by model server"`
}

type switchReplicaView struct {
	Replica string           `json:"replica" example:"triton-1:8001"`
	Steps   []switchStepView `json:"steps"`
}

type switchStepView struct {
	Step  string  `json:"step" enum:"load,ready,warm_up,verify,unload"`
	Took  float64 `json:"took_ms"`
	Error string  `json:"error,omitempty" doc:"In the server's own words"`
}

type switchOutput struct {
	Status int
	Body   switchView
}

// registerSwitches adds the routes by which operators switch versions.
func (s *server) registerSwitches(api huma.API) {
	const where = " Answered on the admin listener, and here with a key of scope admin."
	tags := []string{"switches"}
	register(s, api, huma.Operation{
		OperationID: "switch-model", Method: http.MethodPost, Path: "/v1/models/{model}/switch", Tags: tags, MaxBodyBytes: 4 << 10,
		Summary: "Switch a model to another version", Description: "The version is loaded, verified and warmed up on every model server beside the one that serves; then the traffic is pointed to it in one step, on every gateway that shares the store within a second. " +
			"Where a step fails before, all is as it was. The earlier version is kept for a rollback. The answer comes when that is done; the switch goes on if the caller leaves." + where,
		Errors: []int{400, 403, 404, 409, 413, 415, 503, 504},
		Responses: map[string]*huma.Response{"202": {Description: "It has begun (Prefer: respond-async)", Content: map[string]*huma.MediaType{
			typeJSON: {Schema: api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[switchView](), true, "")}}}},
	}, s.switchModel)
	numberToo(api.OpenAPI().Components.Schemas, switchInputBody{}, "to", "^(0|[1-9][0-9]{0,18})$")
	register(s, api, huma.Operation{
		OperationID: "get-switch", Method: http.MethodGet, Path: "/v1/models/{model}/switch", Tags: tags,
		Summary: "How far the switch of a model is", Description: where[1:], Errors: []int{403, 404, 503},
	}, func(_ context.Context, in *switchPath) (*switchOutput, error) {
		if err := s.switchable(in.Model); err != nil {
			return nil, err
		}
		v, err := s.switches.view(in.Model)
		if err != nil {
			return nil, err
		}
		return &switchOutput{http.StatusOK, v}, nil
	})
	errors := []int{403, 404, 409, 503, 504}
	register(s, api, huma.Operation{
		OperationID: "rollback-switch", Method: http.MethodPost, Path: "/v1/models/{model}/switch/rollback", Tags: tags,
		Summary: "Go back to the version that was kept", Description: "It is loaded and warm, so that this is a matter of milliseconds." + where, Errors: errors,
	}, func(ctx context.Context, in *switchPath) (*switchOutput, error) {
		return s.switched(ctx, in.Model, actSwitchBack, s.switches.rollback)
	})
	register(s, api, huma.Operation{
		OperationID: "settle-switch", Method: http.MethodPost, Path: "/v1/models/{model}/switch/settle", Tags: tags,
		Summary: "Unload the version that was kept, now", Description: "When the calls that use it have ended." + where, Errors: errors,
	}, func(ctx context.Context, in *switchPath) (*switchOutput, error) {
		return s.switched(ctx, in.Model, actSettle, s.switches.settle)
	})
	register(s, api, huma.Operation{
		OperationID: "delete-switch", Method: http.MethodDelete, Path: "/v1/models/{model}/switch", Tags: tags, DefaultStatus: http.StatusNoContent,
		Summary: "Leave the choice of the version to the model server again", Description: "The highest version that is ready serves then. Only once the switch is settled." + where, Errors: []int{403, 404, 409, 503},
	}, func(ctx context.Context, in *switchPath) (*struct{}, error) {
		if err := s.switchable(in.Model); err != nil {
			return nil, err
		}
		return nil, s.audit.do(ctx, actUnpin, clip(in.Model), func() error { return s.switches.unpin(ctx, in.Model) })
	})
}

func (s *server) switchModel(ctx context.Context, in *switchInput) (*switchOutput, error) {
	if !readPrefer(http.Header{"Prefer": {in.Prefer}}).async {
		return s.switched(ctx, in.Model, actSwitch, func(ctx context.Context, model, by string) (*begun, error) {
			return s.switches.switchTo(ctx, model, string(in.Body.To), by)
		})
	}
	if err := s.switchable(in.Model); err != nil {
		return nil, err
	}
	out := &switchOutput{Status: http.StatusAccepted}
	err := s.audit.do(ctx, actSwitch, clip(in.Model), func() error {
		_, err := s.switches.switchTo(ctx, in.Model, string(in.Body.To), operatorOf(ctx))
		return err
	})
	if err != nil {
		return nil, err
	}
	out.Body, err = s.switches.view(in.Model)
	return out, err
}

// switched does what an operator asks for, and waits for its end.
func (s *server) switched(ctx context.Context, model, action string, begin func(ctx context.Context, model, by string) (*begun, error)) (*switchOutput, error) {
	if err := s.switchable(model); err != nil {
		return nil, err
	}
	err := s.audit.do(ctx, action, clip(model), func() error {
		b, err := begin(ctx, model, operatorOf(ctx))
		if err != nil {
			return err
		}
		select {
		case <-b.done:
			return b.err
		case <-ctx.Done():
			return fault.Ended(ctx.Err(), "before the switch had ended, which goes on")
		}
	})
	if err != nil {
		return nil, err
	}
	v, err := s.switches.view(model)
	return &switchOutput{http.StatusOK, v}, err
}

// there is nil where models can be switched.
func (s *switches) there() error {
	if s == nil {
		return fault.New(fault.NotFound, "not_found", "this gateway switches no models")
	}
	return nil
}

func (s *switches) view(model string) (switchView, error) {
	if err := s.there(); err != nil {
		return switchView{}, err
	}
	m, err := s.catalog.Lookup(model)
	if err != nil && !s.catalog.Has(model) {
		return switchView{}, err
	}
	v := switchView{Model: model, Phase: "none", Kept: s.kept}
	if m != nil {
		v.Serving = m.Serving()
	}
	s.mu.Lock()
	record, found := s.records[model]
	report := s.reports[model]
	s.mu.Unlock()
	if last := report.State; !found && last.Phase == rollout.TakenBack {
		v.Phase, v.From, v.To, v.Reason, v.Replicas = string(last.Phase), last.From, last.To, last.Reason, replicaViews(report)
	}
	if !found {
		return v, nil
	}
	state := record.State
	if here, known := s.rollouts.State(model); known {
		state = here
	}
	if v.By = record.By; !record.At.IsZero() {
		v.At = &record.At
	}
	if state.Phase != "" {
		v.Phase, v.From, v.To, v.Reason = string(state.Phase), state.From, state.To, state.Reason
	}
	if !state.Until.IsZero() {
		v.Until = &state.Until
	}
	v.Replicas = replicaViews(report)
	return v, nil
}

func replicaViews(r rollout.Report) (list []switchReplicaView) {
	for _, replica := range r.Replicas {
		one := switchReplicaView{Replica: replica.Replica, Steps: []switchStepView{}}
		for _, s := range replica.Steps {
			one.Steps = append(one.Steps, switchStepView{s.Name, float64(s.Took.Microseconds()) / 1000, s.Error})
		}
		list = append(list, one)
	}
	return list
}
