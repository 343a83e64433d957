package payload

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func settings(sink string) Config {
	return Config{Sink: sink, Sample: 1, Mode: All, Body: 1 << 10, Queue: 64, Bytes: 1 << 20, FileSize: 1 << 20, Files: 2, Source: "urn:test", Timeout: time.Minute}
}

func start(t *testing.T, c Config) *Log {
	t.Helper()
	l, err := New(c, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func pair(id string) Pair {
	at := time.Date(2027, 1, 2, 3, 4, 5, 6000, time.UTC)
	return Pair{ID: id, RequestID: "mine", Model: "shapes", Version: "2", Tenant: "a", Outcome: "done", Asked: at, Answered: at.Add(time.Second),
		Request: []byte(`{"row":{"x":1.50,"email":"me@example.com"}}`), Response: []byte(`{"predictions":[{"label":"<circle>"}]}`)}
}

func read(t *testing.T, path string) (list []map[string]any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(data) {
		var e map[string]any
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		list = append(list, e)
	}
	return list
}

// TestEvents: one line for each half, in CloudEvents' form with KServe's types, and both have the same id.
func TestEvents(t *testing.T) {
	path := filepath.Join(t.TempDir(), "logs", "payload.jsonl")
	c := settings(path)
	c.Namespace, c.Redact = "vision", []string{"E-Mail", "email"}
	l := start(t, c)
	l.Add(pair("r1"))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const common = `"source":"urn:test","type":"org.kubeflow.serving.inference.%","time":"2027-01-02T03:04:0@.000006Z","datacontenttype":"application/json",` +
		`"inferenceservicename":"shapes","namespace":"vision","component":"predictor","endpoint":"default","modelversion":"2","tenant":"a","requestid":"mine","outcome":"done","data":`
	line := func(kind, second, data string) string {
		return `{"specversion":"1.0","id":"r1",` + strings.NewReplacer("%", kind, "@", second).Replace(common) + data + "}\n"
	}
	want := line("request", "5", `{"row":{"email":"[redacted]","x":1.50}}`) + line("response", "6", `{"predictions":[{"label":"<circle>"}]}`)
	if string(data) != want {
		t.Errorf("got\n%s\nwant\n%s", data, want)
	}
	if f := l.Figures(); f.Written != 1 || f.Bytes != 0 || f.Waiting != 0 {
		t.Errorf("%+v", f)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others can read it: %v, %v", info.Mode(), err)
	}
}

func TestModes(t *testing.T) {
	failed := pair("r2")
	failed.Response, failed.Outcome = nil, "invalid_image"
	for mode, want := range map[Mode]string{All: "r1 request, r1 response, r2 request", Requests: "r1 request, r2 request", Responses: "r1 response"} {
		path := filepath.Join(t.TempDir(), "payload.jsonl")
		c := settings(path)
		c.Mode = mode
		l := start(t, c)
		l.Add(pair("r1"))
		l.Add(failed)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range read(t, path) {
			kind := e["type"].(string)
			got = append(got, e["id"].(string)+" "+kind[strings.LastIndexByte(kind, '.')+1:])
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s: %v, not %s", mode, got, want)
		}
	}
}

// TestSample: a share of the ids; the same id is always in it or never, and so are the items of one call.
func TestSample(t *testing.T) {
	c := settings(filepath.Join(t.TempDir(), "p"))
	for share, want := range map[float64][2]int{0: {0, 0}, 0.25: {2200, 2800}, 1: {10000, 10000}} {
		c.Sample = share
		l := start(t, c)
		n := 0
		for i := range 10000 {
			id := "request-" + strconv.Itoa(i)
			in := l.Sampled(id)
			if in {
				n++
			}
			if l.Sampled(id) != in || l.Sampled(id+".0") != in || l.Sampled(id+".17") != in {
				t.Fatalf("%s is in the sample at one time and not at another", id)
			}
		}
		if n < want[0] || n > want[1] {
			t.Errorf("%v: %d of 10000", share, n)
		}
		if allocs := testing.AllocsPerRun(100, func() { l.Sampled("request-1.2") }); allocs != 0 {
			t.Errorf("asking costs %v allocations", allocs)
		}
	}
}

// TestTooLarge: what is larger than a half may be is told by its digest; JSON is never cut.
func TestTooLarge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "payload.jsonl")
	c := settings(path)
	c.Body = 64
	l := start(t, c)
	p := pair("r1")
	p.Request = []byte(`{"row":{"x":"` + strings.Repeat("y", 64) + `"}}`)
	l.Add(p)
	_ = l.Close()
	list := read(t, path)
	d := DigestOf(p.Request)
	got, _ := list[0]["data"].(map[string]any)["too_large"].(map[string]any)
	if len(list) != 2 || got["sha256"] != d.SHA256 || got["bytes"] != float64(len(p.Request)) {
		t.Errorf("%v", list)
	}
}

// TestPutAside: files of a size, so many and no more, and no line is lost or torn between them.
func TestPutAside(t *testing.T) {
	for _, keep := range []int{0, 2} {
		path := filepath.Join(t.TempDir(), "payload.jsonl")
		c := settings(path)
		c.FileSize, c.Files, c.Queue = 4<<10, keep, 100
		l := start(t, c)
		for i := range 20 {
			l.Add(pair(strconv.Itoa(i)))
		}
		_ = l.Close()
		found, _ := filepath.Glob(path + "*")
		if len(found) != keep+1 {
			t.Fatalf("keep %d: %v", keep, found)
		}
		var ids []string
		for i := keep; i >= 0; i-- {
			name := path
			if i > 0 {
				name += "." + strconv.Itoa(i)
			}
			if info, err := os.Stat(name); err != nil || info.Size() > 4<<10 {
				t.Errorf("%s: %v, %v", name, info, err)
			}
			for _, e := range read(t, name) {
				ids = append(ids, e["id"].(string))
			}
		}
		if ids[len(ids)-1] != "19" || !slices.IsSortedFunc(ids, func(a, b string) int { x, _ := strconv.Atoi(a); y, _ := strconv.Atoi(b); return x - y }) || len(ids)%2 != 0 {
			t.Errorf("keep %d: %v", keep, ids)
		}
	}
}

// TestFullDevice: a disk that is full never fails a request; what is lost is counted.
func TestFullDevice(t *testing.T) {
	l := start(t, settings("/dev/full"))
	for range 10 {
		l.Add(pair("r"))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if f := l.Figures(); f.Dropped["sink_failed"] != 10 || f.Written != 0 || f.Bytes != 0 {
		t.Errorf("%+v", f)
	}
}

// TestBounds: pairs and bytes that wait are bounded, whoever adds.
func TestBounds(t *testing.T) {
	block := &blocked{begun: make(chan struct{}, 100), free: make(chan struct{})}
	l := &Log{Config: settings(""), queue: make(chan Pair, 4), stop: make(chan struct{}), sink: block, redact: newRedactor(nil), cancel: func() {}}
	l.workers.Go(func() { l.work(t.Context()) })
	l.Add(pair("first"))
	<-block.begun
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { l.Add(pair("next")) })
	}
	all.Wait()
	if f := l.Figures(); f.Dropped["queue_full"] != 16 || f.Waiting != 4 {
		t.Errorf("%+v", f)
	}
	l.Bytes = l.waiting.Load() + 10
	l.Add(pair("too many bytes"))
	if f := l.Figures(); f.Dropped["queue_bytes"] != 1 || f.Bytes != 5*int64(len(pair("").Request)+len(pair("").Response)+pairOverhead) {
		t.Errorf("%+v", f)
	}
	close(block.free)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l.Add(pair("late"))
	if f := l.Figures(); f.Written != 5 || f.Dropped["shutdown"] != 1 || f.Bytes != 0 {
		t.Errorf("%+v", f)
	}
}

func TestNotOpened(t *testing.T) {
	for sink, want := range map[string]string{t.TempDir(): "neither a file nor a device", "http://": "no URL with a host", "https://u:p@collector.test/": "user name or password"} {
		if _, err := New(settings(sink), slog.Default()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, not %s", sink, err, want)
		}
	}
}
