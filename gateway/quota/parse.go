package quota

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const (
	// mostQuota is the largest integer that a header may hold; RFC 9651, chapter 3.3.1.
	mostQuota  = 999_999_999_999_999
	mostWindow = 31 * 24 * time.Hour
)

// ParseRate reads a limit such as 100/s, 200/2s, 6000/m, 20MiB/s (bytes) or 2s/s (inference): what the bucket holds, and the time in which it fills. Megapixels are
// millions of pixels. The time is s, m, h or d with a whole number before it, or none for one; at most 31 days.
func ParseRate(u Unit, text string) (Limit, error) {
	amount, window, ok := strings.Cut(text, "/")
	if !ok {
		return Limit{}, fmt.Errorf("%q is no rate; write how much, a slash and a time, such as %s", text, examples[u])
	}
	l := Limit{Unit: u}
	var err error
	if l.Quota, err = parseAmount(u, amount); err != nil {
		return Limit{}, err
	}
	if l.Window, err = parseWindow(strings.TrimSpace(window)); err != nil {
		return Limit{}, err
	}
	return l, nil
}

// ParseDaily reads a day's budget such as 100000, 10GiB (bytes) or 2h (inference).
func ParseDaily(u Unit, text string) (Limit, error) {
	quota, err := parseAmount(u, text)
	return Limit{Unit: u, Quota: quota}, err
}

var examples = [Units]string{"100/s or 200/2s", "50/s", "20MiB/s", "2s/s or 500ms/s"}

func parseAmount(u Unit, text string) (float64, error) {
	text = strings.TrimSpace(text)
	v, err := 0.0, error(nil)
	switch u {
	case Inference:
		var d time.Duration
		d, err = time.ParseDuration(text)
		v = d.Seconds() * 1000
	case Bytes:
		v, err = parseBytes(text)
	default:
		v, err = strconv.ParseFloat(text, 64)
		if u == Pixels {
			v *= 1e6
		}
	}
	switch {
	case err != nil:
		return 0, fmt.Errorf("%q is no amount of %s, as in %s", text, u, examples[u])
	case !(v >= 1) || v > mostQuota: // NaN is neither
		return 0, fmt.Errorf("%q is too little or too much: a bucket holds at least one of %s, and no more than %d", text, wholeNames[u], int64(mostQuota))
	}
	return math.Floor(v), nil
}

// wholeNames are what one of each unit is.
var wholeNames = [Units]string{"requests", "pixels", "bytes", "milliseconds"}

var byteUnits = []struct {
	name   string
	factor float64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}}

func parseBytes(text string) (float64, error) {
	factor := 1.0
	for _, u := range byteUnits {
		if head, ok := strings.CutSuffix(text, u.name); ok {
			text, factor = strings.TrimSpace(head), u.factor
			break
		}
	}
	v, err := strconv.ParseFloat(text, 64)
	return v * factor, err
}

var errWindow = errors.New("the time behind the slash is s, m, h or d, with a whole number before it or none, such as 2s; at most 31d")

func parseWindow(text string) (time.Duration, error) {
	if text == "" {
		return 0, errWindow
	}
	number, letter, n := text[:len(text)-1], text[len(text)-1], 1
	if number != "" {
		v, err := strconv.ParseUint(number, 10, 31)
		if err != nil || v == 0 {
			return 0, errWindow
		}
		n = int(v)
	}
	unit := time.Duration(0)
	switch letter {
	case 's':
		unit = time.Second
	case 'm':
		unit = time.Minute
	case 'h':
		unit = time.Hour
	case 'd':
		unit = 24 * time.Hour
	default:
		return 0, errWindow
	}
	if time.Duration(n) > mostWindow/unit {
		return 0, errWindow
	}
	return time.Duration(n) * unit, nil
}
