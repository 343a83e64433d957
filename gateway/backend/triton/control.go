package triton

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
	"triton-gateway/tritonpb"
)

var _ backend.Controller = (*Client)(nil)

// Load has every endpoint load the model, all at the same time, also those that get no calls at present. It returns when all have ended, which may take minutes, or when ctx
// ends.
func (c *Client) Load(ctx context.Context, model string, params map[string]any) error {
	out := make(map[string]*tritonpb.ModelRepositoryParameter, len(params))
	for key, value := range params {
		p, err := repositoryParameter(value)
		if err == nil && !utf8.ValidString(key) {
			err = errors.New("not named in UTF-8")
		}
		if err != nil {
			return fault.New(fault.Invalid, "invalid_request", "parameter %q: %v", key, err).At("parameters."+key, err.Error())
		}
		out[key] = p
	}
	asked := &tritonpb.RepositoryModelLoadRequest{ModelName: model, Parameters: out}
	return c.everywhere(ctx, "load", model, func(ctx context.Context, e *endpoint) error {
		_, err := e.service.RepositoryModelLoad(ctx, asked)
		return err
	})
}

// Unload has every endpoint unload the model, as Load does. Triton takes unknown names for done.
func (c *Client) Unload(ctx context.Context, model string, dependents bool) error {
	asked := &tritonpb.RepositoryModelUnloadRequest{ModelName: model}
	if dependents {
		p, _ := repositoryParameter(true)
		asked.Parameters = map[string]*tritonpb.ModelRepositoryParameter{"unload_dependents": p}
	}
	return c.everywhere(ctx, "unload", model, func(ctx context.Context, e *endpoint) error {
		_, err := e.service.RepositoryModelUnload(ctx, asked)
		return err
	})
}

// everywhere calls all endpoints. Where all fail in the same way, that is the error; where some fail, or each in its own way, the error names them.
func (c *Client) everywhere(ctx context.Context, verb, model string, call func(context.Context, *endpoint) error) error {
	if model == "" || !utf8.ValidString(model) {
		return fault.New(fault.Invalid, "invalid_request", "%q cannot be the name of a model", model)
	}
	members := c.list()
	failures := make([]*fault.Error, len(members))
	var wait sync.WaitGroup
	for i, e := range members {
		wait.Go(func() {
			if !e.reconnect(ctx, c.reconnect) {
				failures[i] = translate(ctx, status.Error(codes.Unavailable, "connection refused or timed out"))
				return
			}
			if err := call(e.outgoing(ctx), e); err != nil {
				failures[i] = told(ctx, err)
			}
		})
	}
	wait.Wait()
	together := fault.New(fault.Conflict, "replica_failed", "")
	var first *fault.Error
	failed, alike := 0, true
	for i, f := range failures {
		if f == nil {
			continue
		}
		failed++
		if first == nil {
			first = f
		}
		alike = alike && f.Kind == first.Kind && f.Code == first.Code
		together.At(members[i].name, f.Detail)
	}
	switch {
	case failed == 0:
		return nil
	case failed == len(members) && alike:
		return first
	}
	together.Detail = fmt.Sprintf("%d of %d model servers failed to %s the model; the others have done it. Ask again when the cause is gone", failed, len(members), verb)
	if failed == len(members) {
		together.Detail = fmt.Sprintf("all %d model servers failed to %s the model, for different reasons", failed, verb)
	}
	return together.Wrap(first)
}

// told is a failure with the server's own words, for who operates it. What it refuses is the caller's fault.
func told(ctx context.Context, err error) *fault.Error {
	f := translate(ctx, err)
	s, _ := status.FromError(err)
	switch {
	case ctx.Err() != nil:
	case s.Code() == codes.InvalidArgument:
		f = fault.New(fault.Invalid, "invalid_request", "%s", public(s.Message())).Wrap(err)
	case f.Kind == fault.Unsupported:
		f.Detail = public(s.Message())
	case s.Code() == codes.Unimplemented:
		f = fault.New(fault.Unsupported, "unsupported_model", "the model server does not load models on request").Wrap(err)
	case s.Code() == codes.Internal, s.Code() == codes.Unknown, s.Code() == codes.NotFound, s.Code() == codes.AlreadyExists:
		f.Detail = public(s.Message())
	}
	return f
}

func repositoryParameter(value any) (*tritonpb.ModelRepositoryParameter, error) {
	switch v := value.(type) {
	case string:
		if !utf8.ValidString(v) {
			return nil, errors.New("not UTF-8")
		}
		return &tritonpb.ModelRepositoryParameter{ParameterChoice: &tritonpb.ModelRepositoryParameter_StringParam{StringParam: v}}, nil
	case []byte:
		return &tritonpb.ModelRepositoryParameter{ParameterChoice: &tritonpb.ModelRepositoryParameter_BytesParam{BytesParam: v}}, nil
	case bool:
		return &tritonpb.ModelRepositoryParameter{ParameterChoice: &tritonpb.ModelRepositoryParameter_BoolParam{BoolParam: v}}, nil
	case int64:
		return &tritonpb.ModelRepositoryParameter{ParameterChoice: &tritonpb.ModelRepositoryParameter_Int64Param{Int64Param: v}}, nil
	}
	return nil, fmt.Errorf("a %T: want string, bytes, bool or int64", value)
}
