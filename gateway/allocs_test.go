package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"triton-gateway/gateway/cache"
	"triton-gateway/gateway/pipeline"
)

// hitRunner is a pipeline whose every request is a hit: the digest is taken, as a real hit has to, and the stored bytes are handed out.
type hitRunner struct{ answer *pipeline.Answer }

func (h hitRunner) Run(_ context.Context, r *pipeline.Request) (*pipeline.Answer, error) {
	if r.Item.Image != nil {
		if sum := sha256.Sum256(r.Item.Image.Bytes); sum == [32]byte{} {
			return nil, io.EOF
		}
	}
	return h.answer, nil
}

func (h hitRunner) Cached(context.Context, *pipeline.Request, [32]byte) (*pipeline.Answer, error) {
	return h.answer, nil
}

func (h hitRunner) Admit(context.Context, string, string, int64) (func(), error) {
	return func() {}, nil
}

func (h hitRunner) Decodable(context.Context) error { return nil }

func hitRig(t testing.TB) *rig {
	r := newRig(t)
	r.server.runner = hitRunner{&pipeline.Answer{
		Body:      []byte(`{"id":"01JD8W3V5TQ6Z2M0F4K7N9R1AB","model":"shapes","version":"2","task":"image-classification","predictions":[{"label":"circle","index":0,"score":0.981}],"from_cache":`),
		FromCache: true, ETag: `W/"abc"`, Cache: cache.Outcome{Hit: true, Detail: "memory"}, Model: "shapes", Version: "2", Task: "image-classification", Reason: "policy"}}
	r.server.log = quietLog()
	r.bodies.limit = 64 << 20
	r.http = r.handler()
	return r
}

// sink is a ResponseWriter that costs nothing.
type sink struct {
	header http.Header
	status int
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) Write(b []byte) (int, error) { return len(b), nil }
func (s *sink) WriteHeader(status int)      { s.status = status }

// SetReadDeadline is found by http.ResponseController, as a real connection's is.
func (s *sink) SetReadDeadline(time.Time) error { return nil }

// replay is a request that can be sent again and again.
type replay struct {
	bytes.Reader
	request *http.Request
	body    []byte
}

func (r *replay) Close() error { return nil }

func newReplay(path, kind string, body []byte) *replay {
	r := &replay{body: body}
	r.request = httptest.NewRequest("POST", path, nil)
	r.request.Header.Set("Content-Type", kind)
	return r
}

func (r *replay) serve(h http.Handler, w *sink) {
	clear(w.header)
	r.Reset(r.body)
	r.request.Body, r.request.ContentLength = r, int64(len(r.body))
	h.ServeHTTP(w, r.request)
}

func formOf(picture []byte) (string, []byte) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, _ := w.CreateFormFile("image", "picture.jpg")
	_, _ = part.Write(picture)
	_ = w.Close()
	return w.FormDataContentType(), b.Bytes()
}

func TestHitAllocatesLittleWhateverTheSize(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection empties the pools
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))  // a pool holds one object for each processor
	r := hitRig(t)
	w := &sink{header: http.Header{}}
	for _, c := range []struct {
		name    string
		allowed float64
		request func(picture []byte) *replay
	}{
		{"raw", 40, func(p []byte) *replay { return newReplay("/v1/models/shapes/infer", "image/jpeg", p) }},
		{"form", 60, func(p []byte) *replay {
			kind, body := formOf(p)
			return newReplay("/v1/models/shapes/infer", kind, body)
		}},
	} {
		var counts, bytesPer []float64
		for _, size := range []int{4 << 10, 282 << 10, 4 << 20} {
			request := c.request(bytes.Repeat([]byte{0xff, 0xd8, 'x'}, size/3))
			request.serve(r.http, w) // makes the buffer
			if w.status != 200 {
				t.Fatal(c.name, w.status)
			}
			const runs = 50
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			counts = append(counts, testing.AllocsPerRun(runs, func() { request.serve(r.http, w) }))
			runtime.ReadMemStats(&after)
			bytesPer = append(bytesPer, float64(after.TotalAlloc-before.TotalAlloc)/(runs+1))
		}
		t.Logf("%s: allocations %v, bytes %v", c.name, counts, bytesPer)
		for i := range counts {
			if raceEnabled() {
				break // the detector drops pooled objects on purpose
			}
			if counts[i] > c.allowed || counts[i]-counts[0] > 2 {
				t.Errorf("%s: %v allocations", c.name, counts)
			}
			if bytesPer[i] > 16<<10 {
				t.Errorf("%s: %v bytes: the body is copied", c.name, bytesPer)
			}
		}
	}
}

// TestChainAllocatesLittle compares the whole chain with a bare handler (goal A3: at most 12 more).
func TestChainAllocatesLittle(t *testing.T) {
	r := hitRig(t)
	e := r.engine()
	e.GET("/x", r.handle(func(c *gin.Context) error { c.Writer.WriteHeader(204); return nil }))
	chained := r.chain(e)
	bare := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })
	request := httptest.NewRequest("GET", "/x", nil)
	w := &sink{header: http.Header{}}
	cost := func(h http.Handler) float64 {
		return testing.AllocsPerRun(200, func() { clear(w.header); h.ServeHTTP(w, request) })
	}
	more := cost(chained) - cost(bare)
	t.Logf("the chain costs %v allocations", more)
	if more > 12 && !raceEnabled() {
		t.Errorf("the chain costs %v allocations, at most 12 are allowed", more)
	}
}

// bareHandler is the limit: a pooled read, a digest, a fixed answer.
func bareHandler() http.Handler {
	pool := sync.Pool{New: func() any { b := make([]byte, 8<<20); return &b }}
	answer := []byte(`{"id":"01JD8W3V5TQ6Z2M0F4K7N9R1AB","model":"shapes","version":"2","predictions":[{"label":"circle","index":0,"score":0.981}],"from_cache":true}`)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b := pool.Get().(*[]byte)
		defer pool.Put(b)
		data := (*b)[:r.ContentLength]
		if _, err := io.ReadFull(r.Body, data); err != nil {
			http.Error(w, err.Error(), 400)
			return
		}
		if sum := sha256.Sum256(data); sum == [32]byte{} {
			http.Error(w, "", 500)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(answer)
	})
}

// BenchmarkReceive sends a picture of 282 KB over a real connection: bare, as the raw body, as a form, and as a form the usual way.
func BenchmarkReceive(b *testing.B) {
	picture := bytes.Repeat([]byte{0xff, 0xd8, 'x'}, 94<<10)
	kind, formBody := formOf(picture)
	gateway := hitRig(b).http
	usual := gin.New()
	usual.POST("/v1/models/shapes/infer", func(c *gin.Context) {
		file, err := c.FormFile("image")
		if err != nil {
			c.Status(400)
			return
		}
		f, _ := file.Open()
		data, _ := io.ReadAll(f)
		_ = f.Close()
		sum := sha256.Sum256(data)
		c.JSON(200, gin.H{"sum": sum[:4]})
	})
	for _, c := range []struct {
		name, kind string
		handler    http.Handler
		body       []byte
	}{
		{"bare", "image/jpeg", bareHandler(), picture}, {"raw", "image/jpeg", gateway, picture}, {"form", kind, gateway, formBody}, {"formfile", kind, usual, formBody},
	} {
		b.Run(c.name, func(b *testing.B) {
			server := httptest.NewServer(c.handler)
			defer server.Close()
			client := server.Client()
			b.SetBytes(int64(len(c.body)))
			b.ReportAllocs()
			for b.Loop() {
				res, err := client.Post(server.URL+"/v1/models/shapes/infer", c.kind, bytes.NewReader(c.body))
				if err != nil || res.StatusCode != 200 {
					b.Fatal(err, res)
				}
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
			}
		})
	}
}

// processTime is the processor time of this process so far; other programs on the machine do not count.
func processTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkHandler leaves the network out: what the gateway adds to a body that is there.
func BenchmarkHandler(b *testing.B) {
	picture := bytes.Repeat([]byte{0xff, 0xd8, 'x'}, 94<<10)
	kind, formBody := formOf(picture)
	gateway := hitRig(b).http
	for _, c := range []struct {
		name, kind string
		handler    http.Handler
		body       []byte
	}{{"bare", "image/jpeg", bareHandler(), picture}, {"raw", "image/jpeg", gateway, picture}, {"form", kind, gateway, formBody}} {
		b.Run(c.name, func(b *testing.B) {
			request, w := newReplay("/v1/models/shapes/infer", c.kind, c.body), &sink{header: http.Header{}}
			b.ReportAllocs()
			before := processTime(b)
			for b.Loop() {
				request.serve(c.handler, w)
			}
			b.ReportMetric(float64((processTime(b)-before).Microseconds())/float64(b.N), "cpu-us/op")
		})
	}
}
