package graph

import (
	"os"
	"regexp"
	"testing"

	"triton-gateway/task"
)

// The documents of the guide, and those of the demo, are right, and fit the demo models.
func TestGuide(t *testing.T) {
	page, err := os.ReadFile("../../docs/guide/graphs.md")
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		if regexp.MustCompile(`(?m)^nodes:`).MatchString(block[1]) {
			texts = append(texts, block[1])
		}
	}
	if len(texts) != 3 {
		t.Errorf("%d documents in the guide", len(texts))
	}
	demo, err := os.ReadFile("../../graphs/find-and-name.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range append(texts, string(demo)) {
		g, err := Parse([]byte(text))
		if err != nil {
			t.Errorf("%v\n%s", err, text)
			continue
		}
		err = g.Check(func(model, _ string) (task.Name, bool) {
			does, ok := map[string]task.Name{"shapes": task.ImageClassification, "shapes-detector": task.ObjectDetection}[model]
			return does, ok
		})
		if err != nil {
			t.Errorf("%v\n%s", err, text)
		}
	}
}
