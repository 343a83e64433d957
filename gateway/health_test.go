package gateway

import (
	"errors"
	"strings"
	"testing"

	"triton-gateway/internal/fault"
)

func TestReadiness(t *testing.T) {
	r := newRig(t)
	res, body := r.do(t, "GET", "/readyz", "", "")
	doc := decode[readiness](t, body)
	if res.StatusCode != 200 || doc.Status != "ready" || len(doc.Models) != 5 || doc.Models[0].Ready || doc.Models[0].Reason == "" || !doc.Models[3].Ready {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	r.models.models = r.models.models[:1]
	res, body = r.do(t, "GET", "/readyz", "", "")
	if res.StatusCode != 503 || len(decode[readiness](t, body).Models) != 1 || res.Header.Get("Retry-After") == "" {
		t.Errorf("no model ready: %d %s", res.StatusCode, body)
	}
	r.models.models = demoModels().models
	r.models.err = fault.New(fault.Unavailable, "backend_unavailable", "the backend does not list its models: nobody is there").Wrap(errors.New("dial 10.0.0.1"))
	p := checkProblem(t, r, "backend away", 503, "backend_unavailable", "", "GET", "/readyz", "", "")
	if !strings.HasSuffix(p.Detail, "nobody is there") || !p.Retryable {
		t.Errorf("%+v", p)
	}
	for _, path := range []string{"/", "/livez", "/docs", "/v1/models", "/v1/models/shapes"} {
		if res, body = r.do(t, "GET", path, "", ""); res.StatusCode != 200 {
			t.Errorf("%s with the backend away: %d %s", path, res.StatusCode, body)
		}
	}
	r.models.err = nil
	r.drain()
	checkProblem(t, r, "draining", 503, "draining", "", "GET", "/readyz", "", "")
	if res, _ = r.do(t, "GET", "/livez", "", ""); res.StatusCode != 200 {
		t.Error("livez depends on something")
	}
	if res, body = r.do(t, "HEAD", "/livez", "", ""); res.StatusCode != 200 || res.Header.Get("Content-Type") == "" {
		t.Error(res.StatusCode, body)
	}
}

func TestVersionsDecideReadiness(t *testing.T) {
	for _, c := range []struct {
		m      modelInfo
		reason string
	}{
		{modelInfo{Versions: []versionView{{"1", "READY", ""}}}, ""},
		{modelInfo{Versions: []versionView{{"1", "UNAVAILABLE", "no file"}, {"2", "READY", ""}}}, ""},
		{modelInfo{Versions: []versionView{{"1", "UNAVAILABLE", "no file"}}}, "no file"},
		{modelInfo{Versions: []versionView{{"1", "LOADING", ""}}}, "no version is ready"},
		{modelInfo{}, "no version is ready"},
		{modelInfo{Error: "broken", Versions: []versionView{{"1", "READY", ""}}}, "broken"},
	} {
		if c.m.reason() != c.reason || c.m.ready() != (c.reason == "") {
			t.Errorf("%+v: %q", c.m, c.m.reason())
		}
	}
}
