package gateway

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"triton-gateway/gateway/rollout"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/parts"
	"triton-gateway/internal/tritontest"
	"triton-gateway/tensor"
	"triton-gateway/tritonpb"
)

// whichTriton is a server with versions 1 to 3 of the model m, of which the first is loaded. Each answers with its number.
func whichTriton(t *testing.T) *tritontest.Server {
	t.Helper()
	s := tritontest.New(t)
	config := &tritonpb.ModelConfig{Name: "m", MaxBatchSize: 4,
		Input:  []*tritonpb.ModelInput{{Name: "x", DataType: tritonpb.DataType_TYPE_INT32, Dims: []int64{1}}},
		Output: []*tritonpb.ModelOutput{{Name: "version", DataType: tritonpb.DataType_TYPE_INT32, Dims: []int64{1}}}}
	for i, v := range []string{"1", "2", "3"} {
		s.Model("m", func(_ context.Context, in []tensor.Tensor) ([]tensor.Tensor, error) {
			out := tensor.Tensor{Name: "version", DType: tensor.Int32, Shape: in[0].Shape, Data: make([]byte, len(in[0].Data))}
			for at := 0; at < len(out.Data); at += 4 {
				out.Data[at] = byte(i + 1)
			}
			return []tensor.Tensor{out}, nil
		}, tritontest.Version(v), tritontest.Config(config))
	}
	s.SetVersions("m", "1")
	return s
}

// switchRig is a whole gateway before some of them, whose store is a file, or a Redis where one is given.
func switchRig(t *testing.T, store string, servers ...*tritontest.Server) *routeRig {
	t.Helper()
	return newRouteRig(t, func(c *Config) {
		c.ModelRepository = ""
		for _, s := range servers {
			c.Triton.Endpoints = append(c.Triton.Endpoints, s.Addr())
		}
		if strings.HasPrefix(store, "redis:") {
			c.Cache.Redis, c.Cache.patience = Secret(store), time.Minute
		} else if store != "" {
			c.Jobs.Queue = Queue("sqlite:" + filepath.Join(store, "jobs.db"))
		}
	})
}

// version asks the model which version answers.
func (r *routeRig) version() string {
	r.Helper()
	_, body := r.want(200, "POST", r.public+"/v2/models/m/infer", typeJSON, `{"inputs":[{"name":"x","datatype":"INT32","shape":[1,1],"data":[7]}]}`)
	out := decode[struct {
		Version string `json:"model_version"`
		Outputs []struct{ Data []int }
	}](r.T, body)
	if len(out.Outputs) != 1 || string(rune('0'+out.Outputs[0].Data[0])) != out.Version {
		r.Fatalf("%s", body)
	}
	return out.Version
}

func (r *routeRig) switching(method, what, body string, status int) switchView {
	r.Helper()
	kind := ""
	if body != "" {
		kind = typeJSON
	}
	_, text := r.want(status, method, r.inside+"/v1/models/m/switch"+what, kind, body)
	if status >= 300 || text == "" {
		return switchView{}
	}
	return decode[switchView](r.T, text)
}

func TestSwitchOverTwoServers(t *testing.T) {
	a, b := whichTriton(t), whichTriton(t)
	r := switchRig(t, t.TempDir(), a, b)
	if v := r.switching("GET", "", "", 200); v.Phase != "none" || v.Serving != "1" || v.Kept != keptInFile {
		t.Errorf("%+v", v)
	}
	v := r.switching("POST", "", `{"to":"2"}`, 200)
	if v.Serving != "2" || v.Phase != "kept" || v.From != "1" || v.To != "2" || len(v.Replicas) != 2 || v.Until == nil || v.At == nil {
		t.Fatalf("%+v", v)
	}
	for _, rep := range v.Replicas {
		var steps []string
		for _, s := range rep.Steps {
			steps = append(steps, s.Step)
		}
		if got := strings.Join(steps, " "); got != "load ready warm_up verify" {
			t.Errorf("%s: %s", rep.Replica, got)
		}
	}
	if r.version() != "2" {
		t.Error("another version answers")
	}
	for _, s := range []*tritontest.Server{a, b} {
		calls := 0
		for _, c := range s.Recorded() {
			if c.Version == "2" && c.ID == "warm-up" {
				calls++
			}
		}
		if calls != 4 {
			t.Errorf("%d warm-up calls, not two at batch 1 and two at the largest", calls)
		}
	}
	if _, text := r.want(200, "GET", r.public+"/v1/models/m", "", ""); !strings.Contains(text, `"serving":"2"`) {
		t.Errorf("%s", text)
	}
	// A higher version that is loaded too changes nothing: the pin decides.
	if v = r.switching("POST", "/rollback", "", 200); v.Serving != "1" || r.version() != "1" {
		t.Errorf("%+v", v)
	}
	if v = r.switching("POST", "/settle", "", 200); v.Phase != "taken_back" {
		t.Errorf("%+v", v)
	}
	if got := a.Ready("m"); got != "1" {
		t.Errorf("loaded after it is settled: %s", got)
	}
	if v = r.switching("POST", "", `{"to":"3"}`, 200); v.Serving != "3" {
		t.Errorf("%+v", v)
	}
	r.switching("DELETE", "", "", 409)
	r.switching("POST", "/settle", "", 200)
	r.switching("DELETE", "", "", 204)
	if v := r.switching("GET", "", "", 200); v.Phase != "none" || v.Serving != "3" {
		t.Errorf("%+v", v)
	}
	_, text := r.want(200, "GET", r.inside+"/metrics", "", "")
	for _, line := range []string{`gateway_model_switches_total{model="m",outcome="switched"} 2`, `gateway_model_switches_total{model="m",outcome="rolled_back"} 1`,
		`gateway_model_switch_step_seconds_count{outcome="ok",step="load"} 4`} {
		if !strings.Contains(text, line) {
			t.Errorf("no %s", line)
		}
	}
}

func TestSwitchIsRefused(t *testing.T) {
	a, b := whichTriton(t), whichTriton(t)
	r := switchRig(t, "", a, b)
	for _, c := range []struct {
		method, what, body, code string
		status                   int
	}{
		{"POST", "", `{"to":"1"}`, "invalid_request", 400},
		{"POST", "", `{"to":"two"}`, "invalid_request", 422},
		{"POST", "", `{}`, "invalid_request", 422},
		{"POST", "/rollback", "", "conflict", 409},
		{"POST", "/settle", "", "conflict", 409},
		{"DELETE", "", "", "conflict", 409},
	} {
		kind := ""
		if c.body != "" {
			kind = typeJSON
		}
		res, text := r.send(c.method, r.inside+"/v1/models/m/switch"+c.what, kind, c.body)
		if res.StatusCode != c.status || !strings.Contains(text, c.code) {
			t.Errorf("%s %s %s: %d %s", c.method, c.what, c.body, res.StatusCode, text)
		}
	}
	for _, path := range []string{"", "/rollback", "/settle"} {
		if res, text := r.send("POST", r.inside+"/v1/models/none/switch"+path, typeJSON, `{"to":"2"}`); res.StatusCode != 404 {
			t.Errorf("%s of no model: %d %s", path, res.StatusCode, text)
		}
	}
	if res, _ := r.send("POST", r.public+"/v1/models/m/switch", typeJSON, `{"to":"2"}`); res.StatusCode != 403 {
		t.Errorf("on the public listener: %d", res.StatusCode)
	}
	// One that cannot load leaves all as it was.
	b.Fail(tritontest.Fault{Method: "RepositoryModelLoad", Code: 3, Text: "load failed for model 'm': no weights", Times: 1})
	res, text := r.send("POST", r.inside+"/v1/models/m/switch", typeJSON, `{"to":"2"}`)
	if res.StatusCode != 409 || !strings.Contains(text, "replica_failed") || !strings.Contains(text, "no weights") || !strings.Contains(text, b.Addr()) {
		t.Errorf("%d %s", res.StatusCode, text)
	}
	if r.version() != "1" || a.Ready("m") != "1" {
		t.Errorf("%s is loaded", a.Ready("m"))
	}
	if v := r.switching("GET", "", "", 200); v.Serving != "1" || v.Phase != "taken_back" || !strings.Contains(v.Reason, "cannot be made ready") {
		t.Errorf("%+v", v)
	}
	// Nothing was pinned before, and nothing is now: a higher version that comes serves, as it would have.
	for _, s := range []*tritontest.Server{a, b} {
		s.SetVersions("m", "2")
	}
	parts.Until(t, "the model server's choice serves", 20*time.Second, func() bool {
		_, text := r.want(200, "GET", r.public+"/v1/models/m", "", "")
		return strings.Contains(text, `"serving":"2"`)
	})
	if got := r.version(); got != "2" {
		t.Errorf("version %s", got)
	}
	r.switching("DELETE", "", "", 409) // it is not switched
	r.switching("POST", "", `{"to":"3"}`, 200)
	r.switching("POST", "/rollback", "", 200)
	r.switching("POST", "/settle", "", 200)
	r.switching("POST", "/rollback", "", 409) // nothing is kept: refused, and no failure
	r.switching("DELETE", "", "", 204)
	if v := r.switching("GET", "", "", 200); v.Serving != "2" { // and not 3, which was unloaded just now
		t.Errorf("%+v", v)
	}
	if _, text := r.want(200, "GET", r.inside+"/metrics", "", ""); strings.Contains(text, `outcome="rollback_failed"`) || !strings.Contains(text, `outcome="rolled_back"} 1`) {
		t.Errorf("a rollback that was refused counts as one that has failed: %s", regexp.MustCompile(`gateway_model_switches_total.*`).FindAllString(text, -1))
	}
}

// The next run of a gateway serves what the last one has switched to, and goes on with it, though another version is loaded too.
func TestSwitchOutlivesTheGateway(t *testing.T) {
	s, folder := whichTriton(t), t.TempDir()
	t.Run("one run", func(t *testing.T) {
		r := switchRig(t, folder, s)
		r.switching("POST", "", `{"to":"3"}`, 200)
		r.switching("POST", "/rollback", "", 200)
		r.switching("POST", "/settle", "", 200)
		if v := r.switching("POST", "", `{"to":"2"}`, 200); v.Phase != "kept" {
			t.Fatalf("%+v", v)
		}
	})
	s.SetVersions("m", "1", "2", "3")
	r := switchRig(t, folder, s)
	if r.version() != "2" {
		t.Error("the policy's version answers")
	}
	parts.Until(t, "the switch is this run's", time.Minute, func() bool {
		s := r.server.switches
		_, known := s.rollouts.State("m")
		s.mu.Lock()
		defer s.mu.Unlock()
		return known && !s.busy["m"]
	})
	if v := r.switching("POST", "/rollback", "", 200); v.Serving != "1" || r.version() != "1" {
		t.Errorf("%+v", v)
	}
}

// Two gateways share a Redis: both follow a flip, and either rolls back.
func TestTwoGatewaysSwitchTogether(t *testing.T) {
	s, store := whichTriton(t), parts.Redis(t).URL()
	one, two := switchRig(t, store, s), switchRig(t, store, s)
	if v := one.switching("POST", "", `{"to":"2"}`, 200); v.Serving != "2" || v.Kept != keptInRedis {
		t.Fatalf("%+v", v)
	}
	if got := two.version(); got != "2" {
		t.Errorf("the other gateway answers with version %s after the call", got)
	}
	if v := two.switching("GET", "", "", 200); v.Serving != "2" || v.Phase != "kept" {
		t.Errorf("%+v", v)
	}
	if v := two.switching("POST", "/rollback", "", 200); v.Serving != "1" {
		t.Errorf("%+v", v)
	}
	if got := one.version(); got != "1" {
		t.Errorf("the first gateway answers with version %s", got)
	}
	if _, known := one.server.switches.rollouts.State("m"); known {
		t.Error("two gateways work on it")
	}
}

// A server that restarts comes back with what its own files say: it gets no call before it has what serves.
func TestAServerThatComesBackIsCaughtUp(t *testing.T) {
	a, b := whichTriton(t), whichTriton(t)
	r := switchRig(t, t.TempDir(), a, b)
	r.switching("POST", "", `{"to":"2"}`, 200)
	r.switching("POST", "/settle", "", 200)
	b.Kill()
	for range 20 {
		if got := r.version(); got != "2" {
			t.Fatalf("version %s", got)
		}
	}
	b.SetVersions("m", "1")
	b.Start()
	taking := func() int { return len(r.server.switches.client.Taking()) }
	parts.Until(t, "it takes traffic", time.Minute, func() bool {
		if got := r.version(); got != "2" {
			t.Fatalf("version %s", got)
		}
		return taking() == 2
	})
	if got := b.Ready("m"); got != "2" {
		t.Errorf("it is back with %s loaded", got)
	}
	warm := false
	for _, c := range b.Recorded() {
		warm = warm || c.Version == "2" && c.ID == "warm-up"
	}
	if !warm {
		t.Error("it was not warmed up")
	}
	// One that loses the version without a restart is taken out, and brought back.
	b.SetVersions("m", "1")
	parts.Until(t, "it has the version again", time.Minute, func() bool {
		if got := r.version(); got != "2" {
			t.Fatalf("version %s", got)
		}
		return taking() == 2 && b.Ready("m") == "2"
	})
}

// Models that were never switched are warmed up after a reload, on the server that has made it.
func TestAReloadIsWarmedUp(t *testing.T) {
	a, b := whichTriton(t), whichTriton(t)
	r := switchRig(t, "", a, b)
	warm := func(s *tritontest.Server) (n int) {
		for _, c := range s.Recorded() {
			if c.ID == "warm-up" {
				n++
			}
		}
		return n
	}
	parts.Until(t, "both were looked at", time.Minute, func() bool {
		w := &r.server.switches.warm
		w.mu.Lock()
		defer w.mu.Unlock()
		return len(w.seen) == 2
	})
	for range 30 { // a load that nobody has called looks like any other
		r.version()
	}
	// One that a busy machine lets answer no probe is taken out of service, and warmed up when it is back.
	stayed := func(i int) bool { return r.server.switches.client.Endpoints()[i].Ejected == 0 }
	if n := warm(a) + warm(b); n != 0 && stayed(0) && stayed(1) {
		t.Error("calls for what was loaded before")
	}
	before := warm(a)
	a.Reload("m")
	parts.Until(t, "it is warmed up", time.Minute, func() bool { n := warm(a) - before; return n == 4 || n > 4 && !stayed(0) })
	if warm(b) != 0 && stayed(1) {
		t.Error("calls for the other one")
	}
}

// The embedded engine switches between versions that its policy has loaded, and says what to do about others.
func TestSwitchOfTheEmbeddedEngine(t *testing.T) {
	repository := t.TempDir()
	if err := os.CopyFS(filepath.Join(repository, "m"), os.DirFS(filepath.Join(parts.Root(t), "model_repository", "shapes"))); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(repository, "m", "config.pbtxt")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, []byte(strings.Replace(string(text), `name: "shapes"`, "", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	r := newRouteRig(t, func(c *Config) { c.ModelRepository = repository })
	picture, err := os.ReadFile(filepath.Join(repository, "m", "golden", "circle-1.png"))
	if err != nil {
		t.Fatal(err)
	}
	ask := func() (version, tag string) {
		t.Helper()
		res, text := r.want(200, "POST", r.public+"/v1/models/m/infer", "image/png", string(picture))
		return decode[struct{ Version string }](t, text).Version, res.Header.Get("ETag")
	}
	version, tag := ask()
	if version != "2" {
		t.Fatalf("version %s", version)
	}
	if v := r.switching("POST", "", `{"to":"1"}`, 200); v.Serving != "1" || len(v.Replicas) != 1 || v.Replicas[0].Replica != "embedded" {
		t.Fatalf("%+v", v)
	}
	if now, other := ask(); now != "1" || other == tag {
		t.Errorf("version %s, tag %s as before", now, other)
	}
	if v := r.switching("POST", "/rollback", "", 200); v.Serving != "2" {
		t.Errorf("%+v", v)
	}
	if now, again := ask(); now != "2" || again != tag {
		t.Errorf("version %s, tag %s, not %s", now, again, tag)
	}
	if _, text := r.want(415, "POST", r.inside+"/v1/models/m/switch", typeJSON, `{"to":"7"}`); !strings.Contains(text, "version_policy") {
		t.Errorf("%s", text)
	}
}

func TestWhereAnOpenSwitchGoes(t *testing.T) {
	for _, c := range []struct {
		phase rollout.Phase
		pin   string
		want  rollout.Way
	}{{rollout.Loading, "1", rollout.Finish}, {rollout.Flipping, "1", rollout.TakeBack}, {rollout.Flipping, "2", rollout.Finish}, {rollout.Kept, "2", rollout.Finish}, {rollout.TakingBack, "1", rollout.TakeBack}} {
		r := switchRecord{Pin: c.pin, State: rollout.State{Model: "m", From: "1", To: "2", Phase: c.phase}}
		if got := wayOf(&r); got != c.want || !r.open() {
			t.Errorf("%s, version %s serves: %v", c.phase, c.pin, got)
		}
	}
}

// mapRecords is a store in memory that another gateway writes to between a look and a change.
type mapRecords struct {
	value  []byte
	before func()
}

func (m *mapRecords) Load(context.Context, string) ([]byte, error) { return m.value, nil }

func (m *mapRecords) Swap(_ context.Context, _ string, old, value []byte) (bool, error) {
	if m.before != nil {
		m.before()
	}
	if string(m.value) != string(old) {
		return false, nil
	}
	m.value = value
	return true, nil
}

func TestTheStoreOfSwitches(t *testing.T) {
	m := &mapRecords{}
	s := switchStore{m}
	pin := func(v string) func(*switchRecord) error { return func(r *switchRecord) error { r.Pin = v; return nil } }
	if _, err := s.change(t.Context(), "a", pin("1")); err != nil {
		t.Fatal(err)
	}
	times := 0
	m.before = func() {
		if times++; times == 1 { // another gateway is faster
			m.value, _ = json.Marshal(map[string]switchRecord{"a": {Pin: "1"}, "b": {Pin: "5"}})
		}
	}
	if r, err := s.change(t.Context(), "a", pin("2")); err != nil || r.Pin != "2" || times != 2 {
		t.Errorf("%+v %v after %d tries", r, err, times)
	}
	if all, _, err := s.load(t.Context()); err != nil || all["a"].Pin != "2" || all["b"].Pin != "5" {
		t.Errorf("%+v %v", all, err)
	}
	if _, err := s.change(t.Context(), "b", pin("")); err != nil {
		t.Fatal(err)
	}
	if all, _, _ := s.load(t.Context()); len(all) != 1 {
		t.Errorf("%+v", all)
	}
	m.before = func() { m.value = append(m.value, ' ') }
	if _, err := s.change(t.Context(), "a", pin("3")); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("%v", err)
	}
	m.value = []byte("{")
	if _, _, err := s.load(t.Context()); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("%v", err)
	}
}
