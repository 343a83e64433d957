// Package modelconfig is a model's config.pbtxt in Go terms: parsed with Triton's own schema, meaning what it means in Triton.
// It is a leaf so that the embedded engine, the Triton client and the catalog read configs the same way.
package modelconfig

import "triton-gateway/tensor"

// Config is what the gateway uses of a model's configuration.
type Config struct {
	Name         string
	Platform     string
	Backend      string
	MaxBatchSize int // 0: the tensors' own first dimension is not a batch
	Inputs       []IO
	Outputs      []IO
	Policy       VersionPolicy
	Parameters   map[string]string // parameters { key value { string_value } }
	Instances    int               // sum of the instance groups' counts; 0 where none is given
	Decoupled    bool              // model_transaction_policy
	// ResponseCache says that Triton keeps this model's answers itself. It does not drop them when the model is reloaded.
	ResponseCache bool
	Ensemble      bool
	// Batcher is the batcher that Triton runs the model behind, by its field: dynamic_batching, sequence_batching or ensemble_scheduling; "" for none.
	Batcher string
	// PriorityLevels are those of dynamic_batching, 1 being the most urgent; 0: requests have no priorities. PriorityDefault is the level of a request that names none.
	PriorityLevels, PriorityDefault uint64

	Filename string // default_model_filename: the model's file inside a version folder; "" means the backend's own default
	// Digest is the SHA-256 of the config in a canonical form: it changes when the meaning does.
	Digest [32]byte

	// whole is the message that was read, in wire form, so that copies of a Config can share it: nobody writes to it.
	whole []byte
}

// Triton's batchers; see Config.Batcher.
const (
	DynamicBatching    = "dynamic_batching"
	SequenceBatching   = "sequence_batching"
	EnsembleScheduling = "ensemble_scheduling"
)

// IO is one input or output. Dims leave the batch dimension out where MaxBatchSize > 0; -1 is variable.
type IO struct {
	Name          string
	DType         tensor.DType
	Dims          []int64
	Reshape       []int64 // the shape that the model itself sees, where it differs; nil otherwise
	Format        string  // FORMAT_NONE, FORMAT_NHWC or FORMAT_NCHW; inputs only
	LabelFilename string  // outputs only
	Optional      bool    // inputs only
	ShapeTensor   bool    // its values are a shape; it has no batch dimension even where MaxBatchSize > 0
	NonLinear     bool    // its bytes are laid out in a way of the model's own, so that their number does not follow from the shape
}

// VersionPolicy says which of a model's version folders are served.
type VersionPolicy struct {
	All      bool    // every version
	Specific []int64 // just these, where not empty
	Latest   int     // the n highest; Triton's default is 1
}

// Input gives the input of that name, or nil.
func (c *Config) Input(name string) *IO { return find(c.Inputs, name) }

// Output gives the output of that name, or nil.
func (c *Config) Output(name string) *IO { return find(c.Outputs, name) }

func find(list []IO, name string) *IO {
	for i := range list {
		if list[i].Name == name {
			return &list[i]
		}
	}
	return nil
}
