package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"triton-gateway/tritonpb"
)

// singles is how many requests, one after the other, make a median.
const singles = 1000

var totalTime = regexp.MustCompile(`total;dur=([0-9.]+)`)

// serverTime is the median of what the gateway itself says that a hit takes, from the end of the header to the answer, the body's reading and
// hashing included, with one request at a time.
func serverTime(ctx context.Context, t *target, p picture) (time.Duration, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", t.address)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	message, _ := t.message(p)
	reader := bufio.NewReader(conn)
	var took []time.Duration
	for i := range singles + 100 {
		if _, err := conn.Write(message); err != nil {
			return 0, err
		}
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			return 0, err
		}
		_, _ = io.Copy(io.Discard, response.Body)
		response.Body.Close()
		m := totalTime.FindStringSubmatch(response.Header.Get("Server-Timing"))
		if m == nil {
			return 0, fmt.Errorf("no total in Server-Timing %q", response.Header.Get("Server-Timing"))
		}
		ms, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			return 0, err
		}
		if i >= 100 { // the first ones warm up
			took = append(took, time.Duration(ms*float64(time.Millisecond)))
		}
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}

// bareTriton is what a call of the model costs Triton itself, by the stock client, one call at a time.
func bareTriton(ctx context.Context, f *field) (row, error) {
	conn, err := grpc.NewClient(f.triton.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return row{}, err
	}
	defer conn.Close()
	client := tritonpb.NewGRPCInferenceServiceClient(conn)
	request := &tritonpb.ModelInferRequest{ModelName: model,
		Inputs:           []*tritonpb.ModelInferRequest_InferInputTensor{{Name: "input", Datatype: "FP32", Shape: []int64{1, 3, 64, 64}}},
		RawInputContents: [][]byte{make([]byte, 4*3*64*64)}}
	var took []time.Duration
	before, err := cpuTime(f.triton.Pid())
	if err != nil {
		return row{}, err
	}
	began := time.Now()
	for range singles {
		start := time.Now()
		if _, err := client.ModelInfer(ctx, request); err != nil {
			return row{}, err
		}
		took = append(took, time.Since(start))
	}
	elapsed := time.Since(began)
	after, err := cpuTime(f.triton.Pid())
	if err != nil {
		return row{}, err
	}
	slices.Sort(took)
	return row{picture: picture{name: "tensor", data: make([]byte, 4*3*64*64)}, kind: "call", target: "limit: bare Triton (its own CPU)",
		figure: figure{rate: singles / elapsed.Seconds(), cpu: (after - before) / singles, p50: took[singles/2]}}, nil
}
