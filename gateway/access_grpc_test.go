package gateway

import (
	"errors"
	"net"
	"net/http"
	"testing"

	"triton-gateway/gateway/kserve"
	"triton-gateway/internal/caller"
	"triton-gateway/internal/h2"
)

// codeOf makes a call of gRPC with a key, and gives its code.
func codeOf(t *testing.T, c *h2.Conn, path, header, key string) uint32 {
	t.Helper()
	var fields []h2.Field
	if key != "" {
		fields = []h2.Field{{Name: header, Value: key}}
	}
	_, _, err := c.Call(t.Context(), path, fields, [][]byte{{}})
	var status *h2.Status
	if err != nil && !errors.As(err, &status) {
		t.Fatalf("%s: %v", path, err)
	}
	if status == nil {
		return 0
	}
	return status.Code
}

func connectGRPC(t *testing.T, address string) *h2.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	c, err := h2.New(t.Context(), nc, h2.Options{Authority: address})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// The matrix of gRPC: every method of the service on both listeners, for the same callers.
func TestAccessMatrixOverGRPC(t *testing.T) {
	r := newGatedRig(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- r.kserve.ServeGRPC(l, false) }()
	inside, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: withGRPC(r.kserve.GRPCHandler(true), r.admin), Protocols: new(http.Protocols)}
	server.Protocols.SetUnencryptedHTTP2(true)
	go func() { _ = server.Serve(inside) }()
	t.Cleanup(func() {
		_ = server.Close()
		_ = r.kserve.Shutdown(t.Context())
		<-served
	})
	for address, admin := range map[string]bool{l.Addr().String(): false, inside.Addr().String(): true} {
		c := connectGRPC(t, address)
		for _, name := range kserve.Methods() {
			if name == "SharedMemory" { // HTTP's name for several
				continue
			}
			path, n := "/inference.GRPCInferenceService/"+name, needOfCall(name).on(admin)
			for _, key := range []string{"", "nonsense", "expired-a"} {
				if code := codeOf(t, c, path, "x-api-key", key); code != grpcUnauthenticated {
					t.Errorf("%s with key %q, admin %v: code %d", name, key, admin, code)
				}
			}
			for scope, key := range map[caller.Scopes]string{caller.Infer: "infer-a", caller.Jobs: "jobs-a", caller.Admin: "admin-a"} {
				code := codeOf(t, c, path, "authorization", "Bearer "+key)
				if refused := code == grpcPermissionDenied; code == grpcUnauthenticated || refused != !scope.Has(n.scope) {
					t.Errorf("%s with key %s, admin %v: code %d", name, key, admin, code)
				}
			}
			if code := codeOf(t, c, path, "x-api-key", "all-b"); code == grpcUnauthenticated {
				t.Errorf("%s for another tenant: code %d", name, code)
			}
		}
		if code := codeOf(t, c, "/grpc.health.v1.Health/Check", "", ""); code != 0 {
			t.Errorf("health, admin %v: code %d", admin, code)
		}
		if code := codeOf(t, c, "/none.Service/None", "", ""); code != grpcUnauthenticated {
			t.Errorf("a service that there is not, without a key: code %d", code)
		}
		if code := codeOf(t, c, "/none.Service/None", "x-api-key", "all-a"); code != grpcUnimplemented {
			t.Errorf("a service that there is not: code %d", code)
		}
	}
}
