package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"triton-gateway/e2e/history"
	"triton-gateway/internal/parts"
)

// site is gateways and what they share, each of which can be killed and comes back at the same place.
type site struct {
	urls    []string // of the gateways that answer
	players []*player
	history *history.History
}

// player is one thing that can be killed.
type player struct {
	name  string
	works bool // on jobs; or those that do cannot without it
	alone bool // nothing works while it is away
	kill  func()
	start func() error
}

// serving starts a gateway with these roles on a port of its own, and gives its URL.
func (s *site) serving(t *testing.T, name, roles, queue string) string {
	t.Helper()
	address := parts.FreeAddr(t)
	command := parts.Command{
		Path: parts.Gateway(t), Dir: parts.Root(t),
		Env:   append(os.Environ(), "GATEWAY_LISTEN__DRAIN=0s", "GATEWAY_LOG__LEVEL=warn", "GATEWAY_JOBS__QUEUE="+queue),
		Args:  []string{"serve", "--roles", roles, "--http", address, "--grpc", "none", "--admin", "127.0.0.1:0"},
		Ready: func(line string) bool { return strings.HasPrefix(line, "  admin ") },
	}
	process := parts.Start(t, command)
	s.players = append(s.players, &player{name: name, works: strings.Contains(roles, "jobs"),
		kill:  func() { process.Kill() },
		start: func() error { process = parts.Start(t, command); return nil },
	})
	return "http://" + address
}

// sqliteSite is one gateway with its file.
func sqliteSite(t *testing.T) *site {
	s := &site{history: &history.History{}}
	s.urls = []string{s.serving(t, "gateway", "api,jobs", "sqlite:"+filepath.Join(t.TempDir(), "jobs.db"))}
	s.players[0].alone = true
	return s
}

// redisSite is a Redis that writes everything to the disk before it answers, gateways that answer, and workers. The first gateway works too.
func redisSite(t *testing.T, gateways, workers int) *site {
	s := &site{history: &history.History{}}
	redis := parts.Redis(t, parts.WithPersistence())
	for i := range gateways {
		s.urls = append(s.urls, s.serving(t, fmt.Sprint("gateway ", i), map[bool]string{true: "api,jobs", false: "api"}[i == 0], redis.URL()))
	}
	for i := range workers {
		s.serving(t, fmt.Sprint("worker ", i), "jobs", redis.URL())
	}
	s.players = append(s.players, &player{name: "redis", works: true, alone: true, kill: func() { redis.Kill() }, start: redis.Restart})
	return s
}

// awsSite is a gateway that answers, one that does both, and a worker, on a server that speaks like AWS. The command line makes the queues, the table and the bucket.
func awsSite(t *testing.T) *site {
	s := &site{history: &history.History{}}
	_, endpoint := parts.Moto(t)
	queue := "sqs://eu-central-1/photos?bucket=photos&visibility=10s&endpoint=" + endpoint
	if out, code := run(t, "jobs", "setup", queue); code != 0 {
		t.Fatal(out)
	}
	s.urls = []string{s.serving(t, "gateway 0", "api,jobs", queue), s.serving(t, "gateway 1", "api", queue)}
	s.serving(t, "worker", "jobs", queue)
	return s
}

// plan says how a run goes.
type plan struct {
	seed  uint64
	jobs  int           // at least
	every time.Duration // between two submissions
	kills int
	most  int                            // jobs that are not done at a time
	list  int                            // pictures of a job that has several
	wait  string                         // of one look at a job
	gap   func(*rand.Rand) time.Duration // between a start and the next kill
}

// havoc kills what the seed says, one after the other, and lets it come back.
func (s *site) havoc(t *testing.T, p plan) {
	t.Helper()
	random := rand.New(rand.NewPCG(p.seed, 2))
	var turn []int // each is killed once before any is killed again
	for i := range p.kills {
		after(t.Context(), p.gap(random))
		if len(turn) == 0 {
			turn = random.Perm(len(s.players))
		}
		v := s.players[turn[0]]
		turn = turn[1:]
		down := time.Now()
		v.kill()
		after(t.Context(), time.Duration(random.IntN(500))*time.Millisecond)
		if err := v.start(); err != nil {
			t.Fatal(err)
		}
		s.history.Killed(history.Kill{What: v.name, Down: down, Up: time.Now(), Worked: v.works, Blocked: v.alone})
		if (i+1)%10 == 0 {
			t.Logf("%d kills", i+1)
		}
	}
}

// after lets time pass that the plan of a test wants to pass.
func after(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
