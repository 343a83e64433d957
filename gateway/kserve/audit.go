package kserve

import (
	"context"

	"google.golang.org/grpc/peer"

	"triton-gateway/gateway/backend"
)

// The actions of operators here.
const (
	actLoad   = "model.load"
	actUnload = "model.unload"
)

// audited is a controller whose actions are noted before and after.
type audited struct {
	backend.Controller
	audit Auditor
}

var _ backend.Controller = audited{}

// Load implements backend.Controller.
func (a audited) Load(ctx context.Context, model string, params map[string]any) error {
	return a.do(ctx, actLoad, model, func() error { return a.Controller.Load(ctx, model, params) })
}

// Unload implements backend.Controller.
func (a audited) Unload(ctx context.Context, model string, dependents bool) error {
	return a.do(ctx, actUnload, model, func() error { return a.Controller.Unload(ctx, model, dependents) })
}

func (a audited) do(ctx context.Context, action, model string, do func() error) error {
	done, err := a.audit.Begin(ctx, action, model, addressOf(ctx))
	if err != nil {
		return err
	}
	err = do()
	done(err)
	return err
}

// control is controller for calls over gRPC. One that is not allowed is noted.
func (c *calls) control(ctx context.Context, admin bool, action, model string) (backend.Controller, error) {
	k, err := c.controller(admin)
	if err != nil && !admin && c.Audit != nil {
		c.Audit.Refused(ctx, action, model, addressOf(ctx), err)
	}
	return k, err
}

// addressOf is where a call over gRPC comes from.
func addressOf(ctx context.Context) string {
	if p, ok := peer.FromContext(ctx); ok && p.Addr != nil {
		return p.Addr.String()
	}
	return ""
}
