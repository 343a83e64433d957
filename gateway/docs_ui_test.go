package gateway

import (
	"io/fs"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func TestPageFiles(t *testing.T) {
	r := newRig(t)
	for path, kind := range map[string]string{"/": "text/html; charset=utf-8", "/docs": "text/html; charset=utf-8", "/ui/app.js": "text/javascript; charset=utf-8",
		"/ui/style.css": "text/css; charset=utf-8", "/ui/icon.svg": "image/svg+xml", "/ui/swagger/swagger-ui-bundle.js": "text/javascript; charset=utf-8"} {
		res, body := r.do(t, "GET", path, "", "")
		if res.StatusCode != 200 || res.Header.Get("Content-Type") != kind || len(body) == 0 || res.Header.Get("ETag") == "" {
			t.Errorf("%s: %d %v", path, res.StatusCode, res.Header)
		}
		again, body := r.do(t, "GET", path, "", "", "If-None-Match", res.Header.Get("ETag"))
		if again.StatusCode != 304 || body != "" {
			t.Errorf("%s: %d", path, again.StatusCode)
		}
		w := httptest.NewRecorder()
		r.http.ServeHTTP(w, httptest.NewRequest("HEAD", path, nil))
		if w.Code != 200 || w.Body.Len() != 0 {
			t.Errorf("HEAD %s: %d, %d bytes", path, w.Code, w.Body.Len())
		}
	}
	packed, body := r.do(t, "GET", "/ui/swagger/swagger-ui.css", "", "", "Accept-Encoding", "br, gzip")
	if packed.Header.Get("Content-Encoding") != "gzip" || !strings.HasPrefix(body, "\x1f\x8b") {
		t.Error("the stylesheet is sent unpacked")
	}
	plain, body := r.do(t, "GET", "/ui/swagger/swagger-ui.css", "", "")
	if plain.Header.Get("Content-Encoding") != "" || !strings.Contains(body, ".swagger-ui") {
		t.Error("the stylesheet cannot be read without gzip")
	}
	for _, path := range []string{"/ui/swagger/NOTICE", "/ui/../routes.go", "/ui/"} {
		if res, _ := r.do(t, "GET", path, "", ""); res.StatusCode != 404 {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
	}
}

// TestPageNeedsNobodyElse looks for addresses of others and for inline script and style, which the policy would refuse.
func TestPageNeedsNobodyElse(t *testing.T) {
	foreign := regexp.MustCompile(`https?://[a-z]|//cdn|@import`)
	inline := regexp.MustCompile(`(?i)<script(?:[^>]*)>\s*[^<\s]|<style|\son[a-z]+\s*=\s*["']|\sstyle\s*=\s*["']|javascript:`)
	allowed := strings.NewReplacer("http://www.w3.org/2000/svg", "")
	err := fs.WalkDir(files, "web", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.Contains(name, "swagger/") {
			return err
		}
		data, err := files.ReadFile(name)
		text := allowed.Replace(string(data))
		if found := foreign.FindString(text); found != "" {
			t.Errorf("%s: %q", name, found)
		}
		if found := inline.FindString(text); found != "" && strings.HasSuffix(name, ".html") {
			t.Errorf("%s: inline: %q", name, found)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
