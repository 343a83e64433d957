package e2e

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// goldenText is one text of the model stories, as Python with ONNX Runtime and with NumPy goes on with it.
type goldenText struct {
	Text        string
	MaxTokens   *int     `json:"max_tokens,omitempty"`
	Temperature *float64 `json:"temperature,omitempty"`
	Seed        *int     `json:"seed,omitempty"`
	Answer      string
}

func goldenTexts(t *testing.T) []goldenText {
	t.Helper()
	var file struct{ Texts []goldenText }
	if err := json.Unmarshal(readFile(t, "model_repository/stories/golden/texts.json"), &file); err != nil || len(file.Texts) < 15 {
		t.Fatal(len(file.Texts), err)
	}
	return file.Texts
}

// body is a generate request.
func (g *goldenText) body(more string) []byte {
	m := map[string]any{"text_input": g.Text}
	if g.MaxTokens != nil {
		m["max_tokens"] = *g.MaxTokens
	}
	if g.Temperature != nil {
		m["temperature"] = *g.Temperature
	}
	if g.Seed != nil {
		m["seed"] = *g.Seed
	}
	return []byte(strings.TrimSuffix(mustJSON(m), "}") + more + "}")
}

var generatedText = regexp.MustCompile(`"text_output":("(?:[^"\\]|\\.)*")`)

// texts are all text_output of an answer.
func texts(t *testing.T, body []byte) (list []string) {
	t.Helper()
	for _, m := range generatedText.FindAllSubmatch(body, -1) {
		var s string
		if err := json.Unmarshal(m[1], &s); err != nil {
			t.Fatal(err)
		}
		list = append(list, s)
	}
	return list
}

func checkTexts(t *testing.T, g *gateway, also string) {
	t.Helper()
	for _, c := range goldenTexts(t) {
		r := do(t, "POST", g.URL+"/v2/models/stories/generate", "application/json", c.body(`,"stream":false`))
		if got := texts(t, r.body); r.status != http.StatusOK || len(got) != 1 || got[0] != c.Answer {
			t.Errorf("%.60q: %d %s, want %q", c.Text, r.status, r.body, c.Answer)
		}
		r = do(t, "POST", g.URL+"/v2/models/stories/generate_stream", "application/json", c.body(""))
		words := texts(t, r.body)
		if r.status != http.StatusOK || strings.Join(words, "") != c.Answer || len(words) < strings.Count(c.Answer, " ") {
			t.Errorf("%.60q streamed: %d %s, want %q", c.Text, r.status, r.body, c.Answer)
		}
		if also != "" {
			if theirs := do(t, "POST", also+"/v2/models/stories/generate_stream", "application/json", c.body("")); theirs.status != r.status || string(theirs.body) != string(r.body) {
				t.Errorf("%.60q: Triton itself answers %d %s, the gateway %s", c.Text, theirs.status, theirs.body, r.body)
			}
		}
	}
	tensors := []byte(`{"inputs":[{"name":"text_input","datatype":"BYTES","shape":[1],"data":["one and two are"]}]}`)
	for query, kind := range map[string]string{"": "text/event-stream", "?aggregate=true": "application/json"} {
		r := do(t, "POST", g.URL+"/v1/models/stories/stream"+query, "application/json", tensors)
		var words []string
		for _, m := range regexp.MustCompile(`"name":"text_output","datatype":"BYTES","shape":\[1\],"data":\["([^"]*)"\]`).FindAllSubmatch(r.body, -1) {
			words = append(words, string(m[1]))
		}
		if r.status != http.StatusOK || !strings.HasPrefix(r.header.Get("Content-Type"), kind) || strings.Join(words, "|") != " three| squares|." {
			t.Errorf("stream%s: %d %s", query, r.status, r.body)
		}
	}
}

// A text is the same, in as many pieces, by Python, by a real Triton, and by the embedded engine.
func TestTextsAreTheSameEverywhere(t *testing.T) {
	server := triton.Get(t)
	checkTexts(t, start(t), "")
	checkTexts(t, start(t, "--triton", server.GRPC), "http://"+server.HTTP)
}

func TestHostilePromptsAreRefusedOrBounded(t *testing.T) {
	server := triton.Get(t)
	for _, g := range []*gateway{start(t), start(t, "--triton", server.GRPC)} {
		for name, c := range map[string]struct {
			body string
			want int
		}{
			"not UTF-8":         {"{\"text_input\":\"\xff\xfe\"}", 400},
			"a megabyte":        {`{"stream":false,"text_input":"` + strings.Repeat("the red ", 1<<17) + `"}`, 200},
			"a megabyte's word": {`{"stream":false,"text_input":"` + strings.Repeat("x", 1<<20) + `"}`, 200},
			"nothing":           {`{"stream":false,"text_input":""}`, 200},
			"NULs":              {`{"stream":false,"text_input":"\u0000\u0000the\u0000"}`, 200},
			"two texts":         {`{"text_input":["a","b"]}`, 400},
			"a number":          {`{"text_input":7}`, 400},
			"no text":           {`{"max_tokens":3}`, 400},
			"half a token":      {`{"text_input":"a","max_tokens":1.5}`, 400},
			"too many":          {`{"text_input":"a","max_tokens":2147483648}`, 400},
			"endless heat":      {`{"stream":false,"text_input":"a","temperature":1e39}`, 400},
			"several answers":   {`{"text_input":"the"}`, 400},
		} {
			r := do(t, "POST", g.URL+"/v2/models/stories/generate", "application/json", []byte(c.body))
			if r.status != c.want || len(r.body) > 4<<10 {
				t.Errorf("%s: %d %.300s, want %d", name, r.status, r.body, c.want)
			}
		}
		r := do(t, "POST", g.URL+"/v1/models/stories/infer", "application/json", []byte(`{"inputs":[{"name":"text_input","datatype":"BYTES","shape":[1],"data":["a"]}]}`))
		if r.status/100 != 4 && r.status != http.StatusNotImplemented {
			t.Errorf("infer: %d %s", r.status, r.body)
		}
	}
}
