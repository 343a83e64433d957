package redis

import (
	"context"
	"fmt"
	"strings"

	"triton-gateway/internal/fault"
)

// check logs what may cost jobs.
func (s *Store) check(ctx context.Context) {
	if err := s.Ping(ctx); err != nil {
		s.options.Log.Warn("the jobs' Redis cannot be used yet", "error", err)
		return
	}
	for _, w := range s.Warnings(ctx) {
		s.options.Log.Warn(w)
	}
}

// Ping asks the Redis for its own sake. Errors hold Redis's own words and never the password; they are Unavailable job_store_unavailable.
func (s *Store) Ping(ctx context.Context) error {
	return failure(ctx, s.client.Ping(ctx).Err())
}

// Warnings are the settings of the Redis that may cost jobs, each with what to do; none where the settings are good, or Redis does not tell them.
func (s *Store) Warnings(ctx context.Context) (list []string) {
	set := func(name string) string { return s.client.ConfigGet(ctx, name).Val()[name] } // refused by some who rent out Redis
	if policy := set("maxmemory-policy"); policy != "" && policy != "noeviction" && set("maxmemory") != "0" {
		list = append(list, fmt.Sprintf("the jobs' Redis evicts keys when its memory is full (maxmemory-policy %s): accepted jobs may be lost; "+
			"give jobs a Redis of their own with maxmemory-policy noeviction", policy))
	}
	switch aof, sync := set("appendonly"), set("appendfsync"); {
	case aof == "no":
		list = append(list, "the jobs' Redis writes no log (appendonly no): accepted jobs are lost when it stops; set appendonly yes and appendfsync always")
	case aof == "yes" && sync != "always" && sync != "":
		list = append(list, fmt.Sprintf("the jobs' Redis does not wait for its disk (appendfsync %s): a crash of its machine may lose the jobs of the last second; "+
			"set appendfsync always", sync))
	}
	return list
}

// refusals are the first words of Redis's errors which say that it has done nothing and may do it later.
var refusals = []string{"LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "MISCONF", "NOREPLICAS", "BUSY"}

// locked are those which say that a person has to do something.
var locked = []string{
	"NOAUTH", "WRONGPASS", "NOPERM", "MOVED", "ERR AUTH", "ERR invalid password", "ERR max number of clients", "ERR DB index",
	"ERR Protocol error: unauthenticated",
}

func begins(text string, words []string) bool {
	for _, w := range words {
		if strings.HasPrefix(text, w) {
			return true
		}
	}
	return false
}

func invalid(format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, "invalid_request", format, args...)
}
