package cli

import (
	"context"
	"time"
)

type healthCmd struct {
	URL string `default:"http://localhost:8080" placeholder:"URL" help:"The gateway to ask; its admin listener has the answer too."`
	tlsFlags
}

// Run is quiet when the gateway is ready; otherwise it says why not and the exit code is 1.
func (c *healthCmd) Run(ctx context.Context) error {
	client, err := c.client(3 * time.Second)
	if err != nil {
		return err
	}
	gw := &remote{url: address(c.URL), client: client}
	_, _, err = gw.call(ctx, "GET", "/readyz", "", nil)
	return err
}
