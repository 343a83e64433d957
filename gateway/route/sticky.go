package route

import (
	"fmt"
	"net/http"
	"strings"
)

// sticky says by what requests are kept on one side.
type sticky struct {
	reason string // in words of X-Route
	kind   string // user, header, cookie, content; "": nothing
	name   string // of the header or cookie
}

func parseSticky(text string) (sticky, error) {
	kind, name, named := strings.Cut(text, ":")
	s := sticky{reason: "sticky:" + text, kind: kind, name: name}
	switch {
	case text == "" || text == "none":
		return sticky{}, nil
	case !named && (kind == "user" || kind == "content"):
		return s, nil
	case kind == "header" && token(name):
		s.name = http.CanonicalHeaderKey(name)
		return s, nil
	case kind == "cookie" && token(name):
		return s, nil
	}
	return s, fmt.Errorf("%q is not user, header:NAME, cookie:NAME, content or none", text)
}

// value is what the side depends on. A request that lacks it has none.
func (s *sticky) value(a *Asker) (string, bool) {
	v := ""
	switch s.kind {
	case "user":
		v = a.User
	case "header":
		if a.Header != nil {
			v = a.Header(s.name)
		}
	case "cookie":
		if a.Cookie != nil {
			v = a.Cookie(s.name)
		}
	case "content":
		return string(a.Content[:]), a.Content != [32]byte{}
	}
	return v, v != ""
}

// token reports whether a text can name a header or a cookie, by RFC 9110, 5.6.2.
func token(text string) bool {
	if text == "" || len(text) > 128 {
		return false
	}
	for i := range len(text) {
		switch b := text[i]; {
		case b >= '0' && b <= '9', b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', strings.IndexByte("!#$%&'*+-.^_`|~", b) >= 0:
		default:
			return false
		}
	}
	return true
}
