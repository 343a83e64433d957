package jobs

import "context"

// TellAll is one round of Keep.
func (s *Service) TellAll(ctx context.Context) { s.tellAll(ctx) }
