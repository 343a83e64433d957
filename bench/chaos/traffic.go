package chaos

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"triton-gateway/internal/load"
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

// traffic is a steady mix of calls: of ten, four for pictures that are known, two for new ones, two with tensors over gRPC, one that hands a job in and one
// that asks for a job.
type traffic struct {
	*samples
	url      string
	pictures []picture
	rows     []tensorRow
	client   *http.Client
	conn     *grpc.ClientConn
	grpc     tritonpb.GRPCInferenceServiceClient
	jobs     *jobs
	run      string // makes comments and keys differ from those of other runs
}

func newTraffic(r *Rig) (*traffic, error) {
	conn, err := grpc.NewClient(r.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true}
	t := &traffic{samples: newSamples(), url: "http://" + r.HTTP, pictures: r.pictures, rows: r.rows, client: &http.Client{Transport: transport},
		conn: conn, grpc: tritonpb.NewGRPCInferenceServiceClient(conn), run: fmt.Sprintf("%016x", rand.Uint64())}
	t.jobs = newJobs(t)
	return t, nil
}

func (t *traffic) close() {
	t.client.CloseIdleConnections()
	_ = t.conn.Close()
}

// start makes calls at a rate until the returned function ends that, and waits for those under way.
func (t *traffic) start(ctx context.Context, rate float64) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	over := make(chan struct{})
	t.samples.start = time.Now()
	go func() {
		defer close(over)
		load.Open(ctx, rate, time.Hour, crowd, func(ctx context.Context, n int) (load.Verdict, string) {
			t.call(ctx, n)
			return load.Answered, ""
		})
	}()
	return func() { cancel(); <-over }
}

func (t *traffic) call(ctx context.Context, n int) {
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
}

func (t *traffic) infer(ctx context.Context, what string, p picture, body []byte) {
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
func (t *traffic) exchange(ctx context.Context, method, path string, body []byte, header http.Header) (*http.Response, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, t.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "image/png")
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
func (t *traffic) awaitCalm(ctx context.Context, broken, mended time.Duration, p Plan) time.Duration {
	limit := max(time.Second, 3*p99(between(t.seen(), 0, broken), isRight))
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
		sleep(ctx, 50*time.Millisecond)
	}
	return -1
}
