package catalog

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/internal/fault"
	"triton-gateway/modelconfig"
	"triton-gateway/task"
	"triton-gateway/tensor"
)

// labeler is a fake that has labels to tell.
type labeler struct {
	*fake
	list  []string
	fails error
	hangs bool
	calls atomic.Int64
}

var _ Labeler = (*labeler)(nil)

func (l *labeler) Labels(ctx context.Context, model, output string, n int) ([]string, error) {
	l.calls.Add(1)
	if model != "m" || output != "y" || n != 3 {
		return nil, fault.New(fault.Invalid, "invalid_request", "asked for %d labels of %s %s", n, model, output)
	}
	l.mu.Lock()
	hangs, list, err := l.hangs, slices.Clone(l.list), l.fails
	l.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return nil, fault.New(fault.Timeout, "deadline_exceeded", "the model did not answer in time").Wrap(ctx.Err())
	}
	return list, err
}

func TestLabelsOfTheBackend(t *testing.T) {
	s := &labeler{fake: source(), list: []string{"circle", " square\r", ""}}
	dir := t.TempDir()
	c := start(t, s, dir)
	want := []string{"circle", "square", ""}
	first := lookup(t, c, "m")
	if !slices.Equal(first.Labels, want) || len(first.Warnings) != 0 {
		t.Fatalf("%q, warnings %q", first.Labels, first.Warnings)
	}
	refresh(t, c)
	if lookup(t, c, "m") != first || s.calls.Load() != 1 {
		t.Errorf("nothing new: %d calls", s.calls.Load())
	}
	put(t, filepath.Join(dir, "m", "task.yaml"), strings.Replace(rowsTask, "none", "softmax", 1))
	refresh(t, c)
	if m := lookup(t, c, "m"); m == first || m.Source != FromFile || !slices.Equal(m.Labels, want) || s.calls.Load() != 1 {
		t.Errorf("the same load with another task: %q after %d calls", m.Labels, s.calls.Load())
	}
	s.list = []string{"a", "b", "c"}
	s.set(func(f *fake) { f.index[0].Epoch = "e2" })
	refresh(t, c)
	if m := lookup(t, c, "m"); !slices.Equal(m.Labels, s.list) || m.TaskDigest == first.TaskDigest || s.calls.Load() != 2 {
		t.Errorf("another load: %q after %d calls", m.Labels, s.calls.Load())
	}
	put(t, filepath.Join(dir, "m", "labels.txt"), "x\ny\nz\n")
	s.set(func(f *fake) { f.index[0].Epoch = "e3" })
	refresh(t, c)
	if m := lookup(t, c, "m"); !slices.Equal(m.Labels, []string{"x", "y", "z"}) || s.calls.Load() != 2 {
		t.Errorf("a local file: %q after %d calls", m.Labels, s.calls.Load())
	}
}

func TestLabelsThatFailAreAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &labeler{fake: source(), hangs: true, list: []string{"a", "b", "c"}}
		began := time.Now()
		c := New(s, Options{Log: quiet})
		defer c.Close()
		if took := time.Since(began); took != labelsTimeout || !c.Fresh() {
			t.Errorf("the first look took %v, fresh is %v", took, c.Fresh())
		}
		check := func(when string, labels int, calls int64, warning string) {
			t.Helper()
			synctest.Wait()
			m := lookup(t, c, "m")
			if len(m.Labels) != labels || s.calls.Load() != calls {
				t.Errorf("%s: labels %q after %d calls, want %d calls", when, m.Labels, s.calls.Load(), calls)
			}
			if got := strings.Join(m.Warnings, "|"); (warning == "") != (got == "") || !strings.Contains(got, warning) {
				t.Errorf("%s: warnings %q, want %q", when, got, warning)
			}
		}
		check("it hangs", 0, 1, noLabels+". The backend does not tell them either: the model did not answer in time")
		s.set(func(*fake) { s.hangs, s.fails = false, errors.New("no labels") })
		time.Sleep(29 * time.Second)
		check("too early", 0, 1, "in time")
		time.Sleep(2 * time.Second)
		check("after 30 s", 0, 2, "no labels")
		s.set(func(f *fake) { f.index[0].Epoch, s.fails = "e2", nil })
		time.Sleep(time.Second)
		check("after a reload", 3, 3, "")
		time.Sleep(time.Hour)
		check("told once", 3, 3, "")
		s.set(func(f *fake) { f.index[0].Epoch, s.fails = "e3", errors.New("no labels") })
		time.Sleep(time.Second)
		check("another load's are not taken for these", 0, 4, "no labels")
	})
}

// TestManyHangingModelsLeaveTheCatalogFresh: all calls of one look share one time, and those that do not come up have their turn later.
func TestManyHangingModelsLeaveTheCatalogFresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &labeler{fake: source(), hangs: true}
		hangs := hanging{s}
		for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"} {
			s.index = append(s.index, backend.ModelStatus{Name: name, Version: "1", State: backend.Ready, Epoch: "e"})
			s.configs[name] = rows(name, rowsTask)
		}
		c := New(hangs, Options{Log: quiet})
		defer c.Close()
		for range 100 {
			if !c.Fresh() {
				t.Fatalf("not fresh after %d calls", s.calls.Load())
			}
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
		}
		if n := s.calls.Load(); n != 11 {
			t.Errorf("%d calls within 10 s, want one for each of 11 models", n)
		}
	})
}

// hanging takes the labels of every model for those of m.
type hanging struct{ *labeler }

func (h hanging) Labels(ctx context.Context, _, output string, n int) ([]string, error) {
	return h.labeler.Labels(ctx, "m", output, n)
}

func TestBadLabelsOfTheBackend(t *testing.T) {
	for want, list := range map[string][]string{
		"UTF-8":         {"a", "\xff", "c"},
		"larger":        {strings.Repeat("a", task.MaxLabelBytes), "b", "c"},
		"2 labels came": {"a", "b"},
	} {
		c := start(t, &labeler{fake: source(), list: list}, "")
		if m := lookup(t, c, "m"); m.Labels != nil || len(m.Warnings) != 1 || !strings.Contains(m.Warnings[0], want) {
			t.Errorf("%s: %q, warnings %q", want, m.Labels, m.Warnings)
		}
	}
}

func TestLabelsAreAskedForOnlyWhereTheyCanBeHad(t *testing.T) {
	for name, c := range map[string]struct {
		task   string
		change func(*modelconfig.Config)
		calls  int64
		warns  int
	}{
		"the same file in the task": {"{task: tabular-classification, input: {columns: [a, b, c, d]}, labels: labels.txt}", nil, 1, 0},
		"another file in the task":  {"{task: tabular-classification, input: {columns: [a, b, c, d]}, labels: other.txt}", nil, 0, 0},
		"a list in the task":        {"{task: tabular-classification, input: {columns: [a, b, c, d]}, labels: [x, y, z]}", nil, 0, 0},
		"a task without classes":    {"task: raw", nil, 0, 0},
		"no label_filename":         {rowsTask, func(c *modelconfig.Config) { c.Outputs[0].LabelFilename = "" }, 0, 0},
		"no known number":           {rowsTask, func(c *modelconfig.Config) { c.Outputs[0].Dims = []int64{-1} }, 0, 1},
		"no FP32":                   {rowsTask, func(c *modelconfig.Config) { c.Outputs[0].DType = tensor.FP64 }, 0, 1},
	} {
		s := &labeler{fake: source(), list: []string{"a", "b", "c"}}
		s.configs["m"] = rows("m", c.task)
		if c.change != nil {
			c.change(s.configs["m"])
		}
		warnings := 0
		for _, w := range lookup(t, start(t, s, ""), "m").Warnings {
			if strings.HasPrefix(w, noLabels) {
				warnings++
			}
		}
		if s.calls.Load() != c.calls || warnings != c.warns {
			t.Errorf("%s: %d calls and %d warnings, want %d and %d", name, s.calls.Load(), warnings, c.calls, c.warns)
		}
	}
}

func TestClasses(t *testing.T) {
	for _, c := range []struct {
		batch int
		dims  []int64
		want  int
	}{
		{8, []int64{5}, 5}, {8, []int64{5, 1, 1}, 5}, {8, []int64{1}, 1}, {8, []int64{-1}, 0}, {8, []int64{5, 2}, 0}, {8, nil, 0}, {8, []int64{0}, 0}, {8, []int64{1 << 40}, 0},
		{0, []int64{5}, 5}, {0, []int64{-1, 5}, 5}, {0, []int64{1, 5}, 5}, {0, []int64{5, 5}, 0}, {0, []int64{-1, -1}, 0}, {0, []int64{-1}, 0},
	} {
		out := &modelconfig.IO{DType: tensor.FP32, Dims: c.dims}
		if got := classes(&task.Spec{Task: task.ImageClassification}, &modelconfig.Config{MaxBatchSize: c.batch}, out); got != c.want {
			t.Errorf("max_batch_size %d, dims %v: %d classes, want %d", c.batch, c.dims, got, c.want)
		}
		if got := classes(&task.Spec{Task: task.ObjectDetection}, &modelconfig.Config{MaxBatchSize: c.batch}, out); got != 0 {
			t.Errorf("a detection's elements are no classes: %d", got)
		}
	}
}
