package pipeline

import "triton-gateway/gateway/catalog"

// pick decides which version of a model answers, and counts the request among those that use it where it is one that runs the model; see catalog.Pick.
func (p *Pipeline) pick(j *job, m *catalog.Model, version string) (err error) {
	if !j.uses {
		j.version, err = m.Resolve(version)
		return err
	}
	j.version, err = catalog.Pick(m, version, p.Models.Lookup)
	j.picked = err == nil
	return err
}

// leave ends the use of the version that was picked.
func (j *job) leave() {
	if j.picked {
		j.version.Leave()
	}
}
