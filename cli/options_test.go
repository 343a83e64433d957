package cli

import (
	"net/url"
	"testing"
)

func TestOptionsSayOnlyWhatWasAskedFor(t *testing.T) {
	if q := (&inferOptions{}).query(); len(q) != 0 {
		t.Errorf("nothing was asked for: %v", q)
	}
	none, half, two := 0.0, 0.5, 2
	q := (&inferOptions{ModelVersion: "3", TopK: &two, Confidence: &none, IoU: &half, MaxDetections: &two, Classes: []string{"a", "b c"}, NoCache: true}).query()
	want := url.Values{"version": {"3"}, "top_k": {"2"}, "confidence": {"0"}, "iou": {"0.5"}, "max_detections": {"2"}, "classes": {"a,b c"}, "cache": {"no-cache"}}
	if q.Encode() != want.Encode() {
		t.Errorf("%s, not %s", q.Encode(), want.Encode())
	}
	if q := (&inferOptions{TopK: new(int), Confidence: new(float64)}).query(); q.Encode() != "confidence=0&top_k=0" {
		t.Errorf("0 is a wish like any other: %s", q.Encode())
	}
}
