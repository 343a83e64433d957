package gateway

import (
	"math"
	"net/http"
	"strconv"
	"strings"

	"triton-gateway/gateway/cache"
	"triton-gateway/internal/fault"
	"triton-gateway/internal/nearest"
	"triton-gateway/postprocess"
)

// The options of infer, in the order of the contract. They are taken from the query, from fields of a form and from members of a JSON body.
const (
	optTopK = iota
	optConfidence
	optIoU
	optMaxDetections
	optClasses
	optCache
	optionCount
)

// optionNames are their names.
var optionNames = [optionCount]string{"top_k", "confidence", "iou", "max_detections", "classes", "cache"}

// options are the wishes of one call, with the places where they were said.
type options struct {
	post  postprocess.Options
	cache cache.Mode
	text  [optionCount]string // as given; "" is not given
	place [optionCount]string // such as "query.top_k"
	// listed: the body gives classes as a list, whose entries have places.
	listed bool
}

func optionIndex(name string) int {
	for i, known := range optionNames {
		if known == name {
			return i
		}
	}
	return -1
}

// set takes one option. The same option may be said twice with the same value, never with two.
func (o *options) set(index int, place, text string) error {
	name := optionNames[index]
	text = strings.TrimSpace(text)
	if text == "" {
		return badOption(place+"."+name, "%s is empty; give a value or leave it out", name)
	}
	if before := o.place[index]; before != "" {
		if o.text[index] == text {
			return nil
		}
		return fault.New(fault.Invalid, "invalid_request", "%s is given twice with different values: %s says %q, %s.%s says %q", name, before, clip(o.text[index]), place, name, clip(text)).
			At(before, "contradicts "+place+"."+name).At(place+"."+name, "contradicts "+before)
	}
	o.text[index], o.place[index] = text, place+"."+name
	return o.parse(index, text)
}

func (o *options) parse(index int, text string) (err error) {
	switch index {
	case optTopK:
		o.post.TopK, err = o.count(index, text)
	case optMaxDetections:
		o.post.MaxDetections, err = o.count(index, text)
	case optConfidence:
		o.post.Confidence, err = o.share(index, text)
	case optIoU:
		o.post.IoU, err = o.share(index, text)
	case optClasses:
		o.post.Classes, err = o.list(text)
	case optCache:
		err = o.mode(text)
	}
	return err
}

func (o *options) count(index int, text string) (*int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > math.MaxInt32 {
		return nil, badOption(o.place[index], "%s is a whole number of at least 1, not %q", optionNames[index], clip(text))
	}
	return &n, nil
}

func (o *options) share(index int, text string) (*float64, error) {
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || !(x >= 0 && x <= 1) || strings.ContainsAny(text, "xX_") {
		return nil, badOption(o.place[index], "%s is a number from 0 to 1, not %q", optionNames[index], clip(text))
	}
	return &x, nil
}

func (o *options) list(text string) ([]string, error) {
	classes := strings.Split(text, ",")
	for i := range classes {
		if classes[i] = strings.TrimSpace(classes[i]); classes[i] == "" {
			return nil, badOption(o.place[optClasses], "classes is a list of labels with commas between them; entry %d is empty", i+1)
		}
	}
	return classes, nil
}

func (o *options) mode(text string) error {
	switch text {
	case "default":
		o.cache = cache.Default
	case "no-cache":
		o.cache = cache.NoCache
	case "no-store":
		o.cache = cache.NoStore
	default:
		return badOption(o.place[optCache], "cache is default, no-cache or no-store, not %q", clip(text))
	}
	return nil
}

// fromHeader takes Cache-Control, unless the option cache has been given: that one was written for this service.
func (o *options) fromHeader(h http.Header) {
	if o.place[optCache] != "" {
		return
	}
	for _, value := range h["Cache-Control"] {
		for directive := range strings.SplitSeq(value, ",") {
			switch strings.ToLower(strings.TrimSpace(directive)) {
			case "no-store":
				o.cache = cache.NoStore
			case "no-cache", "max-age=0":
				o.cache = max(o.cache, cache.NoCache)
			}
		}
	}
}

// unknown explains a name that is no option, with the nearest one that is.
func (o *options) unknown(place, name string, others ...string) error {
	known := append(others, optionNames[:]...)
	hint := "known are " + strings.Join(known, ", ")
	if near := nearest.Word(name, known); near != "" {
		hint = "did you mean " + near + "?"
	}
	has := "has"
	if place == "options" {
		has = "have"
	}
	return fault.New(fault.Invalid, "invalid_request", "the %s %s no option %q; %s", place, has, clip(name), hint).At(place+"."+clip(name), "unknown")
}

func badOption(location, format string, args ...any) error {
	e := fault.New(fault.Invalid, "invalid_request", format, args...)
	return e.At(location, e.Detail)
}
