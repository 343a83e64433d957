package kserve

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"triton-gateway/internal/h2"
)

const (
	encodingHeader = "grpc-encoding"
	binarySuffix   = "-bin" // of headers whose values are bytes, in base64 on the wire
)

var (
	_ grpc.ServerStream          = (*callStream)(nil)
	_ grpc.ServerTransportStream = transportStream{}
)

// callStream is a call of h2 as handlers made for grpc-go see it. One goroutine may send beside another that receives.
type callStream struct {
	*front
	call     *h2.ServerCall
	ctx      context.Context
	encoding string              // of the request; answers have the same; "" or identity: none
	packer   encoding.Compressor // for it; nil: none, or not known
	trailer  metadata.MD
	header   []h2.Field // before the first message
	begun    bool       // that is sent
}

func newCallStream(f *front, call *h2.ServerCall, ctx context.Context) *callStream {
	s := &callStream{front: f, call: call, ctx: ctx}
	if s.encoding = only(call.Header(), encodingHeader); s.encoding != "" {
		s.packer = encoding.GetCompressor(s.encoding)
	}
	return s
}

// incoming is a call's context with its metadata, as handlers made for grpc-go look for it.
func incoming(ctx context.Context, call *h2.ServerCall) context.Context {
	md := metadata.MD{}
	for _, f := range call.Header() {
		value := f.Value
		if strings.HasSuffix(f.Name, binarySuffix) {
			raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(value, "="))
			if err != nil {
				continue
			}
			value = string(raw)
		}
		md[f.Name] = append(md[f.Name], value)
	}
	return peer.NewContext(metadata.NewIncomingContext(ctx, md), &peer.Peer{Addr: call.Peer()})
}

// Context is the call's, under its span where there is one.
func (s *callStream) Context() context.Context { return s.ctx }

// SetHeader adds to what is sent before the first message, or at the end where there is none.
func (s *callStream) SetHeader(md metadata.MD) error {
	s.tell(md)
	return nil
}

// SendHeader is not used by any handler here.
func (s *callStream) SendHeader(metadata.MD) error {
	return status.Error(codes.Internal, "kserve: no handler sends headers apart")
}

// SetTrailer adds to what is sent at the end.
func (s *callStream) SetTrailer(md metadata.MD) { s.trailer = metadata.Join(s.trailer, md) }

// RecvMsg reads the next message. The error is io.EOF after the last, or a status.
func (s *callStream) RecvMsg(v any) error {
	b, packed, err := s.call.Receive(s.ctx)
	switch {
	case errors.Is(err, io.EOF):
		return io.EOF
	case err != nil:
		return toStatus(err)
	}
	own, ok := b.(*buffer)
	if !ok {
		panic(fmt.Sprintf("kserve: a message in a %T", b))
	}
	if packed {
		if own, err = s.unpack(own); err != nil {
			return err
		}
	}
	if err := s.read(own, v); err != nil {
		return status.Errorf(codes.Internal, "grpc: failed to unmarshal the received message: %v", err)
	}
	return nil
}

// unpack inflates a message, up to the limit, and lets the packed one go.
func (s *callStream) unpack(b *buffer) (*buffer, error) {
	defer b.Release()
	switch {
	case s.encoding == "" || s.encoding == encoding.Identity:
		return nil, status.Error(codes.Internal, "grpc: compressed flag set with identity or empty encoding")
	case s.packer == nil:
		return nil, status.Errorf(codes.Unimplemented, "grpc: Decompressor is not installed for grpc-encoding %q", s.encoding)
	}
	r, err := s.packer.Decompress(bytes.NewReader(b.data))
	if err != nil {
		return nil, status.Errorf(codes.Internal, "grpc: failed to decompress the received message: %v", err)
	}
	out, err := s.inflate(r, len(b.data))
	if c, ok := r.(io.Closer); ok {
		_ = c.Close() // gives it back for another message
	}
	return out, err
}

// SendMsg writes a message.
func (s *callStream) SendMsg(v any) error {
	header, body, packed, err := s.pack(v)
	if err != nil {
		return err
	}
	s.begun = true
	if err := s.call.Send(header, body, packed); err != nil {
		return toStatus(err)
	}
	return nil
}

// reply writes the one answer of a unary call, and ends the call.
func (s *callStream) reply(v any) error {
	header, body, packed, err := s.pack(v)
	if err != nil {
		return err
	}
	if err := s.call.Reply(header, body, packed, onWire(s.trailer)); err != nil {
		return toStatus(err)
	}
	return nil
}

// pack gives the bytes of a message, deflated as the request was.
func (s *callStream) pack(v any) (header []h2.Field, body [][]byte, packed bool, err error) {
	if body, err = write(v); err != nil {
		return nil, nil, false, status.Errorf(codes.Internal, "grpc: error while marshaling: %v", err)
	}
	if s.packer == nil {
		return s.header, body, false, nil
	}
	var out bytes.Buffer
	w, err := s.packer.Compress(&out)
	for i := 0; err == nil && i < len(body); i++ {
		_, err = w.Write(body[i])
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, nil, false, status.Errorf(codes.Internal, "grpc: error while compressing: %v", err)
	}
	return append(slices.Clip(s.header), h2.Field{Name: encodingHeader, Value: s.packer.Name()}), [][]byte{out.Bytes()}, true, nil
}

// unary answers a call that has one message each way.
func (s *callStream) unary(m method) error {
	ctx := grpc.NewContextWithServerTransportStream(s.ctx, transportStream{s})
	answer, err := m.unary(m.service, ctx, func(v any) error {
		if err := s.RecvMsg(v); !errors.Is(err, io.EOF) {
			return err
		}
		return status.Error(codes.Internal, "cardinality violation: received no request message from non-client-streaming RPC")
	}, s.calls.unary)
	if err != nil {
		return err
	}
	return s.reply(answer)
}

// end ends the call, unless it has been answered. That the client has gone by then is of no interest.
func (s *callStream) end(st *status.Status) {
	if st.Code() == codes.OK {
		_ = s.call.End(nil, s.lastFields())
		return
	}
	_ = s.call.End(wireStatus(st), s.lastFields())
}

// lastFields are the trailer, and the header where it was not sent: without a message, both are one.
func (s *callStream) lastFields() []h2.Field {
	if s.begun {
		return onWire(s.trailer)
	}
	return append(slices.Clip(s.header), onWire(s.trailer)...)
}

// onWire puts metadata on the wire.
func onWire(md metadata.MD) (out []h2.Field) {
	for name, values := range md {
		for _, value := range values {
			if strings.HasSuffix(name, binarySuffix) {
				value = base64.RawStdEncoding.EncodeToString([]byte(value))
			}
			out = append(out, h2.Field{Name: name, Value: value})
		}
	}
	return out
}

// transportStream lets grpc.SetTrailer find the call.
type transportStream struct{ *callStream }

// Method is the call's.
func (t transportStream) Method() string { return t.call.Method() }

// SetTrailer adds to what is sent at the end.
func (t transportStream) SetTrailer(md metadata.MD) error {
	t.callStream.SetTrailer(md)
	return nil
}
