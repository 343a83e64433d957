package gateway

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// registerStats adds the route of the dashboard.
func (s *server) registerStats(api huma.API) {
	register(s, api, huma.Operation{
		OperationID: "stats", Method: http.MethodGet, Path: "/v1/stats", Tags: []string{"stats"},
		Summary: "Counts, latencies and cache hits since the start", Description: "For a dashboard without Prometheus. Quantiles are of the items of this gateway since its start, at most 9 % off. With authentication, callers see the counts of their own tenant; those with the scope admin see all.",
	}, s.view)
}
