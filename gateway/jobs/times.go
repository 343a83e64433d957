package jobs

import "time"

// Stores keep times as microseconds since 1970: numbers that compare, that a double holds exactly until the year 2255, and that lose
// nothing of a job's own times, which are whole milliseconds.

// Micros is a time as stores keep it, in microseconds since 1970; 0 is no time, and times before 1970 are none.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return max(0, t.UnixMicro())
}

// Moment is the time of microseconds since 1970, in UTC; 0 gives the zero time.
func Moment(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

// Moved is a time of a spec, t, where a store still keeps that one, and the one that it was moved to otherwise: what is finer than a microsecond in t is left as it is.
func Moved(t time.Time, micros int64) time.Time {
	if micros == Micros(t) {
		return t
	}
	return Moment(micros)
}
