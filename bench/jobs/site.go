package jobs

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"triton-gateway/internal/load"
	"triton-gateway/internal/parts"
)

// Site is gateways on one Redis, in front of one Triton: some that answer and some that work, each a process of its own.
type Site struct {
	tb      testing.TB
	setting []string // of all
	triton  string
	Answer  []string // host:port of those that answer
	admins  []string // URLs of the metrics of those that work
}

// NewSite starts no worker, and as many gateways as are to answer.
func NewSite(tb testing.TB, redis, triton string, answering int) *Site {
	tb.Helper()
	s := &Site{tb: tb, triton: triton, setting: []string{"GATEWAY_JOBS__QUEUE=" + redis, "GATEWAY_LOG__LEVEL=error"}}
	for range answering {
		s.Answer = append(s.Answer, parts.Serve(tb, slices.Concat(s.setting, []string{"--roles", "api", "--triton", triton})...).HTTP)
	}
	return s
}

// AddWorker starts a process that works on jobs, four at a time.
func (s *Site) AddWorker() {
	s.tb.Helper()
	said := make(chan string, 1)
	parts.Start(s.tb, parts.Command{
		Path: parts.Gateway(s.tb), Dir: parts.Root(s.tb), Env: append(append(os.Environ(), s.setting...), fmt.Sprint("GATEWAY_JOBS__WORKERS=", workers), "GATEWAY_LISTEN__DRAIN=0s"),
		Args: []string{"serve", "--roles", "jobs", "--admin", "127.0.0.1:0", "--triton", s.triton},
		Ready: func(line string) bool {
			fields := strings.Fields(line)
			if len(fields) != 2 || fields[0] != "admin" {
				return false
			}
			said <- strings.Replace(fields[1], "localhost", "127.0.0.1", 1)
			return true
		},
	})
	s.admins = append(s.admins, <-said)
}

// Attempts is how often workers had a job, and how many of these times it succeeded.
func (s *Site) Attempts() (all, succeeded int) {
	s.tb.Helper()
	for _, url := range s.admins {
		m, err := load.Metrics(url)
		if err != nil {
			s.tb.Fatal(err)
		}
		all += int(load.Sum(m, "gateway_job_attempts_total"))
		succeeded += int(load.Sum(m, "gateway_job_attempts_total", `outcome="succeeded"`))
	}
	return all, succeeded
}
