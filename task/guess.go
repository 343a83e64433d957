package task

import (
	"fmt"
	"slices"

	"triton-gateway/modelconfig"
)

// Guess makes a completed spec for a model without a task.yaml, from the shapes in its config. It is the last resort, and
// says so in its warnings. A picture in and one score per class out is taken for an image classifier; everything else,
// every kind of detection head above all, is raw: different heads share shapes, and a wrong one gives plausible nonsense.
// Tables are raw too, since nothing tells the columns' names.
func Guess(cfg *modelconfig.Config) (*Spec, []string) {
	raw := &Spec{Task: Raw}
	if cfg == nil {
		return raw, []string{"there is no task.yaml and no config; the model is served as raw tensors"}
	}
	const advice = "write a task.yaml beside config.pbtxt, or into its parameter \"task\""
	warnings := []string{fmt.Sprintf("model %q has no task.yaml; it is served as raw tensors; %s", cfg.Name, advice)}
	if len(cfg.Inputs) != 1 || len(cfg.Outputs) != 1 || cfg.Decoupled {
		return raw, warnings
	}
	spec := &Spec{Task: ImageClassification}
	c := completion{spec: spec, cfg: cfg}
	in, inOK := c.item(&cfg.Inputs[0], 3)
	out, outOK := c.item(&cfg.Outputs[0], 1)
	if !inOK || !outOK || out[0] < 2 || !slices.Contains(imageTypes(), cfg.Inputs[0].DType.String()) || !Scores(cfg.Outputs[0].DType) {
		return raw, warnings
	}
	if !slices.Contains([]int64{in[0], in[2]}, 3) && !slices.Contains([]int64{in[0], in[2]}, 1) {
		return raw, warnings
	}
	notes, err := spec.Complete(cfg)
	if err != nil {
		return raw, append(warnings, "a guess failed: "+err.Error())
	}
	guess := fmt.Sprintf("model %q has no task.yaml; its shapes look like an image classifier's, so it is served as one. Resize, scale, mean and "+
		"std are GUESSED and the scores may be wrong; %s", cfg.Name, advice)
	return spec, append([]string{guess}, notes...)
}
