package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"

	"triton-gateway/internal/load"
)

// Gate hands jobs in at gateways over HTTP, in turn, and looks them up. It is safe for concurrent use.
type Gate struct {
	client *http.Client
	urls   []string // as http://host:port
	query  url.Values
	mu     sync.Mutex
	ids    []string // of what was accepted, in the order of the answers
}

// NewGate is for jobs of that model at these addresses.
func NewGate(model string, addresses ...string) *Gate {
	g := &Gate{query: url.Values{"model": {model}, "cache": {"no-store"}},
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true}}}
	for _, a := range addresses {
		g.urls = append(g.urls, "http://"+a)
	}
	return g
}

// Close lets idle connections go.
func (g *Gate) Close() { g.client.CloseIdleConnections() }

// IDs are those of the jobs that were accepted.
func (g *Gate) IDs() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.ids
}

// Submit is a load.Call that hands in one job. elements makes the size of the row: see row.
func (g *Gate) Submit(elements int) load.Call {
	return func(ctx context.Context, n int) (load.Verdict, string) {
		status, body, err := g.ask(ctx, http.MethodPost, g.urls[n%len(g.urls)]+"/v1/jobs?"+g.query.Encode(), row(n, elements))
		if err != nil {
			return load.Failed, err.Error()
		}
		var job struct{ ID string }
		if status != http.StatusAccepted || json.Unmarshal(body, &job) != nil || job.ID == "" {
			return load.Failed, fmt.Sprintf("%d %s", status, body)
		}
		g.mu.Lock()
		g.ids = append(g.ids, job.ID)
		g.mu.Unlock()
		return load.Answered, ""
	}
}

// Seen is a job as its caller sees it.
type Seen struct {
	ID       string
	State    string
	Attempts int
	Progress struct{ Done, Total int }
	Result   json.RawMessage
}

// Look gives the n-th job that was accepted, from one of the gateways. With wait it waits until the job is final, for at most a minute.
func (g *Gate) Look(ctx context.Context, n int, wait bool) (*Seen, error) {
	url := g.urls[n%len(g.urls)] + "/v1/jobs/" + g.IDs()[n]
	if wait {
		url += "?wait=60s"
	}
	status, body, err := g.ask(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	s := &Seen{}
	if err := json.Unmarshal(body, s); err != nil || status != http.StatusOK {
		return nil, fmt.Errorf("%d %s", status, body)
	}
	return s, nil
}

func (g *Gate) ask(ctx context.Context, method, url string, body []byte) (status int, answer []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := g.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(response.Body)
	return response.StatusCode, answer, err
}

// row is a KServe request of one FP32 input that differs for every n.
func row(n, elements int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"inputs":[{"name":"IN","datatype":"FP32","shape":[%d],"data":[%d`, elements, n)
	for i := 1; i < elements; i++ {
		fmt.Fprintf(&b, ",%d.5", i%10)
	}
	b.WriteString("]}]}")
	return b.Bytes()
}
