package monitoring

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"triton-gateway/internal/parts"
)

// repository is that of the demo as the gateways see it, but that calls of iris go to the Tritons together.
func repository(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, model := range []string{"shapes", "iris"} {
		if err := os.CopyFS(filepath.Join(dir, model), os.DirFS(filepath.Join(parts.Root(t), "model_repository", model))); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "iris", "task.yaml")
	if err := os.WriteFile(path, append(read(t, path), "\nbatching: {size: 8, inexact: true}\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// moving puts routes: one with a shadow, one whose canary goes up to the end, one whose canary stays at a step. They are asked until the test ends. And it switches a model.
func (r *rig) moving(t *testing.T) {
	t.Helper()
	const candidates, guard = `[{"model":"shapes","version":1,"weight":1},{"model":"shapes","version":2,"weight":0}]`, `{"errors":0.9,"slower":-1,"disagreement":-1}`
	for name, spec := range map[string]string{
		"shapes-ab":   `{"candidates":[{"model":"shapes","version":1,"weight":1}],"shadow":{"model":"shapes","version":2,"percent":100}}`,
		"shapes-live": fmt.Sprintf(`{"candidates":%s,"canary":{"model":"shapes","version":2,"steps":[50,100],"every":"1s","samples":5,"compare":0,"guard":%s}}`, candidates, guard),
		"shapes-next": fmt.Sprintf(`{"candidates":%s,"canary":{"model":"shapes","version":2,"steps":[10,100],"every":"24h","compare":0,"guard":%s}}`, candidates, guard),
	} {
		r.tell(t, http.MethodPut, "/v1/routes/"+name, spec, "")
	}
	r.tell(t, http.MethodPost, "/v1/models/shapes/switch", `{"to":"1"}`, "serves already") // it does where the answer was lost
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	t.Cleanup(func() { cancel(); <-ended })
	go func() {
		defer close(ended)
		for n := 0; ctx.Err() == nil; n++ {
			for _, route := range []string{"shapes-ab", "shapes-live", "shapes-next"} {
				post(ctx, "http://"+r.gateways[n%2].HTTP+"/v1/models/"+route+"/infer", "image/png", drawn())
			}
			select {
			case <-time.After(50 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	}()
}

// tell says something to the admin listener of the first gateway until it is taken, or refused with this text: on a machine that stands still, Redis may be late.
func (r *rig) tell(t *testing.T, method, path, body, enough string) {
	t.Helper()
	said := ""
	parts.Until(t, method+" "+path+" is taken", 4*time.Minute, func() bool {
		q, err := http.NewRequestWithContext(t.Context(), method, "http://"+r.gateways[0].Admin+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Log(err)
			return false
		}
		defer res.Body.Close()
		text, _ := io.ReadAll(res.Body)
		if res.StatusCode < 300 || enough != "" && strings.Contains(string(text), enough) {
			return true
		}
		if now := fmt.Sprint(res.StatusCode); now != said {
			said = now
			t.Logf("%s %s: %d %s", method, path, res.StatusCode, text)
		}
		return false
	})
}
