package gateway

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
)

func TestRequestID(t *testing.T) {
	r := newRig(t)
	for given, kept := range map[string]bool{"abc-1.2:3/4+5=": true, "": false, "two words": false, "a\"b": false, strings.Repeat("x", 129): false, "é": false} {
		res, _ := r.do(t, "GET", "/livez", "", "", "X-Request-Id", given)
		if got := res.Header.Get("X-Request-Id"); (got == given) != kept || got == "" {
			t.Errorf("%q became %q", given, got)
		}
	}
}

func TestAccessLog(t *testing.T) {
	r := newRig(t)
	r.do(t, "POST", "/v1/models/shapes/infer", "image/png", "SECRETPIXELS", "X-Request-Id", "one")
	r.do(t, "POST", "/v1/models/none/infer?x="+strings.Repeat("y", 500), "image/png", "x", "X-Request-Id", "two")
	r.do(t, "GET", "/livez", "", "")
	var lines []map[string]any
	for s := bufio.NewScanner(strings.NewReader(r.log.String())); s.Scan(); {
		var line map[string]any
		if err := json.Unmarshal(s.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	if len(lines) != 2 || strings.Contains(r.log.String(), "SECRET") || strings.Contains(r.log.String(), "yyyy") {
		t.Fatalf("%s", r.log)
	}
	one, two := lines[0], lines[1]
	if one["request_id"] != "one" || one["method"] != "POST" || one["path"] != "/v1/models/shapes/infer" || one["status"] != 200. || one["model"] != "shapes" || one["cache"] != "miss" || one["sent"].(float64) < 100 {
		t.Errorf("%v", one)
	}
	if two["code"] != "model_not_found" || two["status"] != 404. {
		t.Errorf("%v", two)
	}
}

func TestPanicAfterTheFirstByteClosesTheConnection(t *testing.T) {
	r := newRig(t)
	e := r.engine()
	e.GET("/x", func(c *gin.Context) {
		_, _ = c.Writer.WriteString("half")
		c.Writer.Flush()
		panic("late")
	})
	server := httptest.NewServer(r.chain(e))
	defer server.Close()
	res, err := server.Client().Get(server.URL + "/x")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var b strings.Builder
	if _, err = bufio.NewReader(res.Body).WriteTo(&b); err == nil {
		t.Errorf("the client takes %q for the whole answer", b.String())
	}
	server.Client().CloseIdleConnections()
}

func TestSecurityHeaders(t *testing.T) {
	r := newRig(t)
	for _, path := range []string{"/", "/docs", "/openapi.json", under(t) + "style.css"} {
		res, _ := r.do(t, "GET", path, "", "")
		csp := res.Header.Get("Content-Security-Policy")
		if res.StatusCode != 200 || !strings.Contains(csp, "script-src 'self'") || strings.Contains(csp, "unsafe") || strings.Contains(csp, "http") || res.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %v", path, res.StatusCode, res.Header)
		}
	}
}

func TestStateSurvivesWithoutTheChain(t *testing.T) {
	r := newRig(t)
	e := r.engine()
	e.GET("/x", r.handle(func(*gin.Context) error { return http.ErrNotSupported }))
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequest("GET", "/x", nil))
	if w.Code != 500 {
		t.Error(w.Code)
	}
}
