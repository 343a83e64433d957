// Package promql finds out which metrics and labels a PromQL query asks for, and compares them with those that exist. It exists because a query for a metric
// that was renamed is no error to Prometheus: the panel stays empty and the alert stays silent. It is no parser: whether a query is well formed, promtool says.
package promql

import (
	"fmt"
	"slices"
	"strings"
)

// Use is one metric that a query reads.
type Use struct {
	Metric string
	Labels []string // of its matchers, in their order
}

// Query is what one query reads.
type Query struct {
	Uses   []Use
	Groups []string // labels of by, without, on, ignoring, group_left and group_right, in their order
}

// words that are followed by labels in parentheses
var grouping = []string{"by", "without", "on", "ignoring", "group_left", "group_right"}

// words that are neither metrics nor functions
var reserved = []string{
	"and", "or", "unless", "atan2", "offset", "bool", "inf", "nan", "start", "end", "sum", "min", "max", "avg", "group", "stddev", "stdvar", "count",
	"count_values", "bottomk", "topk", "quantile",
}

// Read reads one query. Grafana's variables may stand in strings and ranges. The error says at which byte the query can't be read; metrics whose name is only
// in a matcher of __name__ are refused, since nothing could be said about them.
func Read(text string) (Query, error) {
	r := reader{lexer: lexer{text: text}}
	for {
		t, err := r.next()
		switch {
		case err != nil:
			return Query{}, err
		case t.kind == end:
			return r.query, nil
		}
		if err := r.take(t); err != nil {
			return Query{}, err
		}
	}
}

type reader struct {
	lexer
	query Query
}

func (r *reader) take(t token) error {
	switch {
	case t.kind == sign && t.text == "{":
		return fmt.Errorf("byte %d: matchers without a metric's name before them", t.at)
	case t.kind == sign && t.text == "[":
		return r.skip("]")
	case t.kind != word:
		return nil
	}
	after, err := r.peek()
	if err != nil {
		return err
	}
	lower := strings.ToLower(t.text)
	switch {
	case slices.Contains(grouping, lower):
		if after.text != "(" {
			return nil // group_left alone
		}
		_, _ = r.next()
		labels, err := r.labels()
		r.query.Groups = append(r.query.Groups, labels...)
		return err
	case slices.Contains(reserved, lower), after.kind == sign && after.text == "(":
		return nil
	}
	use := Use{Metric: t.text}
	if after.kind == sign && after.text == "{" {
		_, _ = r.next()
		if use.Labels, err = r.matchers(); err != nil {
			return err
		}
	}
	r.query.Uses = append(r.query.Uses, use)
	return nil
}

// skip goes on behind the next such sign.
func (r *reader) skip(until string) error {
	for {
		t, err := r.next()
		switch {
		case err != nil:
			return err
		case t.kind == end:
			return fmt.Errorf("byte %d: %s is missing", t.at, until)
		case t.kind == sign && t.text == until:
			return nil
		}
	}
}

// labels reads what stands between parentheses.
func (r *reader) labels() (list []string, err error) {
	for {
		t, err := r.next()
		switch {
		case err != nil:
			return nil, err
		case t.kind == word:
			list = append(list, t.text)
		case t.kind == sign && t.text == ")":
			return list, nil
		case t.kind != sign || t.text != ",":
			return nil, fmt.Errorf("byte %d: %q where a label, a comma or ) belongs", t.at, t.text)
		}
	}
}

// matchers reads what stands between braces: labels, operators, strings.
func (r *reader) matchers() (list []string, err error) {
	for {
		t, err := r.next()
		switch {
		case err != nil:
			return nil, err
		case t.kind == sign && t.text == "}":
			return list, nil
		case t.kind == word && t.text == "__name__":
			return nil, fmt.Errorf("byte %d: a metric that is named by a matcher can't be checked", t.at)
		case t.kind == word:
			list = append(list, t.text)
		case t.kind == end:
			return nil, fmt.Errorf("byte %d: } is missing", t.at)
		}
	}
}
