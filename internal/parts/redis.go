package parts

import (
	"crypto/x509"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// RedisServer is a real Redis with a folder of its own. The address stays the same over a restart. Its methods are for one
// goroutine at a time; the fields may be read by all.
type RedisServer struct {
	Network  string         // "tcp" or "unix"
	Addr     string         // host:port, or the path of the socket
	Password string         // "" for none
	CA       *x509.CertPool // trusts the server's certificate; nil without TLS
	CAFile   string         // the same as a PEM file

	command Command
	dir     string
	*Process
}

// RedisOption changes how a Redis is started.
type RedisOption func(*redisSettings)

type redisSettings struct {
	password string
	tls      bool
	unix     bool
	args     []string
}

// WithPassword makes clients say AUTH first.
func WithPassword(password string) RedisOption {
	return func(s *redisSettings) { s.password = password }
}

// WithTLS makes it speak TLS only, with a certificate for 127.0.0.1 and localhost that is made on the spot.
func WithTLS() RedisOption { return func(s *redisSettings) { s.tls = true } }

// WithUnixSocket makes it listen on a socket file only.
func WithUnixSocket() RedisOption { return func(s *redisSettings) { s.unix = true } }

// WithPersistence writes every change to the disk before it is answered, so that the data is there after Kill and Restart.
// Without it a restarted Redis is empty.
func WithPersistence() RedisOption {
	return WithRedisArgs("--appendonly", "yes", "--appendfsync", "always")
}

// WithRedisArgs adds settings of redis-server, as in "--maxmemory", "1mb".
func WithRedisArgs(args ...string) RedisOption {
	return func(s *redisSettings) { s.args = append(s.args, args...) }
}

// Redis starts a Redis for the length of one test. It takes some milliseconds.
func Redis(tb testing.TB, options ...RedisOption) *RedisServer {
	tb.Helper()
	server, err := StartRedis(options...)
	Check(tb, err)
	tb.Cleanup(func() {
		showLog(tb, server.Process, "Redis")
		if err := server.Close(); err != nil {
			tb.Error(err)
		}
	})
	return server
}

// StartRedis starts a Redis that lives until Close. The error is [ErrMissing] when none is installed.
func StartRedis(options ...RedisOption) (*RedisServer, error) {
	var settings redisSettings
	for _, option := range options {
		option(&settings)
	}
	path, err := onPath("redis-server")
	if err != nil {
		return nil, err
	}
	const attempts = 3 // another program may take the port in between
	for attempt := 1; ; attempt++ {
		server, err := startRedis(path, settings)
		if err == nil || attempt == attempts || !strings.Contains(err.Error(), "Address already in use") {
			return server, err
		}
	}
}

func startRedis(path string, settings redisSettings) (_ *RedisServer, err error) {
	dir, err := os.MkdirTemp("", "triton-gateway-redis-")
	if err != nil {
		return nil, err
	}
	s := &RedisServer{Password: settings.password, dir: dir}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(dir)
		}
	}()
	args := []string{"--dir", dir, "--save", "", "--bind", "127.0.0.1", "--daemonize", "no"}
	listen, err := s.listen(settings)
	if err != nil {
		return nil, err
	}
	args = append(args, listen...)
	if settings.password != "" {
		args = append(args, "--requirepass", settings.password)
	}
	s.command = Command{
		Path: path, Args: append(args, settings.args...), Env: withEnv(),
		Ready: func(line string) bool { return strings.Contains(line, "eady to accept connections") }, // "Ready" or "ready"
	}
	s.Process, err = start(s.command)
	return s, err
}

func (s *RedisServer) listen(settings redisSettings) ([]string, error) {
	if settings.unix {
		s.Network, s.Addr = "unix", filepath.Join(s.dir, "redis.sock")
		return []string{"--port", "0", "--unixsocket", s.Addr}, nil
	}
	ports, err := freePorts(1)
	if err != nil {
		return nil, err
	}
	s.Network, s.Addr = "tcp", local(ports[0])
	port := strconv.Itoa(ports[0])
	if !settings.tls {
		return []string{"--port", port}, nil
	}
	files, err := newCertificate(s.dir)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	s.CA, s.CAFile = files.pool, files.cert
	return []string{
		"--port", "0", "--tls-port", port, "--tls-auth-clients", "no",
		"--tls-cert-file", files.cert, "--tls-key-file", files.key, "--tls-ca-cert-file", files.cert,
	}, nil
}

// URL is the address in the form that Redis clients take: redis://, rediss:// with TLS, or unix://.
func (s *RedisServer) URL() string {
	u := url.URL{Scheme: "redis", Host: s.Addr, Path: "/0"}
	switch {
	case s.Network == "unix":
		u = url.URL{Scheme: "unix", Path: s.Addr}
	case s.CA != nil:
		u.Scheme = "rediss"
	}
	if s.Password != "" {
		u.User = url.UserPassword("", s.Password)
	}
	return u.String()
}

// Restart starts it again on the same address, after Kill or Stop; one that still runs is stopped first.
func (s *RedisServer) Restart() error {
	if err := s.Stop(); err != nil {
		return err
	}
	process, err := start(s.command)
	if err != nil {
		return err
	}
	s.output.remove()
	s.Process = process
	return nil
}

// Close ends it and removes its data.
func (s *RedisServer) Close() error {
	err := s.Stop()
	s.output.remove()
	_ = os.RemoveAll(s.dir)
	return err
}
