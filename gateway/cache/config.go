package cache

import (
	"errors"
	"fmt"
	"time"
)

// Config sets the cache up. The zero value keeps nothing but still shares simultaneous computations.
type Config struct {
	Memory int64 // bytes for values and their bookkeeping in this process; 0: no memory tier

	Redis        string        // redis://, rediss:// or unix:// URL with user, password and database; "": no shared tier
	RedisCA      string        // path of a PEM file with the authorities to trust for rediss://; "": the system's
	RedisTimeout time.Duration // for one look-up, as it delays a request; 0: 100 ms
	RedisDial    time.Duration // for a new connection with its handshake; 0: 250 ms
	RedisValue   int           // bytes of the largest value sent to Redis; 0: 8 MiB

	TTL           time.Duration // life of a value where the caller names none, give or take a tenth; 0: 1 h
	FlightTimeout time.Duration // deadline of one computation, whoever waits for it; 0: 1 min
}

const (
	kib = 1 << 10
	mib = 1 << 20

	maxRedisValue = 64 * mib            // a larger one holds a single-threaded server up for everybody
	maxLife       = 30 * 24 * time.Hour // of any value; a purge token outlives it
	jitter        = 10                  // a life varies by a tenth, so that values stored together do not expire together
)

// withDefaults gives the configuration in force, or all that is wrong with it.
func (c Config) withDefaults() (Config, error) {
	var faults []error
	limit := func(name string, value, low, high int64) {
		if value < low || value > high {
			faults = append(faults, fmt.Errorf("cache.%s: %d is not between %d and %d", name, value, low, high))
		}
	}
	set := func(value *time.Duration, fallback time.Duration) {
		if *value == 0 {
			*value = fallback
		}
	}
	if c.RedisValue == 0 {
		c.RedisValue = 8 * mib
	}
	set(&c.RedisTimeout, 100*time.Millisecond)
	set(&c.RedisDial, 250*time.Millisecond)
	set(&c.TTL, time.Hour)
	set(&c.FlightTimeout, time.Minute)

	limit("memory", c.Memory, 0, 1<<50)
	limit("redis_value", int64(c.RedisValue), 1, maxRedisValue)
	for name, value := range map[string]time.Duration{
		"redis_timeout": c.RedisTimeout, "redis_dial": c.RedisDial, "ttl": c.TTL, "flight_timeout": c.FlightTimeout,
	} {
		if value < time.Millisecond || value > maxLife {
			faults = append(faults, fmt.Errorf("cache.%s: %v is not between 1ms and %v", name, value, maxLife))
		}
	}
	return c, errors.Join(faults...)
}
