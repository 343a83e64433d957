package load

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"triton-gateway/internal/parts"
	"triton-gateway/internal/tritontest"
	"triton-gateway/tensor"
	"triton-gateway/tritonpb"
)

// fakeEnv holds what the child process shall be able to do, as "workers service address".
const fakeEnv = "TRITON_GATEWAY_FAKE"

// FakeModel is the model of a [Fake]: one FP32 input IN of any shape, one output OUT of one number.
const FakeModel = "work"

var fakeLine = regexp.MustCompile(`^fake triton at (\S+)$`)

// Fake starts a Triton of known capacity in a process of its own, so that it neither shares this one's scheduler nor ends with its test: so many workers
// that each take the service time for a call; calls beyond that wait, as many as there are. address "" picks a free port. The test binary
// starts itself again, so its package needs a test that calls [ServeFake]:
//
//	func TestFakeTriton(t *testing.T) { load.ServeFake(t) }
func Fake(tb testing.TB, workers int, service time.Duration, address string) (*parts.Process, string) {
	tb.Helper()
	if address == "" {
		address = parts.FreeAddr(tb)
	}
	process := parts.Start(tb, parts.Command{
		Path: os.Args[0], Args: []string{"-test.run=^TestFakeTriton$", "-test.timeout=1h"},
		Env:   append(os.Environ(), fmt.Sprintf("%s=%d %s %s", fakeEnv, workers, service, address)),
		Ready: func(line string) bool { return fakeLine.MatchString(line) },
	})
	return process, address
}

// ServeFake is the child's side of [Fake]; in any other process it skips the test.
func ServeFake(t *testing.T) {
	text, isChild := os.LookupEnv(fakeEnv)
	if !isChild {
		t.Skip("for the child process of other tests")
	}
	var workers int
	var took, address string
	if _, err := fmt.Sscan(text, &workers, &took, &address); err != nil {
		t.Fatalf("%s=%q: %v", fakeEnv, text, err)
	}
	service, err := time.ParseDuration(took)
	if err != nil {
		t.Fatal(err)
	}
	server := tritontest.New(t, tritontest.WithAddr(address))
	options := []tritontest.ModelOption{tritontest.Config(fakeConfig())}
	if workers > 0 {
		options = append(options, tritontest.Capacity(workers, service))
	}
	server.Model(FakeModel, one, options...)
	fmt.Printf("fake triton at %s\n", strings.TrimSpace(server.Addr()))
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	<-stop
}

func one(context.Context, []tensor.Tensor) ([]tensor.Tensor, error) {
	return []tensor.Tensor{{Name: "OUT", DType: tensor.FP32, Shape: []int64{1}, Data: make([]byte, 4)}}, nil
}

func fakeConfig() *tritonpb.ModelConfig {
	return &tritonpb.ModelConfig{Name: FakeModel, Backend: "fake",
		Input:  []*tritonpb.ModelInput{{Name: "IN", DataType: tritonpb.DataType_TYPE_FP32, Dims: []int64{-1}}},
		Output: []*tritonpb.ModelOutput{{Name: "OUT", DataType: tritonpb.DataType_TYPE_FP32, Dims: []int64{1}}}}
}
