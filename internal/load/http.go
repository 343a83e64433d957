package load

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"
)

// HTTP posts bodies to one address over kept connections. It is safe for concurrent use.
type HTTP struct {
	client *http.Client
	url    string
	header http.Header
}

// NewHTTP makes a client that posts to a URL, with these headers in every request.
func NewHTTP(url string, header http.Header, connections int) *HTTP {
	return &HTTP{url: url, header: header, client: &http.Client{
		Timeout:   5 * time.Minute,
		Transport: &http.Transport{MaxIdleConnsPerHost: connections, MaxIdleConns: connections, DisableCompression: true},
	}}
}

// Close lets idle connections go.
func (h *HTTP) Close() { h.client.CloseIdleConnections() }

// Call posts always the same body.
func (h *HTTP) Call(body []byte) Call {
	return func(ctx context.Context, _ int) (Verdict, string) {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(body))
		if err != nil {
			return Failed, err.Error()
		}
		request.Header = h.header.Clone()
		response, err := h.client.Do(request)
		if err != nil {
			return Failed, err.Error()
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			return Failed, err.Error()
		}
		switch response.StatusCode {
		case http.StatusOK:
			return Answered, ""
		case http.StatusTooManyRequests:
			if response.Header.Get("Retry-After") == "" {
				return Bare, string(text)
			}
			return Rejected, ""
		case http.StatusGatewayTimeout:
			return Late, string(text)
		case http.StatusServiceUnavailable:
			return Down, string(text)
		}
		return Failed, response.Status + ": " + string(text)
	}
}
