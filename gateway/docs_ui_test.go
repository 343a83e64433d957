package gateway

import (
	"compress/gzip"
	"io"
	"io/fs"
	"net/http/httptest"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// under gives the folder of the page's files.
func under(t *testing.T) string {
	t.Helper()
	a, err := readAssets(files, "web")
	if err != nil {
		t.Fatal(err)
	}
	return "/ui/" + a.digest + "/"
}

func TestPageFiles(t *testing.T) {
	r := newRig(t)
	ui := under(t)
	for path, kind := range map[string]string{"/": "text/html; charset=utf-8", "/docs": "text/html; charset=utf-8", ui + "app.js": "text/javascript; charset=utf-8",
		ui + "style.css": "text/css; charset=utf-8", ui + "icon.svg": "image/svg+xml", ui + "views/try.js": "text/javascript; charset=utf-8", ui + "swagger/swagger-ui-bundle.js": "text/javascript; charset=utf-8"} {
		for _, encoding := range []string{"gzip", "identity"} {
			res, body := r.do(t, "GET", path, "", "", "Accept-Encoding", encoding)
			if res.StatusCode != 200 || res.Header.Get("Content-Type") != kind || len(body) == 0 || res.Header.Get("ETag") == "" || res.Header.Get("Vary") != "Accept-Encoding" {
				t.Errorf("%s: %d %v", path, res.StatusCode, res.Header)
			}
			want := "public, max-age=31536000, immutable"
			if kind == "text/html; charset=utf-8" {
				want = "no-cache"
			}
			if got := res.Header.Get("Cache-Control"); got != want {
				t.Errorf("%s: Cache-Control: %s", path, got)
			}
			again, body := r.do(t, "GET", path, "", "", "Accept-Encoding", encoding, "If-None-Match", res.Header.Get("ETag"))
			if again.StatusCode != 304 || body != "" {
				t.Errorf("%s: %d", path, again.StatusCode)
			}
		}
		w := httptest.NewRecorder()
		r.http.ServeHTTP(w, httptest.NewRequest("HEAD", path, nil))
		if w.Code != 200 || w.Body.Len() != 0 {
			t.Errorf("HEAD %s: %d, %d bytes", path, w.Code, w.Body.Len())
		}
	}
	for _, path := range []string{ui + "swagger/NOTICE", "/ui/../routes.go", "/ui/", "/ui/app.js", ui, ui + "index.html", ui + "../index.html", "/ui/0123456789abcdef/app.js"} {
		if res, _ := r.do(t, "GET", path, "", ""); res.StatusCode != 404 {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
	}
}

func TestPageFilesAreCompressed(t *testing.T) {
	r := newRig(t)
	for _, path := range []string{"/", under(t) + "app.js", under(t) + "swagger/swagger-ui.css"} {
		plain, text := r.do(t, "GET", path, "", "")
		if plain.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s: is compressed for a client that did not ask", path)
		}
		packed, body := r.do(t, "GET", path, "", "", "Accept-Encoding", "br, gzip;q=0.8")
		if packed.Header.Get("Content-Encoding") != "gzip" || packed.Header.Get("ETag") == plain.Header.Get("ETag") {
			t.Fatalf("%s: %v", path, packed.Header)
		}
		z, err := gzip.NewReader(strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(z); err != nil || string(got) != text {
			t.Errorf("%s: the compressed form is of something else (%v)", path, err)
		}
	}
	for value, want := range map[string]bool{"gzip": true, "br, GZIP": true, "gzip;q=0": false, "gzip; q=0.0": false, "gzip ;q=0.1": true, "": false, "identity": false, "gzip;q=x": false, "x-gzip": false} {
		if takesGzip([]string{value}) != want {
			t.Errorf("%q: %v", value, !want)
		}
	}
}

// TestPageDigest changes with each file's name and content, and stands in the pages.
func TestPageDigest(t *testing.T) {
	seen := map[string]string{}
	for what, m := range map[string]fstest.MapFS{
		"one":           {"w/index.html": {Data: []byte("<a href={digest}>")}, "w/a.js": {Data: []byte("1")}},
		"other content": {"w/index.html": {Data: []byte("<a href={digest}>")}, "w/a.js": {Data: []byte("2")}},
		"other name":    {"w/index.html": {Data: []byte("<a href={digest}>")}, "w/b.js": {Data: []byte("1")}},
		"two":           {"w/index.html": {Data: []byte("<a href={digest}>")}, "w/a.js": {Data: []byte("")}, "w/b.js": {Data: []byte("1")}, "w/notes.txt": {Data: []byte("no file of the page")}},
	} {
		a, err := readAssets(m, "w")
		if err != nil {
			t.Fatal(err)
		}
		if other, twice := seen[a.digest]; twice {
			t.Errorf("%s and %s have one digest", what, other)
		}
		seen[a.digest] = what
		if got := string(a.files["index.html"].plain()); got != "<a href="+a.digest+">" {
			t.Errorf("%s: %s", what, got)
		}
		if _, there := a.files["notes.txt"]; there {
			t.Error("a file of no kind that is known is served")
		}
	}
}

// TestPageNeedsNobodyElse looks for addresses of others and for inline script and style, which the policy would refuse.
func TestPageNeedsNobodyElse(t *testing.T) {
	foreign := regexp.MustCompile(`https?://[a-z]|//cdn|@import`)
	inline := regexp.MustCompile(`(?i)<script(?:[^>]*)>\s*[^<\s]|<style|\son[a-z]+\s*=\s*["']|\sstyle\s*=\s*["']|javascript:`)
	allowed := strings.NewReplacer("http://www.w3.org/2000/svg", "")
	for name, text := range pageFiles(t) {
		if found := foreign.FindString(allowed.Replace(text)); found != "" {
			t.Errorf("%s: %q", name, found)
		}
		if found := inline.FindString(text); found != "" && strings.HasSuffix(name, ".html") {
			t.Errorf("%s: inline: %q", name, found)
		}
	}
}

// pageFiles reads the page's own files, those of the documentation apart.
func pageFiles(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := fs.WalkDir(files, "web", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.Contains(name, "swagger/") {
			return err
		}
		data, err := files.ReadFile(name)
		all[strings.TrimPrefix(name, "web/")] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var (
	imported      = regexp.MustCompile(`(?m)^(?:import|export)\b[^;'"]*['"](\.[^'"]+)['"]`)
	importedLater = regexp.MustCompile(`\bimport\(['"](\.[^'"]+)['"]\)`)
	linked        = regexp.MustCompile(`(?:src|href)="/ui/\{digest\}/([^"]+)"`)
	styled        = regexp.MustCompile(`\bsheet\(['"]([^'"]+)['"]\)`)
)

// TestPageFilesExist looks up every file that a page, a module or a stylesheet names, and finds no file that nothing names.
func TestPageFilesExist(t *testing.T) {
	all := pageFiles(t)
	named := map[string]bool{"index.html": true, "docs.html": true}
	for name, text := range all {
		for _, pattern := range []*regexp.Regexp{imported, importedLater, linked, styled} {
			for _, found := range pattern.FindAllStringSubmatch(text, -1) {
				target := found[1]
				if strings.HasPrefix(target, ".") {
					target = path.Join(path.Dir(name), target)
				}
				named[target] = true
				if _, there := all[target]; !there && !strings.HasPrefix(target, "swagger/") {
					t.Errorf("%s names %s, which there is not", name, target)
				}
			}
		}
	}
	for name := range all {
		if !named[name] {
			t.Errorf("nothing names %s", name)
		}
	}
}

// TestPagePreloadsWhatItNeeds: the browser is told of each module that the first view needs, and of no other, so that none waits for another.
func TestPagePreloadsWhatItNeeds(t *testing.T) {
	all := pageFiles(t)
	var want []string
	var visit func(string)
	visit = func(name string) {
		for _, found := range imported.FindAllStringSubmatch(all[name], -1) {
			if target := path.Join(path.Dir(name), found[1]); !slices.Contains(want, target) && target != "app.js" {
				want = append(want, target)
				visit(target)
			}
		}
	}
	visit("app.js")
	var got []string
	for _, found := range regexp.MustCompile(`rel="modulepreload" href="/ui/\{digest\}/([^"]+)"`).FindAllStringSubmatch(all["index.html"], -1) {
		got = append(got, found[1])
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("modulepreload has\n%v, the modules are\n%v", got, want)
	}
}

// TestPageIsSmall: all scripts and styles of all views, compressed.
func TestPageIsSmall(t *testing.T) {
	a, err := readAssets(files, "web")
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for name := range pageFiles(t) {
		if ext := path.Ext(name); ext == ".js" || ext == ".css" {
			f := a.files[name]
			if packed := f.packed(); packed != nil {
				total += len(packed)
			} else {
				total += len(f.plain())
			}
		}
	}
	t.Logf("%d bytes of scripts and styles, compressed", total)
	if total == 0 || total > 100_000 {
		t.Errorf("%d bytes; at most 100 kB are allowed", total)
	}
}
