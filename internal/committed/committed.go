// Package committed keeps what a program writes into the documents of this repository: tables of settings, of codes, of measurements, between two lines of a page that people write. It
// exists so that the tests that hold such documents to the code find and compare them in one way.
package committed

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
)

// Put puts text into its place on a page: between the line <!-- mark: written by command --> and <!-- end of mark -->. The error says that the page has no such place.
func Put(page, mark, command, text string) (string, error) {
	begin, end := "<!-- "+mark+": written by "+command+" -->\n", "<!-- end of "+mark+" -->"
	head, rest, begins := strings.Cut(page, begin)
	_, tail, ends := strings.Cut(rest, end)
	if !begins || !ends {
		return "", fmt.Errorf("there is no place for %s: %q and %q", mark, begin, end)
	}
	return head + begin + text + end + tail, nil
}

// Update puts text into its place on the page at path; see Put.
func Update(path, mark, command, text string) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	next, err := Put(string(page), mark, command, text)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, []byte(next), 0o644)
}

// CheckPart fails a test unless the page at path has text in its place, as Put would put it; with update it is put there. command writes it.
func CheckPart(tb testing.TB, path, mark, command, text string, update bool) {
	tb.Helper()
	page, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	next, err := Put(string(page), mark, command, text)
	if err != nil {
		tb.Fatalf("%s: %v", path, err)
	}
	Check(tb, path, command, []byte(next), update)
}

// Check fails a test unless the file at path is want; with update it is written. command writes it.
func Check(tb testing.TB, path, command string, want []byte, update bool) {
	tb.Helper()
	if update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			tb.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		tb.Errorf("%s differs from the code; run %s", path, command)
	}
}
