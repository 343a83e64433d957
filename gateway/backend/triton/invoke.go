package triton

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"triton-gateway/internal/h2"
)

const userAgent = "triton-gateway"

// invoke makes a call on conn. Where the server has certainly not processed it, as it was just about to leave or had no stream free, it is made once more at once: that is
// no second call to anybody. Errors are gRPC statuses; answered says that the status came from the server.
func (e *endpoint) invoke(ctx context.Context, conn *h2.Conn, wait time.Duration, request [][]byte, answer *inferResponse) (answered bool, err error) {
	header := e.fields(ctx)
	body, _, err := conn.Call(ctx, inferMethod, header, request)
	if errors.Is(err, h2.ErrConn) && ctx.Err() == nil {
		if fresh, none := e.link.get(ctx, wait); none == nil {
			conn = fresh
			body, _, err = conn.Call(ctx, inferMethod, header, request)
		}
	}
	if err != nil {
		return statusError(conn, err)
	}
	if err := answer.unmarshal(body); err != nil {
		return false, status.Errorf(codes.Internal, "failed to unmarshal the received message: %v", err)
	}
	return true, nil
}

// statusError gives the error of a call as the gRPC status that it stands for, by the descriptions of gRPC over HTTP/2.
func statusError(conn *h2.Conn, err error) (answered bool, _ error) {
	var said *h2.Status
	var reset *h2.Reset
	switch {
	case errors.As(err, &said):
		s := status.New(codes.Code(said.Code), said.Message)
		ours := said.HTTP != 0 || find(s).text == largerThanMax // these are not from the server
		return !ours, s.Err()
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		if errors.Is(err, context.Canceled) {
			err = context.Canceled
		} else {
			err = context.DeadlineExceeded
		}
		return false, status.FromContextError(err).Err()
	case errors.Is(err, h2.ErrRequest):
		return false, status.Errorf(codes.Internal, "error while marshaling: %v", err)
	case errors.Is(err, h2.ErrConn):
	case errors.As(err, &reset) && reset.Code == h2.CodeCancel:
		return false, status.Error(codes.Canceled, err.Error())
	case conn.Err() == nil: // the answer is none, and the connection as good as before
		return false, status.Error(codes.Internal, err.Error())
	}
	return false, &lost{"the connection was lost", err}
}

// fields are what goes with a call on the link besides what HTTP/2 and gRPC need: metadata of ctx, that of Deps.Outgoing, and the endpoint's.
func (e *endpoint) fields(ctx context.Context) []h2.Field {
	had, _ := metadata.FromOutgoingContext(ctx)
	var extra map[string]string
	if e.extra != nil {
		extra = e.extra(ctx)
	}
	if len(had) == 0 && len(extra) == 0 {
		return e.fixed
	}
	out := make([]h2.Field, 0, len(had)+len(extra)+len(e.fixed))
	for name, values := range had {
		for _, value := range values {
			out = appendField(out, name, value)
		}
	}
	for name, value := range extra {
		out = appendField(out, name, value)
	}
	return append(out, e.fixed...)
}

// appendField adds a header as it goes on the wire: names in lower case, binary values in base64. Names that are not for callers to set are left out.
func appendField(list []h2.Field, name, value string) []h2.Field {
	name = strings.ToLower(name)
	switch name {
	case "content-type", "te", "user-agent", "connection", "transfer-encoding", "keep-alive", "upgrade", "proxy-connection", "host", "content-length":
		return list
	}
	if strings.HasPrefix(name, ":") || strings.HasPrefix(name, "grpc-") {
		return list
	}
	if strings.HasSuffix(name, "-bin") {
		value = base64.RawStdEncoding.EncodeToString([]byte(value))
	}
	return append(list, h2.Field{Name: name, Value: strings.Trim(value, " ")})
}
