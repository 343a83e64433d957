package embedded

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"triton-gateway/gateway/backend/embedded/ort"
	"triton-gateway/modelconfig"
)

// load is one reading of one model's folder.
type load struct {
	engine *Engine
	name   string
	look   look // of the files that are read
	have   map[int64]*version

	versions map[int64]*version // the result: loads that are kept and new ones
	reason   string             // why versions is empty
	labels   map[string][]string
	loop     *tokenLoop // of a decoupled model
	stale    bool       // the files changed meanwhile
	read     int        // bytes of models
}

// run reads the folder. Nothing that serves is touched.
func (j *load) run() {
	dir := filepath.Join(j.engine.config.Repository, j.name)
	j.versions = map[int64]*version{}
	text, config, err := j.config(dir)
	if err != nil {
		j.keep(err)
	} else {
		j.labels = j.readLabels(dir, config)
		for _, n := range config.Policy.Select(slices.Collect(maps.Keys(j.look.versions))) {
			j.versions[n] = j.version(dir, n, text, config)
		}
		if len(j.versions) == 0 {
			j.reason = "at least one version must be available under the version policy: add a folder such as 1/ with model.onnx"
		}
	}
	j.stale = lookAt(dir).all != j.look.all
	if j.stale { // what was loaded may be a mixture of old and new files
		j.undo()
	}
	const worth = 16 << 20
	if j.read > worth {
		debug.FreeOSMemory() // the models' bytes are not needed any more
	}
}

// config reads config.pbtxt and refuses what this engine does not run.
func (j *load) config(dir string) ([]byte, *modelconfig.Config, error) {
	text, err := readConfig(dir)
	if err != nil {
		return nil, nil, err
	}
	c, err := modelconfig.Parse(j.name, text)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case c.Ensemble:
		err = errors.New("ensembles are not run by the embedded engine; use a Triton")
	case c.Decoupled && c.Parameters[paramLoop] != "":
		j.loop, err = parseLoop(c.Parameters[paramLoop])
		return text, c, err
	case c.Decoupled:
		err = fmt.Errorf("decoupled models are not run by the embedded engine, but for those with the parameter %s; use a Triton", paramLoop)
	case c.Backend != "" && c.Backend != "onnxruntime", c.Platform != "" && c.Platform != "onnxruntime_onnx":
		err = fmt.Errorf("backend %q is not run by the embedded engine, which runs ONNX models only; use a Triton", c.Backend+c.Platform)
	}
	c.Backend = "onnxruntime"
	return text, c, err
}

// keep leaves everything as it is, with the reason.
func (j *load) keep(err error) {
	j.reason = j.public(err)
	for n, v := range j.have {
		if v.run != nil {
			kept := *v
			kept.reason = "what is there now cannot be loaded, the earlier load still serves: " + j.reason
			j.versions[n] = &kept
		}
	}
}

// version gives the load that is there if its files are the same, or a new one.
func (j *load) version(dir string, n int64, text []byte, config *modelconfig.Config) *version {
	old := j.have[n]
	if old == nil {
		old = &version{}
	}
	v := &version{run: old.run, look: j.look.versions[n], config: j.look.config}
	if old.run != nil && old.look == v.look && old.config == v.config {
		return v
	}
	run, err := j.open(filepath.Join(dir, strconv.FormatInt(n, 10)), text, config, old.run)
	if err != nil {
		v.look = old.look
		v.config = old.config
		v.reason = j.public(err)
		if old.run != nil {
			v.reason = "what is there now cannot be loaded, the earlier load still serves: " + v.reason
		}
		return v
	}
	v.run = run
	return v
}

// open makes a session of a version's files, or gives old back if their contents are those of old.
func (j *load) open(dir string, text []byte, config *modelconfig.Config, old *loaded) (*loaded, error) {
	f, err := readVersion(dir, config.Filename, text)
	j.read += len(f.model)
	if err != nil {
		return nil, err
	}
	if old != nil && old.epoch == f.epoch {
		return old, nil
	}
	threads, err := threads(config, j.engine.config.Threads)
	if err != nil {
		return nil, err
	}
	s, err := j.engine.open(f.model, ort.Options{Threads: threads, Folder: f.folder})
	if err != nil {
		return nil, err
	}
	c, loop := config, j.loop
	if loop != nil {
		own := *loop // versions may differ in the size of their state
		loop, err = &own, own.fit(c, s.Graph())
	} else {
		c, err = complete(config, s.Graph())
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	run := newLoaded(j.engine.base, c, s, f.epoch, threads, j.engine.config.Priorities)
	run.loop = loop
	return run, nil
}

// undo frees what was loaded and gives back what was there.
func (j *load) undo() {
	for n, v := range j.versions {
		if old := j.have[n]; v.run != nil && (old == nil || old.run != v.run) {
			v.run.release()
		}
	}
	j.versions = j.have
}

// threads is how many threads one run uses: one, unless the model asks for more by Triton's own parameter. One thread per run costs the least
// CPU, and several requests fill the cores.
func threads(c *modelconfig.Config, most int) (int, error) {
	text, ok := c.Parameters["intra_op_thread_count"]
	if !ok {
		return 1, nil
	}
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || n < 0 {
		return 0, fmt.Errorf("parameter intra_op_thread_count is %q; it must be a whole number, 0 for all threads", text)
	}
	if n == 0 {
		n = most
	}
	return min(n, most), nil
}

// complete fills the config in from the model. A tensor without a shape in the model's file takes the config's.
func complete(c *modelconfig.Config, g ort.Graph) (*modelconfig.Config, error) {
	const defaultMaxBatch = 4 // Triton's --backend-config default-max-batch-size
	done := *c
	inputs, err := declared("input", g.Inputs, c.Inputs, c.MaxBatchSize > 0)
	if err != nil {
		return nil, err
	}
	outputs, err := declared("output", g.Outputs, c.Outputs, c.MaxBatchSize > 0)
	if err != nil {
		return nil, err
	}
	return &done, done.Complete(inputs, outputs, defaultMaxBatch)
}

func declared(kind string, values []ort.Value, given []modelconfig.IO, batch bool) ([]modelconfig.IO, error) {
	var out []modelconfig.IO
	for _, v := range values {
		io := modelconfig.IO{Name: v.Name, DType: v.DType, Dims: v.Dims}
		if !v.Ranked {
			i := slices.IndexFunc(given, func(g modelconfig.IO) bool { return g.Name == v.Name })
			if i < 0 {
				return nil, fmt.Errorf("%s %q has no shape in the model; give it in config.pbtxt", kind, v.Name)
			}
			io.Dims = given[i].Dims
			if given[i].Reshape != nil {
				io.Dims = given[i].Reshape
			}
			if batch {
				io.Dims = append([]int64{-1}, io.Dims...)
			}
		}
		out = append(out, io)
	}
	return out, nil
}

// public is an error's text without the path of the repository, on one line.
func (j *load) public(err error) string {
	repository := filepath.Clean(j.engine.config.Repository)
	text := strings.ReplaceAll(err.Error(), repository+string(filepath.Separator), "")
	return strings.Join(strings.Fields(text), " ")
}

// report logs what has changed.
func (j *load) report(before map[int64]*version) {
	log := j.engine.log.With("model", j.name)
	if len(j.versions) == 0 && j.reason != "" {
		log.Error("model cannot be loaded", "reason", j.reason)
	}
	for n, v := range j.versions {
		old := before[n]
		switch {
		case v.reason != "" && (old == nil || old.reason != v.reason):
			log.Error("version cannot be loaded", "version", n, "reason", v.reason)
		case v.run != nil && (old == nil || old.run != v.run):
			log.Info("version loaded", "version", n, "epoch", v.run.epoch[:12])
		}
	}
	for n, old := range before {
		if j.versions[n] == nil && old.run != nil {
			log.Info("version removed", "version", n)
		}
	}
}
