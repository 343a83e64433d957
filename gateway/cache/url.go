package cache

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"triton-gateway/internal/pemfile"
)

// errURL says nothing of the URL itself: a password with a stray character may turn up in any part of it.
var errURL = errors.New("not a Redis URL; write redis://user:password@host:6379/0, rediss:// for TLS, or unix://user:password@/path/to/socket?db=0, " +
	"and percent-encode special characters of the password")

// options turns the configuration into the client's. No error shows any part of the URL.
func options(config Config) (*redis.Options, error) {
	u, err := url.Parse(config.Redis)
	if err != nil {
		return nil, errURL
	}
	o, err := redis.ParseURL(config.Redis)
	if err != nil || o.DB < 0 || u.Fragment != "" {
		return nil, errURL
	}
	if config.RedisCA != "" {
		if o.TLSConfig == nil {
			return nil, fmt.Errorf("redis_ca is set, but the URL begins with %s:// and not with rediss://", u.Scheme)
		}
		if o.TLSConfig.RootCAs, err = pemfile.Authorities(config.RedisCA); err != nil {
			return nil, fmt.Errorf("redis_ca: %w", err)
		}
	}
	o.Protocol = 2 // the reply guard knows this one; nothing here needs pushed messages
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	o.ContextTimeoutEnabled = true // every call has a deadline of its own
	o.MaxRetries = -1              // the answer to a failure is to compute
	o.DialerRetries = 1
	o.DialTimeout = config.RedisDial
	o.ReadTimeout, o.WriteTimeout = config.RedisDial, config.RedisDial
	o.PipelinePoolSize = -1 // pipelines are the ordinary case here
	dial := redis.NewDialer(o)
	o.Dialer = guarded(dial, config.RedisValue+envelopeHead)
	return o, nil
}
