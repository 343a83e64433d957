package parts

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// say sends commands in Redis' inline form over one connection and returns the lines that come back, one per command;
// of a value it is the value. The error is that of the network.
func say(server *RedisServer, wait time.Duration, commands ...string) ([]string, error) {
	conn, err := net.DialTimeout(server.Network, server.Addr, wait)
	if err != nil {
		return nil, err
	}
	if server.CA != nil {
		conn = tls.Client(conn, &tls.Config{RootCAs: server.CA, ServerName: "127.0.0.1"})
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(wait)); err != nil {
		return nil, err
	}
	reader := bufio.NewReader(conn)
	var answers []string
	for _, command := range commands {
		if _, err := fmt.Fprintf(conn, "%s\r\n", command); err != nil {
			return answers, err
		}
		line, err := reader.ReadString('\n')
		if err == nil && strings.HasPrefix(line, "$") && !strings.HasPrefix(line, "$-1") {
			line, err = reader.ReadString('\n')
		}
		if err != nil {
			return answers, err
		}
		answers = append(answers, strings.TrimSpace(line))
	}
	return answers, nil
}

func wantAnswers(t *testing.T, server *RedisServer, commands []string, want ...string) {
	t.Helper()
	got, err := say(server, time.Minute, commands...)
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: %q, %v, want %q", strings.Join(commands, "; "), got, err, want)
	}
}

func TestRedisListensAsAsked(t *testing.T) {
	for name, options := range map[string][]RedisOption{
		"redis://127.0.0.1:":         nil,
		"redis://:s3cret@127.0.0.1:": {WithPassword("s3cret")},
		"rediss://127.0.0.1:":        {WithTLS()},
		"rediss://:pw@127.0.0.1:":    {WithTLS(), WithPassword("pw")},
		"unix:///":                   {WithUnixSocket()},
	} {
		t.Run(name, func(t *testing.T) {
			server := Redis(t, options...)
			if !strings.HasPrefix(server.URL(), name) {
				t.Errorf("URL %s, want %s...", server.URL(), name)
			}
			if server.Password == "" {
				wantAnswers(t, server, []string{"PING"}, "+PONG")
				return
			}
			wantAnswers(t, server, []string{"PING", "AUTH wrong", "AUTH " + server.Password, "PING"},
				"-NOAUTH Authentication required.",
				"-WRONGPASS invalid username-password pair or user is disabled.", "+OK", "+PONG")
		})
	}
}

func TestRedisWithTLSRefusesPlainText(t *testing.T) {
	server := *Redis(t, WithTLS())
	server.CA = nil
	if got, err := say(&server, time.Minute, "PING"); err == nil {
		t.Errorf("plain text was answered: %q", got)
	}
}

func TestRedisKeepsItsDataOverACrashOnlyWhenAsked(t *testing.T) {
	for name, c := range map[string]struct {
		options []RedisOption
		after   string
	}{"kept": {[]RedisOption{WithPersistence()}, "here"}, "lost": {nil, "$-1"}} {
		t.Run(name, func(t *testing.T) {
			server := Redis(t, c.options...)
			addr := server.Addr
			wantAnswers(t, server, []string{"SET key here", "GET key"}, "+OK", "here")
			server.Kill()
			if _, err := say(server, time.Minute, "PING"); err == nil {
				t.Error("a killed Redis answered")
			}
			if err := server.Restart(); err != nil {
				t.Fatal(err)
			}
			if server.Addr != addr {
				t.Errorf("the address moved from %s to %s", addr, server.Addr)
			}
			wantAnswers(t, server, []string{"GET key"}, c.after)
		})
	}
}

func TestRedisHangsWhilePaused(t *testing.T) {
	server := Redis(t)
	if err := server.Pause(); err != nil {
		t.Fatal(err)
	}
	// The kernel takes the connection, and nobody answers.
	if got, err := say(server, 100*time.Millisecond, "PING"); err == nil || !strings.Contains(err.Error(), "timeout") {
		t.Errorf("a paused Redis: %q, %v, want a timeout", got, err)
	}
	if err := server.Resume(); err != nil {
		t.Fatal(err)
	}
	wantAnswers(t, server, []string{"PING"}, "+PONG")
}

func TestRedisIsClosedWhilePaused(t *testing.T) {
	server, err := StartRedis()
	Check(t, err)
	if err := server.Pause(); err != nil {
		t.Fatal(err)
	}
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	if code := server.Exit(); code != 0 {
		t.Errorf("exit status %d, want 0: it was killed, not stopped", code)
	}
}

func TestRedisSaysWhyItDoesNotStart(t *testing.T) {
	server, err := StartRedis(WithRedisArgs("--no-such-setting", "1"))
	if err == nil {
		server.Close()
		t.Fatal("it started with a setting that does not exist")
	}
	if errors.Is(err, ErrMissing) {
		Check(t, err)
	}
	if !strings.Contains(err.Error(), "ended before it was ready") || !strings.Contains(err.Error(), "no-such-setting") {
		t.Errorf("the error names no cause: %v", err)
	}
}
