package triton

import (
	"context"
	"crypto/tls"
	"fmt"
	"math"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"

	"triton-gateway/internal/h2"
	"triton-gateway/tritonpb"
)

const (
	// Triton answers pings that come less than 300 s apart without data between them with GOAWAY too_many_pings, by default, also while a
	// call runs. A dead peer is found sooner by the index calls, and by TCP, whose user timeout grpc sets to pingTimeout.
	pingEvery   = 310 * time.Second
	pingTimeout = 20 * time.Second

	firstBackoff = 100 * time.Millisecond
	lastBackoff  = time.Second
	dialTimeout  = 3 * time.Second

	// kickEvery is how often a waiting call cuts a backoff short.
	kickEvery = 20 * time.Millisecond
)

// endpoint is one Triton and the connections to it: link for inference, and for the probes that tell whether it answers; conn for streams and all that is asked
// of the server itself.
type endpoint struct {
	target
	conn    *grpc.ClientConn
	service tritonpb.GRPCInferenceServiceClient
	header  metadata.MD // nil where there are none
	link    *link
	fixed   []h2.Field // header, for the link

	secure    *tls.Config // of the link; nil where it is in the clear
	authority string      // what TLS and HTTP/2 call the server
	largest   int         // bytes of an answer
	linked    uint64      // dials when the link was last connected, and 1; 0: never. Of whoever connects it
	calls     *ledger
	watch     *watcher
	http      http.Client // for the metrics page
	extra     func(context.Context) map[string]string
	attempt   func(context.Context, string) (context.Context, func(error)) // nil: nobody is told
	health
	// seen is what the last look that succeeded has found ready; epochs are the last of every version that was ever seen.
	seen   atomic.Pointer[map[modelVersion]bool]
	epochs atomic.Pointer[map[modelVersion]string]
	// reloads count the loads of every version that the last look has seen ready; see Load.
	reloads atomic.Pointer[map[modelVersion]uint64]
	loading sync.Map // model -> chan struct{}, held by a Serve
	// dials counts the connections made. A new one means that the server may be a new one.
	dials atomic.Uint64

	mu      sync.Mutex
	waiting map[uint64]context.CancelFunc // callers that wait for the attempt under way, by number
	waiters uint64                        // numbers given out
}

func dial(t target, c *Config, d *Deps) (*endpoint, error) {
	e := &endpoint{target: t, calls: newLedger(), watch: newWatcher(), waiting: map[uint64]context.CancelFunc{}, extra: d.Outgoing, attempt: d.Attempt}
	if len(t.headers) > 0 {
		e.header = metadata.New(t.headers)
	}
	for name, value := range t.headers {
		e.fixed = appendField(e.fixed, name, value)
	}
	e.link = newLink(e.connect)
	secure := insecure.NewCredentials()
	if t.tls {
		e.secure = secured(t, c)
		secure = credentials.NewTLS(e.secure)
		if e.authority = e.secure.ServerName; e.authority == "" {
			e.authority = t.address
			e.secure.ServerName, _, _ = net.SplitHostPort(t.address)
		}
	}
	if e.largest = c.MaxMessage; e.largest == 0 {
		e.largest = math.MaxInt32
	}
	conn, err := grpc.NewClient("passthrough:///"+t.address,
		grpc.WithTransportCredentials(secure),
		grpc.WithContextDialer(e.dial),
		grpc.WithWriteBufferSize(writeBuffer),
		grpc.WithReadBufferSize(readBuffer),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(e.largest), grpc.MaxCallSendMsgSize(math.MaxInt32)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingEvery, Timeout: pingTimeout}),
		grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: dialTimeout,
			Backoff: backoff.Config{BaseDelay: firstBackoff, Multiplier: 1.6, Jitter: 0.2, MaxDelay: lastBackoff}}),
		grpc.WithDisableServiceConfig(),
		grpc.WithDisableRetry(), // one retry, by this package, which knows Triton's errors
		grpc.WithIdleTimeout(0),
		grpc.WithUserAgent(userAgent))
	if err != nil {
		return nil, badConfig("triton endpoint %q: %v", t.name, err)
	}
	e.conn, e.service = conn, tritonpb.NewGRPCInferenceServiceClient(conn)
	return e, nil
}

// secured gives the TLS settings of a target, with HTTP/2 as the protocol to be agreed on.
func secured(t target, c *Config) *tls.Config {
	settings := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.TLS != nil {
		settings = c.TLS.Clone()
	}
	if t.host != "" && settings.ServerName == "" {
		settings.ServerName = t.host
	}
	settings.NextProtos = []string{"h2"}
	return settings
}

// close ends what runs.
func (e *endpoint) close() error {
	e.link.close()
	return e.conn.Close()
}

// dial gives the bare *net.TCPConn, on which grpc can set TCP options. A host name with several addresses is one attempt.
func (e *endpoint) dial(ctx context.Context, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		e.mu.Lock()
		defer e.mu.Unlock()
		for _, giveUp := range e.waiting {
			giveUp()
		}
		return nil, fmt.Errorf("dial: %w", err)
	}
	e.dials.Add(1)
	return conn, nil
}

// try begins a try of an inference: it gives the context to call with, and what is to be called with the outcome.
func (e *endpoint) try(ctx context.Context) (context.Context, func(error)) {
	if e.attempt == nil {
		return ctx, func(error) {}
	}
	return e.attempt(ctx, e.name)
}

// outgoing adds the endpoint's headers and those of the call. Metadata that a caller put into ctx stays.
func (e *endpoint) outgoing(ctx context.Context) context.Context {
	if e.extra != nil {
		for key, value := range e.extra(ctx) {
			ctx = metadata.AppendToOutgoingContext(ctx, key, value)
		}
	}
	if e.header == nil {
		return ctx
	}
	had, _ := metadata.FromOutgoingContext(ctx)
	return metadata.NewOutgoingContext(ctx, metadata.Join(had, e.header))
}

// reconnect waits until conn stands again, and reports whether it does. It gives up as soon as an attempt is refused, so
// that a dead server costs a caller one attempt and not the whole wait. The channel's state alone does not say so: it stays at
// TRANSIENT_FAILURE while grpc tries again and again.
func (e *endpoint) reconnect(ctx context.Context, wait time.Duration) bool {
	if e.conn.GetState() == connectivity.Ready {
		return true
	}
	ctx, giveUp := context.WithTimeout(ctx, wait)
	defer giveUp()
	defer e.forget(e.await(giveUp))
	for {
		state := e.conn.GetState()
		switch state {
		case connectivity.Ready:
			return true
		case connectivity.Shutdown:
			return false
		}
		// Dial now instead of when the backoff ends; without effect while an attempt is under way, or just before a backoff
		// begins, which is why it is done again and again. Before the first attempt grpc 1.85 has a race between this and the making of its connection.
		if state == connectivity.TransientFailure {
			e.conn.ResetConnectBackoff()
		}
		e.conn.Connect()
		again, stop := context.WithTimeout(ctx, kickEvery)
		e.conn.WaitForStateChange(again, state)
		stop()
		if ctx.Err() != nil {
			return false
		}
	}
}

// await has giveUp called when an attempt to dial is refused.
func (e *endpoint) await(giveUp context.CancelFunc) (id uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.waiters++
	e.waiting[e.waiters] = giveUp
	return e.waiters
}

func (e *endpoint) forget(id uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.waiting, id)
}
