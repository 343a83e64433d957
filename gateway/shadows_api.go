package gateway

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"triton-gateway/gateway/route"
	"triton-gateway/gateway/route/book"
	"triton-gateway/gateway/shadow"
)

// shadowView is how a shadow does beside the one that answers.
type shadowView struct {
	Primary      string             `json:"primary" example:"shapes/1" doc:"Who has answered: model and version"`
	Shadow       string             `json:"shadow" example:"shapes/2" doc:"Who was asked too"`
	Outcomes     map[string]uint64  `json:"outcomes" doc:"What became of the answers that were to be compared: compared, failed, timed_out, and dropped_full, dropped_bytes, dropped_load, dropped_late, dropped_closed"`
	Agreement    *float64           `json:"agreement,omitempty" minimum:"0" maximum:"1" doc:"Share of those compared that are alike" example:"0.98"`
	MeanDistance *float64           `json:"mean_distance,omitempty" minimum:"0" maximum:"1" doc:"Of those compared; 0 is alike" example:"0.02"`
	MeanSeconds  *float64           `json:"mean_seconds,omitempty" minimum:"0" doc:"That the shadow took, decoding included" example:"0.012"`
	Figures      map[string]float64 `json:"figures" doc:"Means over those compared, by name: top1, top5, score_difference; precision, recall, mean_iou; cosine; and so on, as the task has them"`
	Failure      string             `json:"failure,omitempty" doc:"Why the shadow gave no answer the last time that it did not"`
	FailedAt     *time.Time         `json:"failed_at,omitempty"`
}

type shadowOutput struct {
	Body struct {
		Route  string        `json:"route" example:"shapes-ab"`
		Shadow *route.Shadow `json:"shadow,omitempty" doc:"As the route says; missing where it says none"`
		Pairs  []shadowView  `json:"pairs" doc:"Since this gateway has begun, or the route has this shadow"`
	}
}

// disagreementView is an input that two models answered differently.
type disagreementView struct {
	At       time.Time          `json:"at" doc:"When they were compared"`
	Primary  string             `json:"primary" example:"shapes/1"`
	Shadow   string             `json:"shadow" example:"shapes/2"`
	Task     string             `json:"task" example:"image-classification"`
	Distance float64            `json:"distance" minimum:"0" maximum:"1" example:"0.9"`
	Why      string             `json:"why,omitempty" doc:"Why they cannot be measured against each other, where they cannot"`
	Figures  map[string]float64 `json:"figures"`
	Input    *keptInput         `json:"input,omitempty" doc:"Missing where there was no room for it"`
	Answers  *answersView       `json:"answers,omitempty" doc:"Missing where there was no room for them"`
}

type answersView struct {
	Primary json.RawMessage `json:"primary,omitempty" doc:"As infer gives it, without what is not the task's; missing where it is long"`
	Shadow  json.RawMessage `json:"shadow,omitempty"`
}

type disagreementsOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         struct {
		Route         string             `json:"route" example:"shapes-ab"`
		Disagreements []disagreementView `json:"disagreements" doc:"The worst first"`
	}
}

// registerShadows adds the routes that show how shadows do.
func (s *server) registerShadows(api huma.API) {
	const where = " Of this gateway alone. Answered on the admin listener, and here with a key of scope admin."
	register(s, api, huma.Operation{
		OperationID: "get-route-shadow", Method: http.MethodGet, Path: "/v1/routes/{name}/shadow", Tags: []string{"routes"},
		Summary: "How a route's shadow does", Description: "How often it says the same as those that answer, by the figures of the task." + where,
		Errors: []int{403, 404},
	}, s.shadowStats)
	register(s, api, huma.Operation{
		OperationID: "list-route-disagreements", Method: http.MethodGet, Path: "/v1/routes/{name}/disagreements", Tags: []string{"routes"},
		Summary: "Inputs on which a route's shadow says something else", Description: "The worst ones, with both answers. They are of all tenants." + where,
		Errors: []int{403, 404},
	}, s.disagreements)
}

// entry gives a route by name.
func (s *server) entry(name string) (book.Entry, error) {
	if s.routes != nil {
		if e, found := s.routes.book.Entry(name); found {
			return e, nil
		}
	}
	return book.Entry{}, book.Missing(name)
}

func (s *server) shadowStats(_ context.Context, in *routePath) (*shadowOutput, error) {
	e, err := s.entry(in.Name)
	if err != nil {
		return nil, err
	}
	out := &shadowOutput{}
	out.Body.Route, out.Body.Shadow, out.Body.Pairs = in.Name, e.Plan.Spec.Shadow, []shadowView{}
	if s.shadows == nil {
		return out, nil
	}
	for _, st := range s.shadows.stats() {
		if st.Pair.Route == in.Name {
			out.Body.Pairs = append(out.Body.Pairs, pairView(&st))
		}
	}
	return out, nil
}

func pairView(st *shadow.Stats) shadowView {
	v := shadowView{Primary: st.Pair.Primary, Shadow: st.Pair.Shadow, Outcomes: map[string]uint64{}, Figures: map[string]float64{}}
	for outcome, n := range st.Outcomes {
		v.Outcomes[string(outcome)] = n
	}
	if n := float64(st.Outcomes[shadow.Compared]); n > 0 {
		v.Agreement, v.MeanDistance, v.MeanSeconds = ptr(float64(st.Alike)/n), ptr(min(st.Distance/n, 1)), ptr(st.Took.Seconds()/n)
	}
	for name, f := range st.Figures {
		v.Figures[name] = f.Sum / float64(f.Count)
	}
	if st.Failure != nil {
		f := faultOf(st.Failure)
		v.Failure, v.FailedAt = cmp.Or(f.Detail, f.Code), &st.FailedAt
	}
	return v
}

func (s *server) disagreements(_ context.Context, in *routePath) (*disagreementsOutput, error) {
	if _, err := s.entry(in.Name); err != nil {
		return nil, err
	}
	out := &disagreementsOutput{CacheControl: "no-store"}
	out.Body.Route, out.Body.Disagreements = in.Name, []disagreementView{}
	if s.shadows == nil {
		return out, nil
	}
	s.shadows.tidy()
	for _, d := range s.shadows.Worst(in.Name) {
		c := &d.Comparison
		v := disagreementView{At: d.Time, Primary: d.Pair.Primary, Shadow: d.Pair.Shadow, Task: string(c.Task), Distance: c.Distance, Why: c.Why, Figures: c.Figures}
		if k, ok := d.Item.(*keptPair); ok {
			v.Input, v.Answers = &k.input, &answersView{k.primary, k.shadow}
		}
		out.Body.Disagreements = append(out.Body.Disagreements, v)
	}
	return out, nil
}
