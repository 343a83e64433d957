package gateway

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"triton-gateway/gateway/quota"
)

// Quotas say what each caller may use. Without tiers there are none.
type Quotas struct {
	DryRun    bool       `yaml:"dry_run" json:"dry_run,omitempty" env:"DRY_RUN" jsonschema_description:"Whether quotas only report what they would refuse, in a metric, the log and a header. Default: no."`
	ByAddress bool       `yaml:"by_address" json:"by_address,omitempty" env:"BY_ADDRESS" jsonschema_description:"Whether callers are told apart by their address (the first 64 bits of an IPv6 address) where nobody says who calls. Behind a proxy, all are one. Default: no, and then they have no quotas."`
	Redis     Secret     `yaml:"redis" json:"redis,omitempty" env:"REDIS" jsonschema_description:"redis://, rediss:// (TLS) or unix:// URL of the Redis in which gateways share quotas. Default: cache.redis; off: none."`
	Tiers     QuotaTiers `yaml:"tiers" json:"tiers,omitempty" env:"TIERS" jsonschema_description:"Quotas by tier of the caller's key; default is for all who have none, or another. docs/guide/quotas.md."`
}

// QuotaTiers are quotas by tier. In the environment they are JSON.
type QuotaTiers map[string]QuotaTier

// parseTiers reads them from the environment.
func parseTiers(text string) (t QuotaTiers, err error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err = d.Decode(&t); err != nil {
		return nil, fmt.Errorf(`not JSON such as {"default":{"requests":"100/s"}}: %w`, err)
	}
	return t, nil
}

// QuotaTier is what one caller of a tier may use. What is left out has no limit.
type QuotaTier struct {
	Requests        string   `yaml:"requests" json:"requests,omitempty" jsonschema_description:"How many, and the time in which so many come back: 100/s, 200/2s, 6000/m. So many may come at once. Each picture or row of a call counts."`
	Megapixels      string   `yaml:"megapixels" json:"megapixels,omitempty" jsonschema_description:"Pixels that are decoded, in millions: 50/s."`
	Bytes           string   `yaml:"bytes" json:"bytes,omitempty" jsonschema_description:"Bytes of request bodies: 20MiB/s."`
	Inference       string   `yaml:"inference" json:"inference,omitempty" jsonschema_description:"Time in which models are asked: 2s/s is two calls all the time."`
	Concurrency     int      `yaml:"concurrency" json:"concurrency,omitempty" jsonschema_description:"Requests at one time of one caller, in each gateway."`
	TierConcurrency int      `yaml:"tier_concurrency" json:"tier_concurrency,omitempty" jsonschema_description:"Requests at one time of all callers of the tier, in each gateway."`
	Daily           QuotaDay `yaml:"daily" json:"daily,omitempty" jsonschema_description:"What may be used in a day of UTC."`
}

// QuotaDay is a day's budget.
type QuotaDay struct {
	Requests   string `yaml:"requests" json:"requests,omitempty" jsonschema_description:"How many: 100000."`
	Megapixels string `yaml:"megapixels" json:"megapixels,omitempty" jsonschema_description:"In millions of pixels: 50000."`
	Bytes      string `yaml:"bytes" json:"bytes,omitempty" jsonschema_description:"With a unit: 10GiB."`
	Inference  string `yaml:"inference" json:"inference,omitempty" jsonschema_description:"A time: 2h."`
}

// quotasOff is the Redis of quotas that are not shared.
const quotasOff = "off"

// tierName is what a tier may be called: it is a label of metrics.
var tierName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// mostTiers bounds them, as each is a label.
const mostTiers = 100

// check is the section's part of Config.Validate.
func (q *Quotas) check() (faults []error) {
	if q.Redis != "" && q.Redis != quotasOff {
		if err := quota.CheckURL(string(q.Redis)); err != nil {
			faults = append(faults, bad("quotas.redis: %w", err))
		}
	}
	if len(q.Tiers) > mostTiers {
		faults = append(faults, bad("quotas.tiers: %d tiers; at most %d", len(q.Tiers), mostTiers))
	}
	_, bads := q.tiers()
	return append(faults, bads...)
}

// tiers reads the tiers, and gives all faults.
func (q *Quotas) tiers() (tiers map[string]quota.Tier, faults []error) {
	tiers = map[string]quota.Tier{}
	for _, name := range slices.Sorted(maps.Keys(q.Tiers)) {
		at := "quotas.tiers." + name
		if !tierName.MatchString(name) {
			faults = append(faults, bad("quotas.tiers: a tier's name has 1 to 64 letters, digits, dots, dashes and underscores, unlike %q", clip(name)))
			continue
		}
		t := q.Tiers[name]
		tier := quota.Tier{Concurrency: t.Concurrency, Together: t.TierConcurrency}
		rates := [quota.Units]string{t.Requests, t.Megapixels, t.Bytes, t.Inference}
		days := [quota.Units]string{t.Daily.Requests, t.Daily.Megapixels, t.Daily.Bytes, t.Daily.Inference}
		for u := range quota.Unit(quota.Units) {
			for _, v := range []struct {
				at, text string
				parse    func(quota.Unit, string) (quota.Limit, error)
			}{{at, rates[u], quota.ParseRate}, {at + ".daily", days[u], quota.ParseDaily}} {
				if v.text == "" {
					continue
				}
				limit, err := v.parse(u, v.text)
				if err != nil {
					faults = append(faults, bad("%s.%s: %w", v.at, u, err))
					continue
				}
				tier.Limits = append(tier.Limits, limit)
			}
		}
		for _, v := range []struct {
			key   string
			value int
		}{{"concurrency", t.Concurrency}, {"tier_concurrency", t.TierConcurrency}} {
			if v.value < 0 {
				faults = append(faults, bad("%s.%s: must not be negative", at, v.key))
			}
		}
		tiers[name] = tier
	}
	return tiers, faults
}

// redis is the URL of the Redis that quotas are shared through; "" for none. ca is the file for it.
func (c *Config) quotaRedis() (url, ca string) {
	url = cmp.Or(string(c.Quotas.Redis), string(c.Cache.Redis))
	if url == quotasOff {
		return "", ""
	}
	return url, c.Cache.RedisCA
}
