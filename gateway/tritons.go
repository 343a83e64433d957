package gateway

import (
	"crypto/tls"
	"fmt"

	"triton-gateway/gateway/backend/triton"
	"triton-gateway/internal/pemfile"
)

// client turns the settings into the Triton client's.
func (t *Triton) client() (triton.Config, error) {
	out := triton.Config{Endpoints: t.Endpoints, MetricsEndpoints: t.Metrics, Headers: plain(t.Headers), Hedge: t.Hedge, EndpointHeaders: map[string]map[string]string{}}
	for endpoint, headers := range t.EndpointHeaders {
		out.EndpointHeaders[endpoint] = plain(headers)
	}
	if t.CA == "" {
		return out, nil
	}
	roots, err := pemfile.Authorities(t.CA)
	if err != nil {
		return out, fmt.Errorf("triton.ca: %w", err)
	}
	out.TLS = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return out, nil
}

func plain(secrets map[string]Secret) map[string]string {
	out := map[string]string{}
	for name, value := range secrets {
		out[name] = string(value)
	}
	return out
}
