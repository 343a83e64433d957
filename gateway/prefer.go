package gateway

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// preference is what the header Prefer asks for, by https://www.rfc-editor.org/rfc/rfc7240.
type preference struct {
	async bool          // respond-async
	wait  time.Duration // wait: how long an answer may take before it becomes a job; 0: not said
	quiet bool          // miss=no-content: a look-up by digest that finds nothing is no error, which a browser would write into its console
}

// readPrefer reads the header. What it does not know it ignores, as the standard wants; the first of two that contradict each other counts.
func readPrefer(h http.Header) (p preference) {
	waited := false
	for _, line := range h["Prefer"] {
		for part := range strings.SplitSeq(line, ",") {
			part, _, _ = strings.Cut(part, ";")
			name, value, _ := strings.Cut(part, "=")
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "respond-async":
				p.async = true
			case "miss":
				p.quiet = p.quiet || strings.Trim(strings.TrimSpace(value), `"`) == "no-content"
			case "wait":
				seconds, err := strconv.ParseUint(strings.Trim(strings.TrimSpace(value), `"`), 10, 31)
				if err == nil && !waited {
					p.wait, waited = min(time.Duration(seconds)*time.Second, longestWait), true
				}
			}
		}
	}
	return p
}
