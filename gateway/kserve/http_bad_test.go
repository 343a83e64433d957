package kserve

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"triton-gateway/gateway/catalog"
)

// badRequest is one that is refused, without reaching the model and without harm to its connection.
type badRequest struct {
	name    string
	body    string
	headers []string
	status  int
	say     string
}

// input makes a request of one input called PIXELS out of its other members.
func pixels(members string) string { return `{"inputs":[{"name":"PIXELS",` + members + `}]}` }

func badRequests(t testing.TB) (list []badRequest) {
	add := func(name, body string, status int, say string, headers ...string) {
		list = append(list, badRequest{name, body, headers, status, say})
	}
	bad := func(body, say string) { add("body "+clip(body), body, 400, say) }
	input := func(members, say string) { add("input "+clip(members), pixels(members), 400, say) }

	// JSON
	for _, text := range []string{" ", "{", "}", "[", "[]", "null", "1", `"x"`, "{]", `{"inputs"`, `{"inputs":`, `{"inputs":[`, `{"inputs":[{`, `{inputs:[]}`, `{'inputs':[]}`,
		`{"inputs":[]}}`, `{"inputs":[]} x`, `{"inputs":[],}`, `{,"inputs":[]}`, `{"inputs":[],"x":tru}`, `{"inputs":[],"x":01}`, `{"inputs":[],"x":"` + "\x01" + `"}`,
		`{"inputs":[],"x":"\u12"}`, `{"inputs":[],"x":"abc`, `{"inputs":[],"x":[1,]}`, "\xef\xbb\xbf{\"inputs\":[]}", "{\"inputs\":[],\"\xff\":1}"} {
		bad(text, "failed to parse the request JSON")
	}
	bad(`{}`, "inputs")
	bad(`{"inputs":{}}`, "inputs")
	bad(`{"inputs":null}`, "inputs")
	bad(`{"inputs":[1]}`, "input number 0")
	bad(`{"inputs":[],"x":`+strings.Repeat("[", 10000)+strings.Repeat("]", 10000)+`}`, "deep")
	bad(`{"inputs":[],"x":`+strings.Repeat(`{"a":`, 10000)+"1"+strings.Repeat("}", 10000)+`}`, "deep")
	bad(`{"inputs":[`+strings.Repeat(`{"name":"PIXELS","shape":[0],"datatype":"FP32","data":[]},`, 9999)+`{}]}`, "already exists")
	many := make([]string, 10000)
	for i := range many {
		many[i] = fmt.Sprintf(`{"name":"I%d","shape":[0],"datatype":"FP32","data":[]}`, i)
	}
	bad(`{"inputs":[`+strings.Join(many, ",")+`]}`, "more than 64 inputs")
	bad(`{"inputs":[],"outputs":[`+strings.Join(many, ",")+`]}`, "more than 64 outputs")
	bad(`{"inputs":[],"parameters":{`+strings.Repeat(`"a":1,"b":2,`, 2000)+`"c":1}}`, "more than")
	bad(`{"inputs":[],"id":7}`, "'id'")
	bad(`{"inputs":[],"id":"`+strings.Repeat("x", 5000)+`"}`, "'id'")

	// parameters
	for text, say := range map[string]string{`{"sequence_id":1.5}`: "sequence_id", `{"sequence_id":-1}`: "sequence_id", `{"sequence_id":true}`: "sequence_id",
		`{"sequence_start":1}`: "sequence_start", `{"sequence_end":"x"}`: "sequence_end", `{"priority":"high"}`: "priority", `{"priority":-1}`: "priority",
		`{"timeout":-5}`: "timeout", `{"timeout":18446744073709551616}`: "timeout", `{"timeout":18446744073709551615}`: "timeout", `{"binary_data_output":1}`: "binary_data_output",
		`{"triton_x":1}`: "reserved", `{"triton_enable_empty_final_response":true}`: "reserved", `{"x":null}`: "invalid type", `{"x":[1]}`: "invalid type", `{"x":{}}`: "invalid type",
		`{"x":1e999}`: "too large", `[]`: "the parameters", `7`: "the parameters"} {
		bad(`{"inputs":[],"parameters":`+text+`}`, say)
	}

	// inputs
	input(`"shape":[1],"datatype":"FP32"`, "no field is set")
	input(`"shape":[1],"datatype":"FP32","data":[1],"parameters":{"binary_data_size":4}`, "only one of")
	input(`"shape":[1],"datatype":"FP32","parameters":{"shared_memory_region":"r","shared_memory_byte_size":4}`, "shared memory")
	input(`"shape":[1],"data":[1]`, "'datatype'")
	input(`"datatype":"FP32","data":[1]`, "'shape'")
	input(`"shape":[1],"datatype":"FP33","data":[1]`, "FP33")
	input(`"shape":[1],"datatype":"fp32","data":[1]`, "fp32")
	input(`"shape":[1],"datatype":"","data":[1]`, "datatype")
	input(`"shape":[1],"datatype":7,"data":[1]`, "datatype")
	input(`"shape":1,"datatype":"FP32","data":[1]`, "shape")
	input(`"shape":[-1],"datatype":"FP32","data":[1]`, "whole number")
	input(`"shape":[1.0],"datatype":"FP32","data":[1]`, "whole number")
	input(`"shape":["1"],"datatype":"FP32","data":[1]`, "whole number")
	input(`"shape":[9223372036854775808],"datatype":"FP32","data":[1]`, "too large")
	input(`"shape":[4294967296,4294967296],"datatype":"FP32","data":[1]`, "too many elements")
	input(`"shape":[4611686018427387904,4],"datatype":"FP64","data":[1]`, "too many elements")
	input(`"shape":[`+strings.Repeat("1,", 40)+`1],"datatype":"FP32","data":[1]`, "dimensions")
	input(`"shape":[1000000],"datatype":"FP32","data":[1]`, "elements")
	input(`"shape":[2],"datatype":"FP32","data":[1]`, "2 elements")
	input(`"shape":[1],"datatype":"FP32","data":[1,2]`, "more")
	input(`"shape":[0],"datatype":"FP32","data":[1]`, "0 elements")
	input(`"shape":[1],"datatype":"UINT8","data":[300]`, "element 0")
	input(`"shape":[1],"datatype":"FP32","data":[1e39]`, "element 0")
	input(`"shape":[1],"datatype":"FP16","data":[1]`, "FP16")
	input(`"shape":[1],"datatype":"BF16","data":[1]`, "BF16")
	input(`"shape":[1],"datatype":"BYTES","data":["`+"\xff"+`"]`, "UTF-8")
	input(`"shape":[1],"datatype":"BYTES","data":[7]`, "strings")
	input(`"shape":[1],"datatype":"FP32","data":{"b64":""}`, "array")
	input(`"shape":[1],"datatype":"FP32","data":[`+strings.Repeat("[", 10000)+strings.Repeat("]", 10000)+`]`, "deep")
	input(`"shape":[1],"datatype":"FP32","parameters":7,"data":[1]`, "parameters")
	input(`"shape":[1],"datatype":"FP32","parameters":{"binary_data_size":-4}`, "whole number")
	input(`"shape":[1],"datatype":"FP32","parameters":{"binary_data_size":"4"}`, "whole number")
	input(`"shape":[1],"datatype":"FP32","parameters":{"binary_data_size":4}`, "4 additional bytes")
	input(`"shape":[1],"datatype":"FP32","parameters":{"binary_data_size":18446744073709551615}`, "additional bytes")
	bad(`{"inputs":[{"shape":[1],"datatype":"FP32","data":[1]}]}`, "'name'")
	bad(`{"inputs":[{"name":"","shape":[1],"datatype":"FP32","data":[1]}]}`, "'name'")
	bad(`{"inputs":[{"name":5,"shape":[1],"datatype":"FP32","data":[1]}]}`, "'name'")
	bad(`{"inputs":[{"name":"`+strings.Repeat("x", 5000)+`","shape":[1],"datatype":"FP32","data":[1]}]}`, "longer")

	// outputs
	for text, say := range map[string]string{`[{}]`: "'name'", `[{"name":1}]`: "'name'", `{}`: "outputs", `[1]`: "output", `[{"name":"O","parameters":{"classification":-1}}]`: "whole number",
		`[{"name":"O","parameters":{"classification":1e2}}]`: "whole number", `[{"name":"O","parameters":{"classification":99999999999}}]`: "too many",
		`[{"name":"O","parameters":{"binary_data":1}}]`: "true or false", `[{"name":"O","parameters":{"shared_memory_region":"r"}}]`: "shared memory", `[{"name":"O","parameters":[]}]`: "parameters"} {
		bad(`{"inputs":[],"outputs":`+text+`}`, say)
	}

	// binary data
	blob := func(members, data, say string) {
		json := pixels(members)
		add("blob "+members, json+data, 400, say, headerLength, itoa(len(json)))
	}
	blob(`"shape":[1],"datatype":"FP32","parameters":{"binary_data_size":4}`, "abc", "PIXELS")
	blob(`"shape":[1],"datatype":"FP32","parameters":{"binary_data_size":4}`, "abcde", "unexpected additional input data")
	blob(`"shape":[1],"datatype":"FP32","data":[1]`, "abcd", "unexpected additional input data")
	blob(`"shape":[2],"datatype":"FP32","parameters":{"binary_data_size":4}`, "abcd", "PIXELS")
	blob(`"shape":[1],"datatype":"FP32","parameters":{"binary_data_size":3}`, "abc", "PIXELS")
	blob(`"shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":3}`, "abc", "PIXELS")
	blob(`"shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":8}`, "\xff\xff\xff\xffabcd", "PIXELS")
	blob(`"shape":[2],"datatype":"BYTES","parameters":{"binary_data_size":5}`, "\x01\x00\x00\x00a", "PIXELS")
	blob(`"shape":[4294967296,4294967296],"datatype":"UINT8","parameters":{"binary_data_size":1}`, "a", "too many")
	for _, n := range []string{"-1", "x", "", "1e2", "99999999999999999999", "100000", "0x10", "+5", " 5"} {
		add("header length "+n, goodJSON, 400, "", headerLength, n)
	}
	add("header length too short", goodJSON, 400, "failed to parse", headerLength, "10")
	add("two header lengths", goodJSON, 400, headerLength, headerLength, "72", headerLength, "72")
	add("raw of a wrong size", "abc", 400, "IN", headerLength, "0")

	// headers
	add("unknown encoding", goodJSON, 501, "gzip, deflate", "Content-Encoding", "br")
	add("two encodings", goodJSON, 501, "gzip", "Content-Encoding", "gzip, gzip")
	add("no gzip", goodJSON, 400, "broken", "Content-Encoding", "gzip")
	add("no zlib", goodJSON, 400, "broken", "Content-Encoding", "deflate")
	add("cut gzip", string(squeezed(t, "gzip", []byte(goodJSON))[:30]), 400, "ended", "Content-Encoding", "gzip")
	flipped := squeezed(t, "gzip", []byte(goodJSON))
	flipped[len(flipped)-5] ^= 1
	add("gzip with a wrong checksum", string(flipped), 400, "broken", "Content-Encoding", "gzip")
	add("bomb", string(squeezed(t, "gzip", make([]byte, 3<<20))), 413, "limits.body", "Content-Encoding", "gzip")
	add("zlib bomb", string(squeezed(t, "deflate", make([]byte, 3<<20))), 413, "limits.body", "Content-Encoding", "deflate")
	for _, d := range []string{"0", "-1", "NaN", "", "soon", "10 s", "-5ms", "1e-20"} {
		add("timeout "+d, goodJSON, 400, "X-Request-Timeout", headerTimeout, d)
	}
	return list
}

func TestBadRequestsReachNoModelAndLeaveTheConnection(t *testing.T) {
	h := newHTTPRig(t, false, func(d *Deps) { d.Limits.Message = 1 << 20 })
	h.infer(t, goodJSON).want(t, 200, `{"model_name":"echo","model_version":"1","outputs":[{"name":"IN","datatype":"FP32","shape":[2],"data":[1.0,2.5]}]}`)
	list := badRequests(t)
	if len(list) < 100 {
		t.Errorf("%d bad requests", len(list))
	}
	for _, c := range list {
		t.Run(c.name, func(t *testing.T) {
			ran := h.ran.Load()
			res := h.do(t, "POST", "/v2/models/echo/infer", []byte(c.body), c.headers...)
			res.wantError(t, c.status, c.say)
			if strings.Contains(c.body, "PIXELS") && !strings.Contains(c.name, "additional") && !bytes.Contains(res.body, []byte("PIXELS")) && c.say != "unexpected additional input data" {
				t.Errorf("%s does not name the input", res.body)
			}
			if h.ran.Load() != ran {
				t.Error("it reached the model")
			}
			if res := h.infer(t, goodJSON); res.status != 200 {
				t.Errorf("then %d %s", res.status, res.body)
			}
		})
	}
	if n := h.connections.Load(); n != 1 {
		t.Errorf("%d connections were needed for %d bad requests, want 1", n, len(list))
	}
}

func TestModelsThatCannotBeAskedAreRefusedBeforeTheBody(t *testing.T) {
	h := newHTTPRig(t, false, nil)
	h.models.list = append(h.models.list, model("broken", func(m *catalog.Model) { m.Error = "no" }))
	big := bytes.Repeat([]byte("x"), 3<<20)
	for path, want := range map[string]struct {
		status int
		say    string
	}{
		"/v2/models/nope/infer":                                {404, "nope"},
		"/v2/models/echo/versions/9/infer":                     {404, "version"},
		"/v2/models/echo/versions/999999999999999999999/infer": {400, "version"},
		"/v2/models/broken/infer":                              {503, "broken"},
		"/v2/models/many/infer":                                {501, "decoupled transaction policy"},
	} {
		h.do(t, "POST", path, big).wantError(t, want.status, want.say)
	}
	if h.ran.Load() != 0 {
		t.Errorf("%d ran", h.ran.Load())
	}
}
