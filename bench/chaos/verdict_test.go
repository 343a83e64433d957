package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func TestVerdictOnHTTP(t *testing.T) {
	const problem = `{"status":503,"code":"backend_unavailable","detail":"no model server answers"}`
	for name, c := range map[string]struct {
		status            int
		kind, retry, body string
		want              Verdict
		text              string
	}{
		"refused":             {503, "application/problem+json", "1", problem, Refused, "503 Service Unavailable backend_unavailable"},
		"with a charset":      {503, "application/problem+json; charset=utf-8", "1", problem, Refused, "503 Service Unavailable backend_unavailable"},
		"without a time":      {503, "application/problem+json", "", problem, Told, "503 Service Unavailable backend_unavailable"},
		"another status":      {502, "application/problem+json", "1", problem, Bare, "502 Bad Gateway in no form"},
		"plain text":          {503, "text/plain", "1", "sorry", Bare, "503 Service Unavailable in no form"},
		"no code":             {503, "application/problem+json", "1", `{"status":503}`, Bare, "503 Service Unavailable in no form"},
		"cut off in the text": {503, "application/problem+json", "1", problem[:30], Bare, "503 Service Unavailable in no form"},
	} {
		r := &http.Response{StatusCode: c.status, Status: fmt.Sprint(c.status, " ", http.StatusText(c.status)), Header: http.Header{"Content-Type": {c.kind}}}
		if c.retry != "" {
			r.Header.Set("Retry-After", c.retry)
		}
		if v, text := judgeHTTP(r, []byte(c.body)); v != c.want || text != c.text {
			t.Errorf("%s: %v %q", name, v, text)
		}
	}
}

func TestVerdictOnWhatBroke(t *testing.T) {
	for _, c := range []struct {
		err  error
		want Verdict
		text string
	}{
		{context.DeadlineExceeded, Hung, "no answer"},
		{fmt.Errorf("Get http://a: %w", os.ErrDeadlineExceeded), Hung, "no answer"},
		{errors.New("read tcp 127.0.0.1:5->127.0.0.1:6: connection reset by peer"), Bare, "connection reset by peer"},
		{io.EOF, Bare, "EOF"},
	} {
		if v, text := judgeBroken(c.err); v != c.want || text != c.text {
			t.Errorf("%v: %v %q", c.err, v, text)
		}
	}
}

func TestVerdictOnGRPC(t *testing.T) {
	over, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	told := metadata.Pairs("retry-after", "1")
	for _, c := range []struct {
		ctx     context.Context
		code    codes.Code
		trailer metadata.MD
		want    Verdict
	}{
		{t.Context(), codes.Unavailable, told, Refused},
		{t.Context(), codes.ResourceExhausted, told, Refused},
		{t.Context(), codes.Unavailable, nil, Bare},
		{t.Context(), codes.Internal, metadata.Pairs("x", "y"), Told},
		{t.Context(), codes.DeadlineExceeded, nil, Told},
		{over, codes.DeadlineExceeded, nil, Hung},
	} {
		if v, text := judgeGRPC(c.ctx, status.Error(c.code, "x"), c.trailer); v != c.want || !strings.Contains(text, map[bool]string{true: "no answer", false: "gRPC"}[c.want == Hung]) {
			t.Errorf("%v: %v %q", c.code, v, text)
		}
	}
	if got := verdicts.String() + Wrong.String() + Right.String(); got != "?wrongright" {
		t.Error(got)
	}
}
