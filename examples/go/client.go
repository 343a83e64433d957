//go:build ignore

// Ask a model about pictures: go run examples/go/client.go model_repository/shapes/golden/circle-1.png ...
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"
)

type answer struct {
	Predictions, Detections []struct {
		Label string
		Score float64
		Box   *struct{ X1, Y1, X2, Y2 float64 }
	}
}

type problem struct {
	Code, Detail string
	RequestID    string `json:"request_id"`
}

func infer(ctx context.Context, url, path string) (*answer, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/octet-stream")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		var p problem
		if err := json.NewDecoder(res.Body).Decode(&p); err != nil {
			return nil, fmt.Errorf("%s: %w", res.Status, err)
		}
		return nil, fmt.Errorf("%s: %s (request %s)", p.Code, p.Detail, p.RequestID)
	}
	fmt.Printf("%s: %s\n", path, res.Header.Get("Cache-Status"))
	var a answer
	return &a, json.NewDecoder(res.Body).Decode(&a)
}

func setting(name, fallback string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return fallback
}

func main() {
	url := setting("GATEWAY", "http://localhost:8080") + "/v1/models/" + setting("MODEL", "shapes") + "/infer"
	for _, path := range os.Args[1:] {
		ctx, cancel := context.WithTimeout(context.Background(), 35*time.Second)
		a, err := infer(ctx, url, path)
		cancel()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		for _, found := range append(a.Predictions, a.Detections...) {
			if fmt.Printf("  %.3f %s", found.Score, found.Label); found.Box != nil {
				fmt.Printf(" %.1f", *found.Box)
			}
			fmt.Println()
		}
	}
}
