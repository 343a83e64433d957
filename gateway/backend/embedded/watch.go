package embedded

import (
	"maps"
	"time"
)

// The watcher looks at the repository every Interval. A folder that looks different is read once it has stayed the same for
// settleTime; while it is loaded, the watcher goes on with the others. What is loaded replaces what served before in one step: a request
// runs on the one or on the other, and its answer's Epoch says on which. The earlier sessions are freed after their last run.
//
// What cannot be loaded does not take away what serves: as in Triton, a version whose new files are broken goes on serving the earlier
// load, and Index and the log give the reason. Its Epoch is still that of the earlier load, so no answer claims to come from
// files that never ran. A version whose folder is gone, or that the policy no longer chooses, stops serving.

// start loads everything that is there and starts the watcher.
func (e *Engine) start() error {
	found, err := scan(e.config.Repository)
	if err != nil {
		return unavailable("the model repository %s cannot be read; name another folder by --model-repository or model_repository", e.config.Repository).Wrap(err)
	}
	e.mu.Lock()
	for name, l := range found {
		m := &model{name: name, look: l, versions: map[int64]*version{}}
		e.models[name] = m
		e.reload(m)
	}
	e.publish()
	e.mu.Unlock()
	e.work.Wait()
	e.work.Add(1)
	go e.watch()
	return nil
}

func (e *Engine) watch() {
	defer e.work.Done()
	timer := time.NewTimer(e.config.Interval)
	defer timer.Stop()
	lost := false
	for {
		select {
		case <-e.base.Done():
			return
		case now := <-timer.C:
			found, err := scan(e.config.Repository)
			if (err != nil) != lost {
				lost = err != nil
				if lost {
					e.log.Error("the model repository cannot be read; the models that are loaded go on serving", "error", err)
				} else {
					e.log.Info("the model repository can be read again")
				}
			}
			pending := false
			if err == nil {
				pending = e.compare(found, now)
			}
			if pending {
				timer.Reset(min(settleTime, e.config.Interval))
			} else {
				timer.Reset(e.config.Interval)
			}
		}
	}
}

// compare starts loads of the folders that have changed and settled, and drops those that are gone. It tells whether one is still to
// settle.
func (e *Engine) compare(found map[string]look, now time.Time) (pending bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	changed := false
	for name, l := range found {
		m := e.models[name]
		if m == nil {
			m = &model{name: name, versions: map[int64]*version{}}
			if e.off[name] {
				m.off, m.reason = true, unloaded
			}
			e.models[name] = m
			changed = true
		}
		m.gone = false
		if m.off {
			continue
		}
		if m.since.IsZero() && m.tried == "" || l.all != m.look.all {
			m.look, m.since = l, now
		}
		switch {
		case m.busy || m.look.all == m.tried && !m.retry(now):
		case now.Sub(m.since) < min(settleTime, e.config.Interval):
			pending = true
		default:
			e.reload(m)
		}
	}
	for name, m := range e.models {
		if _, there := found[name]; there || m.busy {
			continue
		}
		if !m.gone { // it may be about to be replaced
			m.gone, pending = true, true
			continue
		}
		delete(e.models, name)
		changed = true
		e.log.Info("model removed", "model", name)
		defer m.drop() // after publish
	}
	if changed {
		e.publish()
	}
	return pending
}

// publish shows the present state to Infer and Index. Engine.mu is held.
func (e *Engine) publish() {
	all := make(map[string]*shown, len(e.models))
	for name, m := range e.models {
		all[name] = m.show()
	}
	e.shown.Store(&all)
}

// reload loads a model's folder beside what serves. Engine.mu is held, and not while the files are read. The job may be read once m.done is
// closed.
func (e *Engine) reload(m *model) *load {
	m.busy, m.done = true, make(chan struct{})
	job := &load{engine: e, name: m.name, look: m.look, have: maps.Clone(m.versions), labels: m.labels}
	done := m.done
	e.work.Go(func() {
		defer close(done)
		select {
		case e.loads <- struct{}{}:
			defer func() { <-e.loads }()
		case <-e.base.Done():
			return
		}
		job.run()
		e.mu.Lock()
		defer e.mu.Unlock()
		m.busy, m.tried, m.at = false, job.look.all, time.Now()
		if job.stale {
			m.since, m.tried = time.Now(), unsettled
		}
		before := m.versions
		m.versions, m.reason, m.labels = job.versions, job.reason, job.labels
		e.publish()
		job.report(before)
		for n, v := range before { // freed when the last run on it has ended
			if now := m.versions[n]; v.run != nil && (now == nil || now.run != v.run) {
				v.run.release()
			}
		}
	})
	return job
}
