package chaos

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"triton-gateway/internal/load"
	"triton-gateway/internal/pause"
	"triton-gateway/tritonpb"
)

const (
	// ownTime is the longest that the gateway is told to let a request take.
	ownTime = 10 * time.Second
	// patience of callers is longer, so that one who waits in vain is told from one who is told.
	patience = ownTime + 5*time.Second
	// crowd is how many calls may be under way.
	crowd = 4000
)

// Traffic is a steady mix of calls: of ten, four for pictures that are known, two for new ones, two with tensors over gRPC, one that hands a job in and one
// that asks for a job.
type Traffic struct {
	*samples
	url      string
	pictures []picture
	rows     []tensorRow
	client   *http.Client
	conn     *grpc.ClientConn
	grpc     tritonpb.GRPCInferenceServiceClient
	jobs     *jobs
	key      string // by which the gateway knows the callers; "" where it asks for none
	run      string // makes comments and keys differ from those of other runs
}

// NewTraffic makes callers of a gateway.
func NewTraffic(r *Rig) (*Traffic, error) {
	conn, err := grpc.NewClient(r.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true}
	t := &Traffic{samples: newSamples(), url: "http://" + r.HTTP, pictures: r.pictures, rows: r.rows, client: &http.Client{Transport: transport},
		conn: conn, grpc: tritonpb.NewGRPCInferenceServiceClient(conn), run: fmt.Sprintf("%016x", rand.Uint64())}
	t.jobs, t.key = newJobs(t), r.key
	t.jobs.old, t.jobs.aged = slices.Clone(r.old), &r.aged
	return t, nil
}

// Close lets its connections go.
func (t *Traffic) Close() {
	t.client.CloseIdleConnections()
	_ = t.conn.Close()
}

// Start makes calls at a rate until the returned function ends that, and waits for those under way.
func (t *Traffic) Start(ctx context.Context, rate float64) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	over := make(chan struct{})
	t.samples.start = time.Now()
	go func() {
		defer close(over)
		load.Open(ctx, rate, 24*time.Hour, crowd, t.Call)
	}()
	return func() { cancel(); <-over }
}

// Call makes the nth call. What came of it is in Seen; for load it is answered.
func (t *Traffic) Call(ctx context.Context, n int) (load.Verdict, string) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	p := t.pictures[n/10%len(t.pictures)]
	switch n % 10 {
	case 0, 2, 5, 7:
		t.infer(ctx, "known picture", p, p.bytes)
	case 1, 6:
		t.infer(ctx, "new picture", p, p.fresh(fmt.Sprint(t.run, " ", n)))
	case 3, 8:
		t.tensor(ctx, t.rows[n/5%len(t.rows)])
	case 4:
		t.jobs.handIn(ctx, p, fmt.Sprint(t.run, "-", n))
	case 9:
		t.jobs.collect(ctx)
	}
	return load.Answered, ""
}

func (t *Traffic) infer(ctx context.Context, what string, p picture, body []byte) {
	end := t.begin(what)
	response, text, err := t.exchange(ctx, http.MethodPost, "/v1/models/shapes/infer", body, nil)
	switch {
	case err != nil:
		end(judgeBroken(err))
	case response.StatusCode != http.StatusOK:
		end(judgeHTTP(response, text))
	default:
		end(verdictOf(p.check(text)))
	}
}

func verdictOf(wrong string) (Verdict, string) {
	if wrong != "" {
		return Wrong, wrong
	}
	return Right, ""
}

// exchange sends a request and reads the whole answer.
func (t *Traffic) exchange(ctx context.Context, method, path string, body []byte, header http.Header) (*http.Response, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, t.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "image/png")
	}
	if t.key != "" {
		request.Header.Set("X-API-Key", t.key)
	}
	for k, v := range header {
		request.Header[k] = v
	}
	response, err := t.client.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response, text, err
}

// awaitCalm returns when nothing bad was seen for a while, or when the bound is over, and says how long after the mending the last bad call ended; less
// than 0 where there was no calm. Bad is what is not right, or takes longer than a second and than three times the p99 before.
func (t *Traffic) awaitCalm(ctx context.Context, broken, mended time.Duration, p Plan) time.Duration {
	limit := max(time.Second, 3*P99(between(t.Seen(), 0, broken), isRight))
	for ctx.Err() == nil {
		last, any := t.lastBad(mended, limit)
		if !any {
			last = mended
		}
		if t.now()-last > p.Calm {
			return last - mended
		}
		if t.now()-mended > p.Bound {
			break
		}
		pause.For(ctx, 50*time.Millisecond)
	}
	return -1
}
