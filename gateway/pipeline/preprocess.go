package pipeline

import (
	"context"

	"triton-gateway/tensor"
)

// preprocess makes the input tensor. The CPU slot is held here and nowhere else: never across a network wait.
func (p *Pipeline) preprocess(ctx context.Context, j *job) error {
	release, waited, err := p.CPU.Acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	j.part(Queue, waited)
	t, frame, timing, err := p.see(ctx, j)
	if err != nil {
		return err
	}
	j.part(Decode, timing.Decode)
	j.input, j.frame = []tensor.Tensor{t}, frame
	return nil
}
