package h2

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"

	"triton-gateway/internal/parts"
)

// serverEnv holds which server the child process is, and where the server lies that it asks, if it does.
const serverEnv = "TRITON_GATEWAY_H2_SERVER"

// sliceCodec hands on what grpc-go has read, without a copy: no server built on it can do less.
type sliceCodec struct{}

func (sliceCodec) Name() string { return "proto" }

func (sliceCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*[]byte))}, nil
}

func (sliceCodec) Unmarshal(data mem.BufferSlice, v any) error {
	data.Ref()
	*v.(*mem.BufferSlice) = data
	return nil
}

// TestServerChild is the child's side of TestServersSideBySide. A request's first four bytes say how long its answer is.
func TestServerChild(t *testing.T) {
	text, isChild := os.LookupEnv(serverEnv)
	if !isChild {
		t.Skip("for the child process of other tests")
	}
	kind, behind, _ := strings.Cut(text, " ")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	space := make([]byte, 8<<20)
	ask := func(context.Context, []byte) {}
	if behind != "" {
		c := connect(t, behind, Options{})
		ask = func(ctx context.Context, first []byte) {
			if _, _, err := c.Call(ctx, "/a.B/C", nil, [][]byte{first}); err != nil {
				fmt.Println(err)
			}
		}
	}
	if kind == "h2" {
		serveOn(t, l, ServerOptions{CallWindow: 1 << 20, ConnWindow: 4 << 20}, func(c *ServerCall) {
			in, _, err := c.Receive(c.Context())
			if err != nil {
				return
			}
			first := in.Bytes()[:16]
			ask(c.Context(), first)
			_ = c.Reply(nil, [][]byte{space[:binary.LittleEndian.Uint32(first)]}, false, nil)
			in.Release()
		})
	} else {
		server := grpc.NewServer(grpc.ForceServerCodecV2(sliceCodec{}), grpc.MaxRecvMsgSize(math.MaxInt32), grpc.NumStreamWorkers(32), grpc.ReadBufferSize(64<<10),
			grpc.WriteBufferSize(128<<10), grpc.StaticStreamWindowSize(1<<20), grpc.StaticConnWindowSize(4<<20))
		server.RegisterService(&grpc.ServiceDesc{ServiceName: "a.B", HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{{MethodName: "C",
			Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
				var in mem.BufferSlice
				if err := decode(&in); err != nil {
					return nil, err
				}
				var first [16]byte
				_, _ = in.Reader().Read(first[:])
				ask(ctx, first[:])
				in.Free()
				out := space[:binary.LittleEndian.Uint32(first[:])]
				return &out, nil
			}}}}, nil)
		go func() { _ = server.Serve(l) }()
		defer server.Stop()
	}
	fmt.Printf("serving at %s\n", l.Addr())
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	<-stop
}

// serverChild starts the test binary as a server.
func serverChild(t *testing.T, kind, behind string) (pid int, address string) {
	ready := func(line string) bool {
		at, ok := strings.CutPrefix(line, "serving at ")
		if ok {
			address = at
		}
		return ok
	}
	p := parts.Start(t, parts.Command{Path: os.Args[0], Args: []string{"-test.run=^TestServerChild$", "-test.timeout=1h"},
		Env: append(os.Environ(), serverEnv+"="+kind+" "+behind), Ready: ready})
	return p.Pid(), address
}

// processCPU is the CPU time of all threads of a process. Those of Go do not end.
func processCPU(tb testing.TB, pid int) (sum time.Duration) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	for _, f := range files {
		text, _ := os.ReadFile(f)
		first, _, _ := strings.Cut(string(text), " ")
		n, _ := strconv.ParseInt(first, 10, 64)
		sum += time.Duration(n)
	}
	return sum
}

// TestServersSideBySide prints what a call costs a server of grpc-go and one of this package, each in a process of its own, with the same client: blocks in
// turn, medians of blocks. "asks" has the server ask another one before it answers, as a gateway does.
func TestServersSideBySide(t *testing.T) {
	if _, err := os.Stat("/proc/self/schedstat"); err != nil {
		t.Skip("no CPU times of other processes here")
	}
	var table strings.Builder
	table.WriteString("| request | answer | asks | callers | server | p50 us | calls/s | its CPU us/call |\n|---|---|---|---|---|---|---|---|\n")
	_, last := serverChild(t, "h2", "")
	kinds := []string{"grpc-go", "h2"}
	pids, conns := map[string]int{}, map[string]*Conn{}
	for _, kind := range kinds {
		for _, behind := range []string{"", last} {
			pid, address := serverChild(t, kind, behind)
			pids[kind+behind], conns[kind+behind] = pid, connect(t, address, Options{})
		}
	}
	for _, c := range []struct {
		in, out        int
		behind         string
		callers, calls int
	}{{16, 16, "", 1, 300}, {16, 16, last, 1, 300}, {602_112, 16, "", 1, 60}, {16, 602_112, "", 1, 60}, {16, 16, "", 8, 100}, {16, 16, last, 8, 100}, {602_112, 16, "", 8, 10}} {
		rounds := 1
		if *full {
			rounds = 30
		}
		request := make([]byte, c.in)
		binary.LittleEndian.PutUint32(request, uint32(c.out))
		blocks, used := map[string][]block{}, map[string][]float64{}
		for round := -1; round < rounds; round++ {
			for _, kind := range kinds {
				conn, pid := conns[kind+c.behind], pids[kind+c.behind]
				before := processCPU(t, pid)
				b := run(t, way{kind, func() error {
					_, _, err := conn.Call(t.Context(), "/a.B/C", nil, [][]byte{request})
					return err
				}}, c.callers, c.calls)
				if round >= 0 {
					blocks[kind] = append(blocks[kind], b)
					used[kind] = append(used[kind], float64((processCPU(t, pid)-before).Nanoseconds())/1000/float64(c.callers*c.calls))
				}
			}
		}
		for _, kind := range kinds {
			cpus := make([]block, len(used[kind]))
			for i, u := range used[kind] {
				cpus[i].rate = u
			}
			rate := func(b block) float64 { return b.rate }
			fmt.Fprintf(&table, "| %d | %d | %t | %d | %s | %.0f | %.0f | %.1f |\n", c.in, c.out, c.behind != "", c.callers, kind,
				middle(blocks[kind], func(b block) float64 { return float64(b.p50.Nanoseconds()) / 1000 }), middle(blocks[kind], rate), middle(cpus, rate))
		}
	}
	t.Log("\n" + table.String())
}
