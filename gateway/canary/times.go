package canary

import (
	"math"
	"slices"
)

// The times of both sides are compared by their order alone, since nobody knows how they are spread: on an overloaded machine the same call takes 10 ms and then 200. If the new
// version is as good as the control, every order of the times of a span is as likely as any other, so that the chance of one as bad as that which was seen is known. It is
// looked for in the middle, at the slow end, and at the fast end: delays come on top of what the model takes, and least of all to the fastest answers.
const (
	fewest = 4   // answers of a side, or its times say nothing
	slow   = 0.1 // share of the times that are the slow end
	fast   = 0.2 // and of those that are the fast end
	ways   = 3   // in which chance is given an opportunity: middle and both ends
	// mostOfSpan bounds the evidence of one span. Calls of the same moment share its trouble, and are less independent than their number says: no span decides alone, nor do two.
	mostOfSpan = 1.8
)

// compareTimes compares the times of the answers since it last had enough of them.
func (j *judge) compareTimes() {
	old, young := j.took[Control], j.took[Candidate]
	if j.guard.Slower >= 0 && (len(old) < fewest || len(young) < fewest) {
		return
	}
	j.took = [2][]float64{old[:0], young[:0]}
	if j.guard.Slower < 0 {
		return
	}
	slices.Sort(old)
	slices.Sort(young)
	chance := 1.0
	if ratio := ratioOf(old, young); ratio > j.guard.Slower {
		chance, j.ratio = min(1, ways*min(inTheMiddle(old, young), atTheSlowEnd(old, young), atTheFastEnd(old, young))), ratio
	}
	j.slow = bounded(j.slow + min(evidenceOf(chance), mostOfSpan))
}

// evidenceOf is the logarithm of 1/(2 sqrt(p)), a bet against a chance p that wins nothing in the mean where there is nothing but chance, so that it may be made again and again
// (Vovk and Wang 2021, E-values: calibration, combination and applications).
func evidenceOf(p float64) float64 {
	return -math.Log(2) - math.Log(max(p, math.SmallestNonzeroFloat64))/2
}

// ratioOf is how many times the old times the young ones are, where they are furthest apart. Both are sorted.
func ratioOf(old, young []float64) float64 {
	ratio := max(young[len(young)/2]/old[len(old)/2], mean(young[:ends(fast, young)])/mean(old[:ends(fast, old)]))
	if len(young) >= 5*fewest && len(old) >= 5*fewest {
		ratio = max(ratio, mean(young[len(young)-ends(slow, young):])/mean(old[len(old)-ends(slow, old):]))
	}
	return ratio
}

// ends is how many of the times are a share of them, at least one.
func ends(share float64, times []float64) int {
	return max(int(math.Ceil(share*float64(len(times)))), 1)
}

func mean(list []float64) float64 {
	sum := 0.0
	for _, v := range list {
		sum += v
	}
	return sum / float64(len(list))
}

// inTheMiddle is the chance that the young times are above the old ones as often as they are, or oftener (Mann and Whitney 1947, by its normal approximation, corrected for ties).
func inTheMiddle(old, young []float64) float64 {
	n, m := float64(len(young)), float64(len(old))
	above, ties := 0.0, 0.0
	for i, k := 0, 0; i < len(young) || k < len(old); {
		var v float64
		if i < len(young) && (k == len(old) || young[i] < old[k]) {
			v = young[i]
		} else {
			v = old[k]
		}
		a, b := run(young[i:], v), run(old[k:], v)
		above += float64(a) * (float64(k) + float64(b)/2)
		t := float64(a + b)
		ties += t*t*t - t
		i, k = i+a, k+b
	}
	all := n + m
	variance := n * m / 12 * (all + 1 - ties/(all*(all-1)))
	if variance <= 0 {
		return 1
	}
	return math.Erfc((above-n*m/2-0.5)/math.Sqrt(2*variance)) / 2
}

// run is how many values at the beginning of a sorted list are v.
func run(list []float64, v float64) (n int) {
	for n < len(list) && list[n] == v {
		n++
	}
	return n
}

// atTheSlowEnd is the chance that so many of the slowest times of both are young, or more.
func atTheSlowEnd(old, young []float64) float64 {
	end := max(int(slow*float64(len(old)+len(young))), 1)
	i, k := len(young), len(old)
	for range end {
		if i > 0 && (k == 0 || young[i-1] > old[k-1]) {
			i--
		} else {
			k--
		}
	}
	return drawn(len(young), len(old), end, len(young)-i, end)
}

// atTheFastEnd is the chance that so few of the fastest times of both are young, or fewer.
func atTheFastEnd(old, young []float64) float64 {
	end := max(int(fast*float64(len(old)+len(young))), 1)
	i, k := 0, 0
	for range end {
		if i < len(young) && (k == len(old) || young[i] <= old[k]) {
			i++
		} else {
			k++
		}
	}
	return drawn(len(young), len(old), end, 0, i)
}

// drawn is the chance that of so many drawn out of young and old ones, from least to most are young (hypergeometric).
func drawn(young, old, draws, least, most int) float64 {
	sum := 0.0
	for h := max(least, draws-old); h <= min(most, young, draws); h++ {
		sum += math.Exp(choices(young, h) + choices(old, draws-h) - choices(young+old, draws))
	}
	return min(sum, 1)
}

// choices is the logarithm of the number of ways to choose k of n.
func choices(n, k int) float64 { return factorial(n) - factorial(k) - factorial(n-k) }

func factorial(n int) float64 {
	v, _ := math.Lgamma(float64(n) + 1)
	return v
}
