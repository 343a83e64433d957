package gateway

import (
	"net/url"
	"strings"
)

// query is a parsed query in the order in which it came. It keeps empty values and refuses what is not decodable.
type query []struct{ name, value string }

func parseQuery(raw string) (query, error) {
	if raw == "" {
		return nil, nil
	}
	var q query
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		var err error
		if name, err = url.QueryUnescape(name); err == nil {
			value, err = url.QueryUnescape(value)
		}
		if err != nil || strings.Contains(pair, ";") {
			return nil, badOption("query", "the query has a part that is not decodable: %q", clip(pair))
		}
		if len(q) == 4096 {
			return nil, badOption("query", "the query has more than 4096 parameters")
		}
		q = append(q, struct{ name, value string }{name, value})
	}
	return q, nil
}
