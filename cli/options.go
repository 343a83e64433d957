package cli

import (
	"net/url"
	"strconv"
	"strings"
)

// inferOptions are what can be said about an answer, at once or as a job.
type inferOptions struct {
	ModelVersion  string   `placeholder:"N" help:"The model's version; none: the one its policy gives."`
	TopK          *int     `help:"Most predictions to give."`
	Confidence    *float64 `help:"Lowest score of a detection, 0..1."`
	IoU           *float64 `name:"iou" help:"Overlap above which the weaker of two detections is dropped, 0..1."`
	MaxDetections *int     `help:"Most detections to give."`
	Classes       []string `help:"Only these labels."`
	NoCache       bool     `help:"Compute anew even if the answer is known."`
}

// query is what a request says of them: only what was asked for.
func (o *inferOptions) query() url.Values {
	q := url.Values{}
	if o.ModelVersion != "" {
		q.Set("version", o.ModelVersion)
	}
	for name, value := range map[string]*float64{"confidence": o.Confidence, "iou": o.IoU} {
		if value != nil {
			q.Set(name, strconv.FormatFloat(*value, 'g', -1, 64))
		}
	}
	for name, value := range map[string]*int{"top_k": o.TopK, "max_detections": o.MaxDetections} {
		if value != nil {
			q.Set(name, strconv.Itoa(*value))
		}
	}
	if len(o.Classes) > 0 {
		q.Set("classes", strings.Join(o.Classes, ","))
	}
	if o.NoCache {
		q.Set("cache", "no-cache")
	}
	return q
}
