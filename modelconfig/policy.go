package modelconfig

import (
	"cmp"
	"slices"

	"triton-gateway/tritonpb"
)

// policy reads a version_policy. As in Triton's lifecycle code, none means the latest one, and a policy without a choice
// (`version_policy { }`) means all.
func policy(pb *tritonpb.ModelVersionPolicy) VersionPolicy {
	switch {
	case pb == nil:
		return VersionPolicy{Latest: 1}
	case pb.GetLatest() != nil:
		return VersionPolicy{Latest: int(pb.GetLatest().NumVersions)}
	case pb.GetSpecific() != nil:
		return VersionPolicy{Specific: slices.Clone(pb.GetSpecific().Versions)}
	}
	return VersionPolicy{All: true}
}

// Select gives those of the available versions that are served, highest first, each once. The zero policy is Triton's
// default, the latest one. A specific version that is not available is left out, as Triton does it.
func (p VersionPolicy) Select(available []int64) []int64 {
	served := slices.Clone(available)
	slices.SortFunc(served, func(a, b int64) int { return cmp.Compare(b, a) })
	served = slices.Compact(served)
	switch {
	case p.All:
		return served
	case len(p.Specific) > 0:
		return slices.DeleteFunc(served, func(v int64) bool { return !slices.Contains(p.Specific, v) })
	}
	return served[:min(max(p.Latest, 1), len(served))]
}
