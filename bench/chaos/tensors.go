package chaos

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"triton-gateway/tritonpb"
)

// tensorRow is a question of the model iris in tensors, and what Triton itself answers.
type tensorRow struct {
	request *tritonpb.ModelInferRequest
	want    []byte
}

// askTriton asks Triton directly, before anything is broken.
func askTriton(ctx context.Context, address string, count int) ([]tensorRow, error) {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	client := tritonpb.NewGRPCInferenceServiceClient(conn)
	rows := make([]tensorRow, count)
	for i := range rows {
		var raw bytes.Buffer
		for _, v := range []float32{4.3 + 0.1*float32(i), 3, 1 + 0.2*float32(i), 0.1 + 0.08*float32(i)} {
			_ = binary.Write(&raw, binary.LittleEndian, math.Float32bits(v))
		}
		rows[i].request = &tritonpb.ModelInferRequest{ModelName: "iris", RawInputContents: [][]byte{raw.Bytes()},
			Inputs: []*tritonpb.ModelInferRequest_InferInputTensor{{Name: "input", Datatype: "FP32", Shape: []int64{1, 4}}}}
		answer, err := client.ModelInfer(ctx, rows[i].request)
		if err != nil {
			return nil, fmt.Errorf("ask Triton itself: %w", err)
		}
		rows[i].want = answer.RawOutputContents[0]
	}
	return rows, nil
}

func (t *Traffic) tensor(ctx context.Context, row tensorRow) {
	if t.key != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "x-api-key", t.key)
	}
	end := t.begin("tensors")
	var trailer metadata.MD
	answer, err := t.grpc.ModelInfer(ctx, row.request, grpc.Trailer(&trailer))
	switch {
	case err != nil:
		end(judgeGRPC(ctx, err, trailer))
	case len(answer.RawOutputContents) != 1 || !bytes.Equal(answer.RawOutputContents[0], row.want):
		end(Wrong, "other tensors than Triton's own")
	default:
		end(Right, "")
	}
}
