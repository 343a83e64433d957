package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"triton-gateway/internal/pemfile"
)

// How long one try may take. The whole of a call is bounded in call.go.
const (
	dialFor  = 800 * time.Millisecond
	replyFor = 3 * time.Second
)

// errURL says nothing of the URL itself: a password with a stray character may turn up in any part of it.
var errURL = errors.New("the jobs' queue is not a Redis URL; write redis://user:password@host:6379/1, rediss:// for TLS, or " +
	"unix://user:password@/path/to/socket?db=1, and percent-encode special characters of the password")

// connect makes the client; it does not wait for Redis. No error shows any part of the URL.
func connect(o Options) (goredis.UniversalClient, error) {
	c, err := settings(o)
	if err != nil {
		return nil, err
	}
	if !o.Cluster {
		return goredis.NewClient(c), nil
	}
	if c.Network != "tcp" || c.DB != 0 {
		return nil, errors.New("a Redis Cluster is reached by redis://host:port or rediss://host:port, without a database")
	}
	return goredis.NewClusterClient(&goredis.ClusterOptions{
		Addrs: []string{c.Addr}, Username: c.Username, Password: c.Password, TLSConfig: c.TLSConfig, Protocol: c.Protocol, DisableIdentity: true,
		MaintNotificationsConfig: c.MaintNotificationsConfig, ContextTimeoutEnabled: true, MaxRedirects: 8, DialerRetries: c.DialerRetries, DialTimeout: c.DialTimeout,
		Dialer: c.Dialer, ReadTimeout: c.ReadTimeout, WriteTimeout: c.WriteTimeout,
	}), nil
}

func settings(o Options) (*goredis.Options, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, errURL
	}
	c, err := goredis.ParseURL(o.URL)
	if err != nil || c.DB < 0 || u.Fragment != "" {
		return nil, errURL
	}
	if o.CAFile != "" {
		if c.TLSConfig == nil {
			return nil, fmt.Errorf("a CA file is set for the jobs' Redis, but its URL begins with %s:// and not with rediss://", u.Scheme)
		}
		if c.TLSConfig.RootCAs, err = pemfile.Authorities(o.CAFile); err != nil {
			return nil, fmt.Errorf("the CA file of the jobs' Redis: %w", err)
		}
	}
	c.Protocol = 2 // nothing here needs pushed messages
	c.DisableIdentity = true
	c.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	c.ContextTimeoutEnabled = true
	c.MaxRetries = -1 // only some calls may be made twice: see call.go
	c.DialerRetries = 1
	c.DialTimeout, c.ReadTimeout, c.WriteTimeout = dialFor, replyFor, replyFor
	c.Dialer = dialer(c.TLSConfig)
	return c, nil
}

// dialer gives an undialled connection, and no error, where there is none.
func dialer(secure *tls.Config) func(ctx context.Context, network, addr string) (net.Conn, error) {
	plain := &net.Dialer{Timeout: dialFor}
	return func(ctx context.Context, network, addr string) (conn net.Conn, err error) {
		if secure != nil {
			conn, err = (&tls.Dialer{NetDialer: plain, Config: secure}).DialContext(ctx, network, addr)
		} else {
			conn, err = plain.DialContext(ctx, network, addr)
		}
		if err != nil {
			return undialled{fmt.Errorf("%w: %w", errUndialled, err)}, nil
		}
		return conn, nil
	}
}
