package triton

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash/fnv"
	"maps"
	"strconv"
	"time"

	"triton-gateway/tritonpb"
)

// counters are the numbers of ModelStatistics that only grow while a version stays loaded: counts and nanoseconds. Together
// they are as good as a fingerprint, for no two loads spend the same nanoseconds.
type counters [18]uint64

// The places of counters that rules look at.
const (
	successCount = iota
	successTime
	failCount
)

func countersOf(s *tritonpb.ModelStatistics) counters {
	i := s.GetInferenceStats()
	return counters{
		i.GetSuccess().GetCount(), i.GetSuccess().GetNs(), i.GetFail().GetCount(), i.GetFail().GetNs(),
		i.GetQueue().GetCount(), i.GetQueue().GetNs(), i.GetComputeInput().GetCount(), i.GetComputeInput().GetNs(),
		i.GetComputeInfer().GetCount(), i.GetComputeInfer().GetNs(), i.GetComputeOutput().GetCount(), i.GetComputeOutput().GetNs(),
		i.GetCacheHit().GetCount(), i.GetCacheHit().GetNs(), i.GetCacheMiss().GetCount(), i.GetCacheMiss().GetNs(),
		s.GetInferenceCount(), s.GetExecutionCount(),
	}
}

// record is what the gateways know together of one load of one model version.
type record struct {
	Epoch  string   `json:"e"`
	Number uint64   `json:"n"`           // how many epochs this version has had; of two epochs the higher is the later
	Base   uint64   `json:"b"`           // successes counted when the epoch began
	Told   uint64   `json:"k,omitempty"` // how many since then have been accounted for; what comes on top is held against the shares' Most less At
	Seen   counters `json:"s,omitzero"`  // at the last look
	At     int64    `json:"t"`           // the last look, ms since 1970 by the clock of the gateway that looked
	Load   string   `json:"l,omitempty"` // identity of the load by Triton's metrics; "" where unknown
	Config string   `json:"c,omitempty"` // digest of the model's config
	Gone   bool     `json:"g,omitempty"` // it was seen not ready: whatever comes next is another load
	Doubt  bool     `json:"d,omitempty"` // the last look saw calls that were not yet explained
	// Shares are the gateways' own calls since the epoch began, by gateway; Left is the sum of those that are no longer there.
	Shares map[string]share `json:"w,omitempty"`
	Left   share            `json:"o,omitzero"`
}

// share bounds what one gateway's calls have added to the count of successes since Base.
type share struct {
	Least uint64 `json:"l"` // counted for certain
	Most  uint64 `json:"m"` // started and not known to have failed
	Tick  uint64 `json:"t"` // the book's tick when this was written
	// Sure is how many of Most had been counted for certain when this was written, and At how many had when Told was.
	Sure uint64 `json:"s,omitempty"`
	At   uint64 `json:"a,omitempty"`
}

// clone copies what may be written to.
func (r record) clone() record {
	r.Shares = maps.Clone(r.Shares)
	return r
}

// sum adds the shares of all gateways but one: how many of their calls are counted since Base at least, and since Told at most.
func (r *record) sum(but string) (least, open uint64) {
	least, open = r.Left.Least, r.Left.open()
	for id, s := range r.Shares {
		if id != but {
			least, open = least+s.Least, open+s.open()
		}
	}
	return least, open
}

// open is how many calls may have been counted since Told was written.
func (s share) open() uint64 { return s.Most - min(s.At, s.Most) }

// tell accounts for all that is counted by now. Later growth has to be explained by calls that were not certain to be counted already;
// without this, calls just before the epoch began, which may or may not be in Base, would explain strangers' calls for ever.
func (r *record) tell(count uint64) {
	r.Told, r.Left.At = count-r.Base, r.Left.Sure
	for id, s := range r.Shares {
		s.At = s.Sure
		r.Shares[id] = s
	}
}

// fresh begins a new epoch on what was observed.
func (r *record) fresh(o *observation, now time.Time) record {
	return record{Epoch: randomEpoch(), Number: r.Number + 1, Base: o.counters[successCount], Seen: o.counters,
		At: now.UnixMilli(), Load: o.load, Config: o.config}
}

// book holds the records of one endpoint. It is stored in shelves, for a store may bound its values: cache.Records takes 64 KiB, and a
// record has some 400 bytes, 700 with large counts.
type book struct {
	Format  int               `json:"format"`
	Tick    uint64            `json:"tick"` // goes up with every change
	Records map[string]record `json:"records"`
}

const (
	bookFormat = 1
	maxBook    = 16 << 20
	shelves    = 6
	// goneKept is how long the record of a version that is gone is kept.
	goneKept = 24 * time.Hour
)

// shelfKey names one part of a book in the store.
func shelfKey(key string, shelf int) string { return key + ":" + strconv.Itoa(shelf) }

// split puts every record on the shelf of its key.
func (b *book) split() (out [shelves]book) {
	for i := range out {
		out[i] = book{Format: b.Format, Tick: b.Tick, Records: map[string]record{}}
	}
	for key, r := range b.Records {
		h := fnv.New32a()
		h.Write([]byte(key))
		out[h.Sum32()%shelves].Records[key] = r
	}
	return out
}

// add takes over the records of a shelf.
func (b *book) add(shelf book) {
	b.Tick = max(b.Tick, shelf.Tick)
	maps.Copy(b.Records, shelf.Records)
}

func (b *book) clone() book {
	out := book{Format: b.Format, Tick: b.Tick, Records: make(map[string]record, len(b.Records))}
	for key, r := range b.Records {
		out.Records[key] = r.clone()
	}
	return out
}

// markGone notes which versions are not ready now, and forgets those that have not been for long.
func (b *book) markGone(ready map[string]bool, now time.Time) {
	for key, r := range b.Records {
		switch {
		case ready[key]:
		case r.Gone && now.UnixMilli()-r.At > goneKept.Milliseconds():
			delete(b.Records, key)
		case !r.Gone:
			b.Records[key] = record{Epoch: r.Epoch, Number: r.Number, At: now.UnixMilli(), Gone: true}
		}
	}
}

// readBook gives an empty book where the bytes are not one: a store's garbage costs new epochs, never an error.
func readBook(b []byte) book {
	var out book
	if len(b) > maxBook || json.Unmarshal(b, &out) != nil || out.Format != bookFormat {
		out = book{Format: bookFormat}
	}
	if out.Records == nil {
		out.Records = map[string]record{}
	}
	for key, r := range out.Records {
		if len(r.Epoch) != epochLength {
			delete(out.Records, key)
		}
	}
	return out
}

func (b *book) bytes() []byte {
	out, err := json.Marshal(b)
	if err != nil { // strings and numbers alone
		panic(err)
	}
	return out
}

// key names a model version in a book. Versions are numbers, so the last slash divides.
func (m modelVersion) key() string { return m.model + "/" + m.version }

// bookKey names an endpoint in the store, the same for all gateways that give the endpoint the same address.
func bookKey(address string) string {
	sum := sha256.Sum256([]byte(address))
	return "epochs:" + hex.EncodeToString(sum[:16])
}

const epochLength = 32

// randomEpoch is 128 random bits in hex.
func randomEpoch() string {
	var b [epochLength / 2]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	return hex.EncodeToString(b[:])
}
