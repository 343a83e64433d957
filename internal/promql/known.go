package promql

import (
	"fmt"
	"slices"
	"strings"
)

// Known are the metrics that exist, each with its labels. Every scraped series has the labels job and instance besides.
type Known map[string][]string

// ReadTable adds the metrics of a page such as docs/telemetry.md: lines as "| `name` | histogram | label, label | meaning |". Of a histogram these are
// three metrics.
func (k Known) ReadTable(page string) {
	for line := range strings.Lines(page) {
		cells := strings.Split(line, "|")
		if len(cells) < 5 {
			continue
		}
		name, ours := strings.CutPrefix(strings.TrimSpace(cells[1]), "`")
		name, closed := strings.CutSuffix(name, "`")
		kind := strings.TrimSpace(cells[2])
		if !ours || !closed || !slices.Contains([]string{"counter", "gauge", "histogram"}, kind) {
			continue
		}
		labels := strings.FieldsFunc(cells[3], func(r rune) bool { return r == ',' || r == ' ' })
		if kind != "histogram" {
			k[name] = labels
			continue
		}
		k[name+"_sum"], k[name+"_count"], k[name+"_bucket"] = labels, labels, append(slices.Clone(labels), "le")
	}
}

// ReadList adds metrics of which each line names one and, behind it, its labels. A # begins a comment.
func (k Known) ReadList(text string) {
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		if fields := strings.Fields(line); len(fields) > 0 {
			k[fields[0]] = fields[1:]
		}
	}
}

// Check says what a query asks for that does not exist: a metric, a label of a metric, a label that results are grouped by and that no metric of the query has.
func (k Known) Check(text string) error {
	q, err := Read(text)
	if err != nil {
		return err
	}
	if len(q.Uses) == 0 {
		return fmt.Errorf("it reads no metric")
	}
	all := []string{"job", "instance"}
	for _, u := range q.Uses {
		labels, exists := k[u.Metric]
		if !exists {
			return fmt.Errorf("there is no metric %s", u.Metric)
		}
		for _, l := range u.Labels {
			if l != "job" && l != "instance" && !slices.Contains(labels, l) {
				return fmt.Errorf("%s has no label %s, it has %v", u.Metric, l, labels)
			}
		}
		all = append(all, labels...)
	}
	for _, l := range q.Groups {
		if !slices.Contains(all, l) {
			return fmt.Errorf("no metric of the query has the label %s", l)
		}
	}
	return nil
}
