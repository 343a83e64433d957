package parts

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
	"testing"
	"time"
)

// client keeps no connection open: goleak would report it.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}

// call does one request on the HTTP port and returns status and body; the status is 0 when there was no answer.
func call(tb testing.TB, method, url, body string) (int, string) {
	tb.Helper()
	request, err := http.NewRequestWithContext(tb.Context(), method, url, strings.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return response.StatusCode, string(text)
}

type answer struct {
	Version string `json:"model_version"`
	Outputs []struct {
		Name  string
		Shape []int
		Data  []any
	}
}

func infer(tb testing.TB, server *TritonServer, path, body string) answer {
	tb.Helper()
	status, text := call(tb, "POST", "http://"+server.HTTP+"/v2/models/"+path+"/infer", body)
	if status != http.StatusOK {
		tb.Fatalf("%s: %d %s", path, status, text)
	}
	var a answer
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber() // an INT64 is not always a float64
	if err := decoder.Decode(&a); err != nil {
		tb.Fatalf("%s: %v in %s", path, err, text)
	}
	return a
}

const (
	twoRows   = `{"inputs":[{"name":"x","datatype":"FP32","shape":[2,4],"data":[0,1,2,3,4,5,6,7]}]}`
	doubled   = "[0.0 2.0 4.0 6.0 8.0 10.0 12.0 14.0]"
	quadruple = "[0.0 4.0 8.0 12.0 16.0 20.0 24.0 28.0]"
)

func TestTritonRunsEachVersionOfAnONNXModel(t *testing.T) {
	server := triton.Get(t)
	for path, want := range map[string][2]string{
		"scale/versions/1": {"1", doubled}, "scale/versions/2": {"2", quadruple}, "scale": {"2", quadruple},
	} {
		a := infer(t, server, path, twoRows)
		if got := fmt.Sprint(a.Outputs[0].Data); a.Version != want[0] || got != want[1] || !slices.Equal(a.Outputs[0].Shape, []int{2, 4}) {
			t.Errorf("%s: version %s, %s %v, want version %s, [2 4] %s", path, a.Version, got, a.Outputs[0].Shape, want[0], want[1])
		}
	}
}

func TestTritonRunsSeveralTensorsOfSeveralTypes(t *testing.T) {
	a := infer(t, triton.Get(t), "kinds", `{"inputs":[
		{"name":"integers","datatype":"INT64","shape":[2],"data":[3,-9007199254740993]},
		{"name":"pixels","datatype":"UINT8","shape":[3],"data":[0,128,255]},
		{"name":"words","datatype":"BYTES","shape":[2],"data":["größe",""]}]}`)
	got := map[string]string{}
	for _, output := range a.Outputs {
		got[output.Name] = fmt.Sprint(output.Shape, output.Data)
	}
	want := map[string]string{
		"doubled": "[2] [6 -18014398509481986]", "floats": "[3] [0.0 128.0 255.0]", "echo": "[2] [größe ]",
	}
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s: %s, want %s", name, got[name], want[name])
		}
	}
}

func TestTritonAnswersABadRequestWithItsOwnWords(t *testing.T) {
	server := triton.Get(t)
	status, text := call(t, "POST", "http://"+server.HTTP+"/v2/models/scale/infer",
		`{"inputs":[{"name":"x","datatype":"FP32","shape":[1,3],"data":[0,1,2]}]}`)
	if status != http.StatusBadRequest || !strings.Contains(text, "unexpected shape") {
		t.Errorf("a wrong shape: %d %s", status, text)
	}
}

func TestTritonMetricsAnswer(t *testing.T) {
	server := triton.Get(t)
	infer(t, server, "scale", twoRows)
	status, text := call(t, "GET", "http://"+server.Metrics+"/metrics", "")
	if status != http.StatusOK || !strings.Contains(text, `nv_inference_count{model="scale",version="2"}`) {
		t.Errorf("metrics: %d, %d bytes without the count of scale 2", status, len(text))
	}
}

func TestTritonIsKilledPausedAndRestarted(t *testing.T) {
	server := Triton(t, "internal/parts/testdata/repository", WithModels("scale"))
	if a := infer(t, server, "scale", twoRows); a.Version != "2" {
		t.Fatalf("version %s, want 2", a.Version)
	}
	if status, _ := call(t, "GET", "http://"+server.HTTP+"/v2/models/kinds/ready", ""); status == http.StatusOK {
		t.Error("kinds is ready, though only scale was to be loaded")
	}

	if err := server.Pause(); err != nil {
		t.Fatal(err)
	}
	hung := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 300 * time.Millisecond}
	if response, err := hung.Get("http://" + server.HTTP + "/v2/health/live"); err == nil {
		response.Body.Close()
		t.Error("a paused Triton answered")
	}
	if err := server.Resume(); err != nil {
		t.Fatal(err)
	}
	if status, text := call(t, "GET", "http://"+server.HTTP+"/v2/health/live", ""); status != http.StatusOK {
		t.Errorf("live after Resume: %d %s", status, text)
	}

	server.Kill()
	if status, _ := call(t, "GET", "http://"+server.HTTP+"/v2/health/live", ""); status != 0 {
		t.Errorf("a killed Triton answered %d", status)
	}
	addr := server.GRPC
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	if a := infer(t, server, "scale/versions/1", twoRows); fmt.Sprint(a.Outputs[0].Data) != doubled {
		t.Errorf("after Restart: %v, want %s", a.Outputs[0].Data, doubled)
	}
	if server.GRPC != addr {
		t.Errorf("the address moved from %s to %s", addr, server.GRPC)
	}

	shm := "/dev/shm/" + server.shm + "*"
	if used, _ := filepath.Glob(shm); len(used) == 0 {
		t.Errorf("no shared memory under %s: its sweep would find nothing", shm)
	}
	server.Kill()
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	left, _ := filepath.Glob(shm)
	if _, err := os.Stat(server.dir); len(left) > 0 || !os.IsNotExist(err) {
		t.Errorf("left behind after Close: %v, %s: %v", left, server.dir, err)
	}
}

func TestTritonCachesAnswersWhenAsked(t *testing.T) {
	server := Triton(t, "internal/parts/testdata/repository", WithResponseCache(1<<20), WithFixedModels())
	infer(t, server, "scale", twoRows)
	infer(t, server, "scale", twoRows)
	_, text := call(t, "GET", "http://"+server.Metrics+"/metrics", "")
	if !strings.Contains(text, `nv_cache_num_hits_per_model{model="scale",version="2"} 1`) {
		t.Errorf("the second call was no hit of the response cache:\n%s", text)
	}
	if status, text := call(t, "POST", "http://"+server.HTTP+"/v2/repository/models/scale/unload", "{}"); status == http.StatusOK {
		t.Errorf("a server with fixed models unloaded one: %s", text)
	}
}

func TestTritonServesTheOthersWhenOneModelIsBroken(t *testing.T) {
	repository := ownRepository(t)
	path := filepath.Join(repository, "kinds", "config.pbtxt")
	config, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(config), `"pixels"`, `"pixel"`, 1)), 0o644); err != nil {
		t.Fatal(err)
	}

	if server, err := StartTriton(repository); err == nil {
		server.Close()
		t.Error("it started, though a model cannot be loaded")
	} else if errors.Is(err, ErrMissing) {
		Check(t, err)
	} else if want := "unexpected inference input 'pixel', allowed inputs are: integers, pixels, words"; !strings.Contains(err.Error(), want) {
		t.Errorf("the error lacks %q: %v", want, err)
	}

	server := Triton(t, repository, WithBrokenModels())
	if a := infer(t, server, "scale", twoRows); fmt.Sprint(a.Outputs[0].Data) != quadruple {
		t.Errorf("scale: %v, want %s", a.Outputs[0].Data, quadruple)
	}
	if status, _ := call(t, "GET", "http://"+server.HTTP+"/v2/models/kinds/ready", ""); status == http.StatusOK {
		t.Error("the broken model is ready")
	}
}
