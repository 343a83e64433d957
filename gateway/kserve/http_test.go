package kserve

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
)

func TestRoutesAnswerAsTritonsDo(t *testing.T) {
	h := newHTTPRig(t, false, nil)
	h.backend.list = []backend.Statistics{{Model: "echo", Version: "1", LastInference: time.UnixMilli(1234), Inferences: 5, Executions: 3,
		Success: backend.Duration{Count: 5, Total: 7 * time.Microsecond}, Queue: backend.Duration{Count: 5, Total: 9},
		Batches:   []backend.BatchStatistics{{Size: 2, ComputeInfer: backend.Duration{Count: 3, Total: 4}}},
		Responses: map[string]backend.ResponseStatistics{"1": {}, "0": {Success: backend.Duration{Count: 1, Total: 2}}}}}
	none := `{"count":0,"ns":0}`
	stats := `{"model_stats":[{"name":"echo","version":"1","last_inference":1234,"inference_count":5,"execution_count":3,"inference_stats":{"success":{"count":5,"ns":7000},"fail":` + none +
		`,"queue":{"count":5,"ns":9},"compute_input":` + none + `,"compute_infer":` + none + `,"compute_output":` + none + `,"cache_hit":` + none + `,"cache_miss":` + none +
		`},"response_stats":{"0":{"compute_infer":` + none + `,"compute_output":` + none + `,"success":{"count":1,"ns":2},"fail":` + none + `,"empty_response":` + none + `,"cancel":` + none +
		`},"1":{"compute_infer":` + none + `,"compute_output":` + none + `,"success":` + none + `,"fail":` + none + `,"empty_response":` + none + `,"cancel":` + none +
		`}},"batch_stats":[{"batch_size":2,"compute_input":` + none + `,"compute_infer":{"count":3,"ns":4},"compute_output":` + none + `}],"memory_usage":[]}]}`
	meta := `{"name":"echo","versions":["1"],"platform":"python","inputs":[{"name":"IN","datatype":"FP32","shape":[-1]}],"outputs":[]}`
	for path, want := range map[string]struct {
		status int
		body   string
	}{
		"/v2":                              {200, `{"name":"triton-gateway","version":"9.9","extensions":["classification","sequence","model_repository","model_configuration","binary_tensor_data","parameters","statistics"]}`},
		"/v2/health/live":                  {200, ""},
		"/v2/health/ready":                 {200, ""},
		"/v2/models/echo":                  {200, meta},
		"/v2/models/echo/versions/1":       {200, meta},
		"/v2/models/ech%6F":                {200, meta},
		"/v2/models/echo/ready":            {200, ""},
		"/v2/models/echo/versions/1/ready": {200, ""},
		"/v2/models/echo/config":           {200, string(h.models.list[1].Config.JSON())},
		"/v2/models/echo/stats":            {200, stats},
		"/v2/models/echo/versions/1/stats": {200, stats},
	} {
		h.do(t, "GET", path, nil).want(t, want.status, want.body)
		if head := h.do(t, "HEAD", path, nil); head.status != want.status || len(head.body) != 0 || head.header.Get("Content-Length") != itoa(len(want.body)) {
			t.Errorf("HEAD %s: %d, %d bytes, Content-Length %s", path, head.status, len(head.body), head.header.Get("Content-Length"))
		}
	}
	if all := h.do(t, "GET", "/v2/models/stats", nil); all.status != 200 || !strings.Contains(string(all.body), strings.TrimSuffix(strings.TrimPrefix(stats, `{"model_stats":[`), "]}")) {
		t.Errorf("stats of all: %d %s", all.status, all.body)
	}
	h.models.set(fault.New(fault.Unavailable, "backend_unavailable", "no"))
	h.do(t, "GET", "/v2/health/ready", nil).want(t, 400, "")
	h.do(t, "GET", "/v2/health/live", nil).want(t, 200, "")
	h.do(t, "GET", "/v2/models/nope/ready", nil).wantError(t, 400, "Model version not ready")
	h.do(t, "GET", "/v2/models/echo/versions/7/ready", nil).wantError(t, 400, "Model version not ready")
	h.do(t, "GET", "/v2/models/nope", nil).wantError(t, 404, "nope")
	h.do(t, "GET", "/v2/models/nope/config", nil).wantError(t, 404, "nope")
	h.do(t, "GET", "/v2/models/nope/stats", nil).wantError(t, 404, "nope")
}

func TestUnknownPathsAndMethodsAreRefused(t *testing.T) {
	h := newHTTPRig(t, false, nil)
	for _, path := range []string{"/v2/", "/v2x", "/v1", "/v2/models", "/v2/models/", "/v2/models/echo/", "/v2/models/echo/x", "/v2/models/echo/versions", "/v2/models/echo/versions/",
		"/v2/models/echo/versions/x", "/v2/models/echo/versions/1/versions/1", "/v2/models//infer", "/v2/health", "/v2/health/x", "/v2/health/live/x", "/v2/repository", "/v2/repository/index/x",
		"/v2/repository/models/echo/reload", "/v2/a/b/c/d/e/f/g/h/i", "/v2/models/echo/versions/1/trace/setting"} {
		h.do(t, "GET", path, nil).wantError(t, 404, "Not Found")
	}
	for path, allow := range map[string]string{"/v2": "GET, HEAD", "/v2/models/echo": "GET, HEAD", "/v2/models/echo/infer": "POST", "/v2/repository/index": "POST", "/v2/logging": "GET, HEAD, POST"} {
		for _, method := range []string{"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"} {
			if strings.Contains(allow, method) {
				continue
			}
			res := h.do(t, method, path, nil)
			res.wantError(t, 405, "Method Not Allowed")
			if res.header.Get("Allow") != allow {
				t.Errorf("%s %s: Allow %q, want %q", method, path, res.header.Get("Allow"), allow)
			}
		}
	}
}

func TestControlIsForAdmins(t *testing.T) {
	public, admin := newHTTPRig(t, false, nil), newHTTPRig(t, true, nil)
	for _, path := range []string{"/v2/repository/models/echo/load", "/v2/repository/models/echo/unload"} {
		public.do(t, "POST", path, []byte(`{}`)).wantError(t, 403, "listen.admin")
	}
	for _, path := range []string{"/v2/systemsharedmemory/status", "/v2/systemsharedmemory/region/x/register", "/v2/cudasharedmemory/unregister", "/v2/trace/setting",
		"/v2/models/echo/trace/setting", "/v2/logging"} {
		for _, method := range []string{"GET", "POST"} {
			public.do(t, method, path, nil).wantError(t, 403, "not served")
			admin.do(t, method, path, nil).wantError(t, 501, "not served")
		}
	}
	admin.do(t, "POST", "/v2/repository/models/new/load", []byte(`{"parameters":{"config":"{\"a\":1}","file:1/model.onnx":"AAEC/w=="}}`)).want(t, 200, "")
	admin.do(t, "POST", "/v2/repository/models/new/load", nil).want(t, 200, "")
	admin.do(t, "POST", "/v2/repository/models/new/unload", []byte(`{"parameters":{"unload_dependents":true}}`)).want(t, 200, "")
	b := admin.backend
	if !reflect.DeepEqual(b.loaded, []string{"+new", "+new", "-new"}) || !reflect.DeepEqual(b.params[0], map[string]any{"config": `{"a":1}`, "file:1/model.onnx": []byte{0, 1, 2, 255}}) ||
		!reflect.DeepEqual(b.params[2], map[string]any{"dependents": true}) {
		t.Errorf("%v %v", b.loaded, b.params)
	}
	for body, say := range map[string]string{`[]`: "an object", `{"parameters":{"file:1/x":"?"}}`: "base64", `{"parameters":{"other":"x"}}`: "other", `{"parameters":{"config":7}}`: "a string", `{`: "member"} {
		admin.do(t, "POST", "/v2/repository/models/new/load", []byte(body)).wantError(t, 400, say)
	}
	admin.do(t, "POST", "/v2/repository/models/new/unload", []byte(`{"parameters":{"unload_dependents":1}}`)).wantError(t, 400, "unload_dependents")
	if len(b.loaded) != 3 {
		t.Errorf("a bad request was passed on: %v", b.loaded)
	}
	b.err = fault.New(fault.Conflict, "replica_failed", "1 of 2 servers failed").At("a:8001", "loaded").At("b:8001", "no such file")
	admin.do(t, "POST", "/v2/repository/models/new/load", nil).wantError(t, 409, "1 of 2 servers failed: a:8001: loaded; b:8001: no such file")
}

func TestTheIndexListsModels(t *testing.T) {
	h := newHTTPRig(t, false, nil)
	h.models.list[1].Versions[0].State, h.models.list[1].Versions[0].Reason = backend.Unavailable, "gone"
	h.models.list = h.models.list[1:3]
	h.do(t, "POST", "/v2/repository/index", nil).want(t, 200, `[{"name":"echo","version":"1","state":"UNAVAILABLE","reason":"gone"},{"name":"many","version":"1","state":"READY"}]`)
	h.do(t, "POST", "/v2/repository/index", []byte(`{"ready":true}`)).want(t, 200, `[{"name":"many","version":"1","state":"READY"}]`)
	h.do(t, "POST", "/v2/repository/index", []byte(`{"ready":1}`)).wantError(t, 400, "true or false")
}
