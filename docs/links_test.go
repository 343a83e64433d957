// Package docs checks the project's pages: a link to a file that is not there helps nobody.
package docs

import (
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ +(.*)$`)
	code    = regexp.MustCompile("(?s)```.*?```")
	odd     = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors lists the names by which a page's headings are linked to, as GitHub makes them.
func anchors(page string) map[string]bool {
	out := map[string]bool{}
	for _, h := range heading.FindAllStringSubmatch(code.ReplaceAllString(page, ""), -1) {
		out[strings.ReplaceAll(odd.ReplaceAllString(strings.ToLower(strings.TrimSpace(h[1])), ""), " ", "-")] = true
	}
	return out
}

// broken gives the links of a page that lead nowhere; dir is the page's folder.
func broken(dir, page string) []string {
	var out []string
	for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(page, ""), -1) {
		u, err := url.Parse(m[1])
		if err != nil {
			out = append(out, m[1]+": not a link")
			continue
		}
		if u.Scheme != "" || u.Host != "" {
			continue
		}
		target, text := page, []byte(page)
		if u.Path != "" {
			target = filepath.Join(dir, filepath.FromSlash(u.Path))
			if _, err = os.Stat(target); err != nil {
				out = append(out, m[1]+": there is no such file")
				continue
			}
			text, _ = os.ReadFile(target) // a folder has no headings
		}
		if u.Fragment != "" && !anchors(string(text))[u.Fragment] {
			out = append(out, m[1]+": the page has no such heading")
		}
	}
	return out
}

func TestRelativeLinksExist(t *testing.T) {
	pages := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && path != ".." && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "bin") {
			return fs.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) != ".md" {
			return nil
		}
		page, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		pages++
		for _, b := range broken(filepath.Dir(path), string(page)) {
			t.Errorf("%s: %s", filepath.ToSlash(path), b)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if pages < 10 {
		t.Errorf("only %d pages were found", pages)
	}
}

func TestBrokenLinksAreFound(t *testing.T) {
	page := "# One, two `x`\n[a](task-yaml.md) [b](none.md) [c](#one-two-x) [d](#three) [e](https://example.org/none) [f](task-yaml.md#keys) [g](task-yaml.md#none)\n```\n[h](none2.md)\n```\n"
	got := strings.Join(broken(".", page), "|")
	want := "none.md: there is no such file|#three: the page has no such heading|task-yaml.md#none: the page has no such heading"
	if got != want {
		t.Errorf("%s", got)
	}
}
