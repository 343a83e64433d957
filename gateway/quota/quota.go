// Package quota bounds what each caller may use: requests, decoded pixels, bytes, time of models, and requests at a time. It exists because a limit of requests alone
// says little here: a picture of 50 megapixels costs a thousand times what a row of a table does.
//
// # Buckets
//
// Each limit is a bucket of Quota units that fills evenly, from empty to full in Window; or, for a day's budget, that is full again at midnight UTC. A request comes in
// while each of its caller's buckets holds at least one unit. Costs that are not known by then are guessed from the caller's last requests, and the difference is
// settled when the request has ended: a bucket may go below zero, and is paid back by waiting. So no request is refused for its size, and the average over time is kept.
// A refused request costs nothing.
//
// # Several gateways
//
// With a Redis the buckets are there. A gateway takes units out of them ahead, as many as the caller used in the last moments (a lease), answers requests from that
// without asking, and gives back what is not used. Units that are leased are out of the shared bucket, so that gateways together never let in more requests than one
// alone would. Costs that become known later are told within a tenth of a second. While Redis is away, each gateway goes on with what it last knew, and bounds by itself.
package quota

import (
	"context"
	"time"
)

// Unit is what is counted.
type Unit uint8

// The units.
const (
	Requests  Unit   = iota // calls; one with several pictures or rows counts as so many
	Pixels                  // decoded
	Bytes                   // of bodies
	Inference               // milliseconds in which a model was asked, waiting included
	Units     = iota        // how many there are
)

var unitNames = [Units]string{"requests", "megapixels", "bytes", "inference"}

// String is the unit's name, as settings and limits have it.
func (u Unit) String() string {
	if int(u) < len(unitNames) {
		return unitNames[u]
	}
	return "unknown"
}

// Cost is an amount of each unit.
type Cost [Units]float64

// Limit is one bucket of a caller.
type Limit struct {
	Unit   Unit
	Quota  float64       // units that it holds; at least 1
	Window time.Duration // in which an empty one fills, in whole seconds; 0: a day's budget
}

// Name is the limit's name in headers, metrics and errors: of its unit, with daily- before it for a day's budget.
func (l *Limit) Name() string {
	if l.Window == 0 {
		return dailyNames[l.Unit]
	}
	return unitNames[l.Unit]
}

var dailyNames = [Units]string{"daily-requests", "daily-megapixels", "daily-bytes", "daily-inference"}

// Names of the limits that are no buckets.
const (
	NameConcurrency = "concurrency"      // requests of one caller at a time
	NameTogether    = "tier_concurrency" // of all callers of a tier
)

// mostLimits is how many buckets a caller may have: one of each unit, and a day's budget of each.
const mostLimits = 2 * Units

// Tier is what callers of one kind may use. Zeros are no limits.
type Tier struct {
	Limits      []Limit // at most one of each unit with a Window, and one without
	Concurrency int     // requests of one caller at a time, in this process
	Together    int     // requests of all callers at a time, in this process
}

// DefaultTier is the tier of callers who have none, or one that is not known.
const DefaultTier = "default"

// Subject is who is counted.
type Subject struct {
	Kind   Kind
	Tenant string // of a key or a token: a token's subject may be what another tenant's key is called
	ID     string
	Tier   string
}

// Kind says what a Subject's ID is.
type Kind uint8

// The kinds.
const (
	Key     Kind = iota // of a key, or a token's subject
	Tenant              // of a caller without one
	Address             // of a client, where nobody says who calls
)

type passKey struct{}

// From gives the pass that a context's work belongs to; nil where nobody is counted. Its methods work on nil.
func From(ctx context.Context) *Pass {
	p, _ := ctx.Value(passKey{}).(*Pass)
	return p
}
