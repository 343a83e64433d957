package cli

import (
	"context"
	"net/http"
	"time"
)

type healthCmd struct {
	URL string `default:"http://localhost:8080" placeholder:"URL" help:"The gateway to ask."`
}

// Run is quiet when the gateway is ready; otherwise it says why not and the exit code is 1.
func (c *healthCmd) Run(ctx context.Context) error {
	gw := &remote{url: c.URL, client: &http.Client{Timeout: 3 * time.Second}}
	_, _, err := gw.call(ctx, "GET", "/readyz", "", nil)
	return err
}
