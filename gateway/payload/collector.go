package payload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"triton-gateway/internal/pause"
)

const (
	collectors  = 4 // events on their way at one time
	tries       = 3 // of one event
	firstPause  = 200 * time.Millisecond
	mostIgnored = 16 << 10 // bytes of a collector's answer that are read
)

// collector is a sink that takes one event a POST.
type collector struct {
	url     string
	headers map[string]string
	client  *http.Client
}

var errURL = errors.New("it is no URL with a host, or holds a user name or password; put keys into payload_log.headers")

func newCollector(c Config) (*collector, error) {
	u, err := url.Parse(c.Sink)
	if err != nil || u.Hostname() == "" || u.User != nil {
		return nil, errURL
	}
	return &collector{url: c.Sink, headers: c.Headers, client: &http.Client{
		Timeout:       c.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{MaxIdleConnsPerHost: collectors, MaxConnsPerHost: collectors, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: mostIgnored},
	}}, nil
}

// put implements sink. Events may come twice where an answer was lost: their ids and types tell.
func (c *collector) put(ctx context.Context, events []event) error {
	for i := range events {
		if err := c.send(ctx, &events[i]); err != nil {
			return err
		}
	}
	return nil
}

// send tries an event a few times. What a collector refuses is not sent again.
func (c *collector) send(ctx context.Context, e *event) error {
	wait := firstPause
	for try := 1; ; try++ {
		again, err := c.once(ctx, e)
		if err == nil || !again || try == tries {
			return err
		}
		if !pause.For(ctx, wait) {
			return ctx.Err()
		}
		wait *= 2
	}
}

func (c *collector) once(ctx context.Context, e *event) (again bool, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(e.Data))
	if err != nil {
		return false, err
	}
	for name, value := range c.headers {
		r.Header.Set(name, value)
	}
	r.Header.Set("User-Agent", "triton-gateway")
	e.header(r.Header)
	answer, err := c.client.Do(r)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) { // its text has the whole URL, which may hold a key
			err = u.Err
		}
		return true, err
	}
	_, _ = io.CopyN(io.Discard, answer.Body, mostIgnored)
	_ = answer.Body.Close()
	if answer.StatusCode/100 == 2 {
		return false, nil
	}
	return answer.StatusCode >= 500 || answer.StatusCode == http.StatusTooManyRequests, fmt.Errorf("the collector answered %s", answer.Status)
}

func (c *collector) close() error {
	c.client.CloseIdleConnections()
	return nil
}
