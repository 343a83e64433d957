package catalog

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
	"triton-gateway/task"
)

func TestTaskInTheConfig(t *testing.T) {
	for text, want := range map[string]string{
		`{"task": "tabular-classification", "input": {"columns": ["a", "b", "c", "d"]}}`: "", // JSON is YAML
		"   \n":   "",
		"task: [": "config parameter: ",
		"task: tabular-classification\ninput: {columns: [a]}":       "1 columns",
		"task: image-classification":                                "picture",
		"task: raw\nlabels: ../../etc/passwd":                       "labels",
		"task: raw\npreprocess: {scale: 1e999}":                     "config parameter: ",
		strings.Repeat("#", task.MaxBytes) + "\ntask: raw":          "256 KiB",
		"task: tabular-classification\ninput: {columns: *anything}": "config parameter: ",
	} {
		s := source()
		s.configs["m"] = rows("m", text)
		c := start(t, s, "")
		m, err := c.Lookup("m")
		if want == "" && (err != nil || m.Spec == nil) || want != "" && (fault.KindOf(err) != fault.Unavailable || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.60q: %v", text, err)
		}
	}
}

func TestEmptyBackend(t *testing.T) {
	s := source()
	s.index = nil
	c := start(t, s, t.TempDir())
	if _, err := c.Lookup("m"); fault.KindOf(err) != fault.NotFound || !strings.Contains(err.Error(), "the backend has none") {
		t.Errorf("%v", err)
	}
	if !c.Loaded() || c.Ready() != nil || len(c.Models()) != 0 {
		t.Errorf("loaded %v, ready %v, models %v", c.Loaded(), c.Ready(), c.Models())
	}
}

func TestLongListsAreCut(t *testing.T) {
	s := &fake{}
	for n := range 30 {
		s.index = append(s.index, backend.ModelStatus{Name: fmt.Sprintf("model-%02d", n), Version: "1", State: backend.Unavailable})
	}
	c := start(t, s, "")
	if _, err := c.Lookup("x"); !strings.HasSuffix(err.Error(), `"model-08", "model-09", ...`) {
		t.Errorf("%v", err)
	}
	m := &Model{Name: "m"}
	if _, err := m.Resolve("1"); !strings.Contains(err.Error(), "it has none") {
		t.Errorf("%v", err)
	}
	for n := 30; n > 0; n-- {
		m.Versions = append(m.Versions, Version{Number: fmt.Sprint(n), State: backend.Ready})
	}
	if _, err := m.Resolve("99"); !strings.HasSuffix(err.Error(), "it has 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, ...") {
		t.Errorf("%v", err)
	}
}

func TestSampleTooLarge(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "m", "golden", "a.png")
	put(t, file, "")
	if err := os.Truncate(file, MaxSampleBytes+1); err != nil {
		t.Skip(err)
	}
	m := lookup(t, start(t, source(), dir), "m")
	if data, err := m.Sample("a.png"); fault.KindOf(err) != fault.TooLarge {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Sample("a.png"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a sample that is gone: %v", err)
	}
	if err := os.RemoveAll(filepath.Dir(file)); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Sample("a.png"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("samples that are gone: %v", err)
	}
}

// TestReadersSeeWholeSnapshots: while looks replace the snapshot, a reader sees a model with the config, version and epoch of one load.
func TestReadersSeeWholeSnapshots(t *testing.T) {
	s := source()
	c := start(t, s, "")
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				m, err := c.Lookup("m")
				if err != nil {
					t.Error(err)
					return
				}
				if v, err := m.Resolve(""); err != nil || v.Epoch != fmt.Sprint("e", m.Config.MaxBatchSize) && v.Epoch != "e1" {
					t.Errorf("epoch %s with max_batch_size %d: %v", v.Epoch, m.Config.MaxBatchSize, err)
					return
				}
			}
		})
	}
	for n := 2; n < 300; n++ {
		s.set(func(s *fake) {
			config := rows("m", rowsTask)
			config.MaxBatchSize = n
			s.configs["m"], s.index[0].Epoch = config, fmt.Sprint("e", n)
		})
		refresh(t, c)
		if m := lookup(t, c, "m"); m.Versions[0].Epoch != fmt.Sprint("e", n) {
			t.Fatalf("after Refresh the epoch is %s, want e%d", m.Versions[0].Epoch, n)
		}
	}
	close(stop)
	wg.Wait()
}
