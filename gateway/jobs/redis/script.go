package redis

import (
	"embed"
	"fmt"
	"slices"
	"strings"

	goredis "github.com/redis/go-redis/v9"

	"triton-gateway/gateway/jobs"
)

//go:embed lua/*.lua
var lua embed.FS

// classes are all priorities.
var classes = []jobs.Priority{jobs.Realtime, jobs.Interactive, jobs.Batch}

// states are all states.
var states = []jobs.State{jobs.Queued, jobs.Running, jobs.Succeeded, jobs.Failed, jobs.Canceled, jobs.Expired}

// fields are what is read of a job, in the order of its record; its items come after them, where they are asked for.
var fields = []string{
	"spec", "state", "run_at", "deadline", "total", "done", "bad", "attempt", "fence", "started", "finished", "problem", "cancel", "told", "seq",
	"crashes",
}

// scripts are sent by their digest, and whole where Redis does not know them, as after a restart.
type scripts struct {
	create, hold, get, results, list, lease, write, change, put, sweep, count *goredis.Script
}

func newScripts() *scripts {
	head := prelude()
	load := func(name string) *goredis.Script {
		text, err := lua.ReadFile("lua/" + name + ".lua")
		if err != nil {
			panic(err) // it is compiled in
		}
		return goredis.NewScript(head + string(text))
	}
	return &scripts{
		create: load("create"), hold: load("hold"), get: load("get"), results: load("results"), list: load("list"), lease: load("lease"), write: load("write"),
		change: load("change"), put: load("put"), sweep: load("sweep"), count: load("count"),
	}
}

// prelude is what all scripts begin with.
func prelude() string {
	common, err := lua.ReadFile("lua/common.lua")
	if err != nil {
		panic(err) // it is compiled in
	}
	var leads, names []string
	for _, c := range classes {
		leads = append(leads, fmt.Sprintf("%s = %d", c, c.Lead().Microseconds()))
	}
	for _, f := range fields {
		names = append(names, "'"+f+"'")
	}
	return "local lead = {" + strings.Join(leads, ", ") + "}\nlocal fields = {" + strings.Join(names, ", ") + "}\n" + string(common)
}

func known[T comparable](list []T, v T) bool { return slices.Contains(list, v) }
