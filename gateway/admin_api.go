package gateway

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

type purgeInput struct {
	Model string `query:"model" maxLength:"256" doc:"Only this model's answers; all where it is left out" example:"shapes"`
}

// registerAdmin adds the routes of operators.
func (s *server) registerAdmin(api huma.API) {
	register(s, api, huma.Operation{
		OperationID: "purge-cache", Method: http.MethodDelete, Path: "/v1/cache", Tags: []string{"admin"},
		Summary: "Drop stored answers", Description: "In memory, in Redis, and on every gateway that shares it. Answered on the admin listener, and here with a key of scope admin.",
		DefaultStatus: http.StatusNoContent, Errors: []int{403, 404, 503},
	}, func(ctx context.Context, in *purgeInput) (*struct{}, error) {
		if in.Model != "" {
			if _, err := s.find(in.Model); err != nil {
				return nil, err
			}
		}
		return nil, s.audit.do(ctx, actPurge, in.Model, func() error { return s.admin.Purge(ctx, in.Model) })
	})
	register(s, api, huma.Operation{
		OperationID: "reload-models", Method: http.MethodPost, Path: "/v1/reload", Tags: []string{"admin"},
		Summary: "Read the model repository again, now", Description: "Answers when the new state is in force. Answered on the admin listener, and here with a key of scope admin.",
		DefaultStatus: http.StatusNoContent, Errors: []int{403, 503},
	}, func(ctx context.Context, _ *struct{}) (*struct{}, error) {
		return nil, s.audit.do(ctx, actReload, "", func() error { return s.admin.Reload(ctx) })
	})
}
