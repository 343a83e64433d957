package kserve

import (
	"math"
	"strconv"
	"strings"

	"triton-gateway/gateway/cache"
	"triton-gateway/internal/fault"
	"triton-gateway/postprocess"
)

// imageOptions reads the options of a request to an image model out of its parameters. The protocol's own parameters are left aside; anything else is
// refused, as on /v1, since a misspelt option would go unseen.
func imageOptions(params map[string]any) (o postprocess.Options, mode cache.Mode, err error) {
	for name, value := range params {
		switch name {
		case "top_k":
			o.TopK, err = wholeOption(name, value)
		case "max_detections":
			o.MaxDetections, err = wholeOption(name, value)
		case "confidence":
			o.Confidence, err = unitOption(name, value)
		case "iou":
			o.IoU, err = unitOption(name, value)
		case "classes":
			o.Classes, err = listOption(name, value)
		case "cache":
			mode, err = cacheOption(name, value)
		case "sequence_id", "sequence_start", "sequence_end", "priority", "timeout", "binary_data_output", paramEmptyFinal:
		default:
			err = badOption(name, "an image model has no parameter '%s'; it has top_k, confidence, iou, max_detections, classes and cache", clip(name))
		}
		if err != nil {
			return o, mode, err
		}
	}
	return o, mode, nil
}

func badOption(name, format string, args ...any) *fault.Error {
	return invalid("parameters."+clip(name), format, args...)
}

func wholeOption(name string, value any) (*int, error) {
	n, ok := int64(0), false
	switch v := value.(type) {
	case int64:
		n, ok = v, true
	case uint64:
		n, ok = int64(min(v, math.MaxInt64)), true
	case string:
		parsed, err := strconv.ParseInt(v, 10, 64)
		n, ok = parsed, err == nil
	}
	if !ok || n < 1 || n > math.MaxInt32 {
		return nil, badOption(name, "%s is a whole number of at least 1", name)
	}
	whole := int(n)
	return &whole, nil
}

func unitOption(name string, value any) (*float64, error) {
	x := math.NaN()
	switch v := value.(type) {
	case float64:
		x = v
	case int64:
		x = float64(v)
	case uint64:
		x = float64(v)
	case string:
		if parsed, err := strconv.ParseFloat(v, 64); err == nil && !strings.ContainsAny(v, "xX_") {
			x = parsed
		}
	}
	if !(x >= 0 && x <= 1) {
		return nil, badOption(name, "%s is a number from 0 to 1", name)
	}
	return &x, nil
}

// listOption reads labels or class numbers with commas between them.
func listOption(name string, value any) ([]string, error) {
	switch v := value.(type) {
	case int64:
		return []string{strconv.FormatInt(v, 10)}, nil
	case string:
		list := strings.Split(v, ",")
		for i := range list {
			if list[i] = strings.TrimSpace(list[i]); list[i] == "" {
				return nil, badOption(name, "%s is a list of labels with commas between them; entry %d is empty", name, i+1)
			}
		}
		return list, nil
	}
	return nil, badOption(name, "%s is a text: labels with commas between them", name)
}

func cacheOption(name string, value any) (cache.Mode, error) {
	switch value {
	case "default":
		return cache.Default, nil
	case "no-cache":
		return cache.NoCache, nil
	case "no-store":
		return cache.NoStore, nil
	}
	return cache.Default, badOption(name, "%s is default, no-cache or no-store", name)
}
