package gateway

import (
	"maps"
	"slices"

	"triton-gateway/gateway/quota"
)

// quotaReadings are the figures of the quotas. Labels are the tiers and limits of the settings.
func quotaReadings(stats func() quota.Stats) readings {
	return func() []reading {
		s := stats()
		var refused, used, running []labelled
		for _, t := range s.Tiers {
			for _, limit := range slices.Sorted(maps.Keys(t.Refused)) {
				refused = append(refused, labelled{float64(t.Refused[limit]), []string{t.Name, limit}})
			}
			for u := range quota.Unit(quota.Units) {
				v := t.Used[u]
				switch u {
				case quota.Pixels:
					v /= 1e6
				case quota.Inference:
					v /= 1e3
				}
				used = append(used, labelled{v, []string{t.Name, u.String()}})
			}
			running = append(running, labelled{float64(t.Running), []string{t.Name}})
		}
		list := []reading{
			{"gateway_quota_refused_total", "Requests that a quota refused, or would have refused in a dry run.", []string{"tier", "limit"}, true, refused},
			{"gateway_quota_used_total", "What requests used that have ended: requests, megapixels, bytes, and seconds of inference.", []string{"tier", "unit"}, true, used},
			{"gateway_quota_requests_in_flight", "Requests under way that have a quota.", []string{"tier"}, false, running},
			{"gateway_quota_callers", "Callers whose quotas are remembered here.", nil, false, one(float64(s.Accounts))},
			{"gateway_quota_dry_run", "1 if quotas only report.", nil, false, one(float64(b2i(s.DryRun)))},
		}
		if r := s.Shared; r != nil {
			list = append(list,
				reading{"gateway_quota_redis_up", "1 while quotas are shared through Redis, 0 while each gateway bounds by itself; missing without Redis.", nil, false, one(float64(b2i(r.Up)))},
				reading{"gateway_quota_redis_exchanges_total", "Times that one caller's quotas were told to Redis.", nil, true, one(float64(r.Exchanges))},
				reading{"gateway_quota_redis_errors_total", "Failed round trips; requests went on without.", nil, true, one(float64(r.Failed))},
				reading{"gateway_quota_redis_waits_total", "Requests that waited for a round trip.", nil, true, one(float64(r.Waited))},
				reading{"gateway_quota_redis_timeouts_total", "Requests that did not wait to its end.", nil, true, one(float64(r.Impatient))})
		}
		return list
	}
}
