package quota

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	_ "embed"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"triton-gateway/internal/pemfile"
)

//go:embed exchange.lua
var exchangeScript string

// errURL says nothing of the URL itself: a password with a stray character may turn up in any part of it.
var errURL = errors.New("not a Redis URL; write redis://user:password@host:6379/0, rediss:// for TLS, or unix://user:password@/path/to/socket?db=0, " +
	"and percent-encode special characters of the password")

// errReply is of something that is no Redis, or not one that runs the script.
var errReply = errors.New("the reply is not that of the script")

const (
	dialFor = 250 * time.Millisecond
	idleFor = 5 * time.Minute
)

// remote calls the script. It is for one goroutine.
type remote struct {
	client *redis.Client
	script *redis.Script
	within time.Duration // of a round trip
}

// newRemote connects with the first call; within bounds each round trip.
func newRemote(text, ca string, within time.Duration) (*remote, error) {
	o, err := options(text, ca)
	if err != nil {
		return nil, err
	}
	o.ReadTimeout, o.WriteTimeout = within, within
	logging.Disable() // the client's own log has a line for each failure
	return &remote{client: redis.NewClient(o), script: redis.NewScript(exchangeScript), within: within}, nil
}

// CheckURL reports what is wrong with a URL; it shows no part of it.
func CheckURL(text string) error {
	_, err := options(text, "")
	return err
}

func options(text, ca string) (*redis.Options, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, errURL
	}
	o, err := redis.ParseURL(text)
	if err != nil || o.DB < 0 || u.Fragment != "" {
		return nil, errURL
	}
	if ca != "" && o.TLSConfig != nil {
		if o.TLSConfig.RootCAs, err = pemfile.Authorities(ca); err != nil {
			return nil, err
		}
	}
	o.Protocol = 2 // nothing here needs pushed messages
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	o.ContextTimeoutEnabled = true
	o.MaxRetries = -1 // an exchange is not made twice
	o.DialerRetries = 1
	o.PoolSize, o.PipelinePoolSize = 2, -1
	o.ConnMaxIdleTime = idleFor
	o.DialTimeout = dialFor
	dial := redis.NewDialer(o)
	o.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		g := &guarded{Conn: conn}
		if socket, ok := conn.(syscall.Conn); ok {
			return guardedSocket{g, socket}, nil
		}
		return g, nil
	}
	return o, nil
}

func (r *remote) close() error { return r.client.Close() }

// call is one account's exchange.
type call struct {
	name    string
	args    []any
	wants   [mostLimits]float64
	quotas  [mostLimits]float64
	n       int
	granted [mostLimits]float64
	level   [mostLimits]float64
}

// newCall writes down what an account offers.
func newCall(a *account, offers *[mostLimits]offer) call {
	c := call{name: a.name, n: len(a.limits), args: make([]any, 0, 5*len(a.limits))}
	for i := range a.limits {
		l, o := &a.limits[i], &offers[i]
		c.args = append(c.args, l.Name(), l.Quota, l.perSecond()/1e6, o.charge, o.want)
		c.wants[i], c.quotas[i] = o.want, l.Quota
	}
	return c
}

// do makes calls in one round trip, or two where Redis does not know the script. An error is of all: what was done of them is not known.
func (r *remote) do(calls []call) (err error) {
	defer func() {
		if p := recover(); p != nil { // the client library's: a reply that it cannot take
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), r.within)
	defer cancel()
	replies, err := r.send(ctx, calls)
	if err != nil && strings.HasPrefix(err.Error(), "NOSCRIPT") { // nothing was done: it is the first that says so
		if err = r.script.Load(ctx, r.client).Err(); err == nil {
			replies, err = r.send(ctx, calls)
		}
	}
	if err != nil {
		return err
	}
	for i := range calls {
		if err := calls[i].read(replies[i]); err != nil {
			return err
		}
	}
	return nil
}

func (r *remote) send(ctx context.Context, calls []call) ([]*redis.Cmd, error) {
	replies := make([]*redis.Cmd, len(calls))
	if len(calls) == 1 {
		replies[0] = r.client.EvalSha(ctx, r.script.Hash(), []string{calls[0].name}, calls[0].args...)
		return replies, replies[0].Err()
	}
	pipe := r.client.Pipeline()
	for i := range calls {
		replies[i] = pipe.EvalSha(ctx, r.script.Hash(), []string{calls[i].name}, calls[i].args...)
	}
	_, err := pipe.Exec(ctx)
	return replies, err
}

// read takes a reply, and trusts none of it.
func (c *call) read(reply *redis.Cmd) error {
	list, err := reply.Slice()
	if err != nil {
		return err
	}
	if len(list) != 2*c.n {
		return errReply
	}
	for i := range c.n {
		granted, ok := number(list[2*i])
		level, ok2 := number(list[2*i+1])
		if !ok || !ok2 || granted < 0 || granted > c.wants[i] || level > c.quotas[i] {
			return errReply
		}
		c.granted[i], c.level[i] = granted, level
	}
	return nil
}

func number(v any) (float64, bool) {
	text, ok := v.(string)
	if !ok {
		return 0, false
	}
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
}
