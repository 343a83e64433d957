package jobs

import (
	"context"
	"net"
	"time"
)

// resolve is what a name's server may take while a job is handed in.
const resolve = 2 * time.Second

// checkWebhook refuses a URL that could not be called. A name that cannot be resolved now may be later.
func (s *Service) checkWebhook(ctx context.Context, text string) error {
	const at = "query.webhook"
	if text == "" {
		return nil
	}
	if len(s.Webhook.Secret) == 0 {
		return invalid(at, "webhooks are off, because there is no secret to sign them with; set jobs.webhook_secret, or leave the webhook out")
	}
	guard := s.tells.guard
	u, err := guard.URL(text)
	if err != nil {
		return invalid(at, "the webhook %s", err)
	}
	ctx, cancel := context.WithTimeout(ctx, resolve)
	defer cancel()
	list, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return nil
	}
	for _, ip := range list {
		if !guard.Open(ip) {
			return invalid(at, "the webhook is at a private or reserved address; use a public one, or allow its network with jobs.webhook_allow")
		}
	}
	return nil
}
