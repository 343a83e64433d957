package e2e

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"triton-gateway/internal/parts"
)

func TestTritonAndTheEmbeddedEngineAgree(t *testing.T) {
	server := triton.Get(t)
	remote, local := start(t, "--triton", server.GRPC), start(t)
	for _, model := range imageModels {
		checkGoldens(t, remote, model)
		for file := range readGolden(t, model).Files {
			picture := readFile(t, "model_repository/"+model+"/golden/"+file)
			a, b := remote.infer(t, model, "", picture), local.infer(t, model, "", picture)
			if len(a.Predictions) != len(b.Predictions) || len(a.Detections) != len(b.Detections) || len(a.Predictions)+len(a.Detections) == 0 {
				t.Fatalf("%s: %s\n%s", file, a.body, b.body)
			}
			for i := range a.Predictions {
				if math.Abs(a.Predictions[i].Score-b.Predictions[i].Score) > 1e-4 {
					t.Errorf("%s: %+v on Triton, %+v on the embedded engine", file, a.Predictions[i], b.Predictions[i])
				}
			}
			for i := range a.Detections {
				if math.Abs(a.Detections[i].Score-b.Detections[i].Score) > 1e-4 || far(a.Detections[i], b.Detections[i]) > 0.01 {
					t.Errorf("%s: %+v on Triton, %+v on the embedded engine", file, a.Detections[i], b.Detections[i])
				}
			}
		}
	}
	checkIris(t, remote)
}

// inferences is how often Triton has run a model, by its own statistics.
func inferences(t *testing.T, server *parts.TritonServer, model string) (n int) {
	t.Helper()
	resp, err := client.Get("http://" + server.HTTP + "/v2/models/" + model + "/stats")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var stats struct {
		Models []struct {
			Count int `json:"inference_count"`
		} `json:"model_stats"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&stats); err != nil {
		t.Fatal(err)
	}
	for _, m := range stats.Models {
		n += m.Count
	}
	return n
}

func TestSimultaneousUploadsCostOneInference(t *testing.T) {
	server := triton.Get(t)
	g := start(t, "--triton", server.GRPC)
	picture := readFile(t, "model_repository/shapes-detector/golden/five-1.jpg")
	before := inferences(t, server, "shapes-detector")
	var wait sync.WaitGroup
	replies := make([]reply, 200)
	for i := range replies {
		wait.Go(func() {
			var err error
			if replies[i], err = try("POST", g.URL+"/v1/models/shapes-detector/infer", "image/jpeg", picture); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	computed := 0
	for i, r := range replies {
		if r.status != http.StatusOK || r.ID != replies[0].ID {
			t.Fatalf("upload %d: %d %s", i, r.status, r.body)
		}
		if !r.FromCache {
			computed++
		}
	}
	if n := inferences(t, server, "shapes-detector") - before; n != 1 || computed != 1 {
		t.Fatalf("Triton counts %d inferences, %d answers say that they were computed", n, computed)
	}
	for _, query := range []string{"", "confidence=0.9", "confidence=0.1&max_detections=2", "iou=0.1"} {
		if r := g.infer(t, "shapes-detector", query, picture); !r.FromCache {
			t.Errorf("?%s was not answered from the cache: %s", query, r.header.Get("Cache-Status"))
		}
	}
	g.infer(t, "shapes", "", picture)
	classified := inferences(t, server, "shapes")
	if r := g.infer(t, "shapes", "top_k=2", picture); !r.FromCache || len(r.Predictions) != 2 {
		t.Errorf("top_k=2: %s", r.body)
	}
	if n := inferences(t, server, "shapes-detector") - before; n != 1 || inferences(t, server, "shapes") != classified {
		t.Errorf("other options ran the model: %d inferences", n)
	}
}

// copyModel copies a demo model's folder.
func copyModel(t *testing.T, model, to string) {
	t.Helper()
	if err := os.CopyFS(filepath.Join(to, model), os.DirFS(filepath.Join(parts.Root(t), "model_repository", model))); err != nil {
		t.Fatal(err)
	}
}

// A model is reloaded under the same version number behind the gateway's back: version 1 of shapes gets version 2's weights. Beside it
// stands the same model with Triton's own response cache on, asked directly. The two seconds are held to in a long run; what is done in them is counted, not timed,
// by the tests of gateway/backend/triton and gateway/backend/embedded.
func TestNoStaleAnswerOutlivesTwoSeconds(t *testing.T) {
	repository := t.TempDir()
	copyModel(t, "shapes", repository)
	cacheInTriton(t, repository)
	server := parts.Triton(t, repository, parts.WithResponseCache(64<<20))
	remote, local := start(t, "--triton", server.GRPC, "--model-repository", repository), start(t, "--model-repository", repository)
	picture := readFile(t, "model_repository/shapes/golden/circle-1.png")
	type setup struct {
		name   string
		g      *gateway
		before reply
	}
	setups := []*setup{{name: "Triton", g: remote}, {name: "embedded", g: local}}
	for _, s := range setups {
		s.before = s.g.infer(t, "shapes", "version=1", picture)
		if r := s.g.infer(t, "shapes", "version=1", picture); !r.FromCache {
			t.Fatalf("%s: not cached: %s", s.name, r.header.Get("Cache-Status"))
		}
	}
	asked := tensorScores(t, server, "shapes", picture)
	kept := tensorScores(t, server, cachedInTriton, picture)
	if fmt.Sprint(asked) != fmt.Sprint(kept) {
		t.Fatalf("the two models differ from the start: %v, %v", asked, kept)
	}

	for _, model := range []string{"shapes", cachedInTriton} {
		replaceWeights(t, repository, model)
		if r := do(t, "POST", "http://"+server.HTTP+"/v2/repository/models/"+model+"/load", "application/json", []byte("{}")); r.status != http.StatusOK {
			t.Fatalf("reload %s: %d %s", model, r.status, r.body)
		}
	}
	reloaded := time.Now()
	fresh := map[string]float64{}
	for _, s := range setups {
		eventually(t, s.name+" answers from the new weights", func() bool {
			r := s.g.infer(t, "shapes", "version=1", picture)
			fresh[s.name] = r.Predictions[0].Score
			return r.ID != s.before.ID
		})
		if took := time.Since(reloaded); long() && took > 2*time.Second {
			t.Errorf("%s: the old answer was given for %v", s.name, took)
		}
		if math.Abs(fresh[s.name]-s.before.Predictions[0].Score) < 1e-4 {
			t.Errorf("%s: the new weights give the old score %v", s.name, fresh[s.name])
		}
	}
	if math.Abs(fresh["Triton"]-fresh["embedded"]) > 1e-4 {
		t.Errorf("after the reload: %v", fresh)
	}
	if now := tensorScores(t, server, "shapes", picture); fmt.Sprint(now) == fmt.Sprint(asked) {
		t.Error("Triton itself did not load the new weights: the test shows nothing")
	}
	if now := tensorScores(t, server, cachedInTriton, picture); fmt.Sprint(now) != fmt.Sprint(kept) {
		t.Errorf("Triton's own cache no longer serves old weights after a reload (%v, before %v): docs/decisions/0003 says that it does", now, kept)
	}
	if warned := do(t, "GET", remote.URL+"/v1/models/"+cachedInTriton, "", nil); !strings.Contains(string(warned.body), "response_cache") {
		t.Errorf("nothing warns of Triton's own cache: %s", warned.body)
	}
}

const cachedInTriton = "shapes-cached"

// cacheInTriton adds a copy of shapes for which Triton's own response cache is on.
func cacheInTriton(t *testing.T, repository string) {
	t.Helper()
	copyModel(t, "shapes", filepath.Join(repository, "tmp"))
	if err := os.Rename(filepath.Join(repository, "tmp", "shapes"), filepath.Join(repository, cachedInTriton)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(repository, "tmp")); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(repository, cachedInTriton, "config.pbtxt")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), `name: "shapes"`, `name: "`+cachedInTriton+`"`, 1) + "\nresponse_cache { enable: true }\n"
	if err := os.WriteFile(config, []byte(changed), 0o644); err != nil {
		t.Fatal(err)
	}
}

// replaceWeights puts version 2's weights in the place of version 1's, in one step as a careful person does.
func replaceWeights(t *testing.T, repository, model string) {
	t.Helper()
	weights, err := os.ReadFile(filepath.Join(repository, model, "2", "model.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	replaced := filepath.Join(repository, model, "1", "model.onnx")
	if err := os.WriteFile(replaced+".new", weights, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(replaced+".new", replaced); err != nil {
		t.Fatal(err)
	}
}

// tensorScores asks Triton itself for version 1's answer to a tensor made of the picture's bytes; what it means does not matter, only whether it changes.
func tensorScores(t *testing.T, server *parts.TritonServer, model string, picture []byte) []float64 {
	t.Helper()
	data := make([]float32, 3*64*64)
	for i := range data {
		data[i] = float32(picture[i%len(picture)]) / 255
	}
	body := fmt.Sprintf(`{"inputs":[{"name":"input","datatype":"FP32","shape":[1,3,64,64],"data":%s}]}`, mustJSON(data))
	r := do(t, "POST", "http://"+server.HTTP+"/v2/models/"+model+"/versions/1/infer", "application/json", []byte(body))
	var out struct {
		Outputs []struct{ Data []float64 }
	}
	if err := json.Unmarshal(r.body, &out); err != nil || len(out.Outputs) == 0 {
		t.Fatalf("%v: %s", err, r.body)
	}
	return out.Outputs[0].Data
}

func TestATritonThatDies(t *testing.T) {
	repository := t.TempDir()
	copyModel(t, "shapes", repository)
	server := parts.Triton(t, repository)
	g := start(t, "--triton", server.GRPC)
	picture := readFile(t, "model_repository/shapes/golden/circle-1.png")
	known := g.infer(t, "shapes", "", picture)
	server.Kill()
	other := readFile(t, "model_repository/shapes/golden/star-2.png")
	r := do(t, "POST", g.URL+"/v1/models/shapes/infer", "image/png", other)
	if r.status != http.StatusServiceUnavailable || r.Code != "backend_unavailable" || r.header.Get("Retry-After") == "" {
		t.Errorf("with Triton gone: %d %s, Retry-After %q", r.status, r.body, r.header.Get("Retry-After"))
	}
	if r := g.infer(t, "shapes", "", picture); r.ID != known.ID {
		t.Error("a known answer is not served while Triton is gone")
	}
	for _, path := range []string{"/", "/livez", "/docs", "/v1/models"} {
		if r := do(t, "GET", g.URL+path, "", nil); r.status != http.StatusOK {
			t.Errorf("GET %s: %d", path, r.status)
		}
	}
	eventually(t, "/readyz and /v1/stats say that Triton is away", func() bool {
		ready, err := try("GET", g.URL+"/readyz", "", nil)
		stats, other := try("GET", g.URL+"/v1/stats", "", nil)
		return err == nil && other == nil && ready.status == http.StatusServiceUnavailable && ready.Code == "backend_unavailable" &&
			strings.Contains(string(stats.body), `"ready":false,"reason":"connection refused or timed out"`)
	})
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the gateway recovers by itself", func() bool {
		r, err := try("POST", g.URL+"/v1/models/shapes/infer", "image/png", other)
		return err == nil && r.status == http.StatusOK
	})
}
