package e2e

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// asked is a body that knows whether any of it was sent.
type asked struct {
	strings.Reader
	read atomic.Int64
}

func (a *asked) Read(b []byte) (int, error) {
	n, err := a.Reader.Read(b)
	a.read.Add(int64(n))
	return n, err
}

// A client that waits to be asked for its body sends nothing of it where it is refused, and all of it where it is not.
func TestABodyIsAskedForAfterAdmission(t *testing.T) {
	g := start(t, "GATEWAY_LIMITS__BODY=1MiB")
	transport := &http.Transport{ExpectContinueTimeout: patience}
	defer transport.CloseIdleConnections()
	patient := &http.Client{Transport: transport, Timeout: patience}
	rows := `{"rows":[[5.1,3.5,1.4,0.2]]}`
	tensors := `{"inputs":[{"name":"input","datatype":"FP32","shape":[1,4],"data":[5.1,3.5,1.4,0.2]}]}`
	for _, c := range []struct {
		path, body string
		status     int
		sent       bool
	}{
		{"/v1/models/iris/infer", rows, 200, true},
		{"/v1/models/nobody/infer", rows, 404, false},
		{"/v1/models/iris/infer?top_k=x", rows, 400, false},
		{"/v1/models/iris/infer", strings.Repeat(" ", 2<<20), 413, false},
		{"/v2/models/iris/infer", tensors, 200, true},
		{"/v2/models/nobody/infer", tensors, 404, false},
		{"/v2/models/iris/infer", strings.Repeat(" ", 2<<20), 413, false},
	} {
		body := &asked{Reader: *strings.NewReader(c.body)}
		request, err := http.NewRequest("POST", g.URL+c.path, body)
		if err != nil {
			t.Fatal(err)
		}
		request.ContentLength = int64(len(c.body))
		request.Header = http.Header{"Content-Type": {"application/json"}, "Expect": {"100-continue"}}
		res, err := patient.Do(request)
		if err != nil {
			t.Fatalf("%s: %v", c.path, err)
		}
		text, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode != c.status || (body.read.Load() > 0) != c.sent {
			t.Errorf("%s: %d, want %d; %d bytes were sent: %.200s", c.path, res.StatusCode, c.status, body.read.Load(), text)
		}
	}
}
