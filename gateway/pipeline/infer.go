package pipeline

import (
	"context"

	"triton-gateway/gateway/backend"
	"triton-gateway/task"
)

// infer asks the backend. What ran is kept only if it is the load that the keys name: a model reloaded between route and here
// gives a good answer that must not be stored under the old load's key.
func (p *Pipeline) infer(ctx context.Context, j *job) error {
	response, err := p.Backend.Infer(ctx, &backend.Request{
		Model:   j.model.Name,
		Version: j.version.Number,
		ID:      j.ID,
		Inputs:  j.input,
		Outputs: j.wanted(),
		Params:  j.parameters(ctx),
	})
	if err != nil {
		return err
	}
	j.outputs = response.Outputs
	j.keep = response.Version == j.version.Number && (response.Epoch == "" || response.Epoch == j.version.Epoch)
	return nil
}

// wanted names the outputs to ask for; all where the task reads more than one.
func (j *job) wanted() []backend.Output {
	if name := j.model.Spec.Output.Name; name != "" && j.model.Spec.Task != task.Raw {
		return []backend.Output{{Name: name}}
	}
	return nil
}
