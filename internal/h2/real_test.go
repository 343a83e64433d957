package h2

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/proto"

	"triton-gateway/internal/load"
	"triton-gateway/internal/parts"
	"triton-gateway/tritonpb"
)

// TestTriton calls a real one, whose gRPC is not Go's, and ends it.
func TestTriton(t *testing.T) {
	repository := t.TempDir()
	if err := os.CopyFS(filepath.Join(repository, "size"), os.DirFS(filepath.Join(parts.Root(t), "e2e/testdata/kserve/triton/size"))); err != nil {
		t.Fatal(err)
	}
	server := parts.Triton(t, repository)
	c := connect(t, server.GRPC, Options{UserAgent: "test"})
	for _, elements := range []int{4, 3 * 224 * 224, 3 * 640 * 640, 4} {
		body, _, err := c.Call(t.Context(), inferMethod, nil, cut(load.Floats("size", "x", elements)))
		var answer tritonpb.ModelInferResponse
		if err == nil {
			err = proto.Unmarshal(body, &answer)
		}
		if err != nil || answer.ModelName != "size" || len(answer.RawOutputContents) != 1 {
			t.Errorf("%d elements: %v, %v", elements, err, &answer)
		}
	}
	var status *Status
	if _, _, err := c.Call(t.Context(), inferMethod, nil, [][]byte{load.Floats("nobody", "x", 4)}); !errors.As(err, &status) || status.Code != 5 {
		t.Error(err)
	}
	if _, _, err := c.Call(t.Context(), "/inference.GRPCInferenceService/Nothing", nil, nil); !errors.As(err, &status) || status.Code != 12 {
		t.Error(err)
	}
	if *full {
		sideBySide(t, server.GRPC, "size", "x")
	}
	server.Kill()
	<-c.Done()
	if _, _, err := c.Call(t.Context(), inferMethod, nil, nil); !errors.Is(err, ErrConn) {
		t.Error(err)
	}
}

// TestTLS has the same over TLS, also calls that end in the middle.
func TestTLS(t *testing.T) {
	pair, pool := certificate(t)
	_, address := serve(t, echo, grpc.Creds(credentials.NewServerTLSFromCert(&pair)))
	c := connectTLS(t, address, pool)
	for _, size := range []int{0, 16, 602_112, 4_915_200} {
		want := noise(size, size)
		if got, _, err := c.Call(t.Context(), "/a.B/C", nil, cut(want)); err != nil || string(got) != string(want) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	for i := range 10 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*time.Millisecond)
		body := make([]byte, 2_000_000)
		if _, _, err := c.Call(ctx, "/a.B/C", nil, [][]byte{body}); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			var status *Status
			if !errors.As(err, &status) || status.Code != 4 {
				t.Error(err)
			}
		}
		clear(body)
		cancel()
	}
	if _, _, err := c.Call(t.Context(), "/a.B/C", nil, nil); err != nil {
		t.Error(err)
	}
}

func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(time.Hour),
		BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, pool
}

func connectTLS(t *testing.T, address string, pool *x509.CertPool) *Conn {
	nc, err := tls.DialWithDialer(&net.Dialer{Timeout: time.Minute}, "tcp", address, &tls.Config{RootCAs: pool, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(t.Context(), nc, Options{Authority: address, TLS: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}
