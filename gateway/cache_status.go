package gateway

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"triton-gateway/gateway/cache"
	"triton-gateway/gateway/pipeline"
)

// cacheStatus gives the RFC 9211 header of one answer, and the short form for log and metrics.
func cacheStatus(a *pipeline.Answer, mode cache.Mode) (header, short string) {
	switch {
	case a.Tensor:
		return "triton-gateway; hit; detail=tensor", "tensor"
	case a.Cache.Hit:
		switch a.Cache.Detail {
		case "memory":
			return "triton-gateway; hit; detail=memory", "memory"
		case "redis":
			return "triton-gateway; hit; detail=redis", "redis"
		case "shared":
			return "triton-gateway; hit; detail=shared", "shared"
		}
		return "triton-gateway; hit", "hit"
	case mode == cache.NoStore:
		return "triton-gateway; fwd=bypass", "bypass"
	case mode == cache.NoCache && a.Cache.Stored:
		return "triton-gateway; fwd=request; stored", "request"
	case mode == cache.NoCache:
		return "triton-gateway; fwd=request", "request"
	case a.Cache.Stored:
		return "triton-gateway; fwd=miss; stored", "miss"
	}
	return "triton-gateway; fwd=miss", "miss"
}

// allStatus is the Cache-Status of several answers in one response: a hit where all are, partial where some are.
func allStatus(results []result, mode cache.Mode) string {
	hits, stored, count := 0, true, 0
	first := ""
	for _, r := range results {
		if r.answer == nil {
			continue
		}
		count++
		header, _ := cacheStatus(r.answer, mode)
		if r.answer.Tensor || r.answer.Cache.Hit {
			if hits++; first == "" {
				first = header
			}
		} else if stored = stored && r.answer.Cache.Stored; hits == 0 {
			first = header
		}
	}
	switch {
	case count == 0 || hits == count || hits == 0 && stored:
		return first
	case hits == 0:
		return strings.TrimSuffix(first, "; stored")
	case stored:
		return "triton-gateway; fwd=partial; stored"
	}
	return "triton-gateway; fwd=partial"
}

// cacheControl lets browsers and CDNs keep what was asked by GET, as long as the gateway itself would.
func cacheControl(method string, ttl time.Duration, mode cache.Mode) string {
	switch {
	case mode == cache.NoStore:
		return "no-store"
	case method != http.MethodGet && method != http.MethodHead:
		return ""
	case ttl < time.Second:
		return "no-cache"
	}
	return "public, max-age=" + strconv.FormatInt(int64(ttl/time.Second), 10)
}

// matches reports whether one of the tags of If-None-Match is tag, by weak comparison.
func matches(values []string, tag string) bool {
	tag = strings.TrimPrefix(tag, "W/")
	for _, value := range values {
		for candidate := range strings.SplitSeq(value, ",") {
			candidate = strings.TrimSpace(candidate)
			if candidate == "*" || strings.TrimPrefix(candidate, "W/") == tag {
				return true
			}
		}
	}
	return false
}
