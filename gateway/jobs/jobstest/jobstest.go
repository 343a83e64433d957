// Package jobstest is the contract of jobs.Store as tests. It exists so that every driver is held to the same promises: what one store does, all do,
// and the engine above need not know which one it has.
package jobstest

import (
	"testing"
	"time"

	"triton-gateway/gateway/jobs"
)

// Place is where a driver keeps jobs: a file, a server. It is empty at first.
type Place struct {
	// Open opens a store on the place, as another process would. It closes it when the test ends, and takes a second Close.
	Open func(t *testing.T) jobs.Store
	// Now is the clock of all stores of the place; nil: time.Now.
	Now func() time.Time
	// Advance moves that clock. nil: it is the real one; the tests wait for leases to end, and skip what takes longer than a few seconds.
	Advance func(d time.Duration)
	// Lease is the shortest lease that the driver can give; 0: 10 s with Advance, 500 ms without.
	Lease time.Duration
	// Loose says that the order among due jobs is not kept exactly.
	Loose bool
	// Many is how many jobs two stores share out; 0: 500.
	Many int
}

// Run runs the contract, each test on an empty place.
func Run(t *testing.T, empty func(t *testing.T) Place) {
	tests := []struct {
		name string
		run  func(*rig)
	}{
		{"CreateGet", createGet},
		{"Look", look},
		{"CreateTwice", createTwice},
		{"Unknown", unknown},
		{"Key", key},
		{"KeysAtOnce", keysAtOnce},
		{"ListFilters", listFilters},
		{"ListCursor", listCursor},
		{"ListBadCursor", listBadCursor},
		{"ListUntold", listUntold},
		{"Order", order},
		{"NoStarving", noStarving},
		{"RunAt", runAt},
		{"Place", placeInQueue},
		{"Fence", fence},
		{"LeaseEnds", leaseEnds},
		{"LateButFirst", lateButFirst},
		{"LateAfterSweep", lateAfterSweep},
		{"Crashes", crashes},
		{"CrashesAnew", crashesAnew},
		{"StaleFence", staleFence},
		{"SettledTwice", settledTwice},
		{"Deadline", deadline},
		{"DeadlineOfDead", deadlineOfDead},
		{"Results", results},
		{"ResultsOnce", resultsOnce},
		{"ResultsPages", resultsPages},
		{"SettleFinal", settleFinal},
		{"SettleQueued", settleQueued},
		{"GivenBack", givenBack},
		{"CancelQueued", cancelQueued},
		{"CancelRunning", cancelRunning},
		{"CancelGivenBack", cancelGivenBack},
		{"CancelDead", cancelDead},
		{"CancelFinal", cancelFinal},
		{"Retry", retry},
		{"RetryRefused", retryRefused},
		{"RetryExpired", retryExpired},
		{"BlobTwice", blobTwice},
		{"BlobBad", blobBad},
		{"BlobSwept", blobSwept},
		{"BlobPutWhileNamed", blobPutWhileNamed},
		{"SweepFinal", sweepFinal},
		{"Counts", counts},
		{"ManyItems", manyItems},
		{"Reopened", reopened},
		{"TwoStores", twoStores},
		{"CanceledContext", canceledContext},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(newRig(t, empty(t))) })
	}
}
