//go:build ignore

// Take the gateway's calls about finished jobs: WEBHOOK_SECRET=... go run examples/go/webhook.go :8443  (behind a proxy that ends TLS)
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// genuine says whether the gateway sent this, within the last five minutes.
func genuine(secret []byte, header string, body []byte, now time.Time) bool {
	parts := map[string]string{}
	for p := range strings.SplitSeq(header, ",") {
		name, value, _ := strings.Cut(p, "=")
		parts[name] = value
	}
	seconds, err := strconv.ParseInt(parts["t"], 10, 64)
	if err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > 5*time.Minute {
		return false
	}
	got, err := hex.DecodeString(parts["v1"])
	if err != nil {
		return false
	}
	mac := hmac.New(sha256.New, secret)
	fmt.Fprintf(mac, "%s.%s", parts["t"], body)
	return hmac.Equal(mac.Sum(nil), got)
}

func main() {
	secret := []byte(os.Getenv("WEBHOOK_SECRET"))
	http.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil || !genuine(secret, r.Header.Get("Webhook-Signature"), body, time.Now()) {
			http.Error(w, "not from the gateway", http.StatusForbidden)
			return
		}
		var job struct{ ID, State string }
		if err := json.Unmarshal(body, &job); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		fmt.Println(job.ID, job.State) // the same job may be told twice: take the second time for the first
		w.WriteHeader(http.StatusNoContent)
	})
	log.Fatal(http.ListenAndServe(os.Args[1], nil))
}
