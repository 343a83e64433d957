package route

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"slices"
	"strconv"
	"time"
)

// Plan is a route that has been checked and is ready to decide. It is never changed; another one takes its place. Safe for concurrent use.
type Plan struct {
	Name   string
	Spec   Spec
	Shares Shares
	rules  []rule
	sticky sticky
	// targets are those of Targets.
	targets []Target
}

// Asker is what a decision may depend on. Header and Cookie may be nil.
type Asker struct {
	User    string // the id of the key, or the subject of the token; "" where nobody is known
	Tier    string
	Header  func(name string) string
	Cookie  func(name string) string
	Pixels  int64    // of a picture; 0 for other inputs
	Bytes   int64    // of the input
	Rows    int64    // items of the call
	Content [32]byte // SHA-256 of the input
	Chance  uint64   // random; decides where nothing is sticky
	Now     time.Time
}

// Choice is a decision.
type Choice struct {
	Target
	Reason string // in words of X-Route: rule[2], weight, sticky:user, fallback[0]
	Shadow bool   // the spec's shadow is to be asked too
}

// Choose decides. ready reports who can answer now, and may be nil where all can; where none can, the choice is the one that it would have been otherwise.
func (p *Plan) Choose(a *Asker, ready func(Target) bool) Choice {
	c := p.first(a)
	c.Shadow = p.Spec.Shadow != nil && p.Spec.Shadow.Target != c.Target && p.chance("shadow", a) < percent(p.Spec.Shadow.Percent)
	if ready == nil || ready(c.Target) {
		return c
	}
	for i, t := range p.Spec.Fallback {
		if t != c.Target && ready(t) {
			c.Target, c.Reason = t, numbered("fallback", i)
			c.Shadow = c.Shadow && p.Spec.Shadow.Target != t
			return c
		}
	}
	return c
}

// Targets are all that may be chosen, each once, candidates first. The list must not be changed.
func (p *Plan) Targets() []Target { return p.targets }

func (p *Plan) collect() (out []Target) {
	seen := map[Target]bool{}
	add := func(t Target) {
		if !seen[t] {
			seen[t] = true
			out = append(out, t)
		}
	}
	for _, c := range p.Spec.Candidates {
		add(c.Target)
	}
	for _, r := range p.Spec.Rules {
		add(r.Use)
	}
	for _, t := range p.Spec.Fallback {
		add(t)
	}
	return out
}

// Digests reports whether decisions depend on Asker.Content.
func (p *Plan) Digests() bool { return p.sticky.kind == "content" }

// Measures reports whether decisions may depend on Asker.Pixels or Asker.Bytes.
func (p *Plan) Measures() bool {
	return slices.ContainsFunc(p.Spec.Rules, func(r Rule) bool {
		return r.When.PixelsOver != nil || r.When.PixelsTo != nil || r.When.BytesOver != nil || r.When.BytesTo != nil
	})
}

func (p *Plan) first(a *Asker) Choice {
	for i := range p.rules {
		if p.rules[i].fits(a) {
			return Choice{Target: p.rules[i].use, Reason: numbered("rule", i)}
		}
	}
	slot, reason := p.slot(a)
	return Choice{Target: p.Spec.Candidates[p.Shares.of(slot)].Target, Reason: reason}
}

// slot is where a request falls: always the same for the same user.
func (p *Plan) slot(a *Asker) (int, string) {
	if value, ok := p.sticky.value(a); ok {
		return p.hash("weight", value), p.sticky.reason
	}
	return int(scaled(a.Chance)), "weight"
}

// chance is a number below slots that says whether something that befalls a share of all requests befalls this one: the same for the same user where the route is sticky.
func (p *Plan) chance(what string, a *Asker) int {
	if value, ok := p.sticky.value(a); ok {
		return p.hash(what, value)
	}
	return int(scaled(bits.RotateLeft64(a.Chance, 32) * 0x9E3779B97F4A7C15)) // other bits than those that chose
}

// hash puts a value into a slot. The route's name is in it, so that the users of one route's first tenth are not those of every other route's.
func (p *Plan) hash(what, value string) int {
	var room [256]byte
	b := room[:0]
	for _, s := range [...]string{what, p.Name, value} {
		b = append(binary.BigEndian.AppendUint64(b, uint64(len(s))), s...)
	}
	sum := sha256.Sum256(b)
	return int(scaled(binary.BigEndian.Uint64(sum[:])))
}

// scaled takes 64 random bits to a number below slots, without a remainder's bias.
func scaled(random uint64) uint64 {
	hi, _ := bits.Mul64(random, slots)
	return hi
}

func percent(p float64) int { return int(p * slots / 100) }

func numbered(what string, i int) string {
	return what + "[" + strconv.Itoa(i) + "]"
}
