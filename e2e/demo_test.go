package e2e

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
)

// golden is a model's golden/expected.json: what the training-side Python pipeline answers.
type golden struct {
	Files map[string]struct {
		Versions map[string]struct {
			Predictions []prediction
			Detections  []detection
		}
	}
}

var imageModels = []string{"shapes", "shapes-detector", "shapes-slow", "shapes-int8", "digits"}

func readGolden(t *testing.T, model string) golden {
	t.Helper()
	var g golden
	if err := json.Unmarshal(readFile(t, "model_repository/"+model+"/golden/expected.json"), &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Files) == 0 {
		t.Fatalf("%s has no goldens", model)
	}
	return g
}

// A JPEG is decoded by Debian's libjpeg-turbo here and by the one inside Pillow's wheel there; they may differ by a level or two.
func tolerance(file string) (score, pixels float64) {
	if strings.HasSuffix(file, ".jpg") {
		return 0.02, 1
	}
	return 1e-5, 1e-3
}

// checkGoldens compares every golden picture of a model, in every version, with the reference's answer.
func checkGoldens(t *testing.T, g *gateway, model string) {
	t.Helper()
	for file, want := range readGolden(t, model).Files {
		picture := readFile(t, "model_repository/"+model+"/golden/"+file)
		score, pixels := tolerance(file)
		for version, want := range want.Versions {
			got := g.infer(t, model, "version="+version, picture)
			if len(got.Predictions) != len(want.Predictions) || len(got.Detections) != len(want.Detections) {
				t.Errorf("%s/%s %s: got %s", model, version, file, got.body)
				continue
			}
			for i, w := range want.Predictions {
				// Equally likely classes may change places within the tolerance; the named class may not.
				if p := got.Predictions[i]; (p.Index != w.Index || p.Label != w.Label) && (i == 0 || math.Abs(p.Score-w.Score) > score) || math.Abs(p.Score-w.Score) > score {
					t.Errorf("%s/%s %s: prediction %d is %+v, want %+v", model, version, file, i, p, w)
				}
			}
			for i, w := range want.Detections {
				if d := got.Detections[i]; d.Label != w.Label || math.Abs(d.Score-w.Score) > score || far(d, w) > pixels {
					t.Errorf("%s/%s %s: detection %d is %+v, want %+v", model, version, file, i, d, w)
				}
			}
		}
	}
}

// far is the largest difference of two boxes' edges, in pixels.
func far(a, b detection) float64 {
	return max(math.Abs(a.Box.X1-b.Box.X1), math.Abs(a.Box.Y1-b.Box.Y1), math.Abs(a.Box.X2-b.Box.X2), math.Abs(a.Box.Y2-b.Box.Y2))
}

func TestEmbeddedEngineAnswersAsTheTrainingCodeDoes(t *testing.T) {
	g := start(t)
	for _, model := range imageModels {
		t.Run(model, func(t *testing.T) { checkGoldens(t, g, model) })
	}
	t.Run("iris", func(t *testing.T) { checkIris(t, g) })
	t.Run("curl -F", func(t *testing.T) {
		for _, model := range []string{"shapes", "digits"} {
			for file := range readGolden(t, model).Files {
				r := g.form(t, model, "image", filepath.Join("model_repository", model, "golden", file))
				class, _, _ := strings.Cut(file, "-")
				if r.status != http.StatusOK || len(r.Predictions) == 0 || r.Predictions[0].Label != class {
					t.Errorf("%s: %d %s", file, r.status, r.body)
				}
			}
		}
	})
}

// checkIris asks all 150 rows, in one call and one by one by GET, and compares with scikit-learn's own predictions.
func checkIris(t *testing.T, g *gateway) {
	var want struct {
		Columns []string
		Rows    []struct {
			Row           []float64
			Prediction    string
			Probabilities []float64
		}
	}
	if err := json.Unmarshal(readFile(t, "model_repository/iris/golden/rows.json"), &want); err != nil {
		t.Fatal(err)
	}
	if len(want.Rows) != 150 {
		t.Fatalf("%d rows", len(want.Rows))
	}
	rows := make([][]float64, len(want.Rows))
	for i, r := range want.Rows {
		rows[i] = r.Row
	}
	body, _ := json.Marshal(map[string]any{"rows": rows})
	all := do(t, "POST", g.URL+"/v1/models/iris/infer", "application/json", body)
	if len(all.Results) != 150 {
		t.Fatalf("%d results: %.300s", len(all.Results), all.body)
	}
	for i, r := range all.Results {
		top := r.Predictions[0]
		if top.Label != want.Rows[i].Prediction || math.Abs(top.Score-want.Rows[i].Probabilities[top.Index]) > 1e-5 {
			t.Errorf("row %d: %+v, scikit-learn says %s %v", i, top, want.Rows[i].Prediction, want.Rows[i].Probabilities)
		}
	}
	for i := range 10 {
		q := url.Values{}
		for c, name := range want.Columns {
			q.Set(name, fmt.Sprint(rows[i*15][c]))
		}
		one := do(t, "GET", g.URL+"/v1/models/iris/infer?"+q.Encode(), "", nil)
		if one.status != http.StatusOK || one.Predictions[0].Label != want.Rows[i*15].Prediction || !one.FromCache {
			t.Errorf("row %d by GET: %d %s", i*15, one.status, one.body)
		}
	}
}

func TestDigitsTakesThePictureAndTheRow(t *testing.T) {
	g := start(t)
	for file := range readGolden(t, "digits").Files {
		if !strings.HasSuffix(file, ".png") {
			continue
		}
		got := g.infer(t, "digits", "", readFile(t, "model_repository/digits/golden/"+file))
		if class, _, _ := strings.Cut(file, "-"); got.Predictions[0].Label != class {
			t.Errorf("%s is taken for %s", file, got.Predictions[0].Label)
		}
	}
	row := make([]float64, 64)
	r := do(t, "POST", g.URL+"/v1/models/digits/infer", "application/json", []byte(fmt.Sprintf(`{"row":%s}`, mustJSON(row))))
	if r.status != http.StatusOK || len(r.Predictions) == 0 {
		t.Errorf("a row: %d %s", r.status, r.body)
	}
}

func mustJSON(v any) string {
	out, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(out)
}
