package jobs_test

import (
	"testing"
	"time"

	"triton-gateway/gateway/jobs"
)

// TestTimesOfStores: there and back loses what is finer than a microsecond, unless the store's time is the spec's own.
func TestTimesOfStores(t *testing.T) {
	at := time.Date(2026, 5, 4, 3, 2, 1, 987_654_321, time.UTC)
	if n := jobs.Micros(at); n != 1_777_863_721_987_654 || !jobs.Moment(n).Equal(at.Truncate(time.Microsecond)) || jobs.Moment(n).Location() != time.UTC {
		t.Errorf("%v is kept as %d, which is %v", at, n, jobs.Moment(n))
	}
	if got := jobs.Moved(at, jobs.Micros(at)); got != at {
		t.Errorf("a time that was not moved became %v", got)
	}
	if got := jobs.Moved(at, jobs.Micros(at)+1); !got.Equal(at.Truncate(time.Microsecond).Add(time.Microsecond)) {
		t.Errorf("moved by a microsecond: %v", got)
	}
	for _, none := range []time.Time{{}, time.Unix(-5, 0), time.Unix(0, 0)} {
		if jobs.Micros(none) != 0 {
			t.Errorf("%v is kept as %d", none, jobs.Micros(none))
		}
	}
	if !jobs.Moved(at, 0).IsZero() || !jobs.Moment(0).IsZero() {
		t.Error("no time is a time")
	}
	far := time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
	if n := jobs.Micros(far); int64(float64(n)) != n || !jobs.Moment(n).Equal(far) {
		t.Errorf("%v does not survive a double", far)
	}
}
