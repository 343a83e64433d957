package kserve

import (
	"slices"
	"sync"
	"time"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/catalog"
	"triton-gateway/gateway/pipeline"
)

type imageVersion struct{ model, version string }

// imageCounts are the counters of one version of an image model, since its model was loaded.
type imageCounts struct {
	mu    sync.Mutex
	epoch string
	backend.Statistics
}

// of gives the counters of a version.
func (i *images) of(name string, v catalog.Version) *imageCounts {
	key := imageVersion{name, v.Number}
	got, ok := i.counts.Load(key)
	if !ok {
		got, _ = i.counts.LoadOrStore(key, &imageCounts{epoch: v.Epoch, Statistics: backend.Statistics{Model: name, Version: v.Number}})
	}
	return got.(*imageCounts)
}

// fresh starts at zero where the model was loaded anew. The caller holds the lock.
func (c *imageCounts) fresh(epoch string) {
	if c.epoch != epoch {
		c.epoch = epoch
		c.Statistics = backend.Statistics{Model: c.Model, Version: c.Version}
	}
}

// count counts one request. The times of its pictures are added up.
func (i *images) count(t target, v catalog.Version, answers []*pipeline.Answer, err error, took time.Duration) {
	c := i.of(t.name, v)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fresh(v.Epoch)
	if err != nil {
		add(&c.Fail, took)
		return
	}
	add(&c.Success, took)
	c.LastInference = time.Now()
	ran := uint64(0)
	for _, a := range answers {
		if !a.FromCache {
			ran++
		}
	}
	if ran == 0 {
		add(&c.CacheHit, took)
		return
	}
	var queue, input, infer, output time.Duration
	for _, timing := range added(answers) {
		switch timing.Stage {
		case "queue":
			queue += timing.Duration
		case "decode", "preprocess":
			input += timing.Duration
		case "infer":
			infer += timing.Duration
		case "postprocess":
			output += timing.Duration
		}
	}
	c.Inferences += ran
	c.Executions += ran
	add(&c.CacheMiss, max(0, took-queue-input-infer-output))
	add(&c.Queue, queue)
	add(&c.ComputeInput, input)
	add(&c.ComputeInfer, infer)
	add(&c.ComputeOutput, output)
	if len(c.Batches) == 0 {
		c.Batches = []backend.BatchStatistics{{Size: 1}}
	}
	one := &c.Batches[0] // each picture is a batch of its own
	for _, sum := range []struct {
		to   *backend.Duration
		took time.Duration
	}{{&one.ComputeInput, input}, {&one.ComputeInfer, infer}, {&one.ComputeOutput, output}} {
		sum.to.Count += ran
		sum.to.Total += sum.took
	}
}

func add(d *backend.Duration, took time.Duration) {
	d.Count++
	d.Total += took
}

// statistics gives the counters of an image model's ready versions, or of one version.
func (i *images) statistics(t target, version string) (list []backend.Statistics, err error) {
	versions := slices.Backward(t.Versions)
	if version != "" {
		v, err := t.Resolve(version)
		if err != nil {
			return nil, err
		}
		versions = slices.Backward([]catalog.Version{v})
	}
	for _, v := range versions {
		if v.State != backend.Ready {
			continue
		}
		c := i.of(t.name, v)
		c.mu.Lock()
		c.fresh(v.Epoch)
		one := c.Statistics
		one.Batches = slices.Clone(c.Batches)
		c.mu.Unlock()
		list = append(list, one)
	}
	return list, nil
}

// allImages adds the counters of every image model behind those of the model that it is over.
func (s *Server) allImages(list []backend.Statistics) (out []backend.Statistics) {
	for _, m := range s.Models.Models() {
		for _, one := range list {
			if one.Model == m.Name {
				out = append(out, one)
			}
		}
		if name := m.Name + imageSuffix; takesPictures(m) && !s.listed(name) {
			own, _ := s.images.statistics(target{Model: m, name: name}, "") // of ready versions: cannot fail
			out = append(out, own...)
		}
	}
	for _, one := range list { // what the catalog has not seen yet
		if !s.listed(one.Model) {
			out = append(out, one)
		}
	}
	return out
}
