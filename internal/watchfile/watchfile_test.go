package watchfile

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, path, text string, at time.Time) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

// expect reads once; want is the content, "" for no change, and else what the error has in it.
func expect(t *testing.T, f *File, want string, failed bool) {
	t.Helper()
	data, changed, err := f.Read()
	switch {
	case failed && (err == nil || !changed || data != nil || !strings.Contains(err.Error(), want)):
		t.Fatalf("%q, %v, %v; want a failure with %q", data, changed, err, want)
	case !failed && (err != nil || changed != (want != "") || string(data) != want):
		t.Fatalf("%q, %v, %v; want %q", data, changed, err, want)
	}
}

func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	f := &File{Path: path, Most: 8}
	old, now := time.Now().Add(-time.Hour), time.Now()

	expect(t, f, "no such file", true)
	expect(t, f, "", false) // told once
	write(t, path, "one", old)
	expect(t, f, "one", false)
	expect(t, f, "", false)

	write(t, path, "two", old.Add(time.Minute))
	expect(t, f, "two", false)
	write(t, path, "two", old.Add(2*time.Minute)) // written again as it was
	expect(t, f, "", false)

	write(t, path, "three is long", now)
	expect(t, f, "longer than 8 bytes", true)
	expect(t, f, "", false)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	expect(t, f, "no such file", true) // another reason
	write(t, path, "two", old)
	expect(t, f, "two", false) // it can be read again
}

// A change that the file's time does not show is seen where the file was young when it was read, and nothing is read otherwise.
func TestChangesWithinATick(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	f := &File{Path: path, Most: 8}
	now := time.Now()
	write(t, path, "one", now)
	expect(t, f, "one", false)
	write(t, path, "two", now)
	expect(t, f, "two", false)

	old := now.Add(-fresh)
	write(t, path, "one", old)
	expect(t, f, "one", false)
	write(t, path, "two", old)
	expect(t, f, "", false)
}

func TestLoad(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "file")
	write(t, path, "12345678", time.Now())
	if data, err := Load(path, 8); err != nil || !bytes.Equal(data, []byte("12345678")) {
		t.Errorf("%q, %v", data, err)
	}
	for _, c := range []struct {
		path string
		most int64
		want string
	}{{path, 7, path + " is longer than 7 bytes"}, {folder, 8, folder + " is not a file"}, {path + ".none", 8, "no such file"}} {
		if data, err := Load(c.path, c.most); data != nil || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q, %v; want %q", data, err, c.want)
		}
	}
}

func TestLook(t *testing.T) {
	folder := t.TempDir()
	path, other := filepath.Join(folder, "file"), filepath.Join(folder, "other")
	at := time.Now().Add(-time.Hour)
	none := LookAt(path)
	if _, there := none.Age(); there || !none.Alike(LookAt(other)) {
		t.Error("there is something")
	}
	write(t, path, "one", at)
	write(t, other, "one", at)
	first := LookAt(path)
	if age, there := first.Age(); !there || age < time.Hour || age > 2*time.Hour {
		t.Errorf("%v, %v", age, there)
	}
	if !first.Alike(LookAt(path)) || first.Alike(none) || none.Alike(first) || first.Alike(LookAt(other)) {
		t.Error("looks are told apart wrongly")
	}
	if first.IsDir() || none.IsDir() || !LookAt(folder).IsDir() {
		t.Error("folders are told apart wrongly")
	}
	write(t, path, "three", at)
	if first.Alike(LookAt(path)) {
		t.Error("another size")
	}
	write(t, path, "two", at.Add(time.Second))
	if first.Alike(LookAt(path)) {
		t.Error("another time")
	}
	if err := os.Rename(other, path); err != nil {
		t.Fatal(err)
	}
	if first.Alike(LookAt(path)) {
		t.Error("another file in its place")
	}
	write(t, path, "ahead", time.Now().Add(time.Hour))
	if age, there := LookAt(path).Age(); !there || age > -50*time.Minute {
		t.Errorf("%v, %v", age, there)
	}
}
