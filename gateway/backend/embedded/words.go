package embedded

import (
	"bytes"
	"math"
)

// wordOf is the first token's text of s: letters from a to z, or one full stop; "" where there is none at its beginning.
func wordOf(s string) string {
	n := 0
	for n < len(s) && 'a' <= s[n] && s[n] <= 'z' {
		n++
	}
	if n == 0 && len(s) > 0 && s[0] == '.' {
		n = 1
	}
	return s[:n]
}

// read gives the tokens of a prompt: of its last bytes, in small letters, the words that are known. space is what stands before the first word that follows it.
func (l *tokenLoop) read(prompt []byte) (tokens []int, space string) {
	prompt = prompt[max(0, len(prompt)-l.prompt):]
	if len(prompt) > 0 && !bytes.HasSuffix(prompt, []byte(" ")) {
		space = " "
	}
	small := make([]byte, len(prompt))
	for i, c := range prompt {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		small[i] = c
	}
	for rest := string(small); rest != ""; {
		word := wordOf(rest)
		if t := l.number[word]; t > 0 {
			tokens = append(tokens, t)
		}
		rest = rest[max(1, len(word)):]
	}
	return tokens, space
}

// choice is how the next token is chosen.
type choice struct {
	temperature float64 // 0 and below: the likeliest; 1: by the scores; 10 at most
	seed        uint64
}

// pick chooses the i-th token by its scores. The arithmetic is that of the demo model's model.py, so that both choose the same.
func (c choice) pick(scores []float32, i int) int {
	best := 0
	for k, s := range scores {
		if s > scores[best] {
			best = k
		}
	}
	if !(c.temperature > 0) { // also NaN
		return best
	}
	const highest = 10
	shares, sum := make([]float64, len(scores)), 0.0
	for k, s := range scores {
		sum += math.Exp((float64(s) - float64(scores[best])) / min(c.temperature, highest))
		shares[k] = sum
	}
	drawn := uniform(c.seed, i) * sum
	for k, share := range shares {
		if share > drawn {
			return k
		}
	}
	return len(scores) - 1
}

// uniform is the i-th number of SplitMix64 from a seed, its upper 53 bits as a fraction from 0 to below 1. (Steele, Lea and Flood, Fast splittable pseudorandom
// number generators, 2014.)
func uniform(seed uint64, i int) float64 {
	x := seed + uint64(i+1)*0x9E3779B97F4A7C15
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return float64((x^x>>31)>>11) / (1 << 53)
}
