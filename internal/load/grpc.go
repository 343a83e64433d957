package load

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// GRPC sends messages that are encoded already over one connection. It is safe for concurrent use.
type GRPC struct {
	conn *grpc.ClientConn
	// Timeout is what a call may take, and is told to the server; 0 for no end.
	Timeout time.Duration
}

// Dial makes a client of a server without TLS; the connection is made by the first call.
func Dial(address string) (*GRPC, error) {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithWriteBufferSize(256<<10), grpc.WithReadBufferSize(256<<10),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(raw{}), grpc.MaxCallRecvMsgSize(1<<31-1), grpc.MaxCallSendMsgSize(1<<31-1)))
	if err != nil {
		return nil, err
	}
	return &GRPC{conn: conn}, nil
}

// Close breaks the connection.
func (g *GRPC) Close() error { return g.conn.Close() }

// Infer sends a ModelInferRequest and gives the size of the answer in bytes.
func (g *GRPC) Infer(ctx context.Context, message []byte) (size int, trailer metadata.MD, err error) {
	if g.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, g.Timeout)
		defer cancel()
	}
	err = g.conn.Invoke(ctx, "/inference.GRPCInferenceService/ModelInfer", message, &size, grpc.Trailer(&trailer))
	return size, trailer, err
}

// Call sends always the same message.
func (g *GRPC) Call(message []byte) Call {
	return func(ctx context.Context, _ int) (Verdict, string) {
		_, trailer, err := g.Infer(ctx, message)
		return judge(err, len(trailer.Get("retry-after"))+len(trailer.Get("grpc-retry-pushback-ms")) > 0)
	}
}

func judge(err error, told bool) (Verdict, string) {
	switch status.Code(err) {
	case codes.OK:
		return Answered, ""
	case codes.ResourceExhausted:
		if told {
			return Rejected, ""
		}
		return Bare, err.Error()
	case codes.DeadlineExceeded:
		return Late, err.Error()
	case codes.Unavailable:
		return Down, err.Error()
	}
	return Failed, err.Error()
}

// raw hands bytes on as they are, and counts those that come back: what the generator costs is what the transport costs.
type raw struct{}

var errType = errors.New("load: a message goes out as []byte and comes back as *int")

func (raw) Name() string { return "proto" }

func (raw) Marshal(v any) (mem.BufferSlice, error) {
	b, ok := v.([]byte)
	if !ok {
		return nil, errType
	}
	return mem.BufferSlice{mem.SliceBuffer(b)}, nil
}

func (raw) Unmarshal(data mem.BufferSlice, v any) error {
	size, ok := v.(*int)
	if !ok {
		return errType
	}
	*size = data.Len()
	return nil
}
