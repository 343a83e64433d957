package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// askedGateway is a gateway that runs, and is asked.
type askedGateway struct {
	url    string
	header http.Header
	client *http.Client
}

// answerTime bounds one request, uploads and long polls included.
const answerTime = 5 * time.Minute

// reach finds the gateway at an address as it was typed.
func (f *askFlags) reach(e *Env, typed string) (*askedGateway, error) {
	at := address(typed)
	u, err := url.Parse(at)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, failure{2, fmt.Sprintf("--url %s: write it as http://host:port", typed)}
	}
	client, err := f.client(answerTime)
	if err != nil {
		return nil, err
	}
	gw := &askedGateway{url: at, header: http.Header{}, client: client}
	if key := keyOf(e, f.Key); key != "" {
		gw.header.Set(headerKey, key)
	}
	for _, h := range f.Header {
		name, value, ok := strings.Cut(h, ":")
		if !ok || strings.TrimSpace(name) == "" {
			return nil, failure{2, "--header: write it as 'NAME: VALUE'"} // what was given may be a secret
		}
		gw.header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	return gw, nil
}

// refusal is an answer that is no success.
type refusal struct {
	status int
	after  time.Duration // of Retry-After; 0: none
	text   error
}

func (r *refusal) Error() string { return r.text.Error() }

// passing says whether the same request may succeed later: the gateway is busy, or not there.
func passing(err error) bool {
	var r *refusal
	if !errors.As(err, &r) {
		return !errors.Is(err, context.Canceled)
	}
	return r.status == http.StatusTooManyRequests || r.status == http.StatusBadGateway || r.status == http.StatusServiceUnavailable || r.status == http.StatusGatewayTimeout
}

// ask sends a request without a body and gives the answer's.
func (gw *askedGateway) ask(ctx context.Context, method, path string) ([]byte, error) {
	data, _, err := gw.send(ctx, method, path, nil, nil)
	return data, err
}

// send sends a request and gives the answer's body and header. Errors are *refusal where the gateway answered.
func (gw *askedGateway) send(ctx context.Context, method, path string, header http.Header, body []byte) ([]byte, http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, method, gw.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	for _, h := range []http.Header{gw.header, header} {
		for name, values := range h {
			req.Header[name] = values
		}
	}
	resp, err := gw.client.Do(req)
	if err != nil {
		switch {
		case ctx.Err() != nil:
			return nil, nil, ctx.Err()
		case errors.Is(err, syscall.ECONNREFUSED):
			return nil, nil, fmt.Errorf("%w at %s; start one with `triton-gateway serve`, or name another with --url", errAway, gw.url)
		}
		return nil, nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 1<<30))
	if err != nil {
		return nil, nil, err
	}
	if resp.StatusCode >= 300 {
		return nil, nil, &refusal{resp.StatusCode, retryAfter(resp.Header), problem(resp, data)}
	}
	return data, resp.Header, nil
}

// errAway is the error where nobody listens: nothing was sent.
var errAway = errors.New("no gateway answers")

// retryAfter reads the seconds of Retry-After; a date is taken for none.
func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(min(seconds, 60)) * time.Second
}

// until does something again and again while its failure is a passing one, for as long as patience lasts; told hears why it waits.
func until(ctx context.Context, patience time.Duration, told func(error), do func() error) error {
	const first, most = 250 * time.Millisecond, 10 * time.Second
	end := time.Now().Add(patience)
	for pause := first; ; pause = min(pause*2, most) {
		err := do()
		if err == nil || ctx.Err() != nil || !passing(err) {
			return err
		}
		wait := pause
		var r *refusal
		if errors.As(err, &r) {
			wait = max(wait, r.after)
		}
		if time.Now().Add(wait).After(end) {
			return err
		}
		told(err)
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
	}
}
