package kserve

import (
	"strings"

	"triton-gateway/internal/fault"
)

const (
	paramEmptyFinal = "triton_enable_empty_final_response"
	paramFinal      = "triton_final_response"
	paramHeaders    = "headers"
)

// maxParams bounds the parameters of one request.
const maxParams = 64

// checkParams refuses parameters of a type that the protocol does not have for them, and names that are reserved, in Triton's words. A value nil is
// a parameter without a value. It takes out headers, which a Triton would hand to the model as if the server had put it there.
func checkParams(params map[string]any) error {
	for name, value := range params {
		expected := ""
		switch name {
		case "sequence_id":
			expected = oneOf(isInt64(value) || isString(value), "int64_param or string_param")
		case "sequence_start", "sequence_end", paramEmptyFinal:
			expected = oneOf(isBool(value), "bool_param")
		case "priority":
			_, unsigned := value.(uint64)
			expected = oneOf(isInt64(value) || unsigned, "int64_param or uint64_param")
			if n, _ := value.(int64); n < 0 {
				return badParam(name, "invalid value for 'priority', expected value >= 0.")
			}
		case "timeout":
			expected = oneOf(isInt64(value), "int64_param")
		default:
			if strings.HasPrefix(name, "triton_") {
				return badParam(name, "parameter keys starting with 'triton_' are reserved for Triton usage. Only the following keys starting with 'triton_' are allowed: "+paramEmptyFinal)
			}
			_, double := value.(float64)
			expected = oneOf(isInt64(value) || isBool(value) || isString(value) || double, "int64_param, bool_param, string_param, or double_param")
		}
		if expected != "" {
			return badParam(name, "invalid value type for '"+clip(name)+"' parameter, expected "+expected+".")
		}
	}
	delete(params, paramHeaders)
	return nil
}

func oneOf(fits bool, expected string) string {
	if fits {
		return ""
	}
	return expected
}

func isInt64(v any) bool  { _, ok := v.(int64); return ok }
func isString(v any) bool { _, ok := v.(string); return ok }
func isBool(v any) bool   { _, ok := v.(bool); return ok }

func badParam(name, text string) error {
	return fault.New(fault.Invalid, "invalid_request", "%s", text).At("parameters."+clip(name), text)
}

// invalid is the fault of a request at a place in it.
func invalid(place, format string, args ...any) *fault.Error {
	f := fault.New(fault.Invalid, "invalid_request", format, args...)
	return f.At(place, f.Detail)
}

// clip shortens a caller's text for an error.
func clip(text string) string {
	const most = 128
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "..."
}
