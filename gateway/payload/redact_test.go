package payload

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestRedact(t *testing.T) {
	r := newRedactor([]string{"email", "Birth-Date"})
	for in, want := range map[string]string{
		`{"row":{"a":1,"email":"x"}}`:                                        `{"row":{"a":1,"email":"[redacted]"}}`,
		`{"rows":[{"EMAIL":{"deep":["x"]}},{"birth_date":null}]}`:            `{"rows":[{"EMAIL":"[redacted]"},{"birth_date":"[redacted]"}]}`,
		`{"Authorization":"Bearer k","X-API-Key":"k","password":1}`:          `{"Authorization":"[redacted]","X-API-Key":"[redacted]","password":"[redacted]"}`,
		`{"inputs":[{"data":["me@x"],"name":"email","shape":[1]}]}`:          `{"inputs":[{"data":"[redacted]","name":"email","shape":[1]}]}`,
		`{"inputs":[{"data":[12345678901234567890],"name":"x"}],"tokens":1}`: `{"inputs":[{"data":[12345678901234567890],"name":"x"}],"tokens":1}`,
		`{"a":"<&>"}`: `{"a":"<&>"}`, `[1.0]`: `[1.0]`, `"email"`: `"email"`,
		`{"a":1`: `"[redacted]"`, ``: `"[redacted]"`, `{} {}`: `"[redacted]"`, `Bearer k`: `"[redacted]"`,
	} {
		if got := string(r.apply([]byte(in))); got != want {
			t.Errorf("%s becomes %s, not %s", in, got, want)
		}
	}
}

// FuzzRedact: whatever comes, what goes out is JSON, holds no value of a hidden member, and hiding it once more changes nothing.
func FuzzRedact(f *testing.F) {
	for _, seed := range []string{`{"email":"x"}`, `{"a":[{"email":{"email":1}}]}`, `{"email":1,"email":2}`, `{"name":"email","data":[1]}`, `{"\u0065mail":"x"}`, `[`, `{"a":1e999}`, "{\"a\":\"\xff\"}",
		`{"e` + "\x00" + `":1}`, strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100), strings.Repeat("[", 20000)} {
		f.Add([]byte(seed))
	}
	r := newRedactor([]string{"email"})
	f.Fuzz(func(t *testing.T, in []byte) {
		out := r.apply(bytes.Clone(in))
		var v any
		if err := json.Unmarshal(out, &v); err != nil && !bytes.Contains(in, []byte("e")) && !bytes.Contains(in, []byte("E")) { // a number may be too large for a float
			t.Fatalf("%q becomes %q: %v", in, out, err)
		}
		look(t, v)
		if again := r.apply(bytes.Clone(out)); !bytes.Equal(again, out) {
			t.Errorf("%q becomes %q, and then %q", in, out, again)
		}
	})
}

// look fails where a value is shown that is to be hidden.
func look(t *testing.T, v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if (strings.EqualFold(key, "email") || strings.EqualFold(key, "token")) && value != hidden {
				t.Errorf("%q shows %v", key, value)
			}
			if name, _ := v["name"].(string); key == "data" && name == "email" && value != hidden {
				t.Errorf("the tensor shows %v", value)
			}
			look(t, value)
		}
	case []any:
		for _, value := range v {
			look(t, value)
		}
	}
}
