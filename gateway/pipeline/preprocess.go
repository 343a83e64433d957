package pipeline

import (
	"context"

	"triton-gateway/tensor"
)

// preprocess makes the input tensor. The CPU slot is held here and nowhere else: never across a network wait.
func (p *Pipeline) preprocess(ctx context.Context, j *job) error {
	if j.kind != imageItem {
		return nil // rows and raw tensors became tensors when they were checked
	}
	release, waited, err := p.CPU.Acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	t, frame, timing, err := j.model.pre.Image(ctx, j.Item.Image.Bytes, j.header)
	if err != nil {
		return err
	}
	j.took("queue", waited)
	j.took("decode", timing.Decode)
	j.took("preprocess", timing.Transform)
	j.input, j.frame = []tensor.Tensor{t}, frame
	return nil
}
