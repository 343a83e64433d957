package gateway

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"triton-gateway/gateway/jobs"
	"triton-gateway/gateway/pipeline"
	"triton-gateway/internal/caller"
	"triton-gateway/internal/fault"
)

// jobParams are the parameters of a job in the query, and its Idempotency-Key.
type jobParams struct {
	jobs.Submission
	given map[string]string // name -> value
	fixed bool              // the model and version are those of the path
}

// jobParamNames are their names.
var jobParamNames = []string{"model", "version", "priority", "delay", "run_at", "result_ttl", "deadline", "webhook", "attempts"}

// take reads one parameter of the query; known is false where it is none of a job.
func (p *jobParams) take(name, value string) (known bool, err error) {
	if p.given == nil {
		p.given = map[string]string{}
	}
	known = true
	switch name {
	case "model", "version":
		if p.fixed {
			return name == "version", nil
		}
	case "priority", "delay", "run_at", "result_ttl", "deadline", "webhook", "attempts":
	default:
		return false, nil
	}
	place := "query." + name
	if value == "" {
		return true, badOption(place, "%s is empty; give a value or leave it out", name)
	}
	if before, twice := p.given[name]; twice && before != value {
		return true, badOption(place, "%s is given twice with different values: %q and %q", name, clip(before), clip(value))
	}
	p.given[name] = value
	switch name {
	case "model":
		p.Model = value
	case "version":
		p.Version = value
	case "priority":
		p.Priority = jobs.Priority(value)
		if !isPriority(p.Priority) {
			err = badOption(place, "there is no priority %q; it is realtime, interactive or batch", clip(value))
		}
	case "delay":
		p.Delay, err = span(name, value)
	case "result_ttl":
		p.ResultTTL, err = span(name, value)
	case "deadline":
		p.Deadline, err = span(name, value)
	case "run_at":
		if p.RunAt, err = time.Parse(time.RFC3339, value); err != nil || p.RunAt.IsZero() {
			err = badOption(place, "run_at is a time such as 2027-01-31T08:00:00Z, not %q", clip(value))
		}
	case "webhook":
		p.Webhook = value
	case "attempts":
		if p.Attempts, err = strconv.Atoi(value); err != nil {
			err = badOption(place, "attempts is a whole number, not %q", clip(value))
		}
	}
	if err == nil && (name == "result_ttl" && p.ResultTTL == 0 || name == "deadline" && p.Deadline == 0 || name == "attempts" && p.Attempts == 0) {
		err = badOption(place, "%s is 0; give more, or leave it out", name)
	}
	return true, err
}

func isPriority(p jobs.Priority) bool {
	return p == jobs.Realtime || p == jobs.Interactive || p == jobs.Batch
}

// span reads a time such as 30s, or seconds as a number. It may be negative; who uses it decides.
func span(name, text string) (time.Duration, error) {
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		if d := seconds * float64(time.Second); d > -1<<62 && d < 1<<62 {
			return time.Duration(d), nil
		}
	} else if d, err := time.ParseDuration(text); err == nil {
		return d, nil
	}
	return 0, badOption("query."+name, "%s is a time such as 30s or 1h, or a number of seconds, not %q", name, clip(text))
}

// key reads the Idempotency-Key. A key in quotation marks, as https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header writes it, is the
// same as one without.
func (p *jobParams) key(h http.Header) error {
	values := h.Values("Idempotency-Key")
	if len(values) == 0 {
		return nil
	}
	text := values[0]
	if n := len(text); n >= 2 && text[0] == '"' && text[n-1] == '"' {
		text = text[1 : n-1]
	}
	if len(values) > 1 || text == "" {
		return badOption("header.Idempotency-Key", "the key is empty or given several times; send one, or leave the header out")
	}
	p.Key = text
	return nil
}

// handIn reads a job out of a request and takes it in. Nothing is enqueued where it gives an error.
func (s *server) handIn(c *gin.Context, p *jobParams) (j *jobs.Job, created bool, err error) {
	service, err := s.jobs.ready()
	if err != nil {
		return nil, false, err
	}
	if err := s.takesJobs(); err != nil {
		return nil, false, err
	}
	r := c.Request
	if err := p.key(r.Header); err != nil {
		return nil, false, err
	}
	call := &call{most: s.jobs.items, setting: "jobs.items", foreign: p.take}
	if err := call.query(r); err != nil {
		return nil, false, err
	}
	if p.Model == "" {
		return nil, false, badOption("query.model", "no model is named; add ?model=NAME (GET /v1/models lists them)")
	}
	stateOf(c).model = p.Model
	p.Caller, p.Tier = submitter(r.Context())
	if _, err := s.models.Lookup(p.Model); err != nil {
		return nil, false, err
	}
	p.Tenant = caller.TenantOf(r.Context())
	if isArchive(r.Header.Get("Content-Type")) {
		p.Priority = s.jobClass(r, p.Priority)
		call.opts.fromHeader(r.Header)
		return s.handInArchive(c.Writer, r, service, call, p)
	}
	if err := s.readBody(c.Writer, r, call); err != nil {
		return nil, false, err
	}
	defer call.release()
	p.Priority = s.jobClass(r, p.Priority) // now that all of the parameters are read
	if err := s.fits(call, p); err != nil {
		return nil, false, err
	}
	if err := p.items(call); err != nil {
		return nil, false, err
	}
	return service.Submit(r.Context(), &p.Submission)
}

// fits refuses what no worker could answer: options that the model's task does not have, input of another kind than it takes, a version that
// there is not, and items that are known to be bad.
func (s *server) fits(call *call, p *jobParams) error {
	failed := make([]result, len(call.items))
	count := 0
	for i, it := range call.items {
		if it.err != nil {
			failed[i].err = call.locate(it.err, i)
			count++
		}
	}
	switch {
	case count == len(failed):
		return call.allFailed(failed)
	case count > 0:
		return call.someFailed(failed)
	}
	request := pipeline.Request{Model: p.Model, Version: p.Version, Options: call.opts.post, Item: call.items[0].Item}
	return call.locate(s.jobs.check(&request), 0)
}

// someFailed is the error of a call of which some items are known to be bad.
func (c *call) someFailed(results []result) error {
	var bad []result
	for _, r := range results {
		if r.err != nil {
			bad = append(bad, r)
		}
	}
	return c.allFailed(bad)
}

// items makes the submission's items of what was read.
func (p *jobParams) items(call *call) error {
	p.Single = !call.many
	p.Options, p.Cache = writeOptions(&call.opts), modeNames[call.opts.cache]
	list := make([]jobs.Input, len(call.items))
	for i, it := range call.items {
		in := &list[i]
		in.Name = it.name
		switch {
		case it.Image != nil:
			in.Kind, in.Data = jobs.Image, it.Image.Bytes
		case it.Row != nil:
			var values any = it.Row.Positional
			if it.Row.Named != nil {
				values = it.Row.Named
			}
			data, err := json.Marshal(values)
			if err != nil {
				return fault.New(fault.Internal, "internal", "a row cannot be written").Wrap(err)
			}
			in.Kind, in.Data = jobs.Row, data
		default:
			in.Kind, in.Data = jobs.Raw, call.body.Bytes
		}
	}
	p.Items = jobs.Each(list)
	return nil
}

// isArchive reports whether a body is a zip.
func isArchive(contentType string) bool {
	name, _, _ := strings.Cut(contentType, ";")
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "application/zip", "application/x-zip-compressed", "application/x-zip":
		return true
	}
	return false
}
