package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"triton-gateway/internal/pause"
)

const (
	// wander is how often a clock without a sense jumps, and wanderFar how far at most.
	wander    = 100 * time.Millisecond
	wanderFar = hour
	// dateSteps is how exactly the Date of an answer tells a clock.
	dateSteps = 2 * time.Second
)

// ahead is how far the gateway's clock is ahead, by the Date of its answers.
func (r *Rig) ahead() (time.Duration, error) {
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + r.HTTP + "/livez")
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	date, err := http.ParseTime(response.Header.Get("Date"))
	return time.Until(date), err
}

// shows fails where the gateway's clock is not as far ahead as it was set.
func (r *Rig) shows(want func(ahead time.Duration) bool) error {
	var ahead time.Duration
	for until := time.Now().Add(patience); time.Now().Before(until); pause.For(context.Background(), 30*time.Millisecond) {
		var err error
		if ahead, err = r.ahead(); err != nil {
			return fmt.Errorf("ask the gateway for the time: %w", err)
		}
		if want(ahead) {
			return nil
		}
	}
	return fmt.Errorf("the gateway's clock does not follow: it is %v ahead", ahead)
}

func shiftedBy(nanos int64) func(*Rig) (func() error, error) {
	return func(r *Rig) (func() error, error) {
		if err := setClock(r.clock, nanos); err != nil {
			return nil, err
		}
		err := r.shows(func(ahead time.Duration) bool { return (ahead - time.Duration(nanos)).Abs() <= dateSteps })
		return func() error { return setClock(r.clock, 0) }, err
	}
}

// clockFollows sets the clock again and again until it is mended; before that, it has to have been as wanted.
func (r *Rig) clockFollows(every time.Duration, shift func() int64, want func(ahead time.Duration) bool) (func() error, error) {
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() {
		for ctx.Err() == nil {
			if err := setClock(r.clock, shift()); err != nil {
				over <- err
				return
			}
			pause.For(ctx, every)
		}
		over <- setClock(r.clock, 0)
	}()
	return func() error {
		shown := r.shows(want)
		cancel()
		if err := <-over; err != nil {
			return err
		}
		return shown
	}, nil
}

func (r *Rig) stopClock() (func() error, error) {
	start := time.Now()
	return r.clockFollows(5*time.Millisecond, func() int64 { return -int64(time.Since(start)) },
		func(ahead time.Duration) bool { return (ahead + time.Since(start)).Abs() <= dateSteps })
}

func (r *Rig) wanderingClock() (func() error, error) {
	return r.clockFollows(wander, func() int64 { return rand.Int64N(2*wanderFar) - wanderFar },
		func(ahead time.Duration) bool { return ahead.Abs() > time.Minute })
}

// laterClock sets the clock to as far ahead as it has been.
func (r *Rig) laterClock() error { return setClock(r.clock, wanderFar) }
