package embedded

import (
	"context"
	"fmt"
	"reflect"
	"testing"

	"triton-gateway/modelconfig"
	"triton-gateway/tensor"
)

// misfit answers with a shape of its own.
type misfit struct {
	*fake
	shape []int64
}

func (m *misfit) Run(ctx context.Context, in []tensor.Tensor, shapes [][]int64) ([]tensor.Tensor, error) {
	out, err := m.fake.Run(ctx, in, shapes)
	out[0].Shape = m.shape
	return out, err
}

type fails struct{ fake }

func (*fails) Run(context.Context, []tensor.Tensor, [][]int64) ([]tensor.Tensor, error) {
	return nil, errBroken
}

// parse makes a config with the parameter intra_op_thread_count, if the text is not empty.
func parse(name, count string) (*modelconfig.Config, error) {
	if count == "" {
		return modelconfig.Parse(name, nil)
	}
	return modelconfig.Parse(name, fmt.Appendf(nil, `parameters { key: "intra_op_thread_count" value { string_value: %q } }`, count))
}

func TestFullShape(t *testing.T) {
	for i, c := range []struct {
		batch                          int64
		dims, declared, reshape, wants []int64
	}{
		{3, []int64{4, 5}, []int64{4, -1}, nil, []int64{3, 4, 5}},
		{0, []int64{4, 5}, []int64{4, -1}, nil, []int64{4, 5}},
		{2, []int64{1}, []int64{1}, []int64{}, []int64{2}},
		{2, []int64{4}, []int64{4}, []int64{2, 2}, []int64{2, 2, 2}},
		{1, []int64{7, 4, 9}, []int64{-1, 4, -1}, []int64{-1, 2, 2, -1}, []int64{1, 7, 2, 2, 9}},
	} {
		p := &plan{config: &modelconfig.Config{}, batch: c.batch}
		if c.batch > 0 {
			p.config.MaxBatchSize = 8
		}
		if got := p.full(c.dims, c.declared, c.reshape); !reflect.DeepEqual(got, c.wants) {
			t.Errorf("%d: got %v, want %v", i, got, c.wants)
		}
	}
}

func TestAnnounce(t *testing.T) {
	p := &plan{config: &modelconfig.Config{MaxBatchSize: 8}, batch: 2}
	for i, c := range []struct {
		io   *modelconfig.IO
		own  []int64
		want []int64
	}{
		{&modelconfig.IO{Dims: []int64{4}}, []int64{-1, 4}, []int64{2, 4}},
		{&modelconfig.IO{Dims: []int64{4}}, []int64{2, 4}, []int64{2, 4}},
		{&modelconfig.IO{Dims: []int64{-1}}, []int64{-1, 4}, nil},
		{&modelconfig.IO{Dims: []int64{1 << 40}}, []int64{-1, -1}, nil}, // not the model's own word: nothing is set aside
		{&modelconfig.IO{Dims: []int64{4}}, nil, nil},
		{nil, []int64{-1, 4}, nil},
		{&modelconfig.IO{Dims: []int64{1}, Reshape: []int64{}}, []int64{-1}, []int64{2}},
	} {
		if got := p.announce(c.io, c.own); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%d: got %v, want %v", i, got, c.want)
		}
	}
	p.config.MaxBatchSize, p.batch = 0, 0
	if got := p.announce(&modelconfig.IO{Dims: []int64{4, 2}}, []int64{-1, 2}); got != nil {
		t.Errorf("without batches a variable first dimension is not known before: %v", got)
	}
}
