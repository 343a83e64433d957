// Command tritonclient compares the CPU time that a call of a real Triton costs its client: the gateway's own client, which sends tensors without copying
// them, against the stock generated one. It exists because wall time on a shared machine says little about the client, and getrusage does.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"triton-gateway/gateway/backend"
	"triton-gateway/gateway/backend/triton"
	"triton-gateway/tensor"
	"triton-gateway/tritonpb"
)

// size is one tensor to send, FP32.
type size struct {
	name  string
	shape []int64
	calls int // per round
	goal  float64
}

var sizes = [...]size{
	{"602 KB (1x3x224x224 FP32)", []int64{1, 3, 224, 224}, 400, 0.87},
	{"4.9 MB (1x3x640x640 FP32)", []int64{1, 3, 640, 640}, 80, 0.72},
}

func main() {
	address := flag.String("triton", "localhost:8001", "gRPC `address` of a Triton that serves the model")
	model := flag.String("model", "noop", "a model with one FP32 input IN of dims [-1] and max_batch_size 0")
	rounds := flag.Int("rounds", 12, "rounds; each runs both clients, in alternating order")
	flag.Parse()
	if err := compare(*address, *model, *rounds, sizes[:]); err != nil {
		fmt.Fprintln(os.Stderr, "tritonclient:", err)
		os.Exit(1)
	}
}

// call makes one inference with a tensor.
type call func(context.Context, *tensor.Tensor) error

func compare(address, model string, rounds int, list []size) error {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	stock := stockClient(conn, model)
	client, err := triton.New(triton.Config{Endpoints: []string{address}}, triton.Deps{})
	if err != nil {
		return err
	}
	defer client.Close()
	ours := gatewayClient(client, model)
	fmt.Println("| tensor | stock client, CPU per call | this client, CPU per call | ratio, median of rounds (lowest - highest) | goal | wall stock / this |")
	fmt.Println("|---|---|---|---|---|---|")
	for i := range list {
		if err := row(&list[i], stock, ours, rounds); err != nil {
			return err
		}
	}
	return nil
}

func stockClient(conn *grpc.ClientConn, model string) call {
	service := tritonpb.NewGRPCInferenceServiceClient(conn)
	return func(ctx context.Context, t *tensor.Tensor) error {
		_, err := service.ModelInfer(ctx, &tritonpb.ModelInferRequest{ModelName: model, ModelVersion: "1",
			Inputs:           []*tritonpb.ModelInferRequest_InferInputTensor{{Name: t.Name, Datatype: t.DType.String(), Shape: t.Shape}},
			RawInputContents: [][]byte{t.Data}})
		return err
	}
}

func gatewayClient(client *triton.Client, model string) call {
	return func(ctx context.Context, t *tensor.Tensor) error {
		_, err := client.Infer(ctx, &backend.Request{Model: model, Version: "1", Inputs: []tensor.Tensor{*t}})
		return err
	}
}

func row(s *size, stock, ours call, rounds int) error {
	elements, err := tensor.Elements(s.shape)
	if err != nil {
		return err
	}
	t := &tensor.Tensor{Name: "IN", DType: tensor.FP32, Shape: []int64{elements}, Data: make([]byte, 4*elements)}
	for _, c := range []call{stock, ours} { // warm both up
		if _, err := measure(c, t, s.calls/4); err != nil {
			return err
		}
	}
	var a, b, wallA, wallB, ratios []float64
	for i := range rounds {
		first, second := stock, ours
		if i%2 == 1 {
			first, second = ours, stock
		}
		x, err := measure(first, t, s.calls)
		if err != nil {
			return err
		}
		y, err := measure(second, t, s.calls)
		if err != nil {
			return err
		}
		if i%2 == 1 {
			x, y = y, x
		}
		a, b = append(a, x.cpu), append(b, y.cpu)
		wallA, wallB = append(wallA, x.wall), append(wallB, y.wall)
		ratios = append(ratios, y.cpu/x.cpu)
	}
	fmt.Printf("| %s | %.0f us | %.0f us | %.2f (%.2f - %.2f) | %.2f | %.2f / %.2f ms |\n", s.name, median(a), median(b), median(ratios),
		slices.Min(ratios), slices.Max(ratios), s.goal, median(wallA)/1000, median(wallB)/1000)
	return nil
}

// cost is per call, in microseconds.
type cost struct{ cpu, wall float64 }

// measure makes calls one after the other. The CPU time is the whole process's, user and system, the garbage collector's included.
func measure(c call, t *tensor.Tensor, calls int) (cost, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	runtime.GC()
	start, used := time.Now(), cpu()
	for range calls {
		if err := c(ctx, t); err != nil {
			return cost{}, err
		}
	}
	runtime.GC() // what this client has left behind is its own cost
	n := float64(calls)
	return cost{float64((cpu() - used).Microseconds()) / n, float64(time.Since(start).Microseconds()) / n}, nil
}

func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func median(list []float64) float64 {
	s := slices.Sorted(slices.Values(list))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}
