package jobs

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"triton-gateway/internal/fault"
	"triton-gateway/internal/pause"
)

const (
	tellEvery  = time.Second      // between two looks for webhooks
	sweepEvery = 10 * time.Second // between two sweeps, which begin at random moments so that processes do not meet
	sweepSteps = 50               // of one sweep
	tellPages  = 10               // of 100 jobs, in one round
)

// Keep tells webhooks and deletes what is over, until ctx ends. Every process on a store may do so.
func (s *Service) Keep(ctx context.Context) {
	var wait sync.WaitGroup
	wait.Go(func() {
		for await(ctx, s.tells.news, tellEvery/2+spread(tellEvery)) {
			s.tellAll(ctx)
		}
	})
	wait.Go(func() {
		for pause.For(ctx, sweepEvery/2+spread(sweepEvery)) {
			s.sweep(ctx)
		}
	})
	wait.Wait()
}

// sweep deletes what is over.
func (s *Service) sweep(ctx context.Context) {
	for range sweepSteps {
		more, err := s.Store.Sweep(ctx)
		if err != nil && ctx.Err() == nil {
			s.Log.Warn("jobs that are over cannot be deleted", slog.String("cause", err.Error()))
		}
		if err != nil || !more {
			return
		}
	}
}

// tellAll calls the webhooks that are due.
func (s *Service) tellAll(ctx context.Context) {
	if len(s.Webhook.Secret) == 0 {
		return
	}
	var (
		wait   sync.WaitGroup
		turn   = make(chan struct{}, tellAtOnce)
		untold = map[string]bool{}
		f      = Filter{Untold: true, Limit: 100}
	)
	defer wait.Wait()
	for n := 0; ; n++ {
		page, next, err := s.Store.List(ctx, f)
		if err != nil {
			if ctx.Err() == nil {
				s.Log.Warn("jobs whose webhooks are to be called cannot be read", slog.String("cause", err.Error()))
			}
			return
		}
		for _, j := range page {
			untold[j.ID] = true
			if !s.tells.due(j, s.Now()) {
				continue
			}
			select {
			case turn <- struct{}{}:
			case <-ctx.Done():
				return
			}
			wait.Go(func() {
				defer func() { <-turn }()
				s.tellOne(ctx, j.ID)
			})
		}
		if f.Cursor = next; next == "" {
			s.tells.keep(untold)
			return
		}
		if n+1 == tellPages {
			return
		}
	}
}

// tellOne calls a webhook, unless another process has meanwhile, and notes what came of it.
func (s *Service) tellOne(ctx context.Context, id string) {
	j, err := s.Look(ctx, nil, id)
	if err != nil || j.Told || !j.State.Final() {
		return
	}
	now := s.Now()
	gone, err := s.tell(ctx, j)
	if ctx.Err() != nil && err != nil {
		return
	}
	if s.Observer != nil {
		s.Observer.Told(err == nil)
	}
	if err != nil {
		over := gone || now.Sub(j.Finished) >= tellDay
		s.Log.Warn("a webhook could not be called", slog.String("job", id), slog.Bool("given_up", over), slog.String("cause", err.Error()))
		if !over {
			s.tells.again(id, now)
			return
		}
	}
	// A call that was made is noted even when the process is to end: a second one is a nuisance.
	note, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellTime)
	defer cancel()
	if _, err = s.Store.Change(note, id, Told); err != nil && fault.KindOf(err) != fault.NotFound && fault.KindOf(err) != fault.Conflict {
		s.tells.again(id, now)
		return
	}
	s.tells.forget(id)
}
