// Package nearest finds the known word that a mistyped one stands for, so that every "unknown ..." can ask "did you mean ...?".
package nearest

import (
	"math"
	"strings"
)

// longest is the most bytes that are compared: a longer word is no slip of the finger, and comparing costs length times length.
const longest = 255

// Word gives the known word that needs the fewest edits, capitals aside, if they are at most a third of its length, where one edit is always near
// for words of three bytes and more; "" if there is none.
func Word(word string, known []string) string {
	best, least := "", math.MaxInt
	for _, k := range known {
		if d := Edits(strings.ToLower(word), strings.ToLower(k)); d < least && Near(d, k) {
			best, least = k, d
		}
	}
	return best
}

// Near reports whether so many edits away still looks like a slip of the finger for a known word.
func Near(edits int, known string) bool {
	return edits <= len(known)/3 || edits == 1 && len(known) > 1
}

// Edits is the Levenshtein distance in bytes; math.MaxInt where one of the words is longer than 255 bytes.
func Edits(a, b string) int {
	if len(a) > longest || len(b) > longest {
		return math.MaxInt
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
