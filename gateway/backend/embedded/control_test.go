package embedded

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/backend/embedded/ort"
	"triton-gateway/internal/fault"
)

func isUnloaded(s *backend.ModelStatus) bool {
	return s != nil && s.State == backend.Unavailable && s.Reason == "unloaded" && s.Epoch == ""
}

// TestUnloadLasts: what happens to the folder does not bring an unloaded model back, and its session is freed.
func TestUnloadLasts(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "m/1/model.onnx", []byte{1})
	var opened []*fake
	e := startFake(t, dir, func(model []byte, o ort.Options) (session, error) {
		s, err := openFake(model, o)
		if err == nil {
			opened = append(opened, s.(*fake))
		}
		return s, err
	})
	for range 2 {
		if err := e.Unload(t.Context(), "m", false); err != nil {
			t.Fatal(err)
		}
		status(t, e, "m", "1", isUnloaded)
	}
	<-opened[0].closed
	if _, err := e.Infer(t.Context(), ask("m", "1", bytesOf(0, 0))); fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "unloaded") {
		t.Errorf("%v", err)
	}
	put(t, dir, "m/1/model.onnx", []byte{2})
	put(t, dir, "n/1/model.onnx", []byte{7})
	first := status(t, e, "n", "1", isReady).Epoch
	put(t, dir, "n/1/model.onnx", []byte{8})
	status(t, e, "n", "1", func(s *backend.ModelStatus) bool { return isReady(s) && s.Epoch != first }) // the watcher has been here twice
	status(t, e, "m", "1", isUnloaded)
	if err := os.RemoveAll(filepath.Join(dir, "m")); err != nil {
		t.Fatal(err)
	}
	status(t, e, "m", "1", isGone)
	put(t, dir, "m/1/model.onnx", []byte{3})
	status(t, e, "m", "", isUnloaded)
	if len(opened) != 3 {
		t.Errorf("%d sessions were made, want one of m and two of n", len(opened))
	}
	if err := e.Load(t.Context(), "m", nil); err != nil {
		t.Fatal(err)
	}
	if got := answerOf(t, e, "m", "1"); got != 3 {
		t.Errorf("after the load it answers %d", got)
	}
	put(t, dir, "m/1/model.onnx", []byte{4}) // the watcher is back in charge
	for answerOf(t, e, "m", "1") != 4 {
	}
}

// TestLoadIsDoneWhenItReturns: no waiting for the watcher, for new folders and for changed ones.
func TestLoadIsDoneWhenItReturns(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "m/1/model.onnx", []byte{1})
	e := newEngine(Config{Repository: dir, Interval: 1 << 62, Threads: 1, Log: quiet}, openFake)
	defer e.Close()
	if err := e.start(); err != nil {
		t.Fatal(err)
	}
	put(t, dir, "m/1/model.onnx", []byte{2})
	put(t, dir, "new/1/model.onnx", []byte{5})
	for model, want := range map[string]byte{"m": 2, "new": 5} {
		if err := e.Load(t.Context(), model, nil); err != nil {
			t.Fatal(err)
		}
		if got := answerOf(t, e, model, "1"); got != want {
			t.Errorf("%s answers %d, want %d", model, got, want)
		}
	}
	put(t, dir, "m/1/model.onnx", []byte("bad"))
	err := e.Load(t.Context(), "m", nil)
	if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "load failed for model 'm': version 1: ") || strings.Contains(err.Error(), dir) {
		t.Errorf("a broken file: %v", err)
	}
	if got := answerOf(t, e, "m", "1"); got != 2 {
		t.Errorf("what served before answers %d", got)
	}
	for _, name := range []string{"none", "", ".", "..", "../m", "m/1", ".hidden", "/etc"} {
		if err := e.Load(t.Context(), name, nil); fault.KindOf(err) != fault.NotFound {
			t.Errorf("%q: %v", name, err)
		}
	}
	if err := e.Load(t.Context(), "m", map[string]any{"file:1/model.onnx": []byte{1}, "config": "{}"}); fault.KindOf(err) != fault.Unsupported || !strings.Contains(err.Error(), "'config'") {
		t.Errorf("%v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	put(t, dir, "m/1/model.onnx", []byte{6})
	if err := e.Load(ended, "m", nil); err != nil && fault.KindOf(err) != fault.Canceled {
		t.Errorf("%v", err)
	}
	if err := e.Unload(t.Context(), "none", true); err != nil {
		t.Error(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := e.Load(t.Context(), "m", nil); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("after Close: %v", err)
	}
	if err := e.Unload(t.Context(), "m", false); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("after Close: %v", err)
	}
}

// TestControlUnderFire: loads, unloads and requests at the same time; in the end every session is freed.
func TestControlUnderFire(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "m/1/model.onnx", []byte{1})
	var mu sync.Mutex
	var opened []*fake
	e := newEngine(Config{Repository: dir, Interval: 5_000_000, Threads: 2, Log: quiet}, func(model []byte, o ort.Options) (session, error) {
		s, err := openFake(model, o)
		mu.Lock()
		defer mu.Unlock()
		opened = append(opened, s.(*fake))
		return s, err
	})
	if err := e.start(); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for range 50 {
				if err := e.Load(t.Context(), "m", nil); err != nil {
					t.Error(err)
				}
				if err := e.Unload(t.Context(), "m", false); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for range 500 {
				if _, err := e.Infer(t.Context(), ask("m", "1", bytesOf(0, 0))); err != nil && fault.KindOf(err) != fault.Unavailable {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	for _, f := range opened {
		<-f.closed
	}
}

func TestLabelsFollowTheirFile(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "m/1/model.onnx", []byte{0})
	put(t, dir, "m/config.pbtxt", []byte(`max_batch_size: 4 input { name: "x" data_type: TYPE_UINT8 dims: [2] } output { name: "y" data_type: TYPE_UINT8 dims: [2] label_filename: "names.txt" }`))
	e := startFake(t, dir, openFake)
	asks := func() string {
		r := ask("m", "1", bytesOf(1, 9))
		r.Outputs = []backend.Output{{Name: "y", Classes: 1}}
		got, err := e.Infer(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		return texts(got.Outputs[0])[0]
	}
	if got := asks(); got != "9:1" {
		t.Errorf("without the file: %q", got)
	}
	for _, name := range []string{"one", "two"} {
		put(t, dir, "m/names.txt", []byte("zero\n"+name+"\n"))
		for asks() != "9:1:"+name {
		}
	}
}
