package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"

	"triton-gateway/gateway"
)

// The modes, each with all of the one before.
const (
	modeOff    = "off"
	modeLogs   = "metrics and log"
	modeTraces = "metrics, log, traces 10 %"
)

var modes = []string{modeOff, modeLogs, modeTraces}

// beGateway serves until ctx ends. The log goes to standard error, a file, as a service manager would have it.
func beGateway(ctx context.Context, mode, otlp, repository string) error {
	c := gateway.DefaultConfig()
	c.Listen.HTTP, c.Listen.Admin, c.Listen.GRPC, c.Listen.Drain = "127.0.0.1:0", "", "", 0
	c.ModelRepository = repository
	level := slog.LevelInfo
	switch mode {
	case modeOff:
		c.Telemetry.Off = true
		level = slog.LevelError
	case modeTraces:
		c.Telemetry.OTLP = otlp
	}
	debug.SetGCPercent(400) // as `triton-gateway serve` does
	g, err := gateway.New(ctx, c, gateway.Build{Version: "bench"}, slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level})))
	if err != nil {
		return err
	}
	defer g.Close()
	fmt.Println(g.Addr())
	return g.Run(ctx)
}

// child is a gateway in a process of its own.
type child struct {
	mode, address string
	command       *exec.Cmd
	folder        string
}

func startChild(ctx context.Context, mode, otlp, repository string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "telemetry")
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(folder, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	c := &child{mode: mode, folder: folder, command: exec.CommandContext(ctx, self, "-serve", mode, "-otlp", otlp, "-models", repository)}
	c.command.Cancel = func() error { return c.command.Process.Signal(os.Interrupt) }
	c.command.WaitDelay = startupTime
	c.command.Stderr = log
	out, err := c.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.command.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		c.stop()
		return nil, fmt.Errorf("%s did not start: %w", mode, err)
	}
	c.address = strings.TrimSpace(line)
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return c, nil
}

func (c *child) pid() int { return c.command.Process.Pid }

func (c *child) stop() {
	_ = c.command.Process.Signal(os.Interrupt)
	_ = c.command.Wait()
	_ = os.RemoveAll(c.folder)
}
