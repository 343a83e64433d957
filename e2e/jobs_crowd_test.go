package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"triton-gateway/e2e/history"
)

// work is something that can be handed in.
type work struct {
	name, kind, query string
	body              []byte
}

// crowd hands work in at a site, again and again until it is accepted, and asks for each job until it is done.
type crowd struct {
	t      *testing.T
	ctx    context.Context
	site   *site
	plan   plan
	works  []work
	over   chan struct{} // no more kills
	ids    sync.Map
	closed sync.Once
}

// newCrowd asks a gateway that nobody kills for the right answers.
func newCrowd(ctx context.Context, t *testing.T, s *site, p plan) *crowd {
	t.Helper()
	c := &crowd{t: t, ctx: ctx, site: s, plan: p, over: make(chan struct{})}
	var pictures [][]byte
	for _, name := range []string{"circle-1.png", "square-1.png", "star-2.png", "triangle-1.png"} {
		pictures = append(pictures, picture(t, name))
		c.works = append(c.works, work{name: name, kind: "image/png", body: picture(t, name)})
	}
	for i := range 8 { // computed each time
		d := drawn(i)
		pictures = append(pictures, d)
		c.works = append(c.works, work{name: fmt.Sprint("drawn ", i), kind: "image/png", query: "cache=no-store", body: d})
	}
	for i := range 3 {
		list := make([]string, p.list)
		for n := range list {
			list[n] = `{"base64":"` + base64.StdEncoding.EncodeToString(pictures[(i+n)%len(pictures)]) + `"}`
		}
		c.works = append(c.works, work{name: fmt.Sprint("several ", i), kind: "application/json", query: "cache=no-store", body: []byte(`{"images":[` + strings.Join(list, ",") + `]}`)})
	}
	reference := start(t)
	expected := map[string]string{}
	for _, w := range c.works {
		r := do(t, "POST", reference.URL+"/v1/models/shapes/infer?top_k=2&"+w.query, w.kind, w.body)
		if r.status != http.StatusOK {
			t.Fatalf("%s: %d %s", w.name, r.status, r.body)
		}
		expected[w.name] = plainAnswer(r.body)
	}
	s.history.Expected = expected
	return c
}

// drawn is a small picture that is like no other.
func drawn(seed int) []byte {
	m := image.NewRGBA(image.Rect(0, 0, 64, 64))
	for i := range m.Pix {
		m.Pix[i] = uint8(i*(seed+3)>>3) | 3
	}
	m.Set(seed%64, seed/64, color.White)
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// plainAnswer is an answer without what differs between two computations of the same: ids, and the last digits.
func plainAnswer(document []byte) string {
	var v any
	if err := json.Unmarshal(document, &v); err != nil {
		return "no JSON: " + err.Error()
	}
	return mustJSON(plainValue(v))
}

func plainValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		delete(v, "id")
		delete(v, "from_cache")
		for k := range v {
			v[k] = plainValue(v[k])
		}
	case []any:
		for i := range v {
			v[i] = plainValue(v[i])
		}
	case float64:
		return math.Round(v*1000) / 1000
	}
	return v
}

// run hands work in until there are enough jobs and the killing is over, and returns when all jobs are done.
func (c *crowd) run() {
	places := make(chan struct{}, c.plan.most) // with more jobs at a time, the test would measure how fast the machine is
	random := rand.New(rand.NewPCG(c.plan.seed, 3))
	tick := time.NewTicker(c.plan.every)
	defer tick.Stop()
	var all sync.WaitGroup
	defer all.Wait()
	for n := 0; ; n++ {
		if n >= c.plan.jobs {
			select {
			case <-c.over:
				return
			default:
			}
		}
		select {
		case <-tick.C:
		case <-c.ctx.Done():
			return
		}
		select {
		case places <- struct{}{}:
		case <-c.ctx.Done():
			return
		}
		w, at := c.works[random.IntN(len(c.works))], random.IntN(len(c.site.urls))
		all.Go(func() {
			defer func() { <-places }()
			if id := c.handIn(w, fmt.Sprint("job ", n), at); id != "" {
				c.watch(id)
			}
		})
	}
}

// enough ends the handing in once there are as many jobs as the plan wants.
func (c *crowd) enough() { c.closed.Do(func() { close(c.over) }) }

// handIn sends the same, with the same key, until it is accepted.
func (c *crowd) handIn(w work, key string, at int) string {
	for try := 0; ; try++ {
		id, err := c.ask(w, key, c.site.urls[(at+try)%len(c.site.urls)])
		if err == nil && id != "" {
			c.site.history.Submitted(history.Submission{Key: key, Input: w.name, ID: id, At: time.Now()})
			c.ids.Store(id, true)
			return id
		}
		if err != nil {
			c.t.Errorf("%s: %v", key, err)
			return ""
		}
		if c.ctx.Err() != nil {
			return ""
		}
		after(c.ctx, 50*time.Millisecond)
	}
}

// ask hands work in once. No id and no error: it may work another time.
func (c *crowd) ask(w work, key, url string) (id string, err error) {
	req, err := http.NewRequest("POST", url+"/v1/jobs?model=shapes&top_k=2&result_ttl=2h&"+w.query, bytes.NewReader(w.body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", w.kind)
	req.Header.Set("Idempotency-Key", key)
	status, body, failed := exchange(req)
	switch {
	case failed || status >= 500 || status == http.StatusTooManyRequests:
		return "", nil
	case status != http.StatusAccepted && status != http.StatusOK:
		return "", fmt.Errorf("%d %s", status, body)
	}
	var d struct{ ID string }
	if err := json.Unmarshal(body, &d); err != nil || d.ID == "" {
		return "", fmt.Errorf("%d %s", status, body)
	}
	return d.ID, nil
}
