package triton

import (
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"triton-gateway/internal/fault"
	"triton-gateway/internal/tritontest"
)

func TestLoadAndUnloadGoToEveryServer(t *testing.T) {
	a, b := fake(t), fake(t)
	c := clientOf(t, a.Addr(), b.Addr())
	if err := c.Unload(t.Context(), "m", true); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*tritontest.Server{a, b} {
		if s.Unloads("m") != 1 || s.ControlParams("m")["unload_dependents"] != true {
			t.Errorf("%d unloads, %v", s.Unloads("m"), s.ControlParams("m"))
		}
	}
	if err := c.Load(t.Context(), "m", map[string]any{"config": "{}", "file:1/model.onnx": []byte{1, 2}, "b": true, "n": int64(3)}); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*tritontest.Server{a, b} {
		p := s.ControlParams("m")
		if s.Loads("m") != 1 || len(p) != 4 || p["config"] != "{}" || string(p["file:1/model.onnx"].([]byte)) != "\x01\x02" || p["b"] != true || p["n"] != int64(3) {
			t.Errorf("%d loads, %v", s.Loads("m"), p)
		}
	}
	if err := c.Unload(t.Context(), "m", false); err != nil || len(a.ControlParams("m")) != 0 {
		t.Errorf("%v, %v", err, a.ControlParams("m"))
	}
}

func TestLoadThatFailsOnSomeServers(t *testing.T) {
	a, b, dead := fake(t), fake(t), fake(t)
	c := clientOf(t, a.Addr(), b.Addr(), dead.Addr())
	a.Fail(tritontest.Fault{Method: "RepositoryModelLoad", Code: codes.Internal, Text: "failed to load 'm', no weights"})
	dead.Kill()
	f := wantFault(t, c.Load(t.Context(), "m", nil), fault.Conflict, "replica_failed")
	if len(f.Fields) != 2 || f.Fields[0].Location != a.Addr() || f.Fields[0].Message != "failed to load 'm', no weights" ||
		f.Fields[1].Location != dead.Addr() || !strings.Contains(f.Fields[1].Message, "cannot be reached") {
		t.Errorf("fields %+v", f.Fields)
	}
	if !strings.Contains(f.Detail, "2 of 3 model servers failed to load") || b.Loads("m") != 1 {
		t.Errorf("%q, %d loads of the good one", f.Detail, b.Loads("m"))
	}
	b.Kill()
	f = wantFault(t, c.Load(t.Context(), "m", nil), fault.Conflict, "replica_failed")
	if len(f.Fields) != 3 || !strings.Contains(f.Detail, "all 3 model servers") {
		t.Errorf("%q, fields %+v", f.Detail, f.Fields)
	}
}

func TestLoadThatFailsOnAllServersAlike(t *testing.T) {
	off := clientOf(t, fake(t, tritontest.WithoutControl()).Addr(), fake(t, tritontest.WithoutControl()).Addr())
	f := wantFault(t, off.Load(t.Context(), "m", nil), fault.Unsupported, "unsupported_model")
	if !strings.Contains(f.Detail, "explicit model load / unload is not allowed") {
		t.Errorf("detail %q", f.Detail)
	}
	wantFault(t, off.Unload(t.Context(), "m", false), fault.Unsupported, "unsupported_model")

	a, b := fake(t), fake(t)
	c := clientOf(t, a.Addr(), b.Addr())
	f = wantFault(t, c.Load(t.Context(), "nosuch", nil), fault.Upstream, "upstream_error")
	if f.Detail != "failed to load 'nosuch', failed to poll from model repository" {
		t.Errorf("detail %q", f.Detail)
	}
	for _, s := range []*tritontest.Server{a, b} {
		s.Fail(tritontest.Fault{Method: "RepositoryModelLoad", Times: 1, Code: codes.InvalidArgument, Text: "unrecognized load parameter 'zz'."})
		s.Fail(tritontest.Fault{Method: "RepositoryModelLoad", Times: 1, Code: codes.Unimplemented, Text: "x"})
	}
	f = wantFault(t, c.Load(t.Context(), "m", map[string]any{"zz": "x"}), fault.Invalid, "invalid_request")
	if f.Detail != "unrecognized load parameter 'zz'." {
		t.Errorf("detail %q", f.Detail)
	}
	wantFault(t, c.Load(t.Context(), "m", nil), fault.Unsupported, "unsupported_model")
	a.Kill()
	b.Kill()
	wantFault(t, c.Unload(t.Context(), "m", false), fault.Unavailable, "backend_unavailable")
}

func TestLoadRefusesWhatCannotBeSent(t *testing.T) {
	s := fake(t)
	c := clientOf(t, s.Addr())
	for name, p := range map[string]map[string]any{"a number": {"x": 1.5}, "no text": {"config": "\xff"}, "no name": {"\xff": "x"}} {
		if f := wantFault(t, c.Load(t.Context(), "m", p), fault.Invalid, "invalid_request"); len(f.Fields) != 1 {
			t.Errorf("%s: fields %+v", name, f.Fields)
		}
	}
	wantFault(t, c.Load(t.Context(), "", nil), fault.Invalid, "invalid_request")
	wantFault(t, c.Unload(t.Context(), "\xff", false), fault.Invalid, "invalid_request")
	if s.Loads("m") != 0 {
		t.Error("it was sent")
	}
}
