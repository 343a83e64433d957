package payload

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// hidden is what stands in place of a value.
const hidden = "[redacted]"

// secrets are hidden whatever the settings say.
func secrets() []string {
	return []string{"authorization", "proxy_authorization", "api_key", "apikey", "x_api_key", "access_token", "refresh_token", "id_token", "token", "password", "passwd", "secret",
		"client_secret", "cookie", "set_cookie", "private_key"}
}

// redactor hides values by the names of their members. Upper and lower case, - and _ are the same.
type redactor map[string]bool

func newRedactor(names []string) redactor {
	r := redactor{}
	for _, name := range append(secrets(), names...) {
		r[plain(name)] = true
	}
	return r
}

func plain(name string) string { return strings.ReplaceAll(strings.ToLower(name), "-", "_") }

func (r redactor) hides(name string) bool { return r[plain(name)] }

// apply gives the document with the values hidden: of members with such a name at any depth, and the data of tensors with such a name. What is no JSON is hidden
// as a whole.
func (r redactor) apply(document []byte) []byte {
	d := json.NewDecoder(bytes.NewReader(document))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return []byte(`"` + hidden + `"`)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return []byte(`"` + hidden + `"`)
	}
	var b bytes.Buffer
	w := json.NewEncoder(&b)
	w.SetEscapeHTML(false)
	if err := w.Encode(r.walk(v)); err != nil {
		return []byte(`"` + hidden + `"`)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// walk changes a value in place, and gives what is to stand there.
func (r redactor) walk(v any) any {
	switch v := v.(type) {
	case map[string]any:
		name, _ := v["name"].(string)
		for key, value := range v {
			if r.hides(key) || key == "data" && r.hides(name) {
				v[key] = hidden
				continue
			}
			v[key] = r.walk(value)
		}
	case []any:
		for i := range v {
			v[i] = r.walk(v[i])
		}
	}
	return v
}
