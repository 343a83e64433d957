package cache

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
)

// Ping asks the Redis of a configuration for its own sake: to say what is wrong with address, password, TLS or rights. It reads and
// writes one short-lived key. Errors hold Redis's own words and never the password.
func Ping(ctx context.Context, config Config) error {
	config, err := config.withDefaults()
	if err != nil {
		return err
	}
	o, err := options(config)
	if err != nil {
		return fmt.Errorf("cache.redis: %w", err)
	}
	logging.Disable() // the errors below say it
	client := redis.NewClient(o)
	defer client.Close()
	const probe = "tg:ping"
	if err := client.Set(ctx, probe, "1", config.RedisDial*40).Err(); err != nil {
		return fmt.Errorf("cannot be used: %w", err)
	}
	return client.Del(ctx, probe).Err()
}
