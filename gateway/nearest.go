package gateway

import (
	"math"
	"strings"
)

// clip keeps foreign text short in messages.
func clip(s string) string {
	if len(s) > 64 {
		return strings.ToValidUTF8(s[:61], "") + "..."
	}
	return strings.ToValidUTF8(s, "?")
}

// nearest gives the known name that needs the fewest edits, if they are at most a third of its length (and at least one counts as near).
func nearest(name string, known []string) string {
	best, least := "", math.MaxInt
	if len(name) > 64 {
		return ""
	}
	for _, k := range known {
		if d := edits(strings.ToLower(name), k); d < least && d <= max(1, len(k)/3) {
			best, least = k, d
		}
	}
	return best
}

// edits is the Levenshtein distance in bytes.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal, row[j] = row[j], min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
