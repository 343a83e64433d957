package quota

import (
	"strconv"
	"strings"
	"time"
)

// amount is the quota in the words of the settings.
func (l *Limit) amount() string {
	switch l.Unit {
	case Pixels:
		return strconv.FormatFloat(l.Quota/1e6, 'f', -1, 64) + " megapixels"
	case Bytes:
		return byteText(l.Quota)
	case Inference:
		return windowText(time.Duration(l.Quota) * time.Millisecond)
	}
	return strconv.FormatFloat(l.Quota, 'f', -1, 64)
}

// byteText writes the largest unit of 1024 that leaves a whole number.
func byteText(n float64) string {
	for i := 3; i >= 0; i-- {
		if u := byteUnits[i]; int64(n)%int64(u.factor) == 0 {
			return strconv.FormatInt(int64(n)/int64(u.factor), 10) + " " + u.name
		}
	}
	return strconv.FormatInt(int64(n), 10) + " bytes"
}

// inSeconds is a wait for people, as Retry-After rounds it.
func inSeconds(d time.Duration) string {
	n := wholeSeconds(d)
	if n == 1 {
		return "1 second"
	}
	if n >= 120 {
		return windowText(time.Duration(n) * time.Second)
	}
	return strconv.FormatInt(n, 10) + " seconds"
}

// windowText is a time without the units that are zero.
func windowText(d time.Duration) string {
	text := d.String()
	if rest, cut := strings.CutSuffix(text, "m0s"); cut {
		text = rest + "m"
	}
	if rest, cut := strings.CutSuffix(text, "h0m"); cut {
		text = rest + "h"
	}
	return text
}
