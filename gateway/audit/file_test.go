package audit

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"triton-gateway/internal/fault"
)

// TestTornEnd: what a crash leaves of a line is cut off and told of; what is no audit log is not touched.
func TestTornEnd(t *testing.T) {
	for name, c := range map[string]struct {
		rest  string
		mends bool
	}{
		"half a line": {`{"seq":3,"time":"2027`, true},
		"two bytes":   {`{"`, true},
		"zeros":       {"\x00\x00\x00", true},
		"other text":  {"hello", false},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "audit.jsonl")
			l := open(t, path)
			done, err := l.Begin(t.Context(), Act{Action: "cache.purge"})
			if err != nil {
				t.Fatal(err)
			}
			done(nil)
			_ = l.Close()
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			torn := append(bytes.Clone(before), c.rest...)
			if err := os.WriteFile(path, torn, 0o600); err != nil {
				t.Fatal(err)
			}
			l, err = Open(path, quiet(), time.Now)
			after, _ := os.ReadFile(path)
			if !c.mends {
				if err == nil || !bytes.Equal(after, torn) {
					t.Errorf("opened: %v; %q", err, after)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = l.Close() }()
			if s, err := verify(t, path); err != nil || s.Lines != 3 || !bytes.HasPrefix(after, before) || !bytes.Contains(after[len(before):], []byte(`"stage":"mended"`)) {
				t.Errorf("%+v, %v: %s", s, err, after)
			}
		})
	}
}

func TestNotOpened(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	changed := strings.Replace(string(sign(`{"seq":1,"stage":"asked","prev":"`+genesis+`"}`)), "asked", "ended", 1)
	for path, want := range map[string]string{
		write("text", "one\ntwo\n"):                    "the last line cannot be continued",
		write("changed", changed):                      "it was changed",
		write("long", strings.Repeat("x", 3*mostLine)): "is no audit log",
		dir:         "is a directory",
		"/dev/full": "is no ordinary file",
		filepath.Join(write("file", ""), "below", "audit.log"): "not a directory",
	} {
		l, err := Open(path, quiet(), time.Now)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, not %s", path, err, want)
		}
		if err == nil {
			_ = l.Close()
		}
	}
}

// fullDisk writes so many bytes more and then fails, as a full disk does in the middle of a line.
type fullDisk struct {
	disk
	room  int
	stuck bool // Truncate fails as well
}

func (d *fullDisk) Write(b []byte) (int, error) {
	n, _ := d.disk.Write(b[:min(d.room, len(b))])
	if d.room -= n; n < len(b) {
		return n, syscall.ENOSPC
	}
	return n, nil
}

func (d *fullDisk) Truncate(size int64) error {
	if d.stuck {
		return syscall.EIO
	}
	return d.disk.Truncate(size)
}

// TestFullDisk: what cannot be written down is refused, no torn line stays, and it goes on once there is room again.
func TestFullDisk(t *testing.T) {
	for _, stuck := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "audit.jsonl")
		l := open(t, path)
		full := &fullDisk{disk: l.file.disk, room: 100, stuck: stuck}
		l.file.disk = full
		if _, err := l.Begin(t.Context(), Act{Action: "cache.purge"}); !errors.Is(err, syscall.ENOSPC) || fault.KindOf(err) != fault.Unavailable {
			t.Fatalf("begun on a full disk: %v", err)
		}
		full.room, full.stuck = 1<<20, false
		done, err := l.Begin(t.Context(), Act{Action: "cache.purge"})
		if err != nil {
			t.Fatal(err)
		}
		full.room = 10
		done(nil) // is lost, and told in the log
		full.room = 1 << 20
		l.Refused(t.Context(), Act{Action: "cache.purge"}, "forbidden")
		if s, err := verify(t, path); err != nil || s.Lines != 2 || s.Open != 1 {
			t.Errorf("stuck %v: %+v, %v", stuck, s, err)
		}
	}
}

// FuzzVerify: no bytes but those of a log make a chain, and none make it fail otherwise than by an error.
func FuzzVerify(f *testing.F) {
	first := sign(`{"seq":1,"time":"2027-01-01T00:00:00Z","stage":"asked","action":"a","prev":"` + genesis + `"}`)
	f.Add(first)
	f.Add([]byte(nil))
	f.Add([]byte("\n"))
	f.Add(first[:len(first)-1])
	f.Add(append(bytes.Clone(first), first...))
	f.Add([]byte(hashHead + strings.Repeat("0", 64) + hashTail + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Verify(bytes.NewReader(data))
		if err != nil {
			return
		}
		if n := uint64(bytes.Count(data, []byte("\n"))); n != s.Lines {
			t.Errorf("%d lines of %d", s.Lines, n)
		}
		c := chain{prev: genesis}
		for line := range bytes.Lines(data) {
			e, hash, err := read(line[:len(line)-1])
			if err != nil || e.Prev != c.prev || e.Seq != c.seq+1 {
				t.Fatalf("%q is in the chain: %v", line, err)
			}
			c = chain{e.Seq, hash}
		}
	})
}
