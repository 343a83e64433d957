package cache

import (
	"bytes"
	"encoding/hex"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestEnvelopeRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := keyOf(rapid.Byte().Draw(t, "group"), rapid.String().Draw(t, "name"))
		now := time.UnixMilli(rapid.Int64Range(0, 1<<42).Draw(t, "now"))
		it := item{data: rapid.SliceOf(rapid.Byte()).Draw(t, "data"), tier: "redis"}
		it.expires = now.Add(time.Duration(rapid.Int64Range(1, maxLife.Milliseconds()).Draw(t, "life")) * time.Millisecond)
		it.stamp.group = [8]byte(rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(t, "token"))
		it.stamp.all = [8]byte(rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(t, "token of all"))
		raw := seal(nil, key, it, now)
		got, ok := unseal(raw, key)
		if !ok || !bytes.Equal(got.data, it.data) || !got.expires.Equal(it.expires) || got.stamp != it.stamp || got.tier != it.tier {
			t.Fatalf("got %+v (%v), want %+v", got, ok, it)
		}
		// Any other bit, any cut, any other key: no answer.
		bit := rapid.IntRange(0, 8*len(raw)-1).Draw(t, "bit")
		raw[bit/8] ^= 1 << (bit % 8)
		if _, ok := unseal(raw, key); ok {
			t.Fatalf("bit %d changed and still accepted", bit)
		}
		raw[bit/8] ^= 1 << (bit % 8)
		if _, ok := unseal(raw[:rapid.IntRange(0, len(raw)-1).Draw(t, "cut")], key); ok {
			t.Fatal("a part is accepted")
		}
		key.Group[0]++
		if _, ok := unseal(raw, key); ok {
			t.Fatal("accepted for another group")
		}
	})
}

// TestEnvelopeFormat pins the bytes: gateways of different versions share a Redis. A change needs a new envelopeVersion and entryPrefix.
func TestEnvelopeFormat(t *testing.T) {
	it := item{data: []byte("value"), expires: time.UnixMilli(1_700_000_060_000), stamp: stamp{group: [8]byte{1}, all: [8]byte{2}}}
	got := hex.EncodeToString(seal(nil, Key{}, it, time.UnixMilli(1_700_000_000_000)))
	const want = "7467636501000000" + "e34c10a6" + "05000000" + "0068e5cf8b010000" + "6052e6cf8b010000" + "0100000000000000" + "0200000000000000" + "76616c7565"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestEnvelopeRefusesOddTimes(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	for what, times := range map[string][2]time.Time{
		"expires before it was made": {now, now.Add(-time.Millisecond)},
		"at the same moment":         {now, now},
		"lives too long":             {now, now.Add(maxLife + time.Millisecond)},
		"made before time":           {time.UnixMilli(-1), now},
	} {
		if _, ok := unseal(seal(nil, Key{}, item{expires: times[1]}, times[0]), Key{}); ok {
			t.Errorf("%s: accepted", what)
		}
	}
}

func FuzzUnseal(f *testing.F) {
	good := seal(nil, Key{}, item{data: []byte("value"), expires: time.UnixMilli(2000)}, time.UnixMilli(1000))
	f.Add(good)
	f.Add(good[:envelopeHead])
	f.Add([]byte(nil))
	f.Add(append(bytes.Clone(good), 0))
	f.Fuzz(func(t *testing.T, raw []byte) {
		it, ok := unseal(raw, Key{})
		if !ok {
			return
		}
		// Only what seal makes is accepted.
		created := time.UnixMilli(int64(uint64(raw[16]) | uint64(raw[17])<<8 | uint64(raw[18])<<16 | uint64(raw[19])<<24 | uint64(raw[20])<<32 | uint64(raw[21])<<40 | uint64(raw[22])<<48 | uint64(raw[23])<<56))
		if again := seal(nil, Key{}, it, created); !bytes.Equal(again, raw) {
			t.Errorf("%x is accepted, but sealed it is %x", raw, again)
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	it := item{data: make([]byte, 602_112), expires: time.Now().Add(time.Hour)}
	var buffer []byte
	b.SetBytes(int64(len(it.data)))
	b.ReportAllocs()
	for b.Loop() {
		buffer = seal(buffer[:0], Key{}, it, time.Now())
		if _, ok := unseal(buffer, Key{}); !ok {
			b.Fatal("not accepted")
		}
	}
}
