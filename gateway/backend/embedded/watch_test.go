package embedded

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/backend/embedded/ort"
	"triton-gateway/internal/fault"
)

func answerOf(tb testing.TB, e *Engine, model, version string) byte {
	tb.Helper()
	r, err := e.Infer(tb.Context(), ask(model, version, bytesOf(0, 0)))
	if err != nil {
		tb.Fatal(err)
	}
	return r.Outputs[0].Data[0]
}

func TestModelsAndVersionsComeAndGo(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "m/1/model.onnx", []byte{1})
	e := startFake(t, dir, openFake)
	if got := answerOf(t, e, "m", "1"); got != 1 {
		t.Errorf("version 1 answers %d", got)
	}
	put(t, dir, "m/2/model.onnx", []byte{2}) // without a policy only the latest is served
	status(t, e, "m", "2", isReady)
	status(t, e, "m", "1", isGone)
	put(t, dir, "m/config.pbtxt", []byte("version_policy: { all {} }"))
	status(t, e, "m", "1", isReady)
	put(t, dir, "n/7/model.onnx", []byte{7})
	status(t, e, "n", "7", isReady)
	for version, want := range map[string]byte{"1": 1, "2": 2} {
		if got := answerOf(t, e, "m", version); got != want {
			t.Errorf("version %s answers %d", version, got)
		}
	}
	if err := os.RemoveAll(filepath.Join(dir, "n")); err != nil {
		t.Fatal(err)
	}
	status(t, e, "n", "7", isGone)
	if _, err := e.Infer(t.Context(), ask("n", "7", bytesOf(0, 0))); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a removed model: %v", err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "m", "2")); err != nil {
		t.Fatal(err)
	}
	status(t, e, "m", "2", isGone)
	if got := answerOf(t, e, "m", "1"); got != 1 {
		t.Errorf("version 1 answers %d", got)
	}
}

func TestEpochFollowsContents(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "m/1/model.onnx", []byte{1})
	opened := make(chan byte, 100)
	open := func(model []byte, o ort.Options) (session, error) {
		opened <- model[0]
		return openFake(model, o)
	}
	e := startFake(t, dir, open)
	first := status(t, e, "m", "1", isReady).Epoch
	changed := func(s *backend.ModelStatus) bool { return isReady(s) && s.Epoch != first }

	put(t, dir, "m/1/model.onnx", []byte{2})
	second := status(t, e, "m", "1", changed).Epoch
	put(t, dir, "m/config.pbtxt", []byte("max_batch_size: 8"))
	third := status(t, e, "m", "1", func(s *backend.ModelStatus) bool { return isReady(s) && s.Epoch != second && s.Epoch != first }).Epoch
	put(t, dir, "m/config.pbtxt", []byte("max_batch_size: 9")) // of the same length
	status(t, e, "m", "1", func(s *backend.ModelStatus) bool { return isReady(s) && s.Epoch != third && s.Epoch != second })
	if err := os.Remove(filepath.Join(dir, "m", "config.pbtxt")); err != nil {
		t.Fatal(err)
	}
	put(t, dir, "m/1/model.onnx", []byte{1})
	status(t, e, "m", "1", func(s *backend.ModelStatus) bool { return s.Epoch == first }) // the same files, the same epoch

	// The same contents written anew are looked at, and not loaded again.
	loads := len(opened)
	seen := e.tried("m")
	put(t, dir, "m/1/model.onnx", []byte{1})
	for e.tried("m") == seen {
		status(t, e, "m", "1", isReady)
	}
	if len(opened) != loads {
		t.Errorf("%d loads for the same contents", len(opened)-loads)
	}

	other := startFake(t, dir, openFake)
	if got := status(t, other, "m", "1", isReady).Epoch; got != first || len(got) != 64 {
		t.Errorf("another engine has epoch %q, want %q", got, first)
	}
}

func (e *Engine) tried(name string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.models[name].tried
}

func TestBrokenReloadKeepsServing(t *testing.T) {
	for name, spoil := range map[string]string{"m/1/model.onnx": "bad", "m/config.pbtxt": "max_batch_size: lots"} {
		dir := t.TempDir()
		put(t, dir, "m/1/model.onnx", []byte{1})
		e := startFake(t, dir, openFake)
		epoch := status(t, e, "m", "1", isReady).Epoch
		put(t, dir, name, []byte(spoil))
		s := status(t, e, "m", "1", func(s *backend.ModelStatus) bool { return s != nil && s.Reason != "" })
		if s.State != backend.Ready || s.Epoch != epoch || !strings.Contains(s.Reason, "the earlier load still serves") {
			t.Errorf("%s: %+v", name, s)
		}
		if strings.Contains(s.Reason, dir) {
			t.Errorf("the reason shows a path of the server: %s", s.Reason)
		}
		r, err := e.Infer(t.Context(), ask("m", "1", bytesOf(0, 0)))
		if err != nil || r.Epoch != epoch || r.Outputs[0].Data[0] != 1 {
			t.Errorf("%s: %+v %v", name, r, err)
		}
		put(t, dir, "m/config.pbtxt", nil)
		put(t, dir, "m/1/model.onnx", []byte{3})
		status(t, e, "m", "1", func(s *backend.ModelStatus) bool { return isReady(s) && s.Epoch != epoch })
		if got := answerOf(t, e, "m", "1"); got != 3 {
			t.Errorf("after the repair it answers %d", got)
		}
	}
}

func TestBrokenModelLeavesTheOthers(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "good/1/model.onnx", []byte{1})
	put(t, dir, "broken/1/model.onnx", []byte("bad"))
	put(t, dir, "config/1/model.onnx", []byte{1})
	put(t, dir, "config/config.pbtxt", []byte("nonsense"))
	put(t, dir, "empty/1/readme.txt", []byte("no model"))
	put(t, dir, "python/1/model.py", []byte("x"))
	put(t, dir, "python/config.pbtxt", []byte(`backend: "python"`))
	put(t, dir, "escape/1/model.onnx", []byte{1})
	put(t, dir, "escape/config.pbtxt", []byte(`default_model_filename: "../../good/1/model.onnx"`))
	put(t, dir, "versionless/config.pbtxt", nil)
	put(t, dir, "dangling/1/notes.txt", nil)
	if err := os.Symlink(filepath.Join(dir, "nowhere"), filepath.Join(dir, "dangling", "1", "model.onnx")); err != nil {
		t.Fatal(err)
	}
	put(t, dir, ".hidden/1/model.onnx", []byte{1})
	put(t, dir, "README.md", nil)
	e := startFake(t, dir, openFake)
	list, err := e.Index(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"good": "", "broken": "broken model", "config": "config.pbtxt", "empty": "no file model.onnx",
		"python": `backend "python" is not run`, "escape": "leaves the version's folder", "versionless": "at least one version",
		"dangling": "dangling/1/model.onnx: no such file"}
	if len(list) != len(want) {
		t.Errorf("%d entries: %+v", len(list), list)
	}
	for _, s := range list {
		reason, ok := want[s.Name]
		if !ok || !strings.Contains(s.Reason, reason) || (s.State == backend.Ready) != (s.Name == "good") || (s.Epoch != "") != (s.Name == "good") {
			t.Errorf("%+v", s)
		}
		if strings.Contains(s.Reason, dir) {
			t.Errorf("the reason shows a path of the server: %s", s.Reason)
		}
		if s.Name == "good" {
			continue
		}
		if _, err := e.Config(t.Context(), s.Name); fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), reason) {
			t.Errorf("config of %s: %v", s.Name, err)
		}
		if _, err := e.Infer(t.Context(), ask(s.Name, "1", bytesOf(0, 0))); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("infer on %s: %v", s.Name, err)
		}
	}
	if got := answerOf(t, e, "good", "1"); got != 1 {
		t.Errorf("good answers %d", got)
	}
}

// TestReloadUnderFire changes the files while requests run: every request is answered, by the load that its epoch names.
func TestReloadUnderFire(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "m/1/model.onnx", []byte{1})
	e := startFake(t, dir, openFake)
	var mu sync.Mutex
	answers := map[string]byte{}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				r, err := e.Infer(t.Context(), ask("m", "1", bytesOf(0, 0)))
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if was, ok := answers[r.Epoch]; ok && was != r.Outputs[0].Data[0] {
					t.Errorf("epoch %s answered %d and %d", r.Epoch, was, r.Outputs[0].Data[0])
				}
				answers[r.Epoch] = r.Outputs[0].Data[0]
				mu.Unlock()
			}
		})
	}
	epoch := status(t, e, "m", "1", isReady).Epoch
	for n := byte(2); n < 12; n++ {
		put(t, dir, "m/1/model.onnx", []byte{n})
		epoch = status(t, e, "m", "1", func(s *backend.ModelStatus) bool { return isReady(s) && s.Epoch != epoch }).Epoch
		if got := answerOf(t, e, "m", "1"); got != n {
			t.Errorf("after load %d it answers %d", n, got)
		}
	}
	cancel()
	wg.Wait()
}

func TestReplacedSessionIsFreedAfterItsLastRun(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "m/1/model.onnx", []byte{1})
	first := &fake{data: 1, entered: make(chan struct{}), leave: make(chan struct{}), closed: make(chan struct{})}
	e := startFake(t, dir, func(model []byte, o ort.Options) (session, error) {
		if model[0] == 1 {
			return first, nil
		}
		return openFake(model, o)
	})
	got := make(chan error, 1)
	go func() {
		r, err := e.Infer(context.Background(), ask("m", "1", bytesOf(0, 0)))
		if err == nil && r.Outputs[0].Data[0] != 1 {
			err = errors.New("answered by the wrong load")
		}
		got <- err
	}()
	<-first.entered
	epoch := status(t, e, "m", "1", isReady).Epoch
	put(t, dir, "m/1/model.onnx", []byte{2})
	status(t, e, "m", "1", func(s *backend.ModelStatus) bool { return isReady(s) && s.Epoch != epoch })
	if n := answerOf(t, e, "m", "1"); n != 2 {
		t.Errorf("answers %d", n)
	}
	select {
	case <-first.closed:
		t.Fatal("freed under a running request")
	default:
	}
	close(first.leave)
	if err := <-got; err != nil {
		t.Fatal(err)
	}
	<-first.closed
}

func TestRepositoryLostAndFound(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "repository")
	put(t, dir, "m/1/model.onnx", []byte{1})
	log := make(lines, 100)
	e := newEngine(Config{Repository: dir, Interval: 5 * time.Millisecond, Log: slog.New(slog.NewTextHandler(log, nil))}, openFake)
	if err := e.start(); err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	log.await("cannot be read")
	if got := answerOf(t, e, "m", "1"); got != 1 {
		t.Errorf("answers %d", got)
	}
	if err := os.Rename(dir+".away", dir); err != nil {
		t.Fatal(err)
	}
	log.await("can be read again")
	put(t, dir, "n/1/model.onnx", []byte{2})
	status(t, e, "n", "1", isReady)
	status(t, e, "m", "1", isReady)

	none := newEngine(Config{Repository: dir + ".not-there", Log: quiet}, openFake)
	if err := none.start(); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("no repository: %v", err)
	}
	if err := none.Close(); err != nil {
		t.Error(err)
	}
}

func TestFailedLoadIsTriedAgain(t *testing.T) {
	now := time.Now()
	good, bad := &version{}, &version{reason: "broken"}
	for want, versions := range map[bool]map[int64]*version{false: {1: good}, true: {1: good, 2: bad}} {
		m := &model{versions: versions, at: now}
		if m.retry(now.Add(retryAfter-1)) || m.retry(now.Add(retryAfter)) != want {
			t.Errorf("retry of %v is not %v", versions, want)
		}
	}
	if m := (&model{at: now}); !m.retry(now.Add(retryAfter)) {
		t.Error("a model without versions is not tried again")
	}
}

func TestIndexIsSorted(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "b/config.pbtxt", []byte("version_policy { all {} }"))
	for _, name := range []string{"b/9/model.onnx", "b/10/model.onnx", "a/1/model.onnx", "b/01/model.onnx", "b/x/model.onnx"} {
		put(t, dir, name, []byte{1})
	}
	e := startFake(t, dir, openFake)
	list, _ := e.Index(t.Context())
	var got []string
	for _, s := range list {
		got = append(got, s.Name+"/"+s.Version)
	}
	if want := []string{"a/1", "b/9", "b/10"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
