// Package route decides which model and version answers a request that names a route: by rules, by weights that are kept for each user, and by who is there to fall back on.
// It is pure: it knows no catalog, no clock and no network, so that every decision can be tested, explained without being carried out, and made before the cache's key is.
package route
