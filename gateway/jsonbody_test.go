package gateway

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"triton-gateway/gateway/pipeline"
)

func readJSONBody(body string) (*call, error) {
	c := &call{most: testItems, body: pipeline.NewBody([]byte(body), nil)}
	return c, c.readJSON()
}

func TestBase64IsDecodedInPlace(t *testing.T) {
	data := make([]byte, 3000)
	for i := range data {
		data[i] = byte(i * 7)
	}
	for n := range len(data) {
		if n == 0 || n > 40 && n%97 != 0 {
			continue
		}
		body := `{"image":{"base64":"` + base64.StdEncoding.EncodeToString(data[:n]) + `"}}`
		c, err := readJSONBody(body)
		if err != nil || !bytes.Equal(c.items[0].Image.Bytes, data[:n]) {
			t.Fatalf("%d bytes: %v", n, err)
		}
		if inside := &c.items[0].Image.Bytes[0]; inside != &c.body.Bytes[strings.Index(body, "64\":\"")+5] {
			t.Fatalf("%d bytes: copied", n)
		}
		c.release()
	}
}

func TestSeveralPicturesInJSON(t *testing.T) {
	a, b := base64.StdEncoding.EncodeToString([]byte("first")), base64.URLEncoding.EncodeToString([]byte("second\xff\xfe"))
	c, err := readJSONBody(`{"images":[{"base64":"` + a + `"},{"base64":"!"},{"base64":"` + b + `"}],"confidence":0.5}`)
	if err != nil || len(c.items) != 3 || !c.many {
		t.Fatal(err)
	}
	if string(c.items[0].Image.Bytes) != "first" || c.items[1].err == nil || string(c.items[2].Image.Bytes) != "second\xff\xfe" || *c.opts.post.Confidence != .5 {
		t.Errorf("%+v", c.items)
	}
	if place := c.items[1].err.Error(); !strings.Contains(place, "base64") {
		t.Error(place)
	}
}

func list(entry string, n int) string {
	return "[" + strings.TrimSuffix(strings.Repeat(entry+",", n), ",") + "]"
}

func TestTooManyItems(t *testing.T) {
	for member, entry := range map[string]string{"rows": "[1]", "images": `{"base64":"aGk="}`} {
		_, err := readJSONBody(`{"` + member + `":` + list(entry, testItems+1) + `}`)
		if err == nil || !strings.Contains(err.Error(), "at most 8 ") || !strings.Contains(err.Error(), "limits.items") {
			t.Errorf("%s: %v", member, err)
		}
		if c, err := readJSONBody(`{"` + member + `":` + list(entry, testItems) + `}`); err != nil || len(c.items) != testItems {
			t.Errorf("%s: %v", member, err)
		}
	}
	if c, err := readJSONBody(`{"row":` + list("1", 5000) + `}`); err != nil || len(c.items[0].Row.Positional) != 5000 {
		t.Errorf("a wide row: %v", err)
	}
	if c, err := readJSONBody(`{"row":[1],"classes":` + list(`"a"`, 50) + `}`); err != nil || len(c.opts.post.Classes) != 50 {
		t.Errorf("many classes: %v", err)
	}
	if _, err := readJSONBody(`{"row":` + list("1", maxCells+1) + `}`); err == nil || !strings.Contains(err.Error(), "1048576") {
		t.Error(err)
	}
	r := newRig(t)
	var pairs []string
	for range testItems + 1 {
		pairs = append(pairs, "@image", "x")
	}
	kind, body := makeForm(pairs...)
	if p := checkProblem(t, r, "form", 413, "body_too_large", "body", "POST", "/v1/models/shapes/infer", kind, body); !strings.Contains(p.Detail, "limits.items") {
		t.Error(p.Detail)
	}
	kind, body = makeForm(append(pairs[2:], "top_k", "1", "cache", "no-store")...)
	if res, got := r.do(t, "POST", "/v1/models/shapes/infer", kind, body); res.StatusCode != 200 {
		t.Errorf("as many as may be: %s", got)
	}
}

func TestDeepJSON(t *testing.T) {
	for _, body := range []string{
		`{"row":[` + strings.Repeat("[", 100_000), `{"parameters":` + strings.Repeat(`{"a":`, 100_000),
		`{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":` + strings.Repeat("[", 40) + "1" + strings.Repeat("]", 40) + `}]}`,
	} {
		if _, err := readJSONBody(body); err == nil {
			t.Errorf("%s... is taken", body[:40])
		}
	}
}

func TestTensorsFromJSON(t *testing.T) {
	for _, c := range []struct{ datatype, shape, data, bytes string }{
		{"BOOL", "[2]", "[true,false]", "\x01\x00"},
		{"UINT8", "[2]", "[0,255]", "\x00\xff"},
		{"INT8", "[1,2]", "[[-128,127]]", "\x80\x7f"},
		{"INT16", "[1]", "[-2]", "\xfe\xff"},
		{"INT32", "[1]", "[-1]", "\xff\xff\xff\xff"},
		{"INT64", "[1]", "[9223372036854775807]", "\xff\xff\xff\xff\xff\xff\xff\x7f"},
		{"UINT64", "[1]", "[18446744073709551615]", "\xff\xff\xff\xff\xff\xff\xff\xff"},
		{"FP32", "[1]", "[1]", "\x00\x00\x80\x3f"},
		{"FP64", "[1]", "[-2e0]", "\x00\x00\x00\x00\x00\x00\x00\xc0"},
		{"BYTES", "[2]", `["a","\u00e9"]`, "\x01\x00\x00\x00a\x02\x00\x00\x00\xc3\xa9"},
		{"FP32", "[0]", "[]", ""},
	} {
		got, err := readJSONBody(`{"inputs":[{"name":"x","datatype":"` + c.datatype + `","shape":` + c.shape + `,"data":` + c.data + `}]}`)
		if err != nil {
			t.Errorf("%s: %v", c.datatype, err)
			continue
		}
		if tensor := got.items[0].Tensors[0]; string(tensor.Data) != c.bytes || tensor.Validate() != nil {
			t.Errorf("%s: % x, want % x", c.datatype, tensor.Data, c.bytes)
		}
	}
	for _, bad := range []string{`"UINT8","shape":[1],"data":[-1]`, `"INT8","shape":[1],"data":[128]`, `"INT32","shape":[1],"data":[1.5]`, `"FP32","shape":[1],"data":[1e99]`,
		`"FP32","shape":[1],"data":["1"]`, `"BOOL","shape":[1],"data":[1]`, `"BYTES","shape":[1],"data":[1]`, `"FP32","shape":[-1],"data":[1]`, `"FP32","shape":[1],"data":1`, `"FP32","shape":1,"data":[1]`} {
		if _, err := readJSONBody(`{"inputs":[{"name":"x","datatype":` + bad + `}]}`); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

// FuzzJSONBody: nothing panics; what is taken is valid JSON without a name twice, and its tensors hold what their shape says.
func FuzzJSONBody(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"image":{"base64":"aGk="}}`, `{"images":[{"base64":"aGk"},{"base64":"aG\/r\n"}],"top_k":3,"classes":["a","b"],"cache":"no-store"}`,
		`{"row":{"a":1,"b":"2","c":null,"d":true,"e":[1]}}`, `{"rows":[[1,2],{"a":1},3]}`, `{"inputs":[{"name":"x","shape":[2],"datatype":"FP32","data":[1,2]}]}`,
		`{"inputs":[{"name":"x","shape":[1],"datatype":"BYTES","data":["a"],"parameters":{}}],"id":"1","outputs":[]}`, `{"a":`, `[`, "\xff",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		before := body + ""
		c, err := readJSONBody(body)
		if err != nil {
			return
		}
		if !json.Valid([]byte(before)) {
			t.Fatalf("invalid JSON is taken: %q", before)
		}
		if len(c.items) == 0 || len(c.items) > testItems {
			t.Fatalf("%d items", len(c.items))
		}
		for _, item := range c.items {
			for _, tensor := range item.Tensors {
				if err := tensor.Validate(); err != nil {
					t.Fatalf("%q: %v", before, err)
				}
			}
		}
		c.release()
	})
}
