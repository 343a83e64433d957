package catalog

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"triton-gateway/internal/fault"
	"triton-gateway/internal/nearest"
)

const maxName = 255

// plain reports whether a name can stand in a path, a URL, a header and a JSON text as it is.
func plain(name string) bool {
	if name == "" || len(name) > maxName || name[0] == '.' {
		return false
	}
	for i := range len(name) {
		c := name[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && strings.IndexByte("._+:=@,~-", c) < 0 {
			return false
		}
	}
	return true
}

// quote quotes a caller's text, cut to a length that fits a line.
func quote(s string) string {
	const most = 64
	if len(s) > most {
		s = s[:most] + "..."
	}
	return strconv.QuoteToASCII(s)
}

// NoModel is the fault of a name that nobody has, NotFound model_not_found; it names those of list that may be meant.
func NoModel(name string, list []*Model) *fault.Error {
	return fault.New(fault.NotFound, "model_not_found", "there is no model %s%s", quote(name), similar(name, list))
}

// similar is the end of a sentence about an unknown name: the models that may be meant, or those that there are.
func similar(name string, list []*Model) string {
	const most = 3
	type candidate struct {
		name     string
		distance int
	}
	var near []candidate
	if len(name) <= maxName { // a longer one is no slip of the finger, and comparing costs its length times that of each model's name
		low := strings.ToLower(name)
		for _, m := range list {
			own := strings.ToLower(m.Name)
			d := nearest.Edits(low, own)
			if len(low) > 2 && (strings.HasPrefix(own, low) || strings.HasPrefix(low, own)) {
				d = min(d, 1)
			}
			if nearest.Near(d, own) {
				near = append(near, candidate{m.Name, d})
			}
		}
	}
	slices.SortStableFunc(near, func(a, b candidate) int { return cmp.Compare(a.distance, b.distance) })
	var names []string
	for _, c := range near[:min(most, len(near))] {
		names = append(names, strconv.QuoteToASCII(c.name))
	}
	if len(names) > 0 {
		return "; did you mean " + strings.Join(names, " or ") + "?"
	}
	if len(list) == 0 {
		return "; the backend has none"
	}
	const show = 10
	for _, m := range list[:min(show, len(list))] {
		names = append(names, strconv.QuoteToASCII(m.Name))
	}
	if len(list) > show {
		names = append(names, "...")
	}
	return "; there are " + strings.Join(names, ", ")
}
