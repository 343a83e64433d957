package telemetry

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// reader is where a log goes: it counts writes, and may hang or refuse.
type reader struct {
	lines
	mu     sync.Mutex
	writes int
	err    error
	hold   chan struct{} // where set, writes wait for it
}

func (r *reader) Write(p []byte) (int, error) {
	r.mu.Lock()
	r.writes++
	err, hold := r.err, r.hold
	r.mu.Unlock()
	if hold != nil {
		<-hold
	}
	if err != nil {
		return 0, err
	}
	return r.lines.Write(p)
}

func (r *reader) set(err error, hold chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err, r.hold = err, hold
}

func (r *reader) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.writes
}

func (r *reader) texts() []string {
	list := strings.Split(r.String(), "\n")
	return list[:len(list)-1]
}

func TestLinesAreWrittenTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &reader{}
		l := NewLog(out)
		defer l.Close()
		log := slog.New(l.Handler(slog.LevelInfo))
		step := func(after time.Duration, writes, lines int) {
			t.Helper()
			time.Sleep(after)
			synctest.Wait()
			if n := len(out.texts()); out.count() != writes || n != lines {
				t.Errorf("%d writes, %d lines; want %d, %d", out.count(), n, writes, lines)
			}
		}
		log.Debug("below the level")
		step(time.Hour, 0, 0)
		log.Info("a")
		log.Info("b")
		step(logDelay-1, 0, 0)
		step(1, 1, 2)
		log.Info("c")
		step(0, 1, 2)
		log.Warn("at once, with what came before")
		step(0, 2, 4)
		log.Error("at once too", "why", errors.New("not plain"))
		step(0, 3, 5)
		log.Info(strings.Repeat("x", logBatch))
		step(0, 4, 6)
		log.Info("d")
		step(logDelay, 5, 7)
		step(time.Hour, 5, 7)
	})
}

func TestCloseWritesWhatWaits(t *testing.T) {
	out := &reader{}
	l := NewLog(out)
	log := slog.New(l.Handler(slog.LevelInfo))
	log.Info("a")
	for range 2 {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	log.Info("after the end")
	if got := out.texts(); len(got) != 2 || !strings.Contains(got[1], "after the end") {
		t.Errorf("%q", got)
	}
	out.set(errors.New("gone"), nil)
	log.Info("lost")
	if l.Dropped() != 1 {
		t.Errorf("%d dropped", l.Dropped())
	}
}

// A reader that hangs costs lines, never time.
func TestAReaderThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &reader{hold: make(chan struct{})}
		l := NewLog(out)
		log := slog.New(l.Handler(slog.LevelInfo))
		log.Warn("is being written")
		synctest.Wait()
		start, text, sent := time.Now(), strings.Repeat("x", 1000), 0
		for l.Dropped() < 10 {
			log.Info(text, "n", sent)
			sent++
		}
		if size := l.size; size > logWaiting || size < logWaiting-2000 || !time.Now().Equal(start) {
			t.Errorf("%d bytes wait, %v", size, time.Since(start))
		}
		if err := l.Close(); err != nil || time.Since(start) != logEnd {
			t.Errorf("closed in %v: %v", time.Since(start), err)
		}
		close(out.hold)
		<-l.done
		got := out.texts()
		if want := 1 + sent - 10 + 1; len(got) != want {
			t.Fatalf("%d lines, want %d", len(got), want)
		}
		var last struct {
			Level, Msg string
			Lines      int
		}
		if err := json.Unmarshal([]byte(got[len(got)-1]), &last); err != nil || last.Level != "WARN" || last.Lines != 10 || !strings.HasPrefix(last.Msg, "log lines were dropped") {
			t.Errorf("%+v, %v", last, err)
		}
		for n, line := range got[1 : len(got)-1] {
			if !strings.HasSuffix(line, fmt.Sprintf(`"n":%d}`, n)) {
				t.Fatalf("line %d is %q", n, line)
			}
		}
	})
}

func TestAReaderThatRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &reader{err: errors.New("no space left")}
		l := NewLog(out)
		defer l.Close()
		log := slog.New(l.Handler(slog.LevelInfo))
		for range 3 {
			log.Info("a")
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if l.Dropped() != 3 || out.count() != 1 {
			t.Errorf("%d dropped in %d writes", l.Dropped(), out.count())
		}
		out.set(nil, nil)
		log.Info("b")
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := out.texts(); len(got) != 2 || !strings.Contains(got[0], `"b"`) || !strings.Contains(got[1], `"lines":3`) {
			t.Errorf("%q", got)
		}
	})
}

func TestManyWriteAtOnce(t *testing.T) {
	out := &reader{}
	l := NewLog(out)
	log := slog.New(l.Handler(slog.LevelInfo))
	var wait sync.WaitGroup
	const each = 500
	for who := range 8 {
		wait.Go(func() {
			for n := range each {
				log.Info("line", "who", who, "n", n, "fails", n%100 == 0)
				if n%100 == 0 {
					log.Warn("line", "who", who, "n", n, "error", errors.New("w\n"))
				}
			}
		})
	}
	wait.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	next := map[int]int{}
	for _, text := range out.texts() {
		var line struct {
			Level  string
			Who, N int
		}
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if line.Level == "INFO" {
			if next[line.Who] != line.N {
				t.Fatalf("%d of %d comes before %d", line.N, line.Who, next[line.Who])
			}
			next[line.Who]++
		}
	}
	if n := len(out.texts()); n != 8*each+8*each/100 || l.Dropped() != 0 {
		t.Errorf("%d lines, %d dropped", n, l.Dropped())
	}
}
