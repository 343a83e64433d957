// Package rollout switches a model from one version to another over all replicas of a pool, in two phases, so that no call fails and no two
// answers of one moment come from different versions: the new version is loaded, verified and warmed up beside the old one on every replica,
// then the traffic is pointed to it in one step. The old one stays loaded for a time, so that one call brings it back, and is unloaded when the
// last call that uses it has ended. What fails before the step is undone, and the old version never stops serving.
//
// The invariant is that the version that serves is loaded and ready on every replica that takes traffic. It holds because a step is only taken
// while all of them are seen to be ready, and because a replica that comes back is let in by CatchUp alone, never during a step.
//
// The package is pure: it knows pools, routes and counters of calls by the interfaces in parts.go.
package rollout
