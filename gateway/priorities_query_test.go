package gateway

import (
	"context"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/priority"
)

// TestASocketNamesItsClassInTheQuery: as a browser has to; and the header says the same to others.
func TestASocketNamesItsClassInTheQuery(t *testing.T) {
	s := newSocketRig(t)
	ran := make(chan priority.Class, 1)
	s.runner.before = func(ctx context.Context, _ *pipeline.Request) (bool, error) {
		ran <- priority.From(ctx)
		return false, nil
	}
	for _, c := range []struct {
		query, header, tier string
		want                priority.Class
		effective           string
	}{
		{"", "", "", priority.Interactive, ""},
		{"?priority=realtime", "", "", priority.Realtime, "realtime"},
		{"?priority=batch&top_k=1", "", "", priority.Batch, "batch"},
		{"?%70riority=%62atch", "", "", priority.Batch, "batch"},
		{"", "batch", "", priority.Batch, "batch"},
		{"?priority=realtime", "realtime", "", priority.Realtime, "realtime"},
		{"?priority=realtime", "", "interactive", priority.Interactive, "interactive"}, // no more than the tier has
		{"?priority=batch", "", "interactive", priority.Batch, "batch"},
		{"", "", "batch", priority.Batch, ""},
	} {
		s.server.tiers = nil
		if most, ok := priority.Parse(c.tier); ok {
			s.server.tiers = ceilings{defaultTier: most}
		}
		header := map[string][]string{}
		if c.header != "" {
			header[headerPriority] = []string{c.header}
		}
		conn, res, err := websocket.Dial(t.Context(), s.url+socketPath+c.query, &websocket.DialOptions{HTTPHeader: header})
		if err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		if got := res.Header.Get(headerEffective); got != c.effective {
			t.Errorf("%+v: %s %q", c, headerEffective, got)
		}
		send(t, conn, websocket.MessageBinary, "x")
		if got := <-ran; got != c.want {
			t.Errorf("%+v: ran as %v", c, got)
		}
		hear(t, conn)
		_ = conn.CloseNow()
	}
}

func TestAStreamNamesItsClassInTheQuery(t *testing.T) {
	s := newStreamRig(t, nil)
	ran := make(chan priority.Class, 1)
	s.model.before = func(ctx context.Context, _ int) error {
		ran <- priority.From(ctx)
		return nil
	}
	for query, want := range map[string]priority.Class{"": priority.Interactive, "?priority=realtime": priority.Realtime, "?aggregate=true&priority=batch": priority.Batch} {
		res, body := s.do(t, "POST", "/v1/models/plain/stream"+query, typeJSON, inputs(1))
		if got := <-ran; res.StatusCode != 200 || got != want || (query != "") != (res.Header.Get(headerEffective) == want.String()) {
			t.Errorf("%q: %d, ran as %v, %v %s", query, res.StatusCode, got, res.Header, body)
		}
	}
}

func TestABadClassInTheQueryIsNamed(t *testing.T) {
	s := newSocketRig(t)
	upgrade := []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}
	for _, c := range []struct{ query, header, place, says string }{
		{"?priority=urgent", "", "query.priority", "realtime, interactive or batch"},
		{"?priority=", "", "query.priority", "realtime, interactive or batch"},
		{"?priority=Batch", "", "query.priority", "realtime, interactive or batch"},
		{"?priority=batch&priority=batch", "", "query.priority", "once"},
		{"?priority=" + strings.Repeat("x", 5000), "", "query.priority", "realtime, interactive or batch"},
		{"?priority=batch", "realtime", "query.priority", "write one of them"},
		{"?priority=batch", "urgent", "query.priority", "write one of them"},
		{"?priority=%zz", "", "query", "not decodable"},
		{"", "urgent", "header.X-Priority", "realtime, interactive or batch"},
	} {
		header := upgrade
		if c.header != "" {
			header = append([]string{headerPriority, c.header}, upgrade...)
		}
		for _, path := range []string{"GET /v1/models/shapes/ws", "GET /v1/models/shapes/versions/1/ws", "POST /v1/models/plain/stream"} {
			method, path, _ := strings.Cut(path, " ")
			p := checkProblem(t, s.rig, path+c.query, 400, "invalid_request", c.place, method, path+c.query, typeJSON, inputs(1), header...)
			if !strings.Contains(p.Detail, c.says) || len(p.Detail) > 1000 {
				t.Errorf("%s%s: %s", path, c.query, p.Detail)
			}
		}
	}
	if n := s.runner.count(); n != 0 {
		t.Errorf("%d frames reached the model", n)
	}
	// Where the query has other names, it says nothing of the class.
	checkProblem(t, s.rig, "infer", 400, "invalid_request", "query.priority", "POST", "/v1/models/shapes/infer?priority=batch", "image/png", string(picture(1)))
}

// FuzzClassInQuery: whatever the query is, it gives one class, or a fault at its place.
func FuzzClassInQuery(f *testing.F) {
	for _, raw := range []string{"", "priority=batch", "priority=batch&priority=batch", "%70riority=realtime", "priority", "a;b", "priority=%zz"} {
		f.Add(raw, "batch")
	}
	f.Fuzz(func(t *testing.T, raw, header string) {
		values, err := inQuery(raw, []string{header})
		if err != nil {
			return
		}
		if len(values) > 1 || len(values) == 1 && values[0] != header {
			t.Errorf("%q and %q give %q", raw, header, values)
		}
	})
}
