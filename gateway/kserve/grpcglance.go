package kserve

import (
	"time"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"

	"triton-gateway/internal/fault"
	"triton-gateway/internal/h2"
)

// glance turns a long ModelInfer away whose model is full, before the tensors have come: over gRPC the model is told at the beginning of the message. It is
// called while the connection is read. So does who has used up a quota. What else is wrong with a call is found, in Triton's words, when all of it has come.
func (f *front) glance(call *h2.ServerCall, first []byte, size int) (*h2.Status, []h2.Field) {
	if call.Method() != inferPath {
		return nil, nil
	}
	start := time.Now()
	if header, err := f.lookQuota(call); err != nil {
		st, trailer := f.status(err)
		f.observe(call.Context(), "ModelInfer", "", st, start)
		return wireStatus(st), append(header, onWire(trailer)...)
	}
	if f.Full == nil {
		return nil, nil
	}
	model, version := leading(first)
	if model == "" {
		return nil, nil
	}
	t, err := f.target(model)
	if err != nil {
		return nil, nil
	}
	if err = f.Full(call.Context(), t.Name, version, int64(size)); err == nil || fault.KindOf(err) != fault.Busy {
		return nil, nil
	}
	st, trailer := f.status(err)
	f.observe(call.Context(), "ModelInfer", model, st, start)
	return wireStatus(st), onWire(trailer)
}

// wireStatus is a status as h2 sends it.
func wireStatus(st *status.Status) *h2.Status {
	return &h2.Status{Code: uint32(st.Code()), Message: st.Message()}
}

// leading reads the model and the version where a ModelInferRequest begins with them, as all generated clients write it; both are "" otherwise. b may end
// anywhere.
func leading(b []byte) (model, version string) {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 || kind != protowire.BytesType || number > 2 {
			break
		}
		value, m := protowire.ConsumeBytes(b[n:])
		if m < 0 {
			return "", ""
		}
		if number == 1 {
			model = string(value)
		} else {
			version = string(value)
		}
		b = b[n+m:]
	}
	return model, version
}
