package gateway

import (
	"mime"
	"strconv"
	"strings"

	"triton-gateway/internal/fault"
)

type bodyKind int

// mediaType decides how the body is read. What kind of picture it is, its bytes decide later.
func mediaType(contentType string) (bodyKind, map[string]string, error) {
	switch contentType {
	case "image/jpeg", "image/png", "image/webp", "application/octet-stream":
		return imageBody, nil, nil
	case "application/json":
		return jsonBody, nil, nil
	case "":
		return 0, nil, unsupported("the request has no Content-Type", "missing")
	}
	name, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return 0, nil, unsupported("the Content-Type cannot be read", "malformed")
	}
	switch {
	case name == "multipart/form-data":
		return multipartBody, params, nil
	case name == "application/json", strings.HasPrefix(name, "application/") && strings.HasSuffix(name, "+json"):
		return jsonBody, nil, nil
	case strings.HasPrefix(name, "image/"), name == "application/octet-stream":
		return imageBody, nil, nil
	}
	return 0, nil, unsupported("the Content-Type "+strconv.Quote(clip(name))+" is not taken", "not taken")
}

func unsupported(what, message string) error {
	return fault.New(fault.Unsupported, "unsupported_media_type", "%s; send one of %s", what, accepted).At("header.Content-Type", message)
}
