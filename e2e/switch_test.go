package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"triton-gateway/internal/parts"
)

// switched is one answer of the model which, and when it was asked for.
type switched struct {
	began, ended time.Time
	version      string
	cold         bool // the instance had not been called before
	err          error
}

// whichModels makes a repository with versions 1 to 4 of the model which: 4 takes its time to load, and 3 fails where broken is set.
func whichModels(t *testing.T, broken bool) string {
	t.Helper()
	repository := t.TempDir()
	source := filepath.Join(parts.Root(t), "e2e", "testdata", "switch", "which")
	write := func(path string, text []byte) {
		path = filepath.Join(repository, "which", path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, text, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	read := func(name string) []byte {
		text, err := os.ReadFile(filepath.Join(source, name))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	write("config.pbtxt", read("config.pbtxt"))
	for _, v := range []string{"1", "2", "3", "4"} {
		write(v+"/model.py", read("model.py"))
	}
	write("4/slow", []byte("3"))
	if broken {
		write("3/broken", nil)
	}
	return repository
}

// whichPool is three Tritons, of which the last cannot load version 3, and a gateway before them.
func whichPool(t *testing.T) ([]*parts.TritonServer, *parts.GatewayServer) {
	t.Helper()
	servers, faults := make([]*parts.TritonServer, 3), make([]error, 3)
	good, bad := whichModels(t, false), whichModels(t, true)
	var wait sync.WaitGroup
	for i := range servers {
		wait.Go(func() {
			repository := good
			if i == 2 {
				repository = bad
			}
			servers[i], faults[i] = parts.StartTriton(repository, parts.WithModels("which"))
		})
	}
	wait.Wait()
	for i, s := range servers {
		parts.Check(t, faults[i])
		t.Cleanup(func() { _ = s.Close() })
	}
	return servers, pool(t, servers)
}

const whichBody = `{"inputs":[{"name":"x","datatype":"FP32","shape":[1,1],"data":[1]}]}`

// whichCall asks for the version that serves. The answer's own words on its version have to be the model's.
func whichCall(g *parts.GatewayServer) (s switched) {
	s.began = time.Now()
	r, err := try("POST", "http://"+g.HTTP+"/v2/models/which/infer", "application/json", []byte(whichBody))
	s.ended, s.err = time.Now(), err
	var out struct {
		Version string `json:"model_version"`
		Outputs []struct {
			Name string
			Data []int
		}
	}
	switch {
	case err != nil:
	case r.status != http.StatusOK:
		s.err = fmt.Errorf("%d %s", r.status, r.body)
	default:
		s.err = json.Unmarshal(r.body, &out)
		says := map[string]int{}
		for _, o := range out.Outputs {
			if len(o.Data) == 1 {
				says[o.Name] = o.Data[0]
			}
		}
		s.cold = says["cold"] != 0
		if s.version = out.Version; s.err == nil && (len(says) != 2 || fmt.Sprint(says["version"]) != s.version) {
			s.err = fmt.Errorf("version %s ran as %s", fmt.Sprint(out.Outputs), s.version)
		}
	}
	return s
}

// whichLoad keeps some callers calling, until stop gives their answers in the order in which they were asked for. count is how many have come.
func whichLoad(g *parts.GatewayServer, callers int) (stop func() []switched, count *atomic.Int64) {
	count = new(atomic.Int64)
	ended := make(chan struct{})
	lists := make([][]switched, callers)
	var wait sync.WaitGroup
	for i := range lists {
		wait.Go(func() {
			for {
				select {
				case <-ended:
					return
				default:
					lists[i] = append(lists[i], whichCall(g))
					count.Add(1)
				}
			}
		})
	}
	return func() []switched {
		close(ended)
		wait.Wait()
		all := slices.Concat(lists...)
		slices.SortFunc(all, func(a, b switched) int { return a.began.Compare(b.began) })
		return all
	}, count
}

// askSwitch does something with the version of which, on the admin listener.
func askSwitch(t *testing.T, g *parts.GatewayServer, what, body string) (reply, time.Duration) {
	t.Helper()
	began := time.Now()
	r := do(t, "POST", "http://"+g.Admin+"/v1/models/which/switch"+what, "application/json", []byte(body))
	return r, time.Since(began)
}

func whichServes(t *testing.T, g *parts.GatewayServer) (serving, phase string) {
	t.Helper()
	var v struct{ Serving, Phase string }
	if r := do(t, "GET", "http://"+g.Admin+"/v1/models/which/switch", "", nil); json.Unmarshal(r.body, &v) != nil {
		t.Fatalf("%s", r.body)
	}
	return v.Serving, v.Phase
}

// flip is one switch: answers to requests that began after it have to be of the version. Until quiet is over nothing else was asked of the Tritons.
type flip struct {
	began, done, quiet time.Time
	version            string
}

func median(list []time.Duration) time.Duration {
	slices.Sort(list)
	return list[len(list)/2]
}

// unmixed checks that nothing failed, that no answer is of a version that did not serve when its request began, and that nobody meets a cold model from a switch on until the
// next one is asked for: a Triton that loads a version starts the others of the model anew. It gives the times of the first request after each switch, and of all.
func unmixed(t *testing.T, all []switched, flips []flip) (firsts, took []time.Duration) {
	t.Helper()
	wrong := 0
	for _, s := range all {
		took = append(took, s.ended.Sub(s.began))
		if s.err != nil {
			if wrong++; wrong < 5 {
				t.Errorf("a request failed: %v", s.err)
			}
			continue
		}
		may := []string{"1"} // before the first
		for _, f := range flips {
			switch {
			case !s.began.Before(f.done):
				may = []string{f.version}
			case s.ended.After(f.began):
				may = append(may, f.version)
			}
		}
		if !slices.Contains(may, s.version) {
			if wrong++; wrong < 5 {
				t.Errorf("version %s answered a request for which only %v may", s.version, may)
			}
		}
		if s.cold && slices.ContainsFunc(flips, func(f flip) bool { return !s.began.Before(f.done) && s.ended.Before(f.quiet) }) {
			if wrong++; wrong < 5 {
				t.Errorf("a request met version %s cold", s.version)
			}
		}
	}
	for _, f := range flips {
		if at := slices.IndexFunc(all, func(s switched) bool { return !s.began.Before(f.done) }); at >= 0 {
			firsts = append(firsts, all[at].ended.Sub(all[at].began))
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d requests failed, or were answered by the wrong version or a cold one", wrong, len(all))
	}
	return firsts, took
}

// A model is switched over three Tritons under load: nothing fails, nothing is mixed, and nobody waits for a cold model.
func TestSwitchUnderLoad(t *testing.T) {
	servers, g := whichPool(t)
	times := 2
	if os.Getenv(longEnv) == "1" {
		times = 20
	}
	stop, count := whichLoad(g, 4)
	var flips []flip
	var switching []time.Duration
	to := func(version, what, body string) time.Duration {
		t.Helper()
		f := flip{began: time.Now(), version: version}
		r, took := askSwitch(t, g, what, body)
		f.done = time.Now()
		if r.status != http.StatusOK {
			t.Fatalf("to version %s: %d %s", version, r.status, r.body)
		}
		before := count.Load()
		eventually(t, "each of the Tritons has answered some", func() bool { return count.Load() > before+40 })
		f.quiet = time.Now()
		if what == "/rollback" {
			f.quiet = f.done // the other version is taken away behind it
		}
		flips = append(flips, f)
		return took
	}
	for i := range times {
		version := fmt.Sprint(2 - i%2)
		switching = append(switching, to(version, "", `{"to":"`+version+`"}`))
		if serving, phase := whichServes(t, g); serving != version || phase != "kept" {
			t.Errorf("version %s serves, %s", serving, phase)
		}
	}
	// One of the three cannot load version 3: all stays as it was.
	last := flips[len(flips)-1].version
	refused, _ := askSwitch(t, g, "", `{"to":"3"}`)
	if serving, _ := whichServes(t, g); refused.status != http.StatusConflict || serving != last || !strings.Contains(string(refused.body), "no weights") || !strings.Contains(string(refused.body), servers[2].GRPC) {
		t.Errorf("%d, version %s serves: %s", refused.status, serving, refused.body)
	}
	// One call goes there, and one call comes back.
	other := fmt.Sprint(3 - int(last[0]-'0'))
	to(other, "", `{"to":"`+other+`"}`)
	back := to(last, "/rollback", "")
	all := stop()
	firsts, took := unmixed(t, all, flips)
	most := slices.Max(took)
	usual := median(took)
	bound := usual * 3 / 2
	above := func(list []time.Duration) (percent float64) {
		for _, d := range list {
			if d > bound {
				percent += 100 / float64(len(list))
			}
		}
		return percent
	}
	t.Logf("%d switches, median %v; rollback %v; %d requests, median %v, max %v; first request after a switch: median %v, max %v; %.0f %% of those are above 1.5 times a usual one, and %.0f %% of all",
		times, median(switching).Round(time.Millisecond), back.Round(time.Millisecond), len(all), usual, most, median(firsts), slices.Max(firsts), above(firsts), above(took))
	if first := median(firsts); os.Getenv(longEnv) == "1" && first > bound { // what two switches take beside other tests says nothing
		t.Errorf("the first request after a switch takes %v, and a usual one %v", first, usual)
	}
}

// A Triton dies while a version is being loaded; what it comes back with is not what serves.
func TestSwitchLosesAServer(t *testing.T) {
	const callers = 4
	servers, g := whichPool(t)
	if r, _ := askSwitch(t, g, "", `{"to":"2"}`); r.status != http.StatusOK {
		t.Fatalf("%d %s", r.status, r.body)
	}
	if r, _ := askSwitch(t, g, "/settle", ""); r.status != http.StatusOK {
		t.Fatalf("%d %s", r.status, r.body)
	}
	stop, _ := whichLoad(g, callers)
	answered := make(chan reply, 1)
	go func() {
		r, _ := try("POST", "http://"+g.Admin+"/v1/models/which/switch", "application/json", []byte(`{"to":"4"}`)) // whose loading takes seconds
		answered <- r
	}()
	eventually(t, "version 4 is being loaded", func() bool {
		if len(answered) > 0 {
			t.Fatalf("it has ended: %s", (<-answered).body)
		}
		r, err := client.Post("http://"+servers[1].HTTP+"/v2/repository/index", "application/json", strings.NewReader("{}"))
		if err != nil {
			return false
		}
		defer r.Body.Close()
		index, err := io.ReadAll(r.Body)
		return err == nil && strings.Contains(string(index), "LOADING")
	})
	servers[1].Kill()
	r := <-answered
	done := time.Now()
	serving, _ := whichServes(t, g)
	switch {
	case r.status == http.StatusConflict && serving == "2" && strings.Contains(string(r.body), servers[1].GRPC):
	case r.status == http.StatusOK && serving == "4" && !strings.Contains(string(r.body), servers[1].GRPC): // it was out of the pool before, on a machine that stood still
	default:
		t.Errorf("%d, version %s serves: %s", r.status, serving, r.body)
	}
	becomes(t, g, 1, false)
	if err := servers[1].Restart(); err != nil {
		t.Fatal(err)
	}
	has := func(version string) bool {
		r, err := try("GET", "http://"+servers[1].HTTP+"/v2/models/which/versions/"+version+"/ready", "", nil)
		return err == nil && r.status == http.StatusOK
	}
	back := becomes(t, g, 1, true)
	if !has(serving) || serving == "2" && has("4") {
		t.Errorf("it is back in service with version 2 ready: %v, version 4: %v", has("2"), has("4"))
	}
	before := endpoints(t, g)[1].Calls.Count
	eventually(t, "it gets calls", func() bool { return endpoints(t, g)[1].Calls.Count > before+20 })
	all := stop()
	failed := 0
	for _, s := range all {
		if s.err != nil {
			failed++
			t.Log(s.err)
		} else if s.version != serving && (s.version != "2" || s.began.After(done)) {
			t.Fatalf("version %s answered", s.version)
		}
	}
	t.Logf("%d requests, %d failed; up to date and back after %v", len(all), failed, back)
	if failed > max(callers, len(all)/1000) {
		t.Errorf("%d of %d requests failed", failed, len(all))
	}
}
