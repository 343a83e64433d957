package pipeline

import "context"

// route decides which version answers, before the keys are made: otherwise one version's answer would be served for all.
func (p *Pipeline) route(_ context.Context, j *job) (err error) {
	if j.version, err = j.model.Resolve(j.Version); err != nil {
		return err
	}
	j.reason = "policy"
	if j.Version != "" {
		j.reason = "requested"
	}
	return nil
}
