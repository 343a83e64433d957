package backend

import (
	"triton-gateway/internal/fault"
	"triton-gateway/modelconfig"
)

// Check refuses, in Triton's words, what the model's config says it would refuse, so that nothing bad is forwarded. The error is Invalid and
// names the input.
func Check(_ *modelconfig.Config, r *Request) error {
	for i := range r.Inputs {
		if err := r.Inputs[i].Validate(); err != nil {
			return fault.New(fault.Invalid, "invalid_request", "%v", err).At("inputs."+r.Inputs[i].Name, err.Error())
		}
	}
	return nil
}
