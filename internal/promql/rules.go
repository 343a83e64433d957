package promql

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/goccy/go-yaml"
)

// Rule is one rule of Prometheus: an alert, or a recorded metric.
type Rule struct {
	Record, Alert, Expr, For string
	Labels, Annotations      map[string]string

	File  string `yaml:"-"` // its file's name, without folder
	Group string `yaml:"-"`
}

// ReadRules reads all rules of a folder's files (*.yml), in the order of their names. Keys that rules do not have are errors.
func ReadRules(folder string) ([]Rule, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*.yml"))
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("no rules in %s", folder)
	}
	var all []Rule
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		rules, err := parseRules(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		for i := range rules {
			rules[i].File = filepath.Base(path)
		}
		all = append(all, rules...)
	}
	return all, nil
}

func parseRules(text []byte) (all []Rule, err error) {
	var file struct {
		Groups []struct {
			Name  string
			Rules []Rule
		}
	}
	if err := yaml.UnmarshalWithOptions(text, &file, yaml.Strict()); err != nil {
		return nil, err
	}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			r.Group = g.Name
			all = append(all, r)
		}
	}
	return all, nil
}

// ReadRules adds the recorded metrics of rules. Each has the labels that its expression groups by.
func (k Known) ReadRules(rules []Rule) error {
	for _, r := range rules {
		if r.Record == "" {
			continue
		}
		q, err := Read(r.Expr)
		if err != nil {
			return fmt.Errorf("%s: %w", r.Record, err)
		}
		k[r.Record] = q.Groups
		for _, u := range q.Uses { // one that is made of another has that one's labels
			if len(q.Groups) == 0 {
				k[r.Record] = k[u.Metric]
			}
		}
	}
	return nil
}
