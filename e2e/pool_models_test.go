package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// The state of a sequence lives in one Triton: each of its requests has to come to that one, whatever else goes on.
func TestPoolKeepsASequenceOnOneServer(t *testing.T) {
	servers := tritons(t, 2, "sum")
	g := pool(t, servers)
	var wait sync.WaitGroup
	for id := 1; id <= 8; id++ {
		wait.Go(func() {
			total := 0
			for step := range 12 {
				total += id * step
				body := fmt.Sprintf(`{"parameters":{"sequence_id":%d,"sequence_start":%t,"sequence_end":%t},"inputs":[{"name":"x","datatype":"INT32","shape":[1,1],"data":[%d]}]}`,
					id, step == 0, step == 11, id*step)
				r, err := try("POST", "http://"+g.HTTP+"/v2/models/sum/infer", "application/json", []byte(body))
				var out struct {
					Outputs []struct{ Data []int }
				}
				if err == nil {
					err = json.Unmarshal(r.body, &out)
				}
				if err != nil || r.status != http.StatusOK || len(out.Outputs) != 1 || out.Outputs[0].Data[0] != total {
					t.Errorf("sequence %d, step %d: want %d, got %d %s %v", id, step, total, r.status, r.body, err)
					return
				}
			}
		})
	}
	wait.Wait()
	for _, s := range servers {
		if inferences(t, s, "sum") == 0 {
			t.Errorf("the Triton at %s had no sequence", s.GRPC)
		}
	}
}

// A model is loaded and unloaded on every Triton by one call; where one of them cannot, the answer names it.
func TestPoolLoadsAModelOnEveryServer(t *testing.T) {
	servers := tritons(t, 2, "slow")
	g := pool(t, servers)
	ask := func(what string) reply {
		return do(t, "POST", "http://"+g.Admin+"/v2/repository/models/size/"+what, "application/json", []byte("{}"))
	}
	ready := func() (n int) {
		for _, s := range servers {
			if r, err := try("GET", "http://"+s.HTTP+"/v2/models/size/ready", "", nil); err == nil && r.status == http.StatusOK {
				n++
			}
		}
		return n
	}
	if r := do(t, "POST", "http://"+g.HTTP+"/v2/repository/models/size/load", "application/json", []byte("{}")); r.status != http.StatusForbidden || ready() != 0 {
		t.Errorf("a load on the public listener: %d %s", r.status, r.body)
	}
	if r := ask("load"); r.status != http.StatusOK || ready() != 2 {
		t.Fatalf("load: %d %s, ready on %d", r.status, r.body, ready())
	}
	eventually(t, "the gateway serves the model", func() bool {
		r, err := try("GET", "http://"+g.HTTP+"/v2/models/size/ready", "", nil)
		return err == nil && r.status == http.StatusOK
	})
	if r := ask("unload"); r.status != http.StatusOK {
		t.Errorf("unload: %d %s", r.status, r.body)
	}
	eventually(t, "it is gone from every Triton", func() bool { return ready() == 0 })
	servers[1].Kill()
	r := ask("load")
	if r.status < 400 || !strings.Contains(string(r.body), servers[1].GRPC) || ready() != 1 {
		t.Errorf("load with a Triton gone: %d %s, ready on %d", r.status, r.body, ready())
	}
}
