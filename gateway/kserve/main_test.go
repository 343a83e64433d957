package kserve

import (
	"testing"

	"go.uber.org/goleak"

	"triton-gateway/internal/parts"
)

// triton is a real Triton with small models of the Python backend: identity, noop, slow, stream, words.
var triton = parts.NewShared("gateway/backend/triton/testdata/repository")

func TestMain(m *testing.M) { goleak.VerifyTestMain(triton.Main(m)) }
