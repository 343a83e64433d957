package hostile

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"
)

// Times are what a client has seen.
type Times struct {
	Took   []time.Duration
	Failed []string // what was not answered by 200
}

// Quantile is the time that this share of the answers needed at most.
func (t *Times) Quantile(q float64) time.Duration {
	if len(t.Took) == 0 {
		return 0
	}
	slices.Sort(t.Took)
	return t.Took[min(int(q*float64(len(t.Took))), len(t.Took)-1)]
}

// Healthy asks one picture after the other, each computed anew, with a rest between them, for so long.
func Healthy(ctx context.Context, url string, picture []byte, every, lasting time.Duration) *Times {
	transport := &http.Transport{}
	client := &http.Client{Transport: transport, Timeout: 2 * time.Minute}
	defer transport.CloseIdleConnections()
	out := &Times{}
	beat := time.NewTicker(every)
	defer beat.Stop()
	for end := time.Now().Add(lasting); time.Now().Before(end); {
		select {
		case <-beat.C:
		case <-ctx.Done():
			return out
		}
		start := time.Now()
		res, err := client.Post(url+"/v1/models/shapes/infer?cache=no-store", "image/png", bytes.NewReader(picture))
		if err != nil {
			out.Failed = append(out.Failed, err.Error())
			continue
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK {
			out.Failed = append(out.Failed, fmt.Sprintf("%d %.200s %v", res.StatusCode, body, err))
			continue
		}
		out.Took = append(out.Took, time.Since(start))
	}
	return out
}
