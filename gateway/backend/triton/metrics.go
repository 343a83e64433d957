package triton

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	loadMetric     = "nv_model_load_duration_secs"
	metricsTimeout = 500 * time.Millisecond
	metricsMax     = 16 << 20
)

// loads reads the identity of each load from Triton's metrics page: how long the load took, to the digits that Triton prints. nil where
// no page is configured, or it does not answer, or this Triton has no such metric.
func (e *endpoint) loads(ctx context.Context) map[modelVersion]string {
	if e.metrics == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, metricsTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, e.metrics, nil)
	if err != nil {
		return nil
	}
	answer, err := e.http.Do(request)
	if err != nil {
		return nil
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil
	}
	return readLoads(io.LimitReader(answer.Body, metricsMax))
}

// readLoads picks the load durations out of a page in Prometheus's text format. Lines that it cannot read are passed over.
func readLoads(page io.Reader) map[modelVersion]string {
	out := map[modelVersion]string{}
	lines := bufio.NewScanner(page)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		rest, found := strings.CutPrefix(lines.Text(), loadMetric+"{")
		if !found {
			continue
		}
		labels, value, found := cutLabels(rest)
		if !found {
			continue
		}
		value, _, _ = strings.Cut(strings.TrimSpace(value), " ")
		id := modelVersion{labels["model"], labels["version"]}
		if id.model != "" && id.version != "" && value != "" {
			out[id] = value
		}
	}
	return out
}

// cutLabels reads name="value" pairs up to the closing brace. A value may hold \" \\ and \n.
func cutLabels(s string) (labels map[string]string, rest string, ok bool) {
	labels = map[string]string{}
	for {
		s = strings.TrimLeft(s, ", ")
		if after, found := strings.CutPrefix(s, "}"); found {
			return labels, after, true
		}
		name, after, found := strings.Cut(s, `="`)
		if !found {
			return nil, "", false
		}
		value, after, found := cutQuoted(after)
		if !found {
			return nil, "", false
		}
		labels[name], s = value, after
	}
}

// cutQuoted reads up to the closing quote.
func cutQuoted(s string) (value, rest string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], true
		case '\\':
			if i++; i == len(s) {
				return "", "", false
			}
			if s[i] == 'n' {
				b.WriteByte('\n')
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}
