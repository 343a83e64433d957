package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"triton-gateway/gateway"
)

// Where `serve` listens by default: for callers, and for operators.
const (
	defaultURL   = "http://localhost:8080"
	defaultAdmin = "http://localhost:9090"
)

// remote talks to a gateway: the one at a URL or, where none is named and none runs here, one started inside this process.
type remote struct {
	url      string
	key      string // sent with each request; "": none
	client   *http.Client
	close    func()
	priority string // X-Priority of each request; "": none
}

// address is a gateway's address as it was typed, to put paths behind: host:port is taken for http://host:port.
func address(typed string) string {
	if !strings.Contains(typed, "://") {
		typed = "http://" + typed
	}
	return strings.TrimRight(typed, "/")
}

// reach finds the gateway. url is --url's value; "" means the local one, started in this process if none runs.
func reach(ctx context.Context, e *Env, f configFlags, url, key string, secure tlsFlags) (*remote, error) {
	key = keyOf(e, key)
	client, err := secure.client(2 * time.Minute)
	if err != nil {
		return nil, err
	}
	if url != "" {
		return &remote{address(url), key, client, func() {}, ""}, nil
	}
	if f.Config == "" && f.ModelRepository == "" && len(f.Triton) == 0 && listening("localhost:8080") {
		return &remote{defaultURL, key, client, func() {}, ""}, nil
	}
	c, err := f.load(e, func(c *gateway.Config) {
		c.Listen = gateway.Listen{HTTP: "127.0.0.1:0"}
		c.Log.Level = "error"
		c.Jobs.Queue = "off" // it answers one command
		c.Auth = gateway.Auth{}
	})
	if err != nil {
		return nil, err
	}
	g, err := gateway.New(ctx, c, gateway.Build{Version: e.Version, Commit: e.Commit}, logger(e, c.Log))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	return &remote{"http://" + g.Addr(), "", client, func() {
		cancel()
		<-done
		g.Close()
	}, ""}, nil
}

func listening(address string) bool {
	conn, err := net.DialTimeout("tcp", address, 200*time.Millisecond)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// call sends a request and gives the answer's body. A problem document becomes an error that reads as a sentence.
func (r *remote) call(ctx context.Context, method, path, contentType string, body io.Reader) ([]byte, http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, method, r.url+path, body)
	if err != nil {
		return nil, nil, err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if r.key != "" {
		req.Header.Set(headerKey, r.key)
	}
	if r.priority != "" {
		req.Header.Set("X-Priority", r.priority)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		if errors.Is(err, syscall.ECONNREFUSED) {
			return nil, nil, fmt.Errorf("no gateway answers at %s; start one with `triton-gateway serve`", r.url)
		}
		return nil, nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 1<<30))
	if err != nil {
		return nil, nil, err
	}
	if resp.StatusCode >= 400 {
		return nil, nil, problem(resp, data)
	}
	return data, resp.Header, nil
}

// refused is an answer that is no success.
type refused struct {
	code string // of the problem document; "": there is none, so it may not be the gateway that refuses
	text string
}

func (r *refused) Error() string { return r.text }

func problem(resp *http.Response, data []byte) error {
	var p struct {
		Code, Detail string
		Errors       []struct{ Location, Message string }
	}
	if json.Unmarshal(data, &p) != nil || p.Code == "" {
		return &refused{text: resp.Status}
	}
	text := fmt.Sprintf("%s (%d): %s", p.Code, resp.StatusCode, p.Detail)
	for _, f := range p.Errors {
		text += fmt.Sprintf("\n  %s: %s", f.Location, f.Message)
	}
	return &refused{p.Code, text}
}
