package pipeline

import (
	"bytes"

	"triton-gateway/gateway/cache"
	"triton-gateway/internal/fault"
	"triton-gateway/tensor"
)

// resultLevel keeps finished documents: a hit costs no decode, no model, no encoding.
var resultLevel = level{
	key:     func(j *job) cache.Key { return j.resultKey },
	outcome: func(j *job) *cache.Outcome { return &j.result },
	pack:    func(j *job) []byte { return j.body },
	unpack: func(j *job, value []byte) error {
		if !bytes.HasPrefix(value, []byte(idPrefix)) {
			return fault.New(fault.Internal, "internal", "the cache gave back something that is not an answer")
		}
		j.body = value
		return nil
	},
}

// tensorLevel keeps raw outputs: another confidence or top_k runs postprocess alone.
var tensorLevel = level{
	key:     func(j *job) cache.Key { return j.tensorKey },
	outcome: func(j *job) *cache.Outcome { return &j.tensors },
	pack:    func(j *job) []byte { return tensor.Marshal(j.frame, j.outputs) },
	unpack: func(j *job, value []byte) (err error) {
		j.keep = true // only what the key names is ever stored
		if j.frame, j.outputs, err = tensor.Unmarshal(value); err != nil {
			return fault.New(fault.Internal, "internal", "the cache gave back something that is not tensors").Wrap(err)
		}
		return nil
	},
}
