package committed

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	begins = "<!-- table: written by make it -->\n"
	ends   = "<!-- end of table -->"
)

func TestPut(t *testing.T) {
	got, err := Put("head\n"+begins+"old\n"+ends+"\ntail\n", "table", "make it", "new\n")
	if want := "head\n" + begins + "new\n" + ends + "\ntail\n"; err != nil || got != want {
		t.Errorf("%q %v", got, err)
	}
	if again, err := Put(got, "table", "make it", "new\n"); err != nil || again != got {
		t.Errorf("%q %v", again, err)
	}
	for _, page := range []string{"", begins, ends + begins, strings.ReplaceAll(got, "table", "list")} {
		if _, err := Put(page, "table", "make it", "new"); err == nil {
			t.Errorf("%q has a place", page)
		}
	}
}

// failures is a test that notes how it fails.
type failures struct {
	testing.TB
	said string
}

func (f *failures) Helper() {}

func (f *failures) Errorf(format string, args ...any) { f.said += fmt.Sprintf(format, args...) }

func (f *failures) Fatalf(format string, args ...any) { f.Errorf(format, args...); panic(f) }

func (f *failures) Fatal(args ...any) { f.Fatalf("%s", fmt.Sprint(args...)) }

// saying is how a test fails that does this.
func saying(t *testing.T, do func(tb testing.TB)) string {
	f := &failures{TB: t}
	func() {
		defer func() {
			if r := recover(); r != nil && r != any(f) {
				panic(r)
			}
		}()
		do(f)
	}()
	return f.said
}

func TestPagesAreHeldToTheCode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.md")
	part := func(text string, update bool) string {
		return saying(t, func(tb testing.TB) { CheckPart(tb, path, "table", "make it", text, update) })
	}
	if said := part("one\n", true); !strings.Contains(said, "no such file") {
		t.Errorf("%q", said)
	}
	if err := os.WriteFile(path, []byte("head\n"+begins+ends+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if said := part("one\n", false); said != path+" differs from the code; run make it" {
		t.Errorf("%q", said)
	}
	if said := part("one\n", true) + part("one\n", false); said != "" {
		t.Errorf("%q", said)
	}
	if err := Update(path, "table", "make it", "two\n"); err != nil {
		t.Fatal(err)
	}
	if said := part("two\n", false); said != "" {
		t.Errorf("%q", said)
	}
	if err := Update(path, "list", "make it", ""); err == nil || !strings.HasPrefix(err.Error(), path+": ") {
		t.Errorf("%v", err)
	}
	if said := saying(t, func(tb testing.TB) { CheckPart(tb, path, "list", "make it", "", false) }); !strings.HasPrefix(said, path+": ") {
		t.Errorf("%q", said)
	}
	if err := Update(path+".none", "table", "make it", ""); err == nil {
		t.Error("there is no such page")
	}
	if said := saying(t, func(tb testing.TB) { Check(tb, path+".none", "make it", nil, false) }); !strings.Contains(said, "no such file") {
		t.Errorf("%q", said)
	}
}
