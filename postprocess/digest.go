package postprocess

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"

	"triton-gateway/task"
)

// revision is part of every digest. Raise it when the same tensors begin to give another answer.
const revision = "postprocess 1\x00"

// digest names the task, how the outputs are read, and the labels. What options can set is left out: Canonical has it.
func digest(spec *task.Spec, labels []string) [32]byte {
	out := spec.Output
	out.TopK, out.MaxDetections, out.Confidence, out.IoU = 0, 0, nil, nil
	text, err := json.Marshal(struct {
		Task   task.Name
		Output task.Output
	}{spec.Task, out})
	if err != nil {
		panic("postprocess: a spec is always JSON: " + err.Error())
	}
	h := sha256.New()
	h.Write([]byte(revision))
	write := func(s []byte) {
		h.Write(binary.AppendUvarint(nil, uint64(len(s))))
		h.Write(s)
	}
	write(text)
	for _, label := range labels {
		write([]byte(label))
	}
	return [32]byte(h.Sum(nil))
}
