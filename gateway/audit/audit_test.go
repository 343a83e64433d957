package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"triton-gateway/internal/fault"
)

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func open(t *testing.T, path string) *Log {
	t.Helper()
	l, err := Open(path, quiet(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func lines(t *testing.T, path string) [][]byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Collect(bytes.Lines(data))
}

func verify(t *testing.T, path string) (Summary, error) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	return Verify(f)
}

// TestLines: two lines of an action, one of what was refused, and the chain goes on in the next process.
func TestLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "logs", "audit.jsonl")
	l := open(t, path)
	act := Act{Action: "cache.purge", Target: "shapes", Who: Who{Caller: "ops", Tenant: "a", Address: "127.0.0.1:9", RequestID: "r1"}}
	done, err := l.Begin(t.Context(), act)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := verify(t, path); err != nil || s.Lines != 1 || s.Open != 1 {
		t.Fatalf("while it runs: %+v, %v", s, err)
	}
	done(fault.New(fault.Unavailable, "backend_unavailable", "x"))
	l.Refused(t.Context(), act, "forbidden")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, path)
	done, err = l.Begin(t.Context(), Act{Action: "models.reload"})
	if err != nil {
		t.Fatal(err)
	}
	done(nil)
	s, err := verify(t, path)
	if err != nil || s.Lines != 5 || s.Open != 0 {
		t.Fatalf("%+v, %v", s, err)
	}
	var got []Entry
	for _, line := range lines(t, path) {
		var e struct {
			Entry
			Hash string `json:"hash"`
		}
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		if len(e.Hash) != 64 || time.Since(e.Time).Abs() > time.Minute {
			t.Errorf("%s", line)
		}
		e.Time, e.Prev = time.Time{}, ""
		got = append(got, e.Entry)
	}
	one := Entry{Action: "cache.purge", Target: "shapes", Caller: "ops", Tenant: "a", Address: "127.0.0.1:9", RequestID: "r1"}
	want := slices.Repeat([]Entry{one}, 3)
	want[0].Stage, want[1].Stage, want[1].Outcome, want[1].Begun, want[2].Stage, want[2].Outcome = Asked, Ended, "backend_unavailable", 1, Refused, "forbidden"
	want = append(want, Entry{Action: "models.reload", Stage: Asked}, Entry{Action: "models.reload", Stage: Ended, Outcome: Done, Begun: 4})
	for i := range want {
		want[i].Seq = uint64(i + 1)
		if got[i] != want[i] {
			t.Errorf("line %d is %+v, not %+v", i+1, got[i], want[i])
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file can be read by others: %v, %v", info.Mode(), err)
	}
}

// TestTampering: whatever is done to the lines, verify names the place. Only lines cut off at the end leave a chain, whose last hash is another one.
func TestTampering(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l := open(t, path)
	for range 3 {
		done, err := l.Begin(t.Context(), Act{Action: "cache.purge", Target: "shapes"})
		if err != nil {
			t.Fatal(err)
		}
		done(nil)
	}
	all := lines(t, path)
	whole, err := Verify(bytes.NewReader(bytes.Join(all, nil)))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(l [][]byte) [][]byte
		want   string
	}{
		"changed":     {func(l [][]byte) [][]byte { l[2] = bytes.Replace(l[2], []byte("shapes"), []byte("shaped"), 1); return l }, "line 3: its hash"},
		"taken out":   {func(l [][]byte) [][]byte { return append(l[:1:1], l[2:]...) }, "line 2: its number is 3"},
		"doubled":     {func(l [][]byte) [][]byte { return slices.Insert(l, 1, l[1]) }, "line 3: its number is 2"},
		"swapped":     {func(l [][]byte) [][]byte { l[1], l[2] = l[2], l[1]; return l }, "line 2: its number is 3"},
		"first cut":   {func(l [][]byte) [][]byte { return l[1:] }, "line 1: its number is 2"},
		"torn":        {func(l [][]byte) [][]byte { l[5] = l[5][:40]; return l }, "line 6: it has no end"},
		"empty line":  {func(l [][]byte) [][]byte { return slices.Insert(l, 2, []byte("\n")) }, "line 3: it does not end in a hash"},
		"hash new":    {forge, "line 4: it does not follow"},
		"more fields": {func(l [][]byte) [][]byte { l[0] = sign(`{"seq":1,"x":1,"prev":"` + genesis + `"}`); return l }, "line 1: it is no line"},
		"no json":     {func(l [][]byte) [][]byte { l[0] = sign("hello}"); return l }, "line 1: it is no line"},
		"long":        {func(l [][]byte) [][]byte { l[1] = append(bytes.Repeat([]byte("a"), mostLine), '\n'); return l }, "line 2: it is longer"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Verify(bytes.NewReader(bytes.Join(c.change(slices.Clone(all)), nil)))
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("%v, not %s", err, c.want)
			}
		})
	}
	short, err := Verify(bytes.NewReader(bytes.Join(all[:5], nil)))
	if err != nil || short.Last == whole.Last || short.Lines != 5 {
		t.Errorf("%+v, %v", short, err)
	}
}

// sign makes a line of a text with the hash that fits it.
func sign(body string) []byte {
	return []byte(body[:len(body)-1] + hashHead + hashOf([]byte(body)) + hashTail + "\n")
}

// forge changes a line and gives it the right hash.
func forge(l [][]byte) [][]byte {
	body := string(l[2][:len(l[2])-1-hashSize]) + "}"
	l[2] = sign(strings.Replace(body, "shapes", "shaped", 1))
	return l
}

func TestSideBySide(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l := open(t, path)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 10 {
				done, err := l.Begin(t.Context(), Act{Action: "job.retry"})
				if err != nil {
					t.Error(err)
					return
				}
				done(nil)
			}
		})
	}
	all.Wait()
	if s, err := verify(t, path); err != nil || s.Lines != 160 || s.Open != 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestOneProcess: two would tear the chain.
func TestOneProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	open(t, path)
	if _, err := Open(path, quiet(), time.Now); err == nil || !strings.Contains(err.Error(), "another process writes it") {
		t.Errorf("opened twice: %v", err)
	}
}

// TestRefusedAreBounded: anybody can be refused, and nobody may fill the disk by it.
func TestRefusedAreBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	now := time.Unix(1e9, 0)
	l, err := Open(path, quiet(), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	for range 1000 {
		l.Refused(t.Context(), Act{Action: "model.load", Target: strings.Repeat("x\xff", 4096)}, "forbidden")
	}
	if s, err := verify(t, path); err != nil || s.Lines != refusedBurst {
		t.Fatalf("%+v, %v", s, err)
	}
	now = now.Add(time.Second)
	l.Refused(t.Context(), Act{Action: "model.load"}, "unauthenticated")
	all := lines(t, path)
	var last Entry
	if err := json.Unmarshal(all[len(all)-1], &last); err != nil || last.Skipped != 950 || last.Outcome != "unauthenticated" {
		t.Errorf("%+v, %v", last, err)
	}
	if n := len(all[0]); n > 1024 {
		t.Errorf("a line has %d bytes", n)
	}
}

// TestOutcome never shows a cause.
func TestOutcome(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{{nil, "done"}, {errors.New("secret"), "internal"}, {fault.New(fault.NotFound, "model_not_found", "x"), "model_not_found"}, {fault.New(fault.Internal, "internal", "x"), "internal"}} {
		if got := Outcome(c.err); got != c.want {
			t.Errorf("%v is %q, not %q", c.err, got, c.want)
		}
	}
}

// TestWithoutFile: the ordinary log has the lines, marked, and their hashes.
func TestWithoutFile(t *testing.T) {
	var out bytes.Buffer
	l, err := Open("", slog.New(slog.NewJSONHandler(&out, nil)), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	done, err := l.Begin(t.Context(), Act{Action: "cache.purge", Who: Who{Caller: "ops"}})
	if err != nil {
		t.Fatal(err)
	}
	done(nil)
	var line struct {
		Audit           bool
		Action, Outcome string
		Caller, Hash    string
	}
	all := bytes.Split(bytes.TrimSpace(out.Bytes()), []byte("\n"))
	if err := json.Unmarshal(all[len(all)-1], &line); err != nil || len(all) != 2 || !line.Audit || line.Action != "cache.purge" || line.Outcome != Done || line.Caller != "ops" || len(line.Hash) != 64 {
		t.Errorf("%s: %+v, %v", out.Bytes(), line, err)
	}
	if l.Close() != nil {
		t.Error("closing")
	}
}
