package chaos

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"triton-gateway/internal/parts"
)

// Site is what outlives a gateway: a Triton, a Redis, the proxies before them and the name server.
type Site struct {
	triton      *parts.TritonServer
	redis       *parts.RedisServer
	tritonProxy *proxy
	redisProxy  *proxy
	names       *names // nil where there is none, for the reason in plain
	plain       error  // why a gateway cannot have mounts of its own; nil: it can
	pictures    []picture
	rows        []tensorRow
}

// Rig is one gateway on a site.
type Rig struct {
	*Site
	HTTP, GRPC, Admin string // host:port
	disk              *disk  // nil where there is none
	clock             string // the file of its clock
	features
	old     []job       // that ended before the load
	aged    atomic.Bool // whether the load asks for them
	command parts.Command
	tb      testing.TB
	*parts.Process
}

// NewSite starts the parts for the length of a test. The arguments are Redis's.
func NewSite(tb testing.TB, redis ...string) *Site {
	tb.Helper()
	s := &Site{triton: parts.Triton(tb, "model_repository", parts.WithModels("shapes", "iris")), redis: parts.Redis(tb, parts.WithRedisArgs(redis...))}
	var err error
	must := func(err error) {
		tb.Helper()
		parts.Check(tb, err)
	}
	s.tritonProxy, err = newProxy(s.triton.GRPC)
	must(err)
	tb.Cleanup(s.tritonProxy.close)
	s.redisProxy, err = newProxy(s.redis.Addr)
	must(err)
	tb.Cleanup(s.redisProxy.close)
	s.pictures, err = readPictures(parts.Root(tb))
	must(err)
	s.rows, err = askTriton(context.Background(), s.triton.GRPC, 20)
	must(err)
	if s.plain = mayMount(); s.plain == nil {
		if s.names, s.plain = newNames(); s.plain == nil {
			tb.Cleanup(s.names.close)
		}
	}
	return s
}

// mayMount asks for what a gateway with a disk and a name server of its own needs.
func mayMount() error {
	if said, err := exec.Command("unshare", "-m", "sh", "-c", "mount -t tmpfs none /mnt").CombinedOutput(); err != nil {
		return cannot("a process with mounts of its own takes root on Linux: %v %s", err, strings.TrimSpace(string(said)))
	}
	for _, program := range []string{"nsenter", "fsfreeze", "mkfs.ext4"} {
		if _, err := exec.LookPath(program); err != nil {
			return cannot("%v", err)
		}
	}
	return nil
}

// Serve starts a gateway for the length of a test, with a disk, and a clock where the program was built by [BuildWithClock]. The settings are variables.
//
// All features are on that the program has: callers with keys, quotas far above the load, pictures decoded in child processes, traces, the audit log.
func (s *Site) Serve(tb testing.TB, program string, settings ...string) *Rig {
	tb.Helper()
	return s.serve(tb, program, s.plain == nil, settings)
}

// ServePlain is [Site.Serve] without mounts: the gateway's disk is the test's folder, and it needs no names.
func (s *Site) ServePlain(tb testing.TB, program string, settings ...string) *Rig {
	tb.Helper()
	return s.serve(tb, program, false, settings)
}

func (s *Site) serve(tb testing.TB, program string, mounts bool, settings []string) *Rig {
	tb.Helper()
	folder := tb.TempDir()
	r := &Rig{Site: s, HTTP: parts.FreeAddr(tb), GRPC: parts.FreeAddr(tb), Admin: parts.FreeAddr(tb), clock: filepath.Join(folder, "clock"), tb: tb}
	mount := filepath.Join(folder, "disk")
	host := "127.0.0.1"
	r.command = parts.Command{Path: program, Dir: parts.Root(tb), Ready: func(line string) bool { return strings.HasPrefix(line, "  admin ") }}
	triton := "127.0.0.1:" + s.tritonProxy.port()
	if mounts {
		d, err := newDisk(filepath.Join(folder, "disk.img"), mount)
		if err != nil {
			tb.Fatal(err)
		}
		d.pid = func() int { return r.Pid() }
		resolv := filepath.Join(folder, "resolv.conf")
		if err := os.WriteFile(resolv, []byte("nameserver "+s.names.Address+"\n"), 0o600); err != nil {
			tb.Fatal(err)
		}
		r.disk, host, triton = d, "redis.test", "dns:///triton.test:"+s.tritonProxy.port()
		r.command.Path = "unshare"
		r.command.Args = []string{"-m", "sh", "-c", `mount -o loop "$1" "$2" && mount --bind "$3" /etc/resolv.conf && shift 3 && exec "$@"`, "sh", d.image, mount, resolv, program}
	} else if err := os.Mkdir(mount, 0o700); err != nil {
		tb.Fatal(err)
	}
	r.command.Args = append(r.command.Args, "serve", "--http", r.HTTP, "--grpc", r.GRPC, "--admin", r.Admin, "--triton", triton)
	r.command.Env = append(append(os.Environ(), ClockEnv+"="+r.clock, "GATEWAY_LISTEN__DRAIN=0s", "GATEWAY_LOG__LEVEL=warn", "GATEWAY_LIMITS__TIMEOUT="+ownTime.String(),
		"GATEWAY_JOBS__QUEUE=sqlite:"+filepath.Join(mount, "jobs.db"), fmt.Sprintf("GATEWAY_CACHE__REDIS=redis://%s:%s/0", host, s.redisProxy.port())), settings...)
	features, err := newFeatures(tb, program, folder, mount)
	if err != nil {
		tb.Fatal(err)
	}
	r.features = features
	r.command.Env = append(r.command.Env, features.settings...)
	r.Process = parts.Start(tb, r.command)
	return r
}

// Features are the settings of what is on beside the gateway's core.
func (r *Rig) Features() (names []string) {
	for _, s := range r.settings {
		name, _, _ := strings.Cut(s, "=")
		names = append(names, name)
	}
	return names
}

// Header is what a request needs so that the gateway knows the caller.
func (r *Rig) Header() http.Header {
	if r.key == "" {
		return nil
	}
	return http.Header{"X-Api-Key": {r.key}}
}

// again ends the gateway and starts it with what it left on its disk.
func (r *Rig) again() error {
	if err := r.Stop(); err != nil {
		return err
	}
	r.Process = parts.Start(r.tb, r.command)
	return nil
}

// still stops the gateway for a moment.
func (r *Rig) still() (goOn func() error, err error) {
	if err := r.Pause(); err != nil {
		return nil, err
	}
	return r.Resume, nil
}
