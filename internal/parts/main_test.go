package parts

import (
	"testing"

	"go.uber.org/goleak"
)

// triton is the one that the tests which only read share.
var triton = NewShared("internal/parts/testdata/repository")

func TestMain(m *testing.M) { goleak.VerifyTestMain(triton.Main(m)) }
